"""Ingest: every journal line is in the run table once, whoever is killed when."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import JournalPosition, Run, RunDetails
from prefect_worklets.flows.ingest import Ingest
from prefect_worklets.flows.journal import Journal, RunRecord
from record_runs import rows_of
from sqlalchemy import delete, text
from sqlmodel import select

Make = Callable[..., RunRecord]


def positions_of(store: Store) -> dict[str, int]:
    with store.read() as session:
        return {row.journal: row.offset for row in session.exec(select(JournalPosition)).all()}


def drain(ingest: Ingest) -> None:
    while ingest.step():
        continue


class TestRows:
    def test_a_row_is_what_the_record_was(self, store: Store, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path / "journal")
        made = record(state="failed")
        journal.append(made)
        drain(Ingest(store, journal.folder))
        (row,) = rows_of(store)
        for name in ("id", "worklet", "version", "trigger", "principal", "state", "started_us", "duration_us"):
            assert getattr(row, name) == getattr(made, name)
        assert (row.error, row.nodes) == (made.error, made.nodes)
        assert row.input == b'{"sepal_length":5.1}'
        assert row.recorded_us is None

    def test_details_of_the_newest_are_kept_beside_the_runs(
        self, store: Store, tmp_path: Path, record: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("prefect_worklets.flows.ingest._SLACK", 1)
        journal = Journal(tmp_path / "journal")
        made = [record(details=b'{"label":{"output":%d}}' % number, started_us=number + 1) for number in range(6)]
        for each in (*made, record()):
            journal.append(each)
        drain(Ingest(store, journal.folder, most_details=4))
        assert len(rows_of(store)) == 7
        with store.read() as session:
            found = session.exec(select(RunDetails).order_by(RunDetails.started_us)).all()
        assert [each.run_id for each in found] == [each.id for each in made[2:]]
        assert found[-1].content == made[-1].details

    def test_many_files_and_batches(self, store: Store, tmp_path: Path, record: Make) -> None:
        journals = [Journal(tmp_path / "journal", rotate_bytes=20_000) for _ in range(3)]
        made = [record() for _ in range(500)]
        for number, row in enumerate(made):
            journals[number % 3].append(row)
        ingest = Ingest(store, tmp_path / "journal", batch=70)
        drain(ingest)
        assert {row.id for row in rows_of(store)} == {row.id for row in made}
        assert ingest.counters.rows == 500
        for journal in journals:
            journal.close()
        drain(ingest)
        assert list((tmp_path / "journal").iterdir()) == []
        assert positions_of(store) == {}

    def test_lines_read_twice_count_once(self, store: Store, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path / "journal")
        for _ in range(10):
            journal.append(record())
        drain(Ingest(store, journal.folder))
        with store.session() as session:
            session.exec(delete(JournalPosition))
        drain(Ingest(store, journal.folder))
        assert len(rows_of(store)) == 10

    def test_a_new_reader_goes_on_where_the_last_one_was(self, store: Store, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path / "journal")
        journal.append(record())
        drain(Ingest(store, journal.folder))
        journal.append(record())
        second = Ingest(store, journal.folder)
        drain(second)
        assert second.counters.rows == 1
        assert len(rows_of(store)) == 2

    def test_it_tells_of_new_rows(self, sqlite_store: Store, tmp_path: Path, record: Make) -> None:
        told: list[int] = []
        journal = Journal(tmp_path / "journal")
        journal.append(record())
        drain(Ingest(sqlite_store, journal.folder, on_rows=lambda: told.append(1)))
        assert told == [1]


class TestFiles:
    def test_a_file_in_use_stays(self, sqlite_store: Store, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path / "journal")
        journal.append(record())
        ingest = Ingest(sqlite_store, journal.folder)
        drain(ingest)
        drain(ingest)
        assert len(list(journal.folder.iterdir())) == 1
        journal.close()
        drain(ingest)
        assert list(journal.folder.iterdir()) == []

    def test_no_folder_is_nothing_to_do(self, sqlite_store: Store, tmp_path: Path) -> None:
        assert Ingest(sqlite_store, tmp_path / "none").step() == 0

    def test_what_a_kill_left_behind_is_removed(self, sqlite_store: Store, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path / "journal")
        journal.append(record())
        drain(Ingest(sqlite_store, journal.folder))
        (file,) = journal.folder.iterdir()
        file.unlink()
        old, young = journal.folder / ".journal-1-1-1.jsonl", journal.folder / ".journal-2-2-2.jsonl"
        for nameless in (old, young):
            nameless.touch()
        os.utime(old, (1, 1))
        Ingest(sqlite_store, journal.folder).tidy()
        assert positions_of(sqlite_store) == {}
        assert list(journal.folder.iterdir()) == [young]


class TestDamage:
    def test_the_torn_last_line_of_a_killed_writer(
        self, store: Store, tmp_path: Path, record: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        journal = Journal(tmp_path / "journal")
        journal.append(record())
        journal.close()
        (file,) = journal.folder.iterdir()
        with file.open("ab") as writer:
            writer.write(file.read_bytes()[:40])
        drain(Ingest(store, journal.folder))
        assert len(rows_of(store)) == 1
        assert list(journal.folder.iterdir()) == []
        assert "cut off" in caplog.text

    @pytest.mark.parametrize("bad", [b"{", b"\x00\xff", b"[1]", b""])
    def test_a_bad_line_is_set_aside_and_the_rest_taken(
        self, sqlite_store: Store, tmp_path: Path, record: Make, bad: bytes
    ) -> None:
        journal = Journal(tmp_path / "journal")
        journal.append(record())
        (file,) = journal.folder.iterdir()
        with file.open("ab") as writer:
            writer.write(bad + b"\n")
        journal.append(record())
        journal.close()
        ingest = Ingest(sqlite_store, journal.folder)
        drain(ingest)
        assert len(rows_of(sqlite_store)) == 2
        assert ingest.counters.bad_lines == 1
        (left,) = journal.folder.iterdir()
        assert left.suffix == ".bad"
        assert left.read_bytes() == bad + b"\n"

    def test_a_row_that_the_database_refuses_does_not_hold_up_others(
        self, sqlite_store: Store, tmp_path: Path, record: Make
    ) -> None:
        with sqlite_store.session() as session:
            session.connection().execute(
                text(
                    "CREATE TRIGGER refuse BEFORE INSERT ON run WHEN NEW.worklet = 'odd' "
                    "BEGIN SELECT RAISE(ABORT, 'no odd ones'); END"
                )
            )
        journal = Journal(tmp_path / "journal")
        for worklet in ("even", "odd", "even"):
            journal.append(record(worklet))
        journal.close()
        ingest = Ingest(sqlite_store, journal.folder)
        drain(ingest)
        assert [row.worklet for row in rows_of(sqlite_store)] == ["even", "even"]
        assert ingest.counters.bad_lines == 1

    def test_an_endless_line_does_not_stop_it(self, sqlite_store: Store, tmp_path: Path, record: Make) -> None:
        folder = tmp_path / "journal"
        folder.mkdir()
        (folder / "journal-1-1-1.jsonl").write_bytes(b"x" * (5 << 20) + b"\n")
        journal = Journal(folder)
        journal.append(record())
        journal.close()
        drain(Ingest(sqlite_store, folder))
        assert len(rows_of(sqlite_store)) == 1


class TestTrouble:
    def test_a_store_that_is_not_there_yet(self, tmp_path: Path, record: Make) -> None:
        store = Store(f"sqlite:///{tmp_path / 'late.db'}")
        journal = Journal(tmp_path / "journal")
        journal.append(record())
        ingest, stop = Ingest(store, journal.folder), threading.Event()
        thread = threading.Thread(target=ingest.run, args=(stop,))
        thread.start()
        until(lambda: ingest.counters.failures > 0)
        store.migrate()
        until(lambda: ingest.counters.rows == 1)
        stop.set()
        thread.join(5)
        assert len(rows_of(store)) == 1
        store.close()

    def test_what_came_before_the_stop_is_taken(self, sqlite_store: Store, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path / "journal")
        ingest, stop = Ingest(sqlite_store, journal.folder, batch=10), threading.Event()
        for _ in range(95):
            journal.append(record())
        stop.set()
        ingest.run(stop)
        assert len(rows_of(sqlite_store)) == 95

    @pytest.mark.integration
    def test_kill_9_of_writer_and_reader_over_and_over(self, tmp_path: Path) -> None:
        """Two processes, killed at random; in the end each record that was appended is there once."""
        url = f"sqlite:///{tmp_path / 'store.db'}"
        store = Store(url)
        store.migrate()
        folder, told = tmp_path / "journal", tmp_path / "told"
        told.touch()
        chance = random.Random(5)
        with told.open("ab") as output:
            for _ in range(3):
                writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)], stdout=output)
                reader = subprocess.Popen([sys.executable, "-c", _READER, url, str(folder)])
                before = told.stat().st_size
                until(lambda size=before: told.stat().st_size > size, seconds=20)
                time.sleep(0.2 + chance.random() * 0.2)
                for process in (reader, writer):
                    process.send_signal(signal.SIGKILL)
                    process.wait()
        drain(Ingest(store, folder))
        with store.read() as session:
            stored = session.exec(select(Run.id)).all()
        lines = told.read_text().splitlines()
        assert len(lines) > 1000
        assert set(lines[:-1]) <= set(stored)
        assert len(stored) - len(lines) <= 3  # appended, and killed before it could tell
        assert list(folder.glob("[!.]*.jsonl")) == []
        store.close()


def until(done: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


_WRITER = """
import os, sys
from pathlib import Path
from uuid import uuid4
from prefect_worklets.flows.journal import Journal, RunRecord
journal = Journal(Path(sys.argv[1]), rotate_bytes=30_000)
while True:
    id = uuid4().hex
    journal.append(RunRecord(id, "iris", 1, "api", None, "completed", 1, 5, b'{"a": 1}'))
    os.write(1, id.encode() + b"\\n")
"""
_READER = """
import sys, threading
from pathlib import Path
from prefect_worklets.connectors.store import Store
from prefect_worklets.flows.ingest import Ingest
Ingest(Store(sys.argv[1]), Path(sys.argv[2]), batch=50).run(threading.Event())
"""


def test_it_sleeps_when_there_is_nothing_to_do(sqlite_store: Store, tmp_path: Path, record: Make) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(record())
    ingest, stop = Ingest(sqlite_store, journal.folder), threading.Event()
    thread = threading.Thread(target=ingest.run, args=(stop,))
    thread.start()
    until(lambda: ingest.counters.rows == 1)
    before = sum(os.times()[:2])
    stop.wait(0.4)
    used = sum(os.times()[:2]) - before
    stop.set()
    thread.join(5)
    assert used < 0.1
