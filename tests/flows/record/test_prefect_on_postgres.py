"""The record where both lie in PostgreSQL: our store, and the database of Prefect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from fixtures_postgres import PostgresServer
from fixtures_prefect import PrefectServer
from prefect_worklets.connectors.prefect_api import PrefectApi
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import Run
from prefect_worklets.flows.outbox import Outbox
from prefect_worklets.flows.recorder import Recorder
from record_runs import add_runs, add_worklet, make_record, rows_of
from sqlmodel import update

from prefect_worklets.settings import Settings

pytestmark = pytest.mark.integration

COUNT = 150


@pytest.fixture
def prefect(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[PrefectServer]:
    url = postgres_server.create_database()
    server = PrefectServer(tmp_path, Settings(data_dir=tmp_path, prefect_database_url=url).prefect_store_url)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        postgres_server.drop_database(url)


async def record_all(store: Store, server: PrefectServer) -> None:
    async with PrefectApi(server.url) as api:
        stop = asyncio.Event()
        task = asyncio.create_task(Recorder(Outbox(store), api).run(stop))
        deadline = time.monotonic() + 90
        while not all((row.recorded_us or 0) > 0 for row in await asyncio.to_thread(rows_of, store)):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        stop.set()
        await task


async def test_runs_nodes_and_edges_are_there_once(postgres_store_url: str, prefect: PrefectServer):
    store, worklet = Store(postgres_store_url), f"iris-{uuid4().hex[:6]}"
    add_worklet(store, worklet)
    records = [make_record(worklet, state="failed" if number % 10 == 0 else "completed") for number in range(COUNT)]
    add_runs(store, records)
    await record_all(store, prefect)
    with store.session() as session:  # as after a crash between sending and noting it
        session.exec(update(Run).values(recorded_us=None))
    await record_all(store, prefect)
    store.close()

    of_worklet = {"flows": {"name": {"any_": [worklet]}}}
    assert prefect.ask("POST", "/flow_runs/count", of_worklet) == COUNT
    failed = {**of_worklet, "flow_runs": {"state": {"type": {"any_": ["FAILED"]}}}}
    assert prefect.ask("POST", "/flow_runs/count", failed) == COUNT / 10
    assert prefect.ask("POST", "/task_runs/count", of_worklet) == 3 * COUNT
    (run,) = prefect.ask("POST", "/flow_runs/filter", {"flow_runs": {"idempotency_key": {"any_": [records[1].id]}}})
    graph = prefect.ask("GET", f"/flow_runs/{run['id']}/graph-v2")
    nodes = {id: node["label"] for id, node in graph["nodes"]}
    edges = {(nodes[parent["id"]], node["label"]) for _, node in graph["nodes"] for parent in node["parents"]}
    assert edges == {("prepare", "model"), ("model", "label")}
