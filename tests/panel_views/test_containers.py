"""Form, tabs and modal: on the server, and by mouse and keyboard in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect
from prefect_worklets.panel_views.components.base import Events, ViewComponent
from prefect_worklets.panel_views.components.containers import Form, Group, Tabs, cell_of
from prefect_worklets.panel_views.components.grid import DRAWN
from prefect_worklets.panel_views.document import Component

from .test_browser import PATIENCE, opened, part, sign_in


class Heard:
    """What a form and its fields told of."""

    def __init__(self) -> None:
        self.values: list[tuple[str, str, Any]] = []
        self.fired: list[tuple[str, str, Any]] = []
        self.events = Events(
            lambda *what: self.values.append(what), lambda *what: self.fired.append(what), lambda *what: None
        )

    def field(self, id: str, type: str, **properties: Any) -> tuple[ViewComponent, dict[str, object]]:
        component = Component(id=id, type=type, properties=properties)
        return DRAWN[type](component, self.events), cell_of(component)

    def form(self, **properties: Any) -> Form:
        name = self.field("name", "text_input", required=True, value="Ada")
        age = self.field("age", "number", max=120, value=36)
        group = Component(id="group", type="container")
        held = [name, (Group(group, self.events, [age]), cell_of(group)), self.field("note", "text", text="x")]
        return Form(Component(id="form", type="form", properties=properties), self.events, held)


class TestForm:
    def test_submits_the_values_of_all_its_fields(self) -> None:
        heard = Heard()
        heard.form()._handle_msg({"event": "submit", "data": {"name": "forged"}})
        values = {"name": "Ada", "age": 36}
        assert heard.values == [("form", "values", values)]
        assert heard.fired == [("form", "submit", {"values": values})]

    def test_tells_every_fault_and_submits_nothing(self) -> None:
        heard = Heard()
        form = heard.form()
        name, age = form.inside_fields()
        name._handle_msg({"value": "value", "data": ""})
        age._handle_msg({"value": "value", "data": 1000})
        name.fault(None)
        form._handle_msg({"event": "submit", "data": None})
        assert (name.props["error"], age.props["error"]) == ("Fill this in.", "Enter a number from 0 to 120.")
        assert not [told for told in heard.fired if told[0] == "form"]

    def test_reset_puts_every_first_value_back(self) -> None:
        heard = Heard()
        form = heard.form()
        name, _ = form.inside_fields()
        name._handle_msg({"value": "value", "data": "Eve"})
        form._handle_msg({"event": "reset", "data": None})
        assert name.props["value"] == "Ada"
        assert heard.fired[-1] == ("form", "reset", {})

    @pytest.mark.parametrize("properties", [{"busy": True}, {"disabled": True}])
    def test_takes_nothing_while_it_is_busy_or_off(self, properties: dict[str, Any]) -> None:
        heard = Heard()
        heard.form(**properties)._handle_msg({"event": "submit", "data": None})
        assert heard.fired == []

    def test_its_values_are_not_taken_from_the_browser(self) -> None:
        heard = Heard()
        heard.form()._handle_msg({"value": "values", "data": {"name": "forged"}})
        assert heard.values == []


def test_only_a_tab_that_is_there_is_shown() -> None:
    heard = Heard()
    tabs = Tabs(Component(id="tabs", type="tabs"), heard.events, [heard.field("a", "number", label="First")])
    assert tabs.props["tabs"] == [{"id": "a", "title": "First"}]
    for value in ("a", "b"):
        tabs._handle_msg({"value": "value", "data": value})
    assert [value for _, _, value in heard.values] == ["a", None]


PARTS = [
    {"id": "tabs", "type": "tabs", "at": {"h": 8}},
    {"id": "first", "type": "container", "parent": "tabs", "properties": {"title": "Order"}},
    {"id": "second", "type": "markdown", "parent": "tabs", "properties": {"text": "Second tab"}},
    {"id": "order", "type": "form", "parent": "first", "at": {"h": 6},
     "properties": {"submit_label": "Send", "reset_label": "Again"},
     "actions": {"submit": [{"do": "set_state", "state": "session.sent", "value": {"event": "values"}},
                            {"do": "set_state", "state": "session.open", "value": {"constant": True}}]}},
    {"id": "name", "type": "text_input", "parent": "order", "at": {"w": 6},
     "properties": {"label": "Name", "required": True, "min_length": 3}},
    {"id": "count", "type": "number", "parent": "order", "at": {"x": 6, "w": 6}, "properties": {"label": "Count"}},
    {"id": "window", "type": "modal", "at": {"y": 9}, "properties": {"title": "Sent"},
     "bindings": {"open": {"state": "session.open"}},
     "actions": {"close": [{"do": "set_state", "state": "session.open", "value": {"constant": False}}]}},
    {"id": "said", "type": "text", "parent": "window", "bindings": {"text": {"state": "session.sent", "path": "name"}}},
]  # fmt: skip


@pytest.mark.browser
@pytest.mark.integration
def test_a_form_in_a_tab_opens_a_window(visitor: Any, instance: Any) -> None:
    state = [{"name": "sent"}, {"name": "open", "default": False}]
    instance.publish({"slug": "order", "title": "Order", "state": state, "pages": [{"components": PARTS}]})
    sign_in(visitor, instance, "ola")
    page = opened(visitor, instance, "order")
    page.get_by_role("tab", name="Order").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Second tab")).to_be_visible(timeout=PATIENCE)
    expect(part(page, "order")).to_be_hidden()
    page.keyboard.press("Home")
    page.get_by_role("button", name="Send").click()
    expect(part(page, "name").get_by_role("alert")).to_have_text("Fill this in.", timeout=PATIENCE)
    name = part(page, "name").get_by_role("textbox")
    name.fill("Al")
    name.press("Enter")
    expect(part(page, "name").get_by_role("alert")).to_contain_text("at least 3", timeout=PATIENCE)
    expect(page.get_by_role("dialog")).to_be_hidden()
    name.fill("Alan")
    name.press("Enter")
    expect(page.get_by_role("dialog", name="Sent")).to_be_visible(timeout=PATIENCE)
    expect(part(page, "said")).to_have_text("Alan", timeout=PATIENCE)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden(timeout=PATIENCE)
    page.get_by_role("button", name="Again").click()
    expect(name).to_have_value("", timeout=PATIENCE)


@pytest.mark.browser
@pytest.mark.integration
def test_in_the_builder_s_preview_all_of_it_is_seen(visitor: Any, instance: Any) -> None:
    state = [{"name": "sent"}, {"name": "open", "default": False}]
    instance.publish({"slug": "seen", "title": "Seen", "state": state, "pages": [{"components": PARTS}]})
    cookie = {"name": "worklets_session", "value": instance.session("uma", "builder"), "url": instance.url}
    visitor.context.add_cookies([cookie])
    page = opened(visitor, instance, "~seen")
    expect(part(page, "window").locator("dialog")).to_be_visible(timeout=PATIENCE)
    expect(part(page, "order")).to_be_visible()
    expect(page.get_by_text("Second tab")).to_be_visible()
