"""Parameters of pages: their types, what the address may say, and going to another page with them."""

from __future__ import annotations

from typing import Any

import pytest
from prefect_worklets.connectors.errors import BadInput, DefinitionError
from prefect_worklets.panel_views.cells import Cell
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.document import Parameter
from prefect_worklets.panel_views.parameters import converted, in_address, typed
from prefect_worklets.panel_views.runtime import Runtime

import prefect_worklets as pw

DECLARED = [{"name": "id", "type": "number"}, {"name": "all", "type": "boolean", "default": False}]


def document(detail: list[dict[str, Any]], click: dict[str, Any] | None = None) -> dict[str, Any]:
    button = {"id": "go", "type": "button", "actions": {"click": [click or {"do": "navigate", "page": "detail"}]}}
    pages = [{"id": "list", "components": [button]}, {"id": "detail", "params": DECLARED, "components": detail}]
    return {"slug": "pages", "title": "Pages", "pages": pages}


def shown(given: dict[str, Any], binding: dict[str, Any]) -> Cell:
    part = {"id": "one", "type": "json", "bindings": {"value": binding}}
    told: dict[str, Cell] = {}
    runtime = Runtime(
        parse(document([part])), None, None, {}, lambda id, name, cell: told.update({id: cell}),
        params=given, page="detail",
    )  # fmt: skip
    runtime.start()
    return told["one"]


def faults(plain: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(DefinitionError) as caught:
        parse(plain)
    return {".".join(map(str, fault.loc)): fault.msg for fault in caught.value.faults}


def test_text_of_the_address_becomes_what_the_page_declares() -> None:
    assert shown({"id": "12"}, {"param": "id"}) == Cell(12, "ready")
    assert shown({"id": "1.5"}, {"expr": "params.id * 2"}) == Cell(3.0, "ready")
    assert shown({"all": "yes"}, {"param": "all"}) == Cell(True, "ready")
    assert shown({}, {"param": "all"}) == Cell(False, "ready")
    assert shown({}, {"param": "id"}).status == "empty"


@pytest.mark.parametrize("binding", [{"param": "id"}, {"expr": "params.id + 1"}])
def test_what_does_not_fit_is_an_error_where_it_is_read(binding: dict[str, Any]) -> None:
    cell = shown({"id": "12; drop table"}, binding)
    assert cell.status == "error"
    assert "'id' is a number, and '12; drop table' is none" in cell.error["detail"]
    assert shown({"id": "12; drop table"}, {"param": "all"}) == Cell(False, "ready")


@pytest.mark.parametrize(
    ("value", "type"), [("nan", "number"), ("1e999", "number"), (True, "number"), ("2", "boolean")]
)
def test_no_nonsense(value: Any, type: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        converted(value, type)


def test_what_an_address_can_say() -> None:
    assert [in_address(value) for value in (True, 1.5, "a b&c")] == ["true", "1.5", "a b&c"]
    for value in ({"a": 1}, [1], "x" * 2_001):
        with pytest.raises(BadInput):
            in_address(value)


def test_there_and_back() -> None:
    for type, value in (("number", 12), ("number", -0.25), ("boolean", True), ("text", "a&b=c ü")):
        assert typed([Parameter(name="x", type=type)], {"x": in_address(value)})["x"].value == value


def test_faults_have_their_place() -> None:
    read = {"id": "one", "type": "text", "bindings": {"text": {"param": "idd"}}}
    assert (
        "no parameter of this page named 'idd'" in faults(document([read]))["pages.1.components.0.bindings.text.param"]
    )
    read = {"id": "one", "type": "text", "bindings": {"text": {"expr": "params.nothing"}}}
    assert "pages.1.components.0.bindings.text.expr" in faults(document([read]))
    for click, place in (
        ({"do": "navigate", "page": "nowhere"}, "page"),
        ({"do": "navigate", "page": "detail", "params": {"no": {"constant": 1}}}, "params.no"),
    ):
        assert f"pages.0.components.0.actions.click.0.{place}" in faults(document([], click))
    plain = document([])
    plain["pages"][1]["params"] = [{"name": "page"}, {"name": "n", "type": "number", "default": "x"}, {"name": "n"}]
    assert set(faults(plain)) == {
        "pages.1.params.0.name", "pages.1.params.1.name", "pages.1.params.2.name", "pages.1.params.1.default",
    }  # fmt: skip


async def test_going_somewhere_tells_the_browser_and_leaves_out_what_is_empty() -> None:
    params = {"id": {"event": "row.id"}, "all": {"event": "row.nothing"}}
    told: list[Any] = []
    runtime = Runtime(
        parse(document([], {"do": "navigate", "page": "detail", "params": params})), None, None, {}, lambda *_: None,
        on_page=lambda what, data: told.append((what, data)),
    )  # fmt: skip
    runtime.start()
    await runtime.fire("go", "click", {"row": {"id": 7}})
    assert told == [("navigate", {"view": None, "page": "detail", "params": {"id": "7"}})]


def test_a_page_asks_for_its_own_components_only() -> None:
    asked: list[str] = []
    plain = document([{"id": "one", "type": "text", "bindings": {"text": {"param": "id"}}}])
    runtime = Runtime(parse(plain), None, None, {}, lambda id, name, cell: asked.append(id), page="list")
    runtime.start()
    assert asked == []


def test_python_code_writes_them() -> None:
    go = pw.ui.navigate(page="detail", params={"id": pw.ui.event("row.id")})
    table = pw.ui.Table([{"id": 1}], on_row=go)
    read = pw.ui.Text(pw.ui.param("id"))
    params = [pw.ui.Parameter(name="id", type="number")]
    pages = [pw.page("List", [table]), pw.page("Detail", [read], params=params, hidden=True)]
    written = pw.view("pages", pages).document["pages"]
    assert written[1]["params"] == [{"name": "id", "type": "number"}]
    assert written[1]["hidden"] is True
    [action] = written[0]["components"][0]["actions"]["row"]
    assert action == {"do": "navigate", "page": "detail", "params": {"id": {"event": "row.id"}}}
