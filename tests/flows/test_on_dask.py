"""Maps on a real Dask cluster of one worker process, with the code of a project that the worker can't import."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from prefect_worklets.connectors.errors import DefinitionError, NodeFailed, Unavailable
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.dask_items import DaskItems
from prefect_worklets.flows.documents import read_document, written_document
from prefect_worklets.flows.engine import Engine
from prefect_worklets.flows.execution import RunResult
from prefect_worklets.flows.project import load_project
from prefect_worklets.flows.worklet import Worklet

import prefect_worklets as pw

SHAPES = """
from pydantic import BaseModel

class Square(BaseModel):
    side: int
    worker: int = 0

class TooBig(Exception):
    def __init__(self, side, limit):
        super().__init__(f"{side} is over {limit}")

def area(square: Square) -> int:
    return square.side ** 2
"""
SIZES = """
import asyncio, os, threading, time
import prefect_worklets as pw
from shapes import Square, TooBig, area

@pw.node
def grow(square: Square, by: int) -> Square:
    if square.side > 100:
        raise TooBig(square.side, 100)
    return Square(side=area(square) + by, worker=os.getpid())

@pw.node
async def slowly(side: int) -> int:
    await asyncio.sleep(0.01)
    return side + 1

@pw.node(timeout=0.4)
def endless(side: int) -> int:
    time.sleep(3)
    return side

lock = threading.Lock()

@pw.node
def locked(side: int) -> int:
    with lock:
        return side

@pw.worklet
def sizes(squares: list[Square], by: int = 1) -> list[Square]:
    return pw.map(grow, at_once=2, runner="dask")(squares, by=by)

@pw.worklet
def later(sides: list[int]) -> list[int]:
    return pw.map(slowly, runner="dask")(sides)

@pw.worklet
def too_late(sides: list[int]) -> list[int]:
    return pw.map(endless, runner="dask")(sides)

@pw.worklet
def unsendable(sides: list[int]) -> list[int]:
    return pw.map(locked, runner="dask")(sides)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Worklet[..., Any]]]:
    folder = tmp_path_factory.mktemp("sizes")
    (folder / "worklets.toml").write_text('[project]\nname = "sizes"\n')
    (folder / "shapes.py").write_text(SHAPES)
    (folder / "sizes.py").write_text(SIZES)
    loaded = load_project(folder, "0123456789abcdef")
    yield loaded.worklets
    loaded.tree.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    folder = str(tmp_path_factory.mktemp("dask"))
    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        local_directory=folder,
        host="127.0.0.1",
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    ) as made:
        yield made


@pytest.fixture(scope="module")
def dask(cluster: LocalCluster) -> Iterator[DaskItems]:
    items = DaskItems(cluster.scheduler_address)
    yield items
    items.close()


async def ran(worklet: Worklet[..., Any], dask: DaskItems, **inputs: Any) -> RunResult:
    engine = Engine(services=Services(elsewhere=dask))
    try:
        values = worklet.input.from_call(inputs)
        return await engine.run(worklet.plan, values, engine.context(worklet.name))
    finally:
        engine.close()


async def test_items_are_worked_out_there_in_order(project: dict[str, Any], dask: DaskItems) -> None:
    result = await ran(project["sizes"], dask, squares=[{"side": side} for side in range(7)], by=2)
    assert result.error is None
    assert [each.side for each in result.output] == [side**2 + 2 for side in range(7)]
    assert os.getpid() not in {each.worker for each in result.output}
    # What comes back is of the project's own types.
    given = project["sizes"].input.from_call({"squares": [{"side": 1}]})[0][0]
    assert {type(each) for each in result.output} == {type(given)}


async def test_async_code_too(project: dict[str, Any], dask: DaskItems) -> None:
    assert (await ran(project["later"], dask, sides=[1, 2, 3])).output == [2, 3, 4]
    assert (await ran(project["later"], dask, sides=[])).output == []


async def test_the_first_item_that_fails_fails_the_node(project: dict[str, Any], dask: DaskItems) -> None:
    result = await ran(project["sizes"], dask, squares=[{"side": 1}, {"side": 2}, {"side": 101}])
    assert result.state == "failed"
    assert isinstance(result.error, NodeFailed)
    # Its own error can't be made again from its message; what it said comes through.
    assert "TooBig: 101 is over 100" in result.error.detail
    assert "at item 2" in "".join(getattr(result.error.__cause__, "__notes__", []))


async def test_time_limits_and_cancelling_end_the_wait(project: dict[str, Any], dask: DaskItems) -> None:
    result = await ran(project["too_late"], dask, sides=[1])
    assert (result.state, result.nodes[0][2]) == ("timed-out", "timed-out")
    run = asyncio.create_task(ran(project["too_late"], dask, sides=[1]))
    await asyncio.sleep(0.05)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_what_cannot_travel_is_said(project: dict[str, Any], dask: DaskItems) -> None:
    error = (await ran(project["unsendable"], dask, sides=[1])).error
    assert error is not None
    assert "can't be sent" in error.detail
    assert "inside the function" in error.detail


async def test_a_cluster_that_is_not_there_is_said(project: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prefect_worklets.flows.dask_items._PATIENCE", 0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = DaskItems(f"tcp://127.0.0.1:{unused.getsockname()[1]}")
        result = await ran(project["later"], nowhere, sides=[1])
    nowhere.close()
    assert isinstance(result.error, Unavailable)
    assert "WORKLETS_DASK_ADDRESS" in result.error.detail


async def test_a_cluster_of_this_machine_that_dies_is_started_again(project: dict[str, Any], tmp_path: Path) -> None:
    local = DaskItems(workers=1, folder=tmp_path / "dask")
    try:
        first = await ran(project["sizes"], local, squares=[{"side": 3}])
        assert first.output[0].side == 10
        assert local._client is not None
        await asyncio.to_thread(local._client.cluster.close)
        lost = await ran(project["later"], local, sides=[1])
        assert lost.error is None or isinstance(lost.error, Unavailable)
        assert (await ran(project["later"], local, sides=[1])).output == [2]
    finally:
        await asyncio.to_thread(local.close)


def test_called_directly_it_stays_here(project: dict[str, Any]) -> None:
    assert project["later"]([1, 2]) == [2, 3]
    assert project["sizes"]([{"side": 2}])[0].worker == os.getpid()


def test_the_graph_says_where(project: dict[str, Any]) -> None:
    document = written_document(project["sizes"].graph)
    assert document["nodes"][0]["settings"]["runner"] == "dask"
    assert read_document(document).nodes[0].settings["runner"] == "dask"
    document["nodes"][0]["settings"]["runner"] = "slurm"
    with pytest.raises(DefinitionError, match="its runner is 'slurm'"):
        read_document(document)


def test_other_runners_are_refused() -> None:
    @pw.node
    def one(item: int) -> int:
        return item

    with pytest.raises(DefinitionError, match="runner is 'slurm'"):
        pw.map(one, runner="slurm")  # type: ignore[arg-type]
