"""Nodes that have a value for the case that they fail."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from prefect_worklets.connectors.errors import BadInput, DefinitionError
from prefect_worklets.flows.checkpoints import Checkpoints, with_checkpoints
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.documents import read_document
from prefect_worklets.flows.engine import Engine, new_run_id

import prefect_worklets as pw

from .conftest import PlainModels

tries: list[str] = []


@pw.node(on_error=0.5, quick=True)
def quick(x: int) -> float:
    tries.append("quick")
    if x < 0:
        raise BadInput("x is below 0.")
    raise ValueError("no luck")


@pw.node(on_error=[1], quick=False)
def threaded(x: int) -> list[int]:
    raise ValueError("no luck")


@pw.node(on_error=None, retries=2)
async def tried(x: int) -> Any:
    tries.append("tried")
    raise ValueError("no luck")


@pw.node(on_error="late", timeout=0.01)
async def slow(x: int) -> str:
    await asyncio.sleep(5)
    return "in time"


@pw.node(on_error="held", timeout=0.001, quick=True)
def holding(x: int) -> str:
    time.sleep(0.01)
    return "in time"


@pw.node
def fine(x: int) -> int:
    return x


@pw.worklet
def one(x: int) -> float:
    return quick(fine(x))


@pw.worklet
def several(x: int) -> list:
    return [quick(x), threaded(x), tried(x), slow(x), holding(x)]


@pw.worklet
def others(x: int) -> list:
    asked = pw.model("broken").with_options(on_error="no model")(x)
    return [
        asked,
        pw.map(threaded).with_options(on_error=[[2]])([x]),
        pw.query("select nothing").with_options(on_error=[])(),
    ]


@pytest.fixture
def engine(store):
    def broken(_: Any) -> Any:
        raise ValueError("broken")

    engine = Engine(services=Services(store=store, models=PlainModels({"broken": broken})))
    tries.clear()
    yield engine
    engine.close()


async def run(engine, worklet, x):
    return await engine.run(worklet.plan, [x], engine.context(worklet.name))


async def test_a_quick_node(engine):
    result = await run(engine, one, 1)
    assert (result.state, result.output) == ("completed", 0.5)
    assert result.nodes[1][2] == "completed"
    assert result.nodes[1][5] == "on_error was taken: Node 'quick' failed: ValueError: no luck"


async def test_in_threads_after_retries_and_out_of_time(engine):
    result = await run(engine, several, 1)
    assert result.output == [0.5, [1], None, "late", "held"]
    assert tries.count("tried") == 3
    assert {entry[2] for entry in result.nodes} == {"completed"}


async def test_every_kind_takes_it(engine):
    result = await run(engine, others, 1)
    assert result.output == ["no model", [[2]], []]


async def test_what_the_caller_did_wrong_is_still_told(engine):
    result = await run(engine, one, -1)
    assert isinstance(result.error, BadInput)


async def test_a_submitted_run(engine, tmp_path):
    checkpoints, id = Checkpoints(tmp_path), new_run_id()
    plan = with_checkpoints(several.plan, id, checkpoints, {})
    result = await engine.run(plan, [1], engine.context("several", run_id=id))
    assert result.output[:4] == [0.5, [1], None, "late"]


async def test_the_value_is_each_runs_own(engine):
    first = await run(engine, several, 1)
    first.output[1].append(2)
    assert (await run(engine, several, 1)).output[1] == [1]


def test_it_is_in_the_document():
    assert one.graph.nodes[1].on_error.value == 0.5
    assert read_document(several.graph.model_dump(mode="json")) == several.graph


@pytest.mark.parametrize(("value", "said"), [("x", "on_error is 'x', and it gives int"), (object(), "no JSON")])
def test_a_value_of_another_type(value, said):
    with pytest.raises(DefinitionError) as caught:

        @pw.node(on_error=value)
        def wrong() -> int:
            return 1

    assert said in str(caught.value)
