"""Decisions by a value's case, and by whether a node has failed."""

from __future__ import annotations

import asyncio
import enum
from typing import Any

import pytest
from prefect_worklets.connectors.errors import BadInput, DefinitionError
from prefect_worklets.flows.checkpoints import Checkpoints, with_checkpoints
from prefect_worklets.flows.checks import check
from prefect_worklets.flows.documents import parsed_document
from prefect_worklets.flows.engine import Engine, new_run_id
from prefect_worklets.flows.graph import GraphDocument

import prefect_worklets as pw

tries: list[str] = []


@pw.node(retries=1)
def price(item: str) -> dict[str, int]:
    tries.append(item)
    if item == "wrong":
        raise BadInput("There is no such item.")
    if item == "lost":
        raise LookupError("it is lost")
    return {"net": 7}


@pw.node(timeout=0.05)
async def slow_price(item: str) -> int:
    await asyncio.sleep(5)
    return 1


@pw.node
def known(item: str, why: str = "") -> int:
    tries.append(f"known: {why}")
    return 3


@pw.node
def double(value: int) -> int:
    tries.append("double")
    return value * 2


@pw.worklet
def priced(item: str) -> int:
    return double(pw.recover(price(item)["net"], lambda error: known(item, error)))


@pw.worklet
def slowly(item: str) -> int:
    return pw.recover(slow_price(item), lambda: known(item))


@pw.worklet
def twice_lost(item: str) -> int:
    found = pw.recover(price(item)["net"], lambda: pw.recover(slow_price(item), lambda error: known(item, error)))
    return double(found)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@pw.worklet
def coloured(colour: Colour) -> Any:
    return pw.switch(colour, {"red": lambda: known("rose"), "green": lambda: 2}, lambda: double(5))


@pw.worklet
def numbered(value: Any) -> Any:
    return pw.switch(value, {1: lambda: "one", False: lambda: "no", None: lambda: "nothing"})


@pytest.fixture
def engine():
    engine = Engine()
    tries.clear()
    yield engine
    engine.close()


async def run(engine, worklet, value):
    return await engine.run(worklet.plan, [value], engine.context(worklet.name))


def states(result):
    return {entry[0]: entry[2] for entry in result.nodes}


async def test_what_does_not_fail_goes_its_way(engine):
    result = await run(engine, priced, "rose")
    assert (result.state, result.output) == ("completed", 14)
    assert states(result)["known"] == "skipped"


async def test_a_failure_goes_the_other_way_with_what_was_said(engine):
    result = await run(engine, priced, "lost")
    assert (result.state, result.output) == ("completed", 6)
    assert tries == ["lost", "lost", "known: Node 'price' failed: LookupError: it is lost", "double"]
    assert states(result)["known"] == "completed"


async def test_the_callers_fault_is_the_callers(engine):
    result = await run(engine, priced, "wrong")
    assert isinstance(result.error, BadInput)
    assert not [each for each in tries if each.startswith("known")]


async def test_out_of_time(engine):
    assert (await run(engine, slowly, "rose")).output == 3


async def test_one_in_the_other(engine):
    assert (await run(engine, twice_lost, "rose")).output == 14
    result = await run(engine, twice_lost, "lost")
    assert result.output == 6
    assert tries[-2].startswith("known: Node 'slow_price' took longer")


async def test_a_way_that_fails_too_fails_the_run(engine):
    @pw.worklet
    def hopeless(item: str) -> dict[str, int]:
        return pw.recover(price(item), lambda: price("lost"))

    result = await run(engine, hopeless, "lost")
    assert (result.state, result.error.node) == ("failed", "price_2")


async def test_a_run_that_is_taken_up_again_goes_the_same_way(engine, tmp_path):
    checkpoints, id = Checkpoints(tmp_path), new_run_id()
    plan = with_checkpoints(priced.plan, id, checkpoints, {})
    assert (await engine.run(plan, ["lost"], engine.context("priced", run_id=id))).output == 6
    kept = checkpoints.kept(id)
    del kept["double"]
    tries.clear()
    again = with_checkpoints(priced.plan, id, checkpoints, kept)
    # With another input: what has run is not asked again, so that it goes the way that it went.
    assert (await engine.run(again, ["rose"], engine.context("priced", run_id=id))).output == 6
    assert tries == ["double"]


@pytest.mark.parametrize(("value", "output"), [(Colour.RED, 3), (Colour.BLUE, 10)])
async def test_a_case_of_an_enum(engine, value, output):
    assert (await run(engine, coloured, value)).output == output


@pytest.mark.parametrize(
    ("value", "output"),
    [(1, "one"), (1.0, "one"), (True, None), (False, "no"), (0, None), (None, "nothing"), ("1", None), ([1], None)],
)
async def test_cases_of_several_types(engine, value, output):
    assert (await run(engine, numbered, value)).output == output


def test_outside_of_a_definition_they_are_plain_python():
    assert pw.switch("b", {"a": lambda: 1, "b": lambda: 2}) == 2
    assert pw.switch("c", {"a": lambda: 1}) is None
    assert pw.recover(5, lambda: 6) == 5


@pytest.mark.parametrize(
    ("define", "said"),
    [
        (lambda item: pw.recover(item, lambda: 1), "recover() wants what a node gives"),
        (lambda item: pw.recover(price(item), 1), "otherwise that is no function"),
        (lambda item: pw.recover(pw.decide(item, lambda: 1, lambda: 2), lambda: 1), "is a decision"),
        (lambda item: pw.recover(known.with_options(on_error=4)(item), lambda: 1), "nothing to recover from"),
        (
            lambda item: [found := price(item), pw.recover(found, lambda: None)],
            "the output takes its value, which is not there if",
        ),
        (
            lambda item: [found := slow_price(item), double(found), pw.recover(found, lambda: 0)],
            "if 'slow_price' fails",
        ),
        (lambda item: pw.switch(item, {}), "no cases"),
        (lambda item: pw.switch(item, {"a": 1}), "the case 'a' that is no function"),
        (lambda item: pw.switch(item, {(1, 2): lambda: 1}), "the case (1, 2)"),
    ],
)
def test_a_definition_that_does_not_fit(define, said):
    def wrong(item: str) -> Any:
        return define(item)

    with pytest.raises(DefinitionError) as caught:
        pw.worklet(wrong)
    assert said in f"{caught.value} {[str(each) for each in caught.value.faults]}"


def documents_of(change: Any) -> GraphDocument:
    document = slowly.graph.model_dump(mode="json")
    change({node["id"]: node for node in document["nodes"]}, document)
    made, _ = parsed_document(document)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda nodes, _: nodes["slow_price"].update(on_error=None), "it recovers from no node's failure"),
        (lambda nodes, _: nodes["recover"].update(settings={}), "its failure leads nowhere"),
        (lambda nodes, _: nodes["known"].update(when={"node": "recover", "arm": False}), "in which nothing failed"),
        (lambda _, document: document.update(output={"node": "slow_price"}), "the output takes its value"),
        (
            lambda nodes, document: document.update(output={"node": "recover", "path": [{"attribute": "error"}]}),
            "",
        ),
        (lambda nodes, _: nodes["recover"].update(settings={"equals": [1]}), "its case is a list"),
    ],
)
def test_a_document_that_does_not_fit(change, said):
    assert said in " ".join(str(fault) for fault in check(documents_of(change)))
    assert check(documents_of(change))
