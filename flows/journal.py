"""The journal: run records on their way into the store, one line each, written with one `os.write`.

A record that `append` has written outlives the process, `kill -9` included (not the machine's power). Each process
writes a file of its own and holds an exclusive lock on it, so that the reader (flows/ingest.py) knows when it is done.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from ..connectors.blanking import Blanks
from .shortening import shorten

logger = logging.getLogger(__name__)

# The first entry of each line, so that a later layout can be told from this one.
LINE_FORMAT = 1
SUFFIX = ".jsonl"
_COMPLAIN_EVERY_S = 60.0


@dataclass(slots=True)
class RunRecord:
    """One finished run. Times are microseconds (`started_us` since 1970); `input` and `output` are JSON as sent.

    `nodes` holds `[node id, kind, state, start offset µs, duration µs, error or null]` for each node, in the order of
    their start; states are completed, failed, skipped and timed-out. `parent` is the run that called this one,
    `details` what is kept of its nodes for people (flows/node_details.py).
    """

    id: str
    worklet: str
    version: int
    trigger: str
    principal: str | None
    state: str
    started_us: int
    duration_us: int
    input: bytes | None = None
    output: bytes | None = None
    error: dict[str, Any] | None = None
    nodes: list[list[Any]] = field(default_factory=list)
    parent: str | None = None
    details: bytes | None = None


def without_secrets(record: RunRecord, blanks: Blanks) -> RunRecord:
    """The record with every secret in it blanked out; the same object where there are no secrets."""
    if not blanks.needed:
        return record
    return replace(
        record,
        input=blanks.json(record.input),
        output=blanks.json(record.output),
        error=blanks.data(record.error),
        nodes=blanks.data(record.nodes),
        details=blanks.json(record.details),
    )


class Journal:
    """Appends run records to a file in `folder`. Safe to share between threads.

    An append never raises and never blocks for long: where the disk is full or broken the record is dropped, counted
    in `dropped` and logged at most once a minute.

    Args:
        folder: where the files lie; made if missing.
        rotate_bytes: a file that has reached this size is closed and a new one begun.
        value_cap: an input or output of more bytes is shortened (see flows/shortening.py).
        blanks: takes secrets out of every record.
    """

    def __init__(
        self, folder: Path, *, rotate_bytes: int = 16 << 20, value_cap: int = 64 << 10, blanks: Blanks | None = None
    ) -> None:
        self._blanks = blanks if blanks is not None else Blanks()
        self.folder = folder
        self.appended = 0
        self.dropped = 0
        self._rotate_bytes = rotate_bytes
        self._value_cap = value_cap
        self._lock = threading.Lock()
        self._descriptor = -1
        self._size = 0
        self._files = 0
        self._closed = False
        self._complained_at = float("-inf")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def append(self, record: RunRecord) -> None:
        """Write one record. Takes some microseconds; never raises."""
        try:
            line = self._line(without_secrets(record, self._blanks))
            with self._lock:
                if self._descriptor < 0 or self._size >= self._rotate_bytes:
                    self._open_next()
                self._write(line)
        except Exception as error:
            # A run that was answered must not turn into an error because its record could not be kept.
            self._count_drop(error)

    def close(self) -> None:
        """Release the file, so that it can be taken in to its end and deleted. Later appends are dropped."""
        with self._lock:
            self._closed = True
            self._release()

    def _line(self, record: RunRecord) -> bytes:
        entry = (
            LINE_FORMAT,
            record.id,
            record.worklet,
            record.version,
            record.trigger,
            record.principal,
            record.state,
            record.started_us,
            record.duration_us,
            self._value(record.input),
            self._value(record.output),
            record.error,
            record.nodes,
            record.parent,
            orjson.Fragment(record.details) if record.details else None,
        )
        return orjson.dumps(entry, default=str, option=orjson.OPT_APPEND_NEWLINE)

    def _value(self, value: bytes | None) -> orjson.Fragment | None:
        if not value:
            return None
        if len(value) > self._value_cap:
            value = shorten(value, self._value_cap)
        if b"\n" in value:
            # Inside JSON a bare line break is white space, here it would end the record.
            value = value.replace(b"\n", b" ")
        return orjson.Fragment(value)

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._descriptor, line)
        except OSError:
            self._cut_back()
            raise
        if written != len(line):
            self._cut_back()
            raise OSError(f"only {written} of {len(line)} bytes were written")
        self._size += written
        self.appended += 1

    def _cut_back(self) -> None:
        """Remove a half-written line; where even that fails, the next append begins a new file."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self._release()

    def _open_next(self) -> None:
        if self._closed:
            raise OSError("the journal is closed")
        self._release()
        self._files += 1
        name = f"journal-{time.time_ns()}-{os.getpid()}-{self._files}{SUFFIX}"
        # Locked before it gets its name: the reader deletes a file that nobody holds.
        hidden = self.folder / f".{name}"
        descriptor = os.open(hidden, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(hidden, self.folder / name)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor, self._size = descriptor, 0

    def _release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _count_drop(self, error: Exception) -> None:
        self.dropped += 1
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            logger.error(
                "A run record could not be written to %s: %s. %d lost so far; runs are still answered. "
                "Free space on that disk, or choose another data directory with --data.",
                self.folder,
                error,
                self.dropped,
            )
