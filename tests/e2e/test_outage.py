"""Prefect goes away while requests come in: no answer changes, and every run is in Prefect afterwards, once."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fixtures_server import Server, start_server

pytestmark = pytest.mark.integration

RATE = 20
# Long enough for several attempts at recording to fail; the full half minute is measured by hand.
OUTAGE_SECONDS = float(os.environ.get("WORKLETS_TEST_OUTAGE", "6"))
CATCH_UP_SECONDS = 120

WORKLET = """
import prefect_worklets as pw


@pw.node
def doubled(number: int) -> int:
    return 2 * number


@pw.node
def told(number: int) -> str:
    return f"it is {number}"


@pw.worklet
def double(number: int) -> str:
    return told(doubled(number))
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An instance with one small worklet, whose Prefect this module may kill."""
    folder = tmp_path_factory.mktemp("outage")
    (folder / "project").mkdir()
    (folder / "project" / "double.py").write_text(WORKLET)
    server = start_server(folder / "data", None, "--project", str(folder / "project"), demo=False)
    try:
        wait_for_worklet(server)
        yield server
    finally:
        server.stop()


def wait_for_worklet(server: Server) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if "Ready." in server.log.read_text():
                with server.client() as client:
                    if client.get("/api/worklets/double").status_code == 200:
                        return
        except (httpx.HTTPError, OSError):
            pass
        time.sleep(0.1)
    raise AssertionError(server.log.read_text()[-4000:])


def prefect_pid(server: Server) -> int | None:
    status = json.loads(server.worklets("status", "--json").stdout)
    pid: int | None = next(each["pid"] for each in status["processes"] if each["name"] == "prefect")
    return pid


def hold_down(server: Server, seconds: float) -> int:
    """Kill Prefect, and again as often as the supervisor brings it back; how often that was."""
    deadline, killed = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        pid = prefect_pid(server)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            killed += 1
        time.sleep(0.2)
    return killed


def invoke_for(server: Server, seconds: float) -> list[httpx.Response]:
    """Twenty requests a second."""
    answers = []
    with server.client() as client:
        began = time.monotonic()
        number = 0
        while time.monotonic() - began < seconds:
            answers.append(client.post("/api/worklets/double/invoke", json={"number": number}))
            number += 1
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
    return answers


def recorded(prefect: str) -> Counter[str]:
    """How often each run is in Prefect, by its id."""
    found: Counter[str] = Counter()
    offset = 0
    while True:
        page = httpx.post(
            f"{prefect}/flow_runs/filter", json={"limit": 200, "offset": offset, "sort": "ID_DESC"}, timeout=20
        )
        page.raise_for_status()
        rows = page.json()
        found.update(row["idempotency_key"] for row in rows if row["state_type"] == "COMPLETED")
        if len(rows) < 200:
            return found
        offset += 200


def test_prefect_is_killed_under_load(instance: Server):
    with ThreadPoolExecutor(1) as beside:
        killing = beside.submit(hold_down, instance, OUTAGE_SECONDS)
        answers = invoke_for(instance, OUTAGE_SECONDS + 3)
        assert killing.result() >= 1
    assert Counter(answer.status_code for answer in answers) == {200: len(answers)}
    assert [answer.json() for answer in answers] == [f"it is {2 * number}" for number in range(len(answers))]
    runs = {answer.headers["x-run-id"] for answer in answers}
    assert len(runs) == len(answers)
    prefect = next(line for line in instance.log.read_text().splitlines() if "Prefect API" in line).split()[-1]
    deadline = time.monotonic() + CATCH_UP_SECONDS
    found: Counter[str] = Counter()
    while time.monotonic() < deadline:
        try:
            found = recorded(prefect)
        except httpx.HTTPError:
            found = Counter()
        if runs <= set(found):
            break
        time.sleep(0.4)
    assert runs - set(found) == set()
    assert {run: count for run, count in found.items() if count > 1} == {}
    # Nothing comes a second time later either: the outbox runs empty.
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while backlog(instance) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert backlog(instance) == 0
    again = recorded(prefect)
    assert {run: again[run] for run in runs if again[run] != 1} == {}


def backlog(server: Server) -> int:
    """How many runs wait for Prefect, as the recorder tells."""
    told: int = json.loads((server.data_dir / "run" / "recorder.json").read_text())["prefect"]["backlog"]
    return told


def test_a_changed_project_is_live_a_moment_later(instance: Server):
    source = instance.data_dir.parent / "project" / "double.py"
    before = source.read_text()
    with instance.client() as client:
        source.write_text(before.replace("it is", "now it is"))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if client.post("/api/worklets/double/invoke", json={"number": 2}).json() == "now it is 4":
                break
            time.sleep(0.1)
        assert client.get("/api/worklets/double").json()["version"] == 2
        # A faulty state changes nothing that is live.
        source.write_text("def double(:\n")
        time.sleep(0.4)
        assert client.post("/api/worklets/double/invoke", json={"number": 2}).json() == "now it is 4"
    Path(source).write_text(before)
