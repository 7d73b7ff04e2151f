from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from prefect_worklets.connectors.errors import DefinitionError, SetupError
from prefect_worklets.flows.context import using_models
from prefect_worklets.flows.graph import GraphDocument
from prefect_worklets.flows.nodes import model, node, save
from prefect_worklets.flows.worklet import worklet
from pydantic import BaseModel


class Part(BaseModel):
    size: int = 1


class Request(BaseModel):
    name: str
    parts: list[Part] = []

    @property
    def upper(self) -> str:
        return self.name.upper()


@dataclasses.dataclass
class Pair:
    left: int
    right: int


@node
def shout(text: str) -> str:
    return text + "!"


@node
def add(left: int, right: int = 10) -> int:
    return left + right


@node
def pair(number: int) -> Pair:
    return Pair(number, number + 1)


@node
def anything(value: Any) -> Any:
    return value


def test_a_node_is_its_function_outside_a_worklet() -> None:
    assert shout("hi") == "hi!"
    assert shout.__name__ == "shout"


def test_the_graph_has_nodes_edges_and_schemas() -> None:
    @worklet(tags=["a"], description="Shouts.")
    def loud(request: Request) -> str:
        return shout(shout(request.name))

    assert [node.id for node in loud.graph.nodes] == ["shout", "shout_2"]
    assert loud.graph.edges == [("shout", "shout_2")]
    assert loud.graph.body == "request"
    assert loud.graph.input_schema["properties"]["name"]["type"] == "string"
    assert loud.graph.output_schema == {"type": "string"}
    assert loud.graph.nodes[0].input_schema["properties"] == {"text": {"type": "string"}}
    assert loud(Request(name="x")) == "x!!"


def test_the_graph_goes_through_json() -> None:
    @worklet
    def all_arguments(request: Request, count: int = 3) -> dict[str, Any]:
        both = pair(count)
        return {"sum": add(both.left, right=2), "list": anything([request.parts[0].size, {"k": request.upper}])}

    text = all_arguments.graph.model_dump_json()
    assert GraphDocument.model_validate_json(text) == all_arguments.graph
    assert json.loads(text)["version"] == 1
    assert GraphDocument.model_json_schema()["properties"]["nodes"]
    assert all_arguments(Request(name="ab", parts=[Part(size=4)])) == {"sum": 5, "list": [4, {"k": "AB"}]}


def test_attributes_and_items_become_paths() -> None:
    @worklet
    def deep(request: Request) -> int:
        return add(request.parts[1].size, 1)

    argument = deep.graph.nodes[0].arguments["left"].model_dump()
    assert argument == {"input": "request", "path": ({"attribute": "parts"}, {"item": 1}, {"attribute": "size"})}


def test_defaults_and_keyword_only_parameters_are_kept() -> None:
    @node
    def last(a: int, b: int = 2, *, c: int = 3) -> list[int]:
        return [a, b, c]

    @worklet
    def order(a: int, flag: bool = True) -> list[int]:
        return last(a, c=9)

    assert order(1) == [1, 2, 9]
    assert order.graph.inputs[1].required is False


def test_a_constant_is_given_as_its_parameters_type_and_not_shared() -> None:
    seen: list[Any] = []

    @node
    def grow(items: list[int], at: tuple[int, int]) -> int:
        seen.append((list(items), at))
        items.append(1)
        return len(items)

    @worklet
    def growing() -> int:
        return grow([1, 2], (3, 4))

    assert growing() == growing() == 3
    assert seen == [([1, 2], (3, 4))] * 2


def test_a_worklet_inside_a_worklet_places_its_nodes() -> None:
    @worklet
    def inner(a: int) -> int:
        return add(a)

    @worklet
    def outer(a: int) -> int:
        return add(inner(a), 100)

    assert outer(1) == 111
    assert len(outer.graph.nodes) == 2


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda text: "x" if text else "y", "truth"),
        (lambda text: list(text), "iterating"),
        (lambda text: text + "x", "arithmetic"),
        (lambda text: "x" + text, "arithmetic"),
        (lambda text: text == "x", "comparing"),
        (lambda text: len(text), "the length"),
        (lambda text: f"{text}", "text"),
        (lambda text: str(text), "text"),
        (lambda text: text.upper(), "calling"),
        (lambda text: "x" in text, "`in`"),
        (lambda text: text[text], "the index"),
        (lambda text: int(text), "number"),
        (lambda text: -text, "arithmetic"),
    ],
)
def test_what_needs_a_value_is_refused_with_the_way_out(use: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:

        @worklet
        def wrong(text: str) -> str:
            return anything(use(text))

    (fault,) = caught.value.faults
    assert message in fault.msg
    assert "@pw.node" in str(fault.fix)
    assert fault.as_dict()["file"] == __file__


def test_setting_on_a_symbol_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"setting \.name of request"):

        @worklet
        def wrong(request: Request) -> str:
            request.name = "x"
            return shout(request.name)


def test_a_missing_attribute_is_told_with_close_matches() -> None:
    with pytest.raises(DefinitionError, match=r"request has no attribute 'nam'.*Did you mean 'name'"):

        @worklet
        def wrong(request: Request) -> str:
            return shout(request.nam)


def test_plain_code_that_fails_on_symbols_is_told_with_its_line() -> None:
    with pytest.raises(DefinitionError, match="raised ValidationError while it was traced") as caught:

        @worklet
        def wrong(name: str) -> str:
            request = Request(name=name)
            return shout(request.name)

    assert "into a node" in str(caught.value)
    assert caught.value.faults[0].as_dict()["line"] > 180


def test_a_model_node_is_placed_and_refused_elsewhere(models: Any) -> None:
    models.functions["double"] = lambda number: number * 2

    @worklet
    def doubled(a: int) -> int:
        return model("double", "3")(a)

    assert doubled.graph.nodes[0].settings == {"model": "double", "version": "3"}
    assert doubled.with_models(models)(4) == 8
    assert doubled.with_models(lambda: models)(4) == 8
    with using_models(models):
        assert doubled(5) == 10
        assert model("double")(6) == 12
    with pytest.raises(SetupError, match="with_models"):
        model("double")(3)
    with pytest.raises(SetupError, match="with_models"):
        doubled(3)


def test_a_model_inside_a_node_is_refused(models: Any) -> None:
    @node
    def hidden(a: int) -> int:
        return model("double")(a)

    @worklet
    def wrong(a: int) -> int:
        return hidden(a)

    with pytest.raises(Exception, match="called inside a node"):
        wrong.with_models(models)(1)


def test_save_belongs_into_a_worklet() -> None:
    with pytest.raises(DefinitionError, match="outside a worklet"):
        save("results")({"a": 1})
    with pytest.raises(DefinitionError, match="table's name"):
        save("no table")


async def test_a_direct_call_works_inside_a_running_loop() -> None:
    @worklet
    def inside(a: int) -> int:
        return add(a)

    assert inside(1) == 11
