"""The recorder against a real Prefect server: what its public API then shows, and that nothing is there twice."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from fixtures_prefect import PrefectServer
from prefect_worklets.connectors.prefect_api import PrefectApi
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import Run, SubmittedRun
from prefect_worklets.flows.outbox import BEGUN, REFUSED, Outbox
from prefect_worklets.flows.recorder import Recorder
from record_runs import add_runs, add_worklet, make_record, rows_of
from sqlmodel import update

pytestmark = pytest.mark.integration


@pytest.fixture
def worklet(sqlite_store: Store) -> str:
    """A live worklet of a name that no other test uses."""
    name = f"iris-{uuid4().hex[:6]}"
    add_worklet(sqlite_store, name)
    return name


@asynccontextmanager
async def recording(store: Store, server: PrefectServer, **options: Any) -> AsyncIterator[Recorder]:
    async with PrefectApi(server.url) as api:
        recorder, stop = Recorder(Outbox(store), api, **options), asyncio.Event()
        task = asyncio.create_task(recorder.run(stop))
        try:
            yield recorder
        finally:
            stop.set()
            await task


async def until(done: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(done):
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.05)


async def all_recorded(store: Store, seconds: float = 60) -> None:
    await until(lambda: all((row.recorded_us or 0) > 0 for row in rows_of(store)), seconds)


def flow_runs(server: PrefectServer, flow: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        body = {"flows": {"name": {"any_": [flow]}}, "limit": 200, "offset": len(found)}
        page = server.ask("POST", "/flow_runs/filter", body)
        found += page
        if len(page) < 200:
            return found


def task_run_count(server: PrefectServer, flow: str) -> int:
    count: int = server.ask("POST", "/task_runs/count", {"flows": {"name": {"any_": [flow]}}})
    return count


def us_of(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1_000_000)


class TestWhatPrefectShows:
    async def test_a_run_its_nodes_and_edges(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        good = make_record(worklet, duration_us=4000)
        bad = make_record(worklet, state="failed", trigger="kafka")
        add_runs(sqlite_store, [good, bad])
        async with recording(sqlite_store, prefect_server):
            await all_recorded(sqlite_store)

        shown = {run["idempotency_key"]: run for run in flow_runs(prefect_server, worklet)}
        assert set(shown) == {good.id, bad.id}
        run = shown[good.id]
        assert run["state_name"] == "Completed"
        assert run["parameters"] == {"request": {"sepal_length": 5.1}}
        assert set(run["tags"]) == {"worklets", "flowers", "version:1", "trigger:api"}
        assert run["labels"]["worklets.duration-ms"] == 4.0
        assert "Took 4 ms" in run["state"]["message"]
        assert shown[bad.id]["state_name"] == "Failed"
        assert shown[bad.id]["state"]["message"].startswith("label: no such species")

        graph = prefect_server.ask("GET", f"/flow_runs/{run['id']}/graph-v2")
        nodes = {node["label"]: node for _, node in graph["nodes"]}
        assert set(nodes) == {"prepare", "model", "label"}
        assert [parent["id"] for parent in nodes["model"]["parents"]] == [nodes["prepare"]["id"]]
        assert [parent["id"] for parent in nodes["label"]["parents"]] == [nodes["model"]["id"]]
        assert graph["root_node_ids"] == [nodes["prepare"]["id"]]
        assert us_of(nodes["model"]["start_time"]) == good.started_us + 800
        assert us_of(nodes["model"]["end_time"]) == good.started_us + 2800

        deployment = prefect_server.ask("GET", f"/deployments/{run['deployment_id']}")
        assert (deployment["name"], deployment["version"]) == ("worklets", "1")
        assert deployment["description"] == "Tells irises apart."
        assert deployment["parameter_openapi_schema"]["required"] == ["request"]
        assert deployment["paused"] is False
        assert deployment["work_pool_name"] == "worklets"
        assert prefect_server.ask("GET", "/work_pools/worklets")["type"] == "worklets"

    async def test_a_node_run_has_its_true_duration_and_state(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        add_runs(sqlite_store, [make_record(worklet, duration_us=8000, state="failed")])
        async with recording(sqlite_store, prefect_server):
            await all_recorded(sqlite_store)
        runs = prefect_server.ask("POST", "/task_runs/filter", {"flows": {"name": {"any_": [worklet]}}})
        shown = {run["name"]: run for run in runs}
        assert shown["model"]["total_run_time"] == pytest.approx(0.004)
        assert shown["model"]["tags"] == ["model"]
        assert shown["label"]["state_name"] == "Failed"
        assert shown["label"]["state"]["message"] == "label: no such species"

    async def test_a_longer_run_has_its_true_duration(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        records = [make_record(worklet, duration_us=us) for us in (50_000, 300_000, 800_000)]
        async with recording(sqlite_store, prefect_server) as recorder:
            await until(lambda: recorder.counters.prefect_up)
            for record in records:
                add_runs(sqlite_store, [record])
                recorder.wake()
                await all_recorded(sqlite_store)
            assert recorder.counters.exact == 3
        durations = sorted(run["total_run_time"] for run in flow_runs(prefect_server, worklet))
        # Never shorter than it was; on a busy machine Prefect takes the last state later.
        assert all(
            wanted - 0.05 < found < wanted + 5 for wanted, found in zip((0.05, 0.3, 0.8), durations, strict=True)
        )

    async def test_a_worklet_is_there_before_its_first_run(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        async with recording(sqlite_store, prefect_server):
            await until(lambda: exists(prefect_server, worklet))

    async def test_a_run_of_an_unknown_worklet_is_shown_too(
        self, sqlite_store: Store, prefect_server: PrefectServer
    ) -> None:
        name = f"gone-{uuid4().hex[:6]}"
        add_runs(sqlite_store, [make_record(name)])
        async with recording(sqlite_store, prefect_server):
            await all_recorded(sqlite_store)
        (run,) = flow_runs(prefect_server, name)
        assert run["parameters"] == {"sepal_length": 5.1}

    async def test_a_new_version_updates_the_deployment_and_leaves_its_schedules(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        path = f"/deployments/name/{worklet}/worklets"
        async with recording(sqlite_store, prefect_server) as recorder:
            await until(lambda: exists(prefect_server, worklet))
            id = prefect_server.ask("GET", path)["id"]
            schedule = {"schedule": {"cron": "0 6 * * *"}, "active": False}
            prefect_server.ask("POST", f"/deployments/{id}/schedules", [schedule])
            add_worklet(sqlite_store, worklet, number=2)
            recorder.wake()
            await until(lambda: prefect_server.ask("GET", path)["version"] == "2")
        assert len(prefect_server.ask("GET", path)["schedules"]) == 1


class TestStartedByPrefect:
    async def test_its_flow_run_gets_the_nodes_of_each_attempt_and_no_state(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        flow = prefect_server.ask("POST", "/flows/", {"name": worklet})
        made = prefect_server.ask(
            "POST", "/flow_runs/", {"flow_id": flow["id"], "state": {"type": "RUNNING", "name": "Running"}}
        )
        first = make_record(worklet, id=UUID(made["id"]).hex, state="failed", trigger="prefect")
        again = make_record(worklet, trigger="prefect")
        gone = make_record(worklet, trigger="prefect")
        with sqlite_store.session() as session:
            for record, flow_run in ((first, first.id), (again, first.id), (gone, gone.id)):
                session.add(SubmittedRun(id=record.id, worklet=worklet, version=1, flow_run_id=flow_run))
        add_runs(sqlite_store, [first, again, gone])
        async with recording(sqlite_store, prefect_server):
            await until(lambda: all(row.recorded_us is not None for row in rows_of(sqlite_store)))
        assert {row.id: row.recorded_us == REFUSED for row in rows_of(sqlite_store)} == {
            first.id: False, again.id: False, gone.id: True
        }  # fmt: skip
        shown = flow_runs(prefect_server, worklet)
        assert [(run["id"], run["state_name"]) for run in shown] == [(made["id"], "Running")]
        assert task_run_count(prefect_server, worklet) == 6


class TestOnce:
    async def test_everything_sent_again_changes_nothing(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        add_runs(sqlite_store, [make_record(worklet) for _ in range(150)])
        for _ in range(2):
            async with recording(sqlite_store, prefect_server):
                await all_recorded(sqlite_store)
            assert len(flow_runs(prefect_server, worklet)) == 150
            assert task_run_count(prefect_server, worklet) == 450
            with sqlite_store.session() as session:
                session.exec(update(Run).values(recorded_us=None))

    async def test_a_killed_prefect_has_all_runs_and_nodes_in_the_end(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        total = 240
        async with recording(sqlite_store, prefect_server) as recorder:
            await until(lambda: recorder.counters.prefect_up)
            for number in range(total):
                add_runs(sqlite_store, [make_record(worklet)])
                recorder.wake()
                await asyncio.sleep(0.02)
                if number == 80:
                    prefect_server.kill()
                    await until(lambda: not recorder.counters.prefect_up)
                if number == 160:
                    prefect_server.launch()
                    await asyncio.to_thread(prefect_server.wait_ready)
            await all_recorded(sqlite_store, 90)
        assert recorder.counters.outages == 1
        assert recorder.counters.refused == 0
        assert len(flow_runs(prefect_server, worklet)) == total
        assert task_run_count(prefect_server, worklet) == 3 * total

    async def test_a_run_that_was_begun_before_a_kill_is_ended(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        add_runs(sqlite_store, [make_record(worklet, duration_us=2_000_000)])
        async with recording(sqlite_store, prefect_server):
            await until(lambda: [run["state_name"] for run in flow_runs(prefect_server, worklet)] == ["Running"])
        assert [row.recorded_us for row in rows_of(sqlite_store)] == [BEGUN]
        async with recording(sqlite_store, prefect_server):
            await all_recorded(sqlite_store)
        (run,) = flow_runs(prefect_server, worklet)
        assert run["state_name"] == "Completed"
        assert run["total_run_time"] >= 1.9


class TestTrouble:
    async def test_a_deleted_deployment_comes_again(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        async with recording(sqlite_store, prefect_server) as recorder:
            await until(lambda: exists(prefect_server, worklet))
            id = prefect_server.ask("GET", f"/deployments/name/{worklet}/worklets")["id"]
            prefect_server.ask("DELETE", f"/deployments/{id}")
            add_runs(sqlite_store, [make_record(worklet)])
            recorder.wake()
            await all_recorded(sqlite_store)
        assert exists(prefect_server, worklet)

    async def test_prefect_with_another_database(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        async with recording(sqlite_store, prefect_server) as recorder:
            await until(lambda: exists(prefect_server, worklet))
            prefect_server.kill()
            prefect_server.forget_everything()
            prefect_server.launch()
            await asyncio.to_thread(prefect_server.wait_ready)
            add_runs(sqlite_store, [make_record(worklet)])
            recorder.wake()
            await all_recorded(sqlite_store)
        assert len(flow_runs(prefect_server, worklet)) == 1

    async def test_a_run_that_prefect_refuses_holds_up_no_other(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        # More parameters than Prefect takes; the journal would have shortened them.
        huge = make_record(worklet, input=json.dumps(["x" * 900] * 1000).encode(), started_us=1)
        others = [make_record(worklet) for _ in range(15)]
        add_runs(sqlite_store, [huge, *others])
        async with recording(sqlite_store, prefect_server) as recorder:
            await until(lambda: all(row.recorded_us is not None for row in rows_of(sqlite_store)), 60)
        assert [row.id for row in rows_of(sqlite_store) if row.recorded_us == REFUSED] == [huge.id]
        assert recorder.counters.refused == 1
        assert len(flow_runs(prefect_server, worklet)) == 15

    async def test_a_backlog_that_is_too_long_is_sampled(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        add_runs(
            sqlite_store, [make_record(worklet, state="failed" if n % 10 == 0 else "completed") for n in range(50)]
        )
        async with PrefectApi(prefect_server.url) as api:
            recorder = Recorder(Outbox(sqlite_store), api, sample_above=20)
            await recorder.look_at_backlog()
        assert (recorder.backlog, recorder.counters.sampled_out) == (50, 30)
        async with recording(sqlite_store, prefect_server):
            await until(lambda: all(row.recorded_us for row in rows_of(sqlite_store)))
        shown = flow_runs(prefect_server, worklet)
        assert len(shown) == 20
        assert sum(run["state_name"] == "Failed" for run in shown) == 5

    async def test_the_limit_on_the_rate_is_kept(
        self, sqlite_store: Store, prefect_server: PrefectServer, worklet: str
    ) -> None:
        add_runs(sqlite_store, [make_record(worklet) for _ in range(30)])
        start = time.monotonic()
        async with recording(sqlite_store, prefect_server, max_runs_per_second=10):
            await all_recorded(sqlite_store)
        assert time.monotonic() - start >= 3


def exists(server: PrefectServer, worklet: str) -> bool:
    body = {"flows": {"name": {"any_": [worklet]}}}
    count: int = server.ask("POST", "/deployments/count", body)
    return count == 1
