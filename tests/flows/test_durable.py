from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest
from prefect_worklets.connectors.errors import BadInput, NodeFailed, TookTooLong
from prefect_worklets.flows.mapping import map
from prefect_worklets.flows.nodes import node
from prefect_worklets.flows.recovering import recover
from prefect_worklets.flows.requesting import http
from prefect_worklets.flows.worklet import worklet
from pydantic import BaseModel

pytestmark = pytest.mark.integration


class Pair(BaseModel):
    a: float
    b: float


calls: list[str] = []


@node
def left(pair: Pair) -> float:
    return pair.a


@node(retries=2)
def right(pair: Pair) -> float:
    calls.append("right")
    if len(calls) < 2:
        raise OSError("not yet")
    return pair.b


@node
async def add(x: float, y: float) -> float:
    return x + y


@worklet
def total(pair: Pair) -> float:
    """Adds both."""
    return add(left(pair), right(pair))


@node(timeout=0.05)
async def late() -> int:
    import asyncio

    await asyncio.sleep(5)
    return 1


@worklet
def too_late() -> int:
    return late()


@node
def broken() -> int:
    raise ValueError("no")


@worklet
def breaking() -> int:
    return broken()


@node
def instead(value: int, why: str) -> int:
    return -value if "no" in why else 0


@worklet
def guarded(value: int) -> int:
    return recover(broken(), lambda error: instead(value, error))


@pytest.fixture(scope="module")
def prefect() -> Iterator[None]:
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.mark.usefixtures("prefect")
async def test_the_flow_gives_what_the_call_gives() -> None:
    calls.clear()
    direct = total(Pair(a=1, b=2))
    calls.clear()
    assert await total.flow(Pair(a=1, b=2)) == direct == 3
    assert calls == ["right", "right"]
    assert await total.flow(pair={"a": 2, "b": 3}) == 5


@pytest.mark.usefixtures("prefect")
async def test_the_flow_goes_on_from_a_failure() -> None:
    assert await guarded.flow(5) == -5
    assert guarded(5) == -5


def test_the_flow_has_name_and_parameters_of_the_worklet() -> None:
    assert total.flow.name == "total"
    assert total.flow.description == "Adds both."
    assert total.flow.parameters.required == ["pair"]
    assert total.flow is total.flow


@pytest.mark.usefixtures("prefect")
async def test_failures_are_the_same() -> None:
    with pytest.raises(BadInput):
        await total.flow(pair={"a": "x"})
    with pytest.raises(NodeFailed, match="'broken' failed: ValueError: no"):
        await breaking.flow()
    with pytest.raises(TookTooLong, match="'late' took longer"):
        await too_late.flow()


@pytest.mark.usefixtures("prefect")
async def test_a_request_is_repeated_as_a_task_too(listener) -> None:
    url = f"http://{listener.address}/thing"
    listener.plan = [(503, {"retry-after": "0"}, b"")]

    @worklet
    def ask() -> Any:
        return http("GET", url, backoff=0)

    assert (await ask.flow())["path"] == "/thing"
    assert len(listener.asked) == 2


@node
def where(item: int, sleep: float) -> dict[str, int]:
    import os
    import time

    time.sleep(sleep)
    if item > 9:
        raise ValueError(f"{item} is too many")
    return {"item": item, "process": os.getpid()}


@worklet
def everywhere(items: list[int], sleep: float = 0) -> list[dict[str, int]]:
    return map(where, at_once=2)(items, sleep=sleep)


@pytest.mark.usefixtures("prefect")
async def test_items_of_a_map_are_tasks_of_the_task_runner_given(tmp_path: Path) -> None:
    from prefect import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName
    from prefect_dask import DaskTaskRunner

    settings = {
        "n_workers": 1, "threads_per_worker": 2, "local_directory": str(tmp_path),
        "scheduler_kwargs": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    }  # fmt: skip
    with distributed.LocalCluster(**settings) as cluster:
        on_dask = everywhere.flow.with_options(task_runner=DaskTaskRunner(address=cluster.scheduler_address))
        found = await on_dask([3, 1, 2])
        with pytest.raises(NodeFailed, match="10 is too many") as failed:
            await on_dask([1, 10])
    assert [each["item"] for each in found] == [3, 1, 2]
    assert os.getpid() not in {each["process"] for each in found}
    assert "at item 1" in "".join(getattr(failed.value.__cause__, "__notes__", []))
    names = [f"map_where[{index}]" for index in range(3)]
    async with get_client() as client:
        wanted = TaskRunFilter(name=TaskRunFilterName(any_=names))
        for _ in range(100):
            runs = await client.read_task_runs(task_run_filter=wanted)
            if len([run for run in runs if run.state is not None and run.state.is_final()]) >= 5:
                break
            await asyncio.sleep(0.1)
    states = sorted((run.name, run.state.name) for run in runs if run.state is not None)
    assert states.count(("map_where[0]", "Completed")) == 2
    assert ("map_where[1]", "Failed") in states
    assert ("map_where[2]", "Completed") in states


@pytest.mark.usefixtures("prefect")
async def test_with_the_usual_task_runner_items_stay_here() -> None:
    assert {each["process"] for each in await everywhere.flow([1, 2])} == {os.getpid()}


def test_defining_and_calling_a_worklet_needs_no_prefect() -> None:
    code = (
        "import sys; from prefect_worklets.flows import worklet, nodes, engine, api, invoke; "
        "print('prefect' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
