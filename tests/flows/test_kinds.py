"""Decisions and maps: placed, checked, run."""

from __future__ import annotations

import asyncio
import time

import pytest
from prefect_worklets.connectors.errors import DefinitionError, NodeFailed
from prefect_worklets.flows.checks import check
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.engine import Engine
from prefect_worklets.flows.graph import GraphDocument

import prefect_worklets as pw

ran: list[str] = []


@pw.node
def is_large(n: int) -> bool:
    return n > 10


@pw.node
def halve(n: int) -> int:
    ran.append("halve")
    return n // 2


@pw.node
async def double(n: int) -> int:
    ran.append("double")
    return n * 2


@pw.node
def is_even(n: int) -> bool:
    return n % 2 == 0


@pw.worklet
def one_way(n: int) -> int:
    return pw.decide(is_large(n), lambda: halve(n), lambda: double(n))


@pw.worklet
def nested(n: int) -> int:
    return pw.decide(
        is_large(n),
        lambda: pw.decide(is_even(n), lambda: halve(n), lambda: n),
        lambda: double(n),
    )


@pw.node
def slow_square(x: int, plus: int = 0) -> int:
    if x == 13:
        raise ValueError("unlucky")
    time.sleep(0.01)
    return x * x + plus


@pw.node
async def later_square(x: int) -> int:
    await asyncio.sleep(0.01)
    return x * x


@pw.worklet
def squares(xs: list[int], plus: int = 0) -> list[int]:
    return pw.map(slow_square, at_once=4)(xs, plus=plus)


@pw.worklet
def squares_later(xs: list[int]) -> list[int]:
    return pw.map(later_square)(xs)


@pytest.fixture
def engine(store):
    engine = Engine(services=Services(store=store))
    yield engine
    engine.close()


async def run(engine, worklet, *inputs):
    ran.clear()
    return await engine.run(worklet.plan, inputs, engine.context(worklet.name))


def states(result):
    return {entry[0]: entry[2] for entry in result.nodes}


@pytest.mark.parametrize(("n", "output", "taken", "skipped"), [(20, 10, "halve", "double"), (3, 6, "double", "halve")])
async def test_one_arm_runs_and_the_other_is_skipped(engine, n, output, taken, skipped):
    result = await run(engine, one_way, n)
    assert (result.state, result.output) == ("completed", output)
    assert ran == [taken]
    assert states(result) == {"is_large": "completed", "decide": "completed", taken: "completed", skipped: "skipped",
                              "join": "completed"}  # fmt: skip


@pytest.mark.parametrize(("n", "output"), [(20, 10), (21, 21), (3, 6)])
async def test_a_decision_in_an_arm(engine, n, output):
    result = await run(engine, nested, n)
    assert result.output == output
    assert len(ran) <= 1


def test_both_arms_are_in_the_document_and_come_back_from_json():
    document = GraphDocument.model_validate_json(one_way.graph.model_dump_json())
    assert document == one_way.graph
    arms = {node.id: node.when.arm for node in document.nodes if node.when is not None}
    assert arms == {"halve": True, "double": False}
    assert ("decide", "halve") in document.edges


def test_outside_a_worklet_it_is_a_choice():
    assert pw.decide(True, lambda: 1, lambda: 2) == 1
    assert pw.decide(0, lambda: 1, lambda: 2) == 2
    assert one_way(3) == 6


def test_a_value_does_not_leave_its_arm():
    with pytest.raises(DefinitionError) as raised:

        @pw.worklet
        def leaking(n: int) -> int:
            kept = []
            pw.decide(is_large(n), lambda: kept.append(halve(n)) or kept[0], lambda: n)
            return double(kept[0])

    assert "which is there only if" in str(raised.value)


def test_an_arm_is_a_function():
    with pytest.raises(DefinitionError, match="lambda"):

        @pw.worklet
        def wrong(n: int) -> int:
            return pw.decide(is_large(n), halve(n), lambda: n)


async def test_a_list_in_order(engine):
    result = await run(engine, squares, [3, 1, 2], 1)
    assert result.output == [10, 2, 5]
    assert (await run(engine, squares_later, list(range(30)))).output == [x * x for x in range(30)]
    assert (await run(engine, squares, [], 0)).output == []


async def test_the_item_that_fails_is_named(engine):
    result = await run(engine, squares, [1, 13, 2], 0)
    assert result.state == "failed"
    assert isinstance(result.error, NodeFailed)
    assert "unlucky" in result.error.detail
    assert "at item 1" in "".join(getattr(result.error.__cause__, "__notes__", []))


def test_a_map_of_the_wrong_type_is_found():
    with pytest.raises(DefinitionError, match=r"\bn\b"):

        @pw.worklet
        def wrong(n: str) -> list[int]:
            return pw.map(slow_square)(n)


@pytest.mark.parametrize("at_once", [0, 1000])
def test_bad_widths(at_once):
    with pytest.raises(DefinitionError, match="at_once"):
        pw.map(slow_square, at_once=at_once)


def test_outside_a_worklet_a_map_is_a_loop():
    assert pw.map(slow_square)([1, 2], plus=1) == [2, 5]


def test_documents_made_by_hand_are_checked():
    data = one_way.graph.model_dump(mode="json")
    data["output"] = {"node": "halve"}
    faults = check(GraphDocument.model_validate(data))
    assert any("there only if" in fault.msg for fault in faults)
