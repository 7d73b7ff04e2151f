from __future__ import annotations

import json
from typing import Any, Literal

import jsonschema
import pytest
from prefect_worklets.connectors.errors import DefinitionError
from prefect_worklets.flows.documents import canonical, graph_schema, read_document, written_document
from prefect_worklets.flows.hint_text import BadType, hint_of_type, read_type, type_source, written_hint
from prefect_worklets.flows.nodes import node, save
from prefect_worklets.flows.triggers import cron
from prefect_worklets.flows.worklet import worklet
from pydantic import BaseModel


class Order(BaseModel):
    total: float


@node(retries=2, backoff=0.5)
def priced(order: Order, rate: float = 1.0) -> float:
    return order.total * rate


@worklet(triggers=[cron("0 6 * * *")], tags=["shop"], timeout=9)
def shop(order: Order, rate: float = 1.5) -> float:
    save("orders")(order)
    return priced(order, rate=rate)


def faults_of(data: Any, file: str | None = None) -> list[Any]:
    with pytest.raises(DefinitionError) as caught:
        read_document(data, file)
    return list(caught.value.faults)


def document(**changes: Any) -> dict[str, Any]:
    entry = {"id": "a", "kind": "model", "settings": {"model": "m"}, "arguments": {"inputs": {"input": "x"}}}
    return {"name": "doc", "inputs": [{"name": "x"}], "nodes": [entry], "output": {"node": "a"}, **changes}


# --- writing and reading back -----------------------------------------------------------------------------


def test_a_written_document_reads_back_as_the_same_graph() -> None:
    data = json.loads(json.dumps(written_document(shop.graph)))
    assert "source" not in data["nodes"][0]
    assert data["inputs"][1] == {"name": "rate", "type": "float", "schema": {"type": "number"}, "required": False,
                                 "default": 1.5}  # fmt: skip
    back = read_document(data)
    placeless = tuple(each.model_copy(update={"source": None}) for each in shop.graph.nodes)
    assert back == shop.graph.model_copy(update={"nodes": placeless})


def test_a_short_document_is_filled_with_what_is_usual() -> None:
    found = read_document(
        document(output={"list": [{"constant": 1}, {"object": {"k": {"constant": 2}}}, {"node": "a"}]})
    )
    assert found.nodes[0].settings == {"model": "m", "version": None}
    assert found.output.model_dump() == {"list": ({"constant": 1}, {"constant": {"k": 2}}, {"node": "a", "path": ()})}
    assert canonical(found) == found


def test_the_schema_tells_right_from_wrong() -> None:
    schema = graph_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(written_document(shop.graph))) == []
    assert list(validator.iter_errors(document(nodes=[{"id": "a", "kind": "fetch"}])))
    # Kinds and triggers of later versions have their place already.
    assert list(validator.iter_errors(document(triggers=[{"on": "kafka", "topic": "t"}]))) == []
    publish = {"id": "p", "kind": "publish", "settings": {"topic": "t"}}
    assert list(validator.iter_errors(document(nodes=[publish]))) == []


# --- faults -----------------------------------------------------------------------------------------------


def test_faults_of_form_and_of_the_graph_are_told_together_with_their_pointers() -> None:
    nodes = [
        {"id": "a", "kind": "fetch"},
        {"id": "b", "function": "m:f", "retries": -1, "arguments": {"x": {"noed": "a"}, "y": {"node": "zz"}}},
        {"kind": "model", "settings": {"model": "m"}, "arguments": {"inputs": {"input": "y"}}},
        {"id": "d", "kind": "save", "settings": {"table": "t"}, "arguments": {"rows": {"node": "b"}}},
        {"id": "e", "kind": "save", "settings": {"table": "t"}, "arguments": {"row": {"node": "b", "path": [{}]}}},
    ]
    data = document(nodes=nodes, output={"node": "b"}, colour="red")
    found = {fault.pointer: fault for fault in faults_of(data, "g.json")}
    assert set(found) >= {
        "/colour",
        "/nodes/0/kind",
        "/nodes/1/retries",
        "/nodes/1/arguments/x/noed",
        "/nodes/1/arguments/y",
        "/nodes/2/id",
        "/nodes/2/arguments/inputs",
        "/nodes/3/arguments",
        "/nodes/3/arguments/rows",
    }
    assert str(found["/nodes/1/arguments/y"]).startswith("g.json#/nodes/1/arguments/y: node 'b': ")
    assert found["/nodes/3/arguments/rows"].fix == "Did you mean 'row'?"


@pytest.mark.parametrize("data", [None, 3, [], "x", {"nodes": 3}, {"name": 5, "nodes": [None, 1, {"id": []}]}])
def test_what_is_no_document_is_refused(data: Any) -> None:
    assert all(fault.pointer is not None for fault in faults_of(data))


DECISION = [
    {"id": "d", "kind": "decide", "arguments": {"value": {"input": "x"}}},
    {"id": "t", "function": "m:f", "when": {"node": "d", "arm": True}},
    {"id": "j", "kind": "decide", "settings": {"join": True},
     "arguments": {"decision": {"node": "d"}, "then": {"node": "t"}, "otherwise": {"constant": 1}}},
]  # fmt: skip


def test_a_decision_with_its_arms_and_join_is_sound() -> None:
    read_document(document(nodes=DECISION, output={"node": "j"}))


@pytest.mark.parametrize(
    ("nodes", "output", "pointer", "message"),
    [
        (DECISION[:2], "t", "/nodes/0", "0 nodes join"),
        ([*DECISION, {**DECISION[2], "id": "k"}], "j", "/nodes/0", "2 nodes join"),
        (DECISION[1:], "j", "/nodes/0/when/node", "does not exist"),
        ([{"id": "d", "function": "m:f"}, *DECISION[1:]], "j", "/nodes/1/when/node", "decides nothing"),
        ([{"id": "d", "function": "m:f"}, *DECISION[1:]], "j", "/nodes/2/arguments/decision", "no decision"),
        ([*DECISION, {"id": "u", "function": "m:f", "arguments": {"x": {"node": "d"}}}], "u",
         "/nodes/3/arguments/x", "the decision 'd' itself"),
        ([{"id": "a", "function": "m:f"}, {"id": "b", "function": "m:f", "arguments": {"x": {"node": "a"}}}, *DECISION],
         "j", "/nodes/0", "reaches only 'b'"),
        ([{"id": "a", "function": "m:f", "arguments": {"x": {"input": "x", "path": [{"attribute": "a b"}]}}}],
         "a", "/nodes/0/arguments/x", "no Python name"),
    ],
)  # fmt: skip
def test_a_graph_that_does_not_hold_together_is_refused(
    nodes: list[Any], output: str, pointer: str, message: str
) -> None:
    found = faults_of(document(nodes=nodes, output={"node": output}))
    assert any(fault.pointer == pointer and message in fault.msg for fault in found), [str(each) for each in found]


def test_inputs_have_python_names() -> None:
    found = faults_of(document(inputs=[{"name": "x"}, {"name": "x"}, {"name": "a b"}, {"name": "class"}]))
    assert [fault.pointer for fault in found] == ["/inputs/1/name", "/inputs/2/name", "/inputs/3/name"]


# --- types as text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, "int"),
        (None, "None"),
        (Any, "Any"),
        (list[float], "list[float]"),
        (dict[str, list[int]] | None, "dict[str, list[int]] | None"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["a:b", 3, None], "Literal['a:b', 3, None]"),
        (list[Order], f"list[{__name__}:Order]"),
    ],
)
def test_a_hint_is_written_and_read_back(hint: Any, text: str) -> None:
    assert written_hint(hint) == text
    read = read_type(text)
    assert hint_of_type(read, lambda module, name: {"Order": Order}[name]) == hint
    assert ":" not in type_source(read, lambda module, name: name) or "a:b" in text


def test_a_class_inside_a_function_has_no_text() -> None:
    class Inner(BaseModel):
        a: int

    assert written_hint(list[Inner]) is None


@pytest.mark.parametrize(
    "text", ["", "int[", "os", "list[open]", "__import__('os')", "(lambda: int)()", "shop:Order()"]
)
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(BadType):
        read_type(text)
