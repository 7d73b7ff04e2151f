"""What the recorder's process says about itself, in the file that it writes each second (`run/recorder.json`)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

# Written once a second; one that is older than this many seconds was left by a process that is gone or stuck.
_FRESH_S = 15.0


@dataclass(frozen=True, slots=True)
class RecorderState:
    """How recording goes, as a state of the style sheet (`completed`, `running`, `failed` or `none`) and in words."""

    prefect: tuple[str, str]
    backlog: tuple[str, str]


_UNKNOWN = RecorderState(("none", "Prefect not heard from yet"), ("none", "Recorder not heard from yet"))
_GONE = RecorderState(("none", "Prefect not heard from"), ("failed", "The recorder does not run; its runs wait"))
_WITHOUT = RecorderState(("none", "No Prefect to send runs to"), ("completed", "Runs are kept here"))


def read_recorder_state(path: Path, now: float | None = None) -> RecorderState:
    """The state as last written. A file that is missing, half or of another shape gives an unknown state."""
    try:
        value: Any = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return _UNKNOWN
    if not isinstance(value, dict):
        return _UNKNOWN
    written = value.get("time")
    fresh = isinstance(written, int | float) and (now if now is not None else time.time()) - written < _FRESH_S
    if not fresh or not value.get("running", True):
        return _GONE
    prefect = value.get("prefect")
    if not isinstance(prefect, dict):
        return _WITHOUT
    return RecorderState(_prefect(prefect.get("prefect_up")), _backlog(prefect.get("backlog")))


def _prefect(up: Any) -> tuple[str, str]:
    if not isinstance(up, bool):
        return _UNKNOWN.prefect
    return ("completed", "Prefect answers") if up else ("failed", "Prefect does not answer; runs wait")


def _backlog(count: Any) -> tuple[str, str]:
    if not isinstance(count, int) or isinstance(count, bool):
        return _UNKNOWN.backlog
    if count <= 0:
        return "completed", "Every run is in Prefect"
    return "running", f"{count} run{'' if count == 1 else 's'} on the way to Prefect"
