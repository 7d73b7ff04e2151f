"""The drawn components, on the server's side: what goes to the browser, and what is believed of what comes back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prefect_worklets.panel_views.auth import Visit
from prefect_worklets.panel_views.cells import Cell
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.components.base import SCRIPTS, Events
from prefect_worklets.panel_views.components.grid import CONTAINERS, DRAWN
from prefect_worklets.panel_views.components.kinds import KINDS
from prefect_worklets.panel_views.components.markdown import to_html
from prefect_worklets.panel_views.document import Component
from prefect_worklets.panel_views.open_view import OpenView


class Told:
    """What a component told of."""

    def __init__(self) -> None:
        self.changed: list[tuple[str, str, Any]] = []
        self.fired: list[tuple[str, str, Any]] = []
        self.asked: list[tuple[str, str, Any]] = []

    def events(self) -> Events:
        return Events(
            lambda *what: self.changed.append(what),
            lambda *what: self.fired.append(what),
            lambda *what: self.asked.append(what),
        )


@pytest.fixture
def told() -> Told:
    return Told()


def drawn(told: Told, type: str, **properties: Any) -> Any:
    component = Component(id="it", type=type, properties=properties)
    if type in CONTAINERS:
        return CONTAINERS[type](component, told.events(), [])
    return DRAWN[type](component, told.events())


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_is_drawn_by_a_class_and_a_script(told: Told, name: str) -> None:
    made = drawn(told, name)
    assert made.kind() is KINDS[name]
    assert f"{made.script()}.js" in {path.name for path in SCRIPTS}
    assert isinstance(made.props, dict)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_reads_text_as_html(path: Any) -> None:
    code = path.read_text(encoding="utf-8")
    allowed = 1 if path.name == "prose.js" else 0
    assert (
        len(re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", code)) == allowed
    )
    assert not re.findall(r"https?://(?!www\.w3\.org/)[a-z]", code)


class TestFromTheBrowser:
    def test_a_value_is_told_of_and_fires_change(self, told: Told) -> None:
        slider = drawn(told, "slider", label="Size")
        slider._handle_msg({"value": "value", "data": 7})
        assert told.changed == [("it", "value", 7)]
        assert told.fired == [("it", "change", {"value": 7})]
        assert slider.props["value"] == 7

    @pytest.mark.parametrize(
        "message",
        [
            None,
            "value",
            {},
            {"value": "value", "data": "seven"},
            {"value": "value", "data": {"a": 1}},
            {"value": "label", "data": "mine"},
            {"value": "__class__", "data": 1},
            {"event": "select", "data": 0},
            {"event": ["change"], "data": 0} | {"event": "boom"},
        ],
    )
    def test_what_does_not_fit_is_not_believed(self, told: Told, message: Any) -> None:
        slider = drawn(told, "slider")
        slider._handle_msg(message)
        assert (told.changed, told.fired) == ([], [])

    @pytest.mark.parametrize("address", ["javascript:alert(1)", "//elsewhere/x.png", "data:text/html,x", 3, ["x"]])
    def test_an_image_s_address_must_be_one(self, told: Told, address: Any) -> None:
        drawn(told, "image_input")._handle_msg({"value": "value", "data": address})
        assert told.changed == []

    def test_a_gallery_s_press_brings_the_item_that_the_server_knows(self, told: Told) -> None:
        gallery = drawn(told, "gallery", items=[{"id": "a", "data": {"image": "/a"}}, {"id": "b", "secret": 1}])
        gallery._handle_msg({"event": "select", "data": 1})
        assert told.fired == [("it", "select", {"id": "b", "secret": 1})]
        assert "secret" not in str(gallery.props)

    @pytest.mark.parametrize("index", [-1, 2, "0", None, True, {"id": "forged"}])
    def test_a_press_on_what_is_not_there(self, told: Told, index: Any) -> None:
        drawn(told, "gallery", items=[])._handle_msg({"event": "select", "data": index})
        assert told.fired == []


class TestFromTheRuntime:
    def test_a_value_its_state_and_back_to_what_the_document_says(self, told: Told) -> None:
        text = drawn(told, "text", text="first")
        text.show_cell("text", Cell("second", "ready"))
        assert (text.props["text"], text.status) == ("second", {"text": "ready"})
        text.show_cell("text", Cell(None, "empty"))
        assert (text.props["text"], text.status) == ("first", {"text": "empty"})

    def test_a_fault_is_shown_until_the_next_value(self, told: Told) -> None:
        picture = drawn(told, "image_input")
        picture.fault("is no image")
        assert picture.props["error"] == "is no image"
        picture.accept("value", "/api/files/1")
        assert picture.props["error"] is None

    def test_a_list_that_can_t_be_read_says_why(self, told: Told) -> None:
        gallery = drawn(told, "gallery")
        gallery.show_cell("items", Cell(None, "error", {"detail": "Sign in."}))
        assert (gallery.props["fault"], gallery.props["tiles"]) == ("Sign in.", [])


class TestMarkdown:
    @pytest.mark.parametrize(
        "text",
        [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "![x](javascript:alert(1))",
            "![x](http://elsewhere.example/x.png)",
            "![x](//elsewhere.example/x.png)",
            '<a href="x" onclick="alert(1)">x</a>',
            "<style>*{display:none}</style>",
            '[x](/a "\\" onmouseover=\\"alert(1)")',
        ],
    )
    def test_hostile_text_becomes_no_markup(self, text: str) -> None:
        html = to_html(text)
        tags = set(re.findall(r"<([a-z]+)", html))
        assert tags <= {"p", "a"}
        assert not re.findall(r"<[^>]*\s(on\w+|src)=", re.sub(r'"[^"]*"', '""', html))
        assert 'href="javascript' not in html
        assert 'href="data' not in html

    def test_what_it_is_for(self) -> None:
        html = to_html("# A\n\n**b** [c](https://example.org) ![d](/api/files/1)\n\n| x |\n|---|\n| 1 |")
        assert all(part in html for part in ("<h1>", "<strong>", 'rel="noopener', 'src="/api/files/1"', "<table>"))


class Nowhere:
    """A gateway to which nothing ever answers with more than nothing."""

    async def run_worklet(self, name: str, inputs: dict[str, Any]) -> Any:
        return {"total": 2}

    async def rows(self, table: str, limit: int) -> list[dict[str, Any]]:
        return []

    async def import_image(self, url: str) -> str:
        return "/api/files/imported"


async def keep_nothing(key: str, value: Any) -> None:
    return None


class TestOpenView:
    async def test_events_reach_the_runtime_and_values_the_components(self, small: dict[str, Any]) -> None:
        waiting: list[Any] = []
        state = {"session.result": None, "user.size": 3}
        view = OpenView(Visit(parse(small), None, "", state), Nowhere(), keep_nothing, waiting.append)
        await view.runtime.idle()
        amount, shown = view.root.objects[0], view.root.objects[2]
        assert amount.props["value"] == 3
        view.root.objects[1]._handle_msg({"event": "click", "data": None})
        while shown.props["text"] != 2:
            await view.idle()
            for change in waiting:
                change()
            waiting.clear()
        await view.close()

    async def test_a_card_s_title_may_be_bound(self, small: dict[str, Any]) -> None:
        small["pages"][0]["components"].append(
            {"id": "card", "type": "card", "at": {"y": 20}, "bindings": {"title": {"constant": "Bound"}}}
        )
        state = {"session.result": None, "user.size": 3}
        view = OpenView(Visit(parse(small), None, "", state), Nowhere(), keep_nothing, lambda change: change())
        assert view.root.objects[-1].props["title"] == "Bound"
        await view.close()

    async def test_the_page_reads_from_top_left_to_bottom_right(self, stylize: dict[str, Any]) -> None:
        document = parse(stylize)
        state = {declared.key: declared.default for declared in document.state}
        view = OpenView(Visit(document, None, "", state), Nowhere(), keep_nothing, lambda change: change())
        assert [cell["id"] for cell in view.root.cells] == ["inputs", "outcome", "history"]
        inputs = view.root.objects[0]
        assert [cell["id"] for cell in inputs.cells][:4] == ["content", "style", "size", "run"]
        await view.close()

    async def test_an_address_of_another_host_is_brought_here(self, stylize: dict[str, Any]) -> None:
        document = parse(stylize)
        state = {declared.key: declared.default for declared in document.state}
        view = OpenView(Visit(document, None, "", state), Nowhere(), keep_nothing, lambda change: change())
        content = view.root.objects[0].objects[0]
        content._handle_msg({"ask": "import", "data": "https://example.org/x.png"})
        await view.idle()
        assert content.props["value"] == "/api/files/imported"
        assert view.runtime.state("user.content").value == "/api/files/imported"
        await view.close()
