"""The recorder's process: journal in, Prefect out, a status file, and no harm from any kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fixtures_prefect import PrefectServer
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.store import Store
from prefect_worklets.flows.journal import Journal
from record_runs import add_worklet, make_record, rows_of

pytestmark = pytest.mark.integration


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    """A data directory with a migrated store."""
    data = DataDirectory(tmp_path / "data").prepare()
    store = Store(data.database_url)
    store.migrate()
    store.close()
    return data


@contextmanager
def running(data: DataDirectory, url: str | None) -> Iterator[subprocess.Popen[bytes]]:
    options = ["--prefect-api-url", url] if url else []
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-m", "prefect_worklets.flows.record_process", "--data", str(data.root), *options]
    with (data.root / "recorder.log").open("ab") as log:
        process = subprocess.Popen(command, stderr=log, env=kept)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def status(data: DataDirectory) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((data.run / "recorder.json").read_text())
    except FileNotFoundError:
        return {"ingest": {"rows": 0}, "prefect": {}}
    return found


def until(done: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def test_without_prefect_the_journal_is_taken_in(data: DataDirectory) -> None:
    journal = Journal(data.journal)
    for _ in range(20):
        journal.append(make_record())
    with running(data, None) as process:
        until(lambda: status(data)["ingest"]["rows"] == 20)
        found = status(data)
        assert found["prefect"] is None
        assert found["pid"] == process.pid
        assert found["rss_bytes"] < 150 << 20
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert status(data)["running"] is False


def test_prefect_that_is_down_is_told_once_and_waited_for(data: DataDirectory) -> None:
    journal = Journal(data.journal)
    journal.append(make_record())
    with running(data, "http://user:word@127.0.0.1:9/api") as process:
        until(lambda: status(data)["prefect"].get("backlog") == 1 and status(data)["prefect"]["failures"] > 2)
        found = status(data)["prefect"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert found["prefect_up"] is False
    assert found["outages"] == 1
    assert "word" not in found["url"]
    log = (data.root / "recorder.log").read_text()
    assert log.count("Runs wait until it answers again") == 1


def test_kill_9_over_and_over_records_each_run_once(data: DataDirectory, prefect_server: PrefectServer) -> None:
    name = f"iris-{uuid4().hex[:6]}"
    store = Store(data.database_url)
    add_worklet(store, name)
    journal = Journal(data.journal)
    pauses = (1.2, 1.6, 2.0, 0.0)
    total = 60 * len(pauses)
    for pause in pauses:
        with running(data, prefect_server.url):
            for number in range(60):
                # Some are long enough to be shown exactly, and so can be cut off in the middle.
                journal.append(make_record(name, duration_us=700_000 if number % 20 == 0 else 400))
                time.sleep(0.01)
            killed_at = time.monotonic() + pause
            until(lambda at=killed_at: time.monotonic() > at)
            if not pause:
                until(lambda: sum((row.recorded_us or 0) > 0 for row in rows_of(store)) == total, 90)
    body = {"flows": {"name": {"any_": [name]}}}
    assert prefect_server.ask("POST", "/flow_runs/count", body) == total
    assert prefect_server.ask("POST", "/task_runs/count", body) == 3 * total
    unfinished = {**body, "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "SCHEDULED"]}}}}
    assert prefect_server.ask("POST", "/flow_runs/count", unfinished) == 0
    store.close()
