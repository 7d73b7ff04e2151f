"""Ingest: journal lines become rows of the run table, each once.

The rows and the place reached in the journal file are written in one transaction, and the run's id is the primary
key; so a kill at any point repeats nothing and loses nothing. A file whose writer is gone is deleted when read.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError, StatementError

from ..connectors.store import Store
from ..connectors.tables import JournalPosition, Run, RunDetails
from .journal import SUFFIX
from .journal_lines import BadLine, Row, parse_line

logger = logging.getLogger(__name__)

_READ_BYTES = 4 << 20
# The longest wait between two looks at an idle folder; a busy one is looked at again at once.
_IDLE_WAITS_S = (0.005, 0.01, 0.02, 0.05)
_NAMELESS_AFTER_S = 60.0
# Runs whose details are kept, and how many more there may be before the oldest are deleted.
MOST_DETAILS = 10_000
_SLACK = 500
_TROUBLE_WAITS_S = (0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass
class IngestCounters:
    """What has happened since the start, for the status file and /metrics."""

    rows: int = 0
    bad_lines: int = 0
    files_finished: int = 0
    failures: int = 0
    last_error: str | None = None


@dataclass
class _Reading:
    """A journal file under way: its open descriptor and how far its rows are in the store."""

    path: Path
    descriptor: int
    offset: int
    writer_gone: bool = False


class Ingest:
    """Takes the journal files of `folder` into the run table of `store`. Blocking: give it a thread of its own.

    Args:
        store: where the runs go; SQLite or PostgreSQL.
        folder: the journal's folder.
        batch: how many lines go into one transaction at most.
        on_rows: called after rows have been added.
        most_details: of how many runs, the newest, the details of their nodes are kept.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        batch: int = 2000,
        on_rows: Callable[[], None] | None = None,
        most_details: int = MOST_DETAILS,
    ) -> None:
        self.store = store
        self.folder = folder
        self.counters = IngestCounters()
        self._batch = batch
        self._on_rows = on_rows
        self._open: dict[str, _Reading] = {}
        self._most_details = most_details
        self._new_details = 0
        insert = sqlite.insert if store.is_sqlite else postgresql.insert
        runs, positions = Run.__table__, JournalPosition.__table__  # type: ignore[attr-defined]
        self._details = RunDetails.__table__  # type: ignore[attr-defined]
        self._insert_details = insert(self._details).on_conflict_do_nothing(index_elements=["run_id"])
        self._insert_runs = insert(runs).on_conflict_do_nothing(index_elements=["id"])
        move = insert(positions)
        self._move_position = move.on_conflict_do_update(
            index_elements=["journal"], set_={"offset": move.excluded.offset}
        )

    def run(self, stop: threading.Event) -> None:
        """Take in what comes until `stop` is set, and then once more what is there. Never raises on a bad store."""
        idle = trouble = 0
        tidied = False
        while not stop.is_set():
            try:
                if not tidied:
                    self.tidy()
                    tidied = True
                taken = self.step()
            except Exception as error:
                # The journal keeps everything, so that waiting is always right here.
                self._note_failure(error, first=trouble == 0)
                stop.wait(_TROUBLE_WAITS_S[min(trouble, len(_TROUBLE_WAITS_S) - 1)])
                trouble += 1
                continue
            trouble = 0
            idle = 0 if taken else idle + 1
            if not taken:
                stop.wait(_IDLE_WAITS_S[min(idle, len(_IDLE_WAITS_S)) - 1])
        try:
            while self.step():
                continue
        except Exception as error:
            self._note_failure(error, first=trouble == 0)
        self.close()

    def step(self) -> int:
        """Take in one batch from each file; answers how many lines that was. Raises what the store raises."""
        taken = 0
        for path in self._files():
            reading = self._open.get(path.name) or self._begin(path)
            if reading is not None:
                taken += self._advance(reading)
        return taken

    def close(self) -> None:
        """Close the files that are open."""
        for reading in self._open.values():
            os.close(reading.descriptor)
        self._open.clear()

    def _files(self) -> list[Path]:
        try:
            names = sorted(name for name in os.listdir(self.folder) if name.endswith(SUFFIX) and name[0] != ".")
        except FileNotFoundError:
            return []
        return [self.folder / name for name in names]

    def _begin(self, path: Path) -> _Reading | None:
        with self.store.read() as session:
            row = session.get(JournalPosition, path.name)
        offset = row.offset if row else 0
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        reading = _Reading(path, descriptor, offset)
        self._open[path.name] = reading
        return reading

    def _advance(self, reading: _Reading) -> int:
        # Whether the writer is gone is asked before reading, so that nothing can be added after the last look.
        reading.writer_gone = reading.writer_gone or _lock_is_free(reading.descriptor)
        content = os.pread(reading.descriptor, _READ_BYTES, reading.offset)
        lines = content.split(b"\n", self._batch)
        rest = lines.pop()
        if not lines:
            if len(content) >= _READ_BYTES:
                return self._skip_endless_line(reading, content)
            if reading.writer_gone:
                self._finish(reading, rest)
            return 0
        end = reading.offset + len(content) - len(rest)
        self._store(reading, lines, end)
        reading.offset = end
        return len(lines)

    def _store(self, reading: _Reading, lines: list[bytes], end: int) -> None:
        rows: list[Row] = []
        bad: list[tuple[bytes, str]] = []
        for line in lines:
            try:
                rows.append(parse_line(line))
            except BadLine as error:
                bad.append((line, str(error)))
        if bad:
            self._set_aside(reading.path, bad)
        try:
            self._write(reading, rows, end)
        except (DataError, IntegrityError, StatementError) as error:
            if isinstance(error, OperationalError | InterfaceError):
                raise
            rows = self._only_storable(reading, rows)
            self._write(reading, rows, end)
        self.counters.rows += len(rows)
        if rows and self._on_rows is not None:
            self._on_rows()

    def _write(self, reading: _Reading, rows: list[Row], end: int) -> None:
        with self.store.session() as session:
            connection = session.connection()
            if rows:
                self._add(connection, rows)
            connection.execute(self._move_position, {"journal": reading.path.name, "offset": end})

    def _add(self, connection: Connection, rows: list[Row]) -> None:
        runs = [{name: value for name, value in row.items() if name != "details"} for row in rows]
        connection.execute(self._insert_runs, runs)
        details = [
            {"run_id": row["id"], "started_us": row["started_us"], "content": row["details"]}
            for row in rows
            if row["details"] is not None
        ]
        if details:
            connection.execute(self._insert_details, details)
            self._new_details += len(details)
        if self._new_details >= _SLACK:
            self._new_details = 0
            self._forget_details(connection)

    def _forget_details(self, connection: Connection) -> None:
        """Delete those of the oldest runs, beyond the number that is kept."""
        at = self._details.c.started_us
        last = select(at).order_by(at.desc()).offset(self._most_details).limit(1).scalar_subquery()
        connection.execute(delete(self._details).where(at <= last))

    def _only_storable(self, reading: _Reading, rows: list[Row]) -> list[Row]:
        """The rows that the database takes one by one; the others are set aside, or they would stop all behind them."""
        storable: list[Row] = []
        for row in rows:
            try:
                with self.store.session() as session:
                    self._add(session.connection(), [row])
                storable.append(row)
            except (DataError, IntegrityError, StatementError) as error:
                if isinstance(error, OperationalError | InterfaceError):
                    raise
                self._set_aside(reading.path, [(repr(row).encode(), f"the store refuses it: {error}")])
        return storable

    def _set_aside(self, path: Path, bad: list[tuple[bytes, str]]) -> None:
        """Keep lines that can't be read beside the journal, for people. A kill may write one twice, never lose it."""
        target = path.with_suffix(".bad")
        with open(target, "ab") as file:
            for line, _ in bad:
                file.write(line + b"\n")
        self.counters.bad_lines += len(bad)
        logger.error("%d run record(s) of %s can't be read (%s); they are in %s.", len(bad), path, bad[0][1], target)

    def _skip_endless_line(self, reading: _Reading, content: bytes) -> int:
        self._set_aside(reading.path, [(content, f"no line ends within {_READ_BYTES} bytes")])
        with self.store.session() as session:
            end = reading.offset + len(content)
            session.connection().execute(self._move_position, {"journal": reading.path.name, "offset": end})
        reading.offset = end
        return 1

    def _finish(self, reading: _Reading, torn: bytes) -> None:
        """Delete a file that is read to its end and whose writer is gone, then its position."""
        if torn:
            logger.warning(
                "The last run record of %s was cut off in the middle (%d bytes): its writer was killed while writing.",
                reading.path,
                len(torn),
            )
        reading.path.unlink(missing_ok=True)
        os.close(self._open.pop(reading.path.name).descriptor)
        with self.store.session() as session:
            position = JournalPosition.__table__  # type: ignore[attr-defined]
            session.connection().execute(delete(position).where(position.c.journal == reading.path.name))
        self.counters.files_finished += 1

    def tidy(self) -> None:
        """Remove what a kill left behind: positions of files that are gone, and files that never got their name."""
        there = {path.name for path in self._files()}
        position = JournalPosition.__table__  # type: ignore[attr-defined]
        with self.store.session() as session:
            connection = session.connection()
            known = connection.execute(select(position.c.journal)).scalars().all()
            for name in set(known) - there:
                connection.execute(delete(position).where(position.c.journal == name))
        for hidden in self.folder.glob(f".*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                # Empty: nothing is written before the name. A young one may be about to get it.
                if time.time() - hidden.stat().st_mtime > _NAMELESS_AFTER_S:
                    hidden.unlink()

    def _note_failure(self, error: Exception, *, first: bool) -> None:
        self.counters.failures += 1
        self.counters.last_error = f"{type(error).__name__}: {error}"[:500]
        if first:
            logger.error("Runs can't be taken into the store (%s); they wait in %s.", error, self.folder)


def _lock_is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
