"""What the recorder's process says about itself, in the file that it writes (`run/recorder.json`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class RecorderState:
    """`backlog`: runs that Prefect has not got yet; `prefect_up`: whether it answers. None where it is unknown."""

    known: bool = False
    backlog: int | None = None
    prefect_up: bool | None = None


def read_recorder_state(path: Path) -> RecorderState:
    """The state as last written. A file that is missing, half or of another shape gives an unknown state."""
    try:
        value: Any = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return RecorderState()
    if not isinstance(value, dict):
        return RecorderState()
    backlog = value.get("backlog")
    prefect = value.get("prefect_up")
    return RecorderState(
        known=True,
        backlog=backlog if isinstance(backlog, int) and not isinstance(backlog, bool) else None,
        prefect_up=prefect if isinstance(prefect, bool) else None,
    )
