"""What models print, and the tracebacks of what they raise: a bounded file for each version.

A process that holds several models (the HTTP app, the shared host) calls `listen_to_models` once; what is printed or
logged in a call of a model is then kept in that model's file as well. A model with a process of its own has all of that
process's output as its log.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from ..connectors.redaction import redacted

MAX_BYTES = 1_000_000
_KEPT_BYTES = 250_000
_LONGEST_LINE = 4_000
_MOST_FRAMES = 60
_OURS = str(Path(__file__).parent)


class _Speaking(threading.local):
    """Which model computes in this thread."""

    log: ModelLog | None = None


speaking = _Speaking()


def log_path(folder: Path, name: str, version: str) -> Path:
    """Where the log of a version lies."""
    return folder / f"model-{name}-{version}.log"


class ModelLog:
    """The log of one version. Writing never raises: a full disk stops no model."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._partial = ""

    def write(self, text: str) -> None:
        """Add printed text; whole lines reach the file, each with its time."""
        with self._lock:
            *lines, self._partial = (self._partial + text).split("\n")
            if len(self._partial) > _LONGEST_LINE:
                lines, self._partial = [*lines, self._partial], ""
            if lines:
                self._append(lines)

    def failed(self, error: BaseException) -> None:
        """Add the traceback of what the model raised, from its own code on."""
        if isinstance(error, RecursionError):
            parts = traceback.format_exception(type(error), error, error.__traceback__, limit=-_MOST_FRAMES)
        else:
            parts = traceback.format_exception(type(error), error, _theirs(error), limit=-_MOST_FRAMES)
        with self._lock:
            self._append("".join(parts).rstrip("\n").split("\n"))

    def _append(self, lines: list[str]) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        text = "".join(f"{now} {redacted(line)[:_LONGEST_LINE]}\n" for line in lines)
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(text)
                size = file.tell()
            if size > MAX_BYTES:
                trim(self.path)


def trim(path: Path, most: int = MAX_BYTES) -> None:
    """Keep the end of a log that has grown beyond `most` bytes; whoever appends to it goes on doing so."""
    with contextlib.suppress(OSError):
        if path.stat().st_size <= most:
            return
        end = _end(path, _KEPT_BYTES)
        os.truncate(path, 0)
        with path.open("ab") as file:
            file.write(end)


def read_log(path: Path, lines: int) -> list[str]:
    """The last lines of a log, secrets taken out; none if there is no log."""
    try:
        text = _end(path, MAX_BYTES).decode(errors="replace")
    except OSError:
        return []
    return [redacted(line)[:_LONGEST_LINE] for line in text.splitlines()[-lines:]]


def listen_to_models() -> None:
    """Keep what models print in this process from now on, and what they log if logging takes stderr after this."""
    if not isinstance(sys.stdout, Heard):
        sys.stdout = Heard(sys.stdout)
    if not isinstance(sys.stderr, Heard):
        sys.stderr = Heard(sys.stderr)


class Heard(io.TextIOBase):
    """A stream that passes everything on, and what a model writes to its log as well."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write on, and note."""
        log = speaking.log
        if log is not None:
            log.write(text)
        return self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream behind."""
        self._stream.flush()

    def fileno(self) -> int:
        """The stream's own file."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """It is."""
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _theirs(error: BaseException) -> Any:
    """The traceback without the frames of this package that led to the model; all of it if there are no others."""
    found = error.__traceback__
    while found is not None and found.tb_frame.f_code.co_filename.startswith(_OURS):
        found = found.tb_next
    return found or error.__traceback__


def _end(path: Path, most: int) -> bytes:
    """The last bytes of a file, from the beginning of a line on."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        data = file.read(most)
    return data if size <= most else data.partition(b"\n")[2]
