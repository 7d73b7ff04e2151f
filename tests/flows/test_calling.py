"""Call nodes: a worklet that runs others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect_worklets.connectors.errors import DefinitionError, NodeFailed, SetupError
from prefect_worklets.connectors.tables import TableRow
from prefect_worklets.flows.calling import WorkletCalls
from prefect_worklets.flows.checkpoints import Checkpoints
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.documents import read_document
from prefect_worklets.flows.engine import Engine, new_run_id
from prefect_worklets.flows.journal import Journal
from prefect_worklets.flows.recent import RecentRuns
from prefect_worklets.flows.registry import Registry
from sqlmodel import select

import prefect_worklets as pw

from .conftest import packed

INNER = """
from pydantic import BaseModel
import prefect_worklets as pw

class Pair(BaseModel):
    a: int
    b: int

@pw.node
def plus(pair: Pair) -> int:
    if pair.a == 13:
        raise ValueError("unlucky")
    return pair.a + pair.b + {extra}

@pw.worklet
def add(pair: Pair) -> int:
    return plus(pair)

@pw.node
def times(x: int, y: int) -> int:
    return x * y

@pw.worklet
def multiply(x: int, y: int = 2) -> dict:
    return pw.save("products")({{"product": times(x, y)}})
"""

OUTER = """
import prefect_worklets as pw

@pw.node
def pair(n: int) -> dict:
    return {"a": n, "b": 1}

@pw.node
def product(row: dict) -> int:
    return row["product"]

@pw.worklet
def outer(n: int) -> dict:
    added = pw.call("add")(pair(n))
    return {"added": added, "product": product(pw.call("multiply")(x=added, y=10)), "old": pw.call("add", 1)(pair(n))}
"""


@pytest.fixture
def parts(store, tmp_path):
    registry = Registry(store, tmp_path / "projects")
    recent, journal = RecentRuns(), Journal(tmp_path / "journal")
    engine = Engine(services=Services(store=store, calls=WorkletCalls(registry, journal, recent)))

    def push(**files: str) -> None:
        project = next(iter(files))
        registry.push(packed({f"{name}.py": text for name, text in files.items()}, tmp_path / "source"), project)

    push(inner=INNER.format(extra=0))
    push(outer=OUTER)
    yield engine, registry, recent, push, Checkpoints(tmp_path / "results")
    engine.close()
    journal.close()


async def run(engine, registry, name, *inputs):
    live = registry.get(name)
    return await engine.run(live.worklet.plan, inputs, engine.context(name, live.version))


async def test_it_gives_what_the_other_gives_and_both_runs_are_recorded(parts):
    engine, registry, recent, push, _ = parts
    push(inner=INNER.format(extra=100))
    live = registry.get("outer")
    context = engine.context("outer", live.version)
    result = await engine.run(live.worklet.plan, (4,), context)
    assert result.output == {"added": 105, "product": 1050, "old": 5}
    assert {entry[0]: entry[1:3] for entry in result.nodes}["multiply"] == ["call", "completed"]
    children = [run for run in recent._runs.values() if run.parent == context.run_id]
    assert sorted((child.worklet, child.version, child.trigger, child.output) for child in children) == [
        ("add", 1, "call", b"5"), ("add", 2, "call", b"105"), ("multiply", 2, "call", b'{"product":1050}'),
    ]  # fmt: skip
    assert next(child for child in children if child.worklet == "multiply").input == b'{"x":105,"y":10}'


async def test_a_failed_call_has_the_value_for_that(parts):
    engine, registry, _, push, _ = parts
    push(
        spared=OUTER.split("@pw.worklet")[0]
        + """
@pw.worklet
def spared(n: int) -> int:
    return pw.call("add", on_error=-1)(pair(n))
"""
    )
    assert (await run(engine, registry, "spared", 4)).output == 5
    result = await run(engine, registry, "spared", 13)
    assert (result.state, result.output) == ("completed", -1)
    assert "unlucky" in result.nodes[-1][5]
    with pytest.raises(DefinitionError, match="no JSON"):
        pw.worklet(name="wrong")(lambda n: pw.call("add", on_error=object())(n))


async def test_a_failure_names_both(parts):
    engine, registry, recent, _, _ = parts
    result = await run(engine, registry, "outer", 13)
    assert isinstance(result.error, NodeFailed)
    assert result.error.detail.endswith("the worklet 'add' failed: Node 'plus' failed: ValueError: unlucky")
    # Both versions are called side by side: where one fails before the other ends, that is cancelled.
    states = [run.state for run in recent._runs.values()]
    assert "failed" in states
    assert set(states) <= {"failed", "cancelled"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('pw.call("add")({"a": "x"})', "refuses its input: a: Input should be a valid integer"),
        ('pw.call("multiply")(1)', "takes x, y; give its inputs by name"),
        ('pw.call("multiply")(x=1, z=2)', "refuses its input"),
    ],
)
async def test_an_input_that_does_not_fit(parts, call, said):
    engine, registry, _, push, _ = parts
    push(wrong=f"import prefect_worklets as pw\n\n@pw.worklet\ndef wrong() -> dict:\n    return {call}\n")
    result = await run(engine, registry, "wrong")
    assert isinstance(result.error, NodeFailed)
    assert said in result.error.detail


async def test_a_run_that_is_taken_up_again_saves_once(parts, store):
    engine, registry, _, _, checkpoints = parts
    live, id = registry.get("outer"), new_run_id()
    for _ in range(2):
        context = engine.context("outer", live.version, run_id=id)
        execution = await asyncio.to_thread(live.worklet.kept_execution, engine, [4], context, checkpoints)
        if not execution.advance():
            await execution.finish()
        assert execution.state == "completed"
        checkpoints.forget(id)  # as if the process had died before the call's end was kept
    with store.read() as session:
        assert len(session.exec(select(TableRow).where(TableRow.table_name == "products")).all()) == 1


CALLING = "import prefect_worklets as pw\n\n@pw.worklet\ndef {name}(n: int) -> int:\n    return pw.call({to})(n)\n"


@pytest.mark.parametrize(
    ("to", "said"),
    [("'nobody'", "there is no worklet 'nobody'"), ("'add', 9", "the worklet 'add' has no version 9"),
     ("'mine'", "calls go in a ring: mine → mine")],
)  # fmt: skip
def test_a_push_is_refused_whose_calls_do_not_fit(parts, to, said):
    *_, push, _ = parts
    with pytest.raises(DefinitionError) as caught:
        push(mine=CALLING.format(name="mine", to=to))
    assert [said in fault.msg for fault in caught.value.faults] == [True]
    assert caught.value.faults[0].file.endswith("mine.py")


def test_a_ring_over_two_projects_is_refused(parts):
    *_, push, _ = parts
    push(one=CALLING.format(name="one", to="'add'"))
    push(two=CALLING.format(name="two", to="'one'"))
    with pytest.raises(DefinitionError, match="ring"):
        push(one=CALLING.format(name="one", to="'two'"))


async def test_a_ring_that_came_by_another_way_ends(parts):
    engine, registry, _, push, _ = parts
    push(one=CALLING.format(name="one", to="'add'"))
    push(two=CALLING.format(name="two", to="'one'"))
    push(two=CALLING.format(name="two", to="'add'"))
    push(one=CALLING.format(name="one", to="'two'"))
    registry.promote("two", 1)
    result = await run(engine, registry, "one", 1)
    assert "calls go in a ring: one → two → one" in result.error.detail


@pw.worklet
def lonely(n: int) -> Any:
    return pw.call("add")(n)


def test_without_a_server_it_says_what_to_do():
    with pytest.raises(SetupError, match="run it in the server"):
        lonely(1)
    with pytest.raises(DefinitionError, match="called by another worklet's run"):
        pw.call("add")(1)
    assert read_document(lonely.graph.model_dump(mode="json")) == lonely.graph


@pytest.mark.parametrize("wrong", [("",), (lonely,), ("add", 0), ("add", "1")])
def test_what_can_not_be_called(wrong):
    with pytest.raises(DefinitionError, match="call"):
        pw.call(*wrong)


def test_a_call_takes_one_value_or_names():
    with pytest.raises(DefinitionError):

        @pw.worklet
        def both(n: int) -> Any:
            return pw.call("add")(n, b=n)
