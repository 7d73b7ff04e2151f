"""Submitted runs on a real instance whose processes are killed: each accepted run ends, and saves its rows once."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import pytest
from fixtures_server import persistently, start_server

from prefect_worklets.client import Client

pytestmark = pytest.mark.integration

# `WORKLETS_TEST_RUNS=1000 WORKLETS_TEST_KILLS=10` for the long version.
RUNS = int(os.environ.get("WORKLETS_TEST_RUNS", "40"))
KILLS = int(os.environ.get("WORKLETS_TEST_KILLS", "3"))

PROJECT = """
import asyncio
import prefect_worklets as pw

TITLE = "Is this number good?"

@pw.node
async def slow(n: int, seconds: float) -> int:
    await asyncio.sleep(seconds)
    return n

@pw.node
def row(n: int) -> dict:
    return {"n": n}

@pw.worklet
def counted(n: int, seconds: float = 0.02) -> dict:
    return pw.save("counted")(row(slow(n, seconds)))

@pw.node
def said(verdict: pw.Decision, n: int) -> str:
    return f"{n}: {verdict.approved} {verdict.comment}"

@pw.worklet
def asked(n: int) -> str:
    counted = pw.save("asked")(row(slow(n, 0.02)))
    return said(pw.review(title=TITLE, due="2d")(counted), n)
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    folder = tmp_path_factory.mktemp("submitted")
    project = folder / "project"
    project.mkdir()
    (project / "counted.py").write_text(PROJECT)
    started = start_server(folder / "data", None, "--project", str(project), demo=False)
    try:
        wait_ready(started)
        yield started
    finally:
        started.stop()


def wait_ready(server):
    deadline = time.monotonic() + 120
    while True:
        try:
            with client(server) as worklets:
                if {entry["status"] for entry in worklets.worklets.list()} == {"live"}:
                    return
        except Exception:  # it is not up yet
            assert time.monotonic() < deadline, server.log.read_text()[-3000:]
        time.sleep(0.1)


def client(server) -> Client:
    return Client(url=server.url, key=server.key)


def children(server, word):
    found = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in found if word in " ".join(command_of(child))]


def command_of(process):
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended
        return []


def test_every_accepted_run_ends_and_saves_once(instance):
    chosen = random.Random(3)
    words = ["prefect_worklets.app:create_app", "prefect.server", "record_process"]
    kill_before = {RUNS * (number + 1) // (KILLS + 1): words[number % 3] for number in range(KILLS)}
    with client(instance) as worklets:
        persistently(lambda: worklets.worklets["counted"].invoke(n=-1))
        runs = []
        for number in range(RUNS):
            if number in kill_before:
                time.sleep(chosen.random() * 0.1)
                for child in children(instance, kill_before[number]):
                    child.send_signal(signal.SIGKILL)
            submit = worklets.worklets["counted"].submit
            runs.append(persistently(lambda n=number, submit=submit: submit(n=n, idempotency_key=f"run {n}")))
        assert len({run.id for run in runs}) == RUNS
        outputs = [persistently(lambda run=run: run.result(timeout=120), 180) for run in runs]
    assert [output["n"] for output in outputs] == list(range(RUNS))
    saved = Counter(row["data"]["n"] for row in rows_of(instance, "counted"))
    del saved[-1]
    assert saved == Counter(range(RUNS))


def waits(run):
    deadline = time.monotonic() + 60
    while persistently(lambda: run.state) != "waiting":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return run.id


def test_a_person_decides_after_every_process_was_killed(instance):
    with client(instance) as worklets:
        run = persistently(lambda: worklets.worklets["asked"].submit(n=7))
        id = waits(run)
        for word in ("prefect_worklets.app:create_app", "record_process"):
            for child in children(instance, word):
                child.send_signal(signal.SIGKILL)
        (review,) = [each for each in persistently(worklets.reviews.list) if each["run"] == id]
        assert persistently(lambda: worklets.reviews.get(review["id"]))["value"] == {"n": 7}
        persistently(lambda: worklets.reviews.decide(review["id"], {"approved": True, "comment": "fine"}))
        assert persistently(lambda: run.result(timeout=60), 90) == "7: True fine"
    assert [row["data"] for row in rows_of(instance, "asked") if row["run_id"] == id] == [{"n": 7}]


@pytest.mark.browser
def test_deciding_in_the_inbox_on_a_phone(instance, chromium):
    with client(instance) as worklets:
        run = persistently(lambda: worklets.worklets["asked"].submit(n=8))
        id = waits(run)
        page = chromium.new_context(viewport={"width": 390, "height": 800}).new_page()
        page.goto(json.loads(instance.worklets("login", "--json").stdout)["url"])
        page.wait_for_url("**/console")
        page.goto(f"{instance.url}/console/inbox")
        (review,) = [each for each in worklets.reviews.list() if each["run"] == id]
        page.locator(f"a[href='/console/inbox/{review['id']}']").click()
        page.get_by_label("comment").fill("no, it is not")
        page.get_by_role("button", name="Reject").click()
        page.wait_for_url("**/console/inbox")
        assert run.result(timeout=60) == "8: False no, it is not"
        page.goto(f"{instance.url}/console/runs/{id}")
        assert "admin decided" in page.get_by_role("region", name="Decisions").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.context.close()


def rows_of(server, table):
    """Every row of a table, page by page."""
    found = []
    headers = {"authorization": f"Bearer {server.key}"}
    while True:
        address = f"{server.url}/api/tables/{table}/rows?owner=*&limit=500&offset={len(found)}"
        rows = httpx.get(address, headers=headers).json()["rows"]
        found += rows
        if len(rows) < 500:
            return found


def prefect(instance, *arguments):
    """The stock command line of Prefect, beside the instance's own Prefect server."""
    settings = {
        "PREFECT_API_URL": persistently(lambda: instance.prefect_url),
        "PREFECT_HOME": str(instance.data_dir.parent / "elsewhere"),
    }
    command = [str(Path(sys.executable).with_name("prefect")), *arguments]
    environment = {**os.environ, **settings, "NO_COLOR": "1", "COLUMNS": "300"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def in_state(instance, id, *names):
    deadline = time.monotonic() + 90
    while True:
        run = instance.ask_prefect("GET", f"/flow_runs/{id}")
        if run["state_name"] in names:
            return run
        assert time.monotonic() < deadline, run["state"]
        time.sleep(0.1)


def deployment(instance):
    return instance.ask_prefect("GET", "/deployments/name/counted/worklets")


def started(instance, **parameters):
    """The id of a flow run that is started as `prefect deployment run` does it."""
    path = f"/deployments/{deployment(instance)['id']}/create_flow_run"
    return instance.ask_prefect("POST", path, {"parameters": parameters})["id"]


def test_prefect_starts_a_run_by_its_stock_commands(instance):
    deployment(instance)
    assert "counted/worklets" in prefect(instance, "deployment", "ls")
    watched = prefect(instance, "deployment", "run", "counted/worklets", "-p", "n=777", "--watch")
    assert "Flow run finished successfully" in watched
    assert "COMPLETED" in prefect(instance, "flow-run", "ls", "--flow-name", "counted")
    id = str(UUID(re.search(r"UUID: (\S+)", watched).group(1)))
    with client(instance) as worklets:
        run = worklets.runs[UUID(id).hex].details()
        assert (run["output"], run["trigger"]) == ({"n": 777}, "prefect")
    deadline = time.monotonic() + 60
    while len(graph := dict(instance.ask_prefect("GET", f"/flow_runs/{id}/graph-v2")["nodes"])) < 3:
        assert time.monotonic() < deadline, graph
        time.sleep(0.2)
    edges = {(graph[parent["id"]]["label"], node["label"]) for node in graph.values() for parent in node["parents"]}
    assert edges == {("slow", "row"), ("row", "save_counted")}


def test_a_worker_that_is_killed_leaves_no_flow_run_behind(instance):
    id = started(instance, n=888, seconds=3)
    in_state(instance, id, "Running")
    for child in children(instance, "worker_process"):
        child.send_signal(signal.SIGKILL)
    assert in_state(instance, id, "Completed")["run_count"] == 1
    assert [row["data"]["n"] for row in rows_of(instance, "counted")].count(888) == 1


def test_cancelled_in_prefect_is_cancelled_here(instance):
    id = started(instance, n=999, seconds=600)
    in_state(instance, id, "Running")
    prefect(instance, "flow-run", "cancel", id)
    in_state(instance, id, "Cancelled")
    with client(instance) as worklets:
        assert worklets.runs[UUID(id).hex].details()["state"] == "cancelled"


def told(instance, id, route, **body):
    """A POST about a flow run, as Prefect's page sends it; its answer's status must be ACCEPT."""
    answer = instance.ask_prefect("POST", f"/flow_runs/{id}/{route}", body)
    assert answer["status"] == "ACCEPT", answer


def test_a_pause_in_prefect_is_one_here_and_outlives_every_process(instance):
    id = started(instance, n=555, seconds=4)
    in_state(instance, id, "Running")
    told(instance, id, "set_state", state={"type": "PAUSED", "name": "Suspended"})
    assert "Paused on the worklets server" in in_state(instance, id, "Paused")["state"]["message"]
    for word in ("prefect_worklets.app:create_app", "worker_process"):
        for child in children(instance, word):
            child.send_signal(signal.SIGKILL)
    with client(instance) as worklets:
        run = worklets.runs[UUID(id).hex]
        shown = persistently(run.details)
        assert (shown["state"], [node["id"] for node in shown["nodes"]]) == ("paused", ["slow"])
        told(instance, id, "resume")
        assert in_state(instance, id, "Completed")["state"]["message"].startswith("Took ")
        assert [row["data"]["n"] for row in rows_of(instance, "counted")].count(555) == 1


def test_from_the_command_line(instance):
    from typer.testing import CliRunner

    from prefect_worklets.cli import app

    def run(*arguments):
        ended = CliRunner().invoke(app, [*arguments, "--data", str(instance.data_dir)])
        assert ended.exit_code == 0, ended.output
        return ended.stdout.strip()

    id = run("invoke", "counted", "--json", '{"n": 12345}', "--later")
    with client(instance) as worklets:
        assert worklets.runs[id].result(timeout=60) == {"n": 12345}
        assert worklets.runs[id].node("row")["output"] == {"n": 12345}
    assert "completed" in run("runs", "show", id)
    assert '{"n":12345}' in run("runs", "show", id, "--node", "row").replace(" ", "")
    assert run("schedules", "list", "--json") == "[]"
    id = run("invoke", "counted", "--json", '{"n": 12346, "seconds": 600}', "--later")
    assert run("runs", "pause", id) == f"{id} is asked to rest"
    assert run("runs", "resume", id) == f"{id} goes on"
    run("runs", "cancel", id)
