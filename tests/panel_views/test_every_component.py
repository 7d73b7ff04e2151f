"""Every kind of component, built from a document: bad values are refused with their place, hostile text is text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.errors import DefinitionError, Fault
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.components.base import Events
from prefect_worklets.panel_views.components.grid import DRAWN
from prefect_worklets.panel_views.components.kinds import KINDS
from prefect_worklets.panel_views.custom import push
from prefect_worklets.panel_views.document import Component
from pydantic import ValidationError

from .showcase import showcase

HOSTILE = "<img src=x onerror=\"window.hit='img'\"><script>window.hit='script'</script>\"'>{{7*7}}"
LONG = "x" * 10_000_000
MAX_TO_BROWSER = 2_000_000  # characters of JSON
BAD = {
    "NaN": math.nan,
    "infinity": math.inf,
    "a number": 12.5,
    "a list of lists": [[HOSTILE]],
    "an object": {"a": {"b": HOSTILE}},
    "javascript address": "javascript:window.hit=1",
    "address of another host": "//elsewhere.example/x",
    "10 MB": LONG,
    "a list of 10 MB": [LONG],
}
# Forms in which a property may take text: each that the kind accepts is used.
FORMS: list[Any] = [
    [{"data": {"image": f"/{HOSTILE}"}, HOSTILE: HOSTILE}],
    [{"label": HOSTILE, "url": f"/{HOSTILE}"}],
    [{"value": HOSTILE, "label": HOSTILE}],
    [{"url": f"/{HOSTILE}", "name": HOSTILE, "size": 1, "type": HOSTILE}],
    [HOSTILE],
    {"title": HOSTILE, "detail": HOSTILE, "errors": [{"loc": [HOSTILE], "msg": HOSTILE}], HOSTILE: [HOSTILE]},
    HOSTILE,
    "<b onclick='window.hit=1'>",
    f"/{HOSTILE}",
]

# Presses every button there is, through all shadow roots.
PRESS_ALL = """async () => {
    const roots = [document]
    for (const root of roots) {
        for (const element of root.querySelectorAll("*")) if (element.shadowRoot) roots.push(element.shadowRoot)
    }
    const buttons = roots.flatMap((root) => [...root.querySelectorAll("button, summary")])
    buttons.forEach((button) => button.click())
    await new Promise((resolve) => setTimeout(resolve, 300))
    return buttons.length
}"""


def quiet() -> Events:
    return Events(lambda *what: None, lambda *what: None, lambda *what: None)


def document(type: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"slug": "one", "title": "One", "pages": [{"components": [
        {"id": "it", "type": type, "properties": properties}]}]}  # fmt: skip


def faults_of(value: dict[str, Any]) -> list[Fault]:
    try:
        parse(value)
    except DefinitionError as error:
        return list(error.faults)
    return []


def hostile_properties(type: str) -> dict[str, Any]:
    """Hostile text in every property that takes text."""
    found: dict[str, Any] = {}
    for name in KINDS[type].names():
        for form in FORMS:
            try:
                KINDS[type].check(name, form)
            except ValidationError:
                continue
            found[name] = form
            break
    return found


def bad_values(type: str) -> Iterator[tuple[str, str, Any]]:
    for name in KINDS[type].names():
        for what, value in BAD.items():
            yield name, what, value


@pytest.mark.parametrize("type", sorted(KINDS))
class TestFromTheDocument:
    def test_a_bad_value_is_refused_with_its_place_or_does_no_harm(self, type: str) -> None:
        refused = 0
        for name, what, value in bad_values(type):
            faults = faults_of(document(type, {name: value}))
            if faults:
                refused += 1
                place = ("pages", 0, "components", 0, "properties", name)
                assert [fault.loc for fault in faults] == [place], what
                assert len(faults[0].msg) < 2_000, what
            elif type in DRAWN:
                made = DRAWN[type](Component(id="it", type=type, properties={name: value}), quiet())
                assert len(json.dumps(made.props)) < MAX_TO_BROWSER, (name, what)
        assert refused >= len(KINDS[type].names()), "most bad values are refused"

    def test_unknown_properties_are_refused(self, type: str) -> None:
        with pytest.raises(DefinitionError) as caught:
            parse(document(type, {"onclick": "x", "__class__": "x"}))
        assert len(caught.value.faults) == 2

    def test_it_says_what_it_is(self, type: str) -> None:
        kind = KINDS[type]
        assert kind.title
        assert kind.about.endswith(".")
        assert kind.thumbnail.startswith("<svg")
        assert kind.size[0] in range(1, 13)
        for name in kind.names():
            assert kind.check(name, kind.default(name)) is not Ellipsis


@pytest.mark.parametrize("type", sorted(kind for kind in DRAWN if KINDS[kind].values or KINDS[kind].events))
def test_what_a_browser_sends_is_checked(type: str) -> None:
    told: list[Any] = []
    events = Events(lambda *what: told.append(what), lambda *what: told.append(what), lambda *what: None)
    made = DRAWN[type](Component(id="it", type=type), events)
    for value in BAD.values():
        for name in [*KINDS[type].values, *KINDS[type].names()]:
            made._handle_msg({"value": name, "data": value})
        for name in KINDS[type].events:
            made._handle_msg({"event": name, "data": value})
        made._handle_msg({"ask": "rows", "data": value})
    assert LONG not in json.dumps(told)
    assert "javascript:" not in json.dumps([entry for entry in told if type not in ("text_input", "text_area", "chat")])


@pytest.mark.browser
@pytest.mark.integration
def test_no_component_runs_hostile_text(visitor: Any, instance: Any) -> None:
    from .test_browser import PATIENCE, opened, part, sign_in

    author = Access(instance.store).ensure_user("author", "builder")
    schema = {"type": "object", "properties": {"value": {"default": ""}, "data": {"default": ""}}}
    script = "export default ({ root }) => (props) => { root.textContent = JSON.stringify(props) }"
    push(instance.store, {"name": "all", "title": "All", "properties": schema, "script": script}, author)
    parts = [
        {"id": type, "type": type, "at": {"y": 4 * row, "h": 4}, "properties": hostile_properties(type)}
        for row, type in enumerate(sorted(KINDS))
    ]
    next(part for part in parts if part["type"] == "custom")["properties"].update(component="all", props=None)
    instance.publish({"slug": "hostile-all", "title": HOSTILE, "pages": [{"components": parts}]})
    sign_in(visitor, instance, "lea")
    page = opened(visitor, instance, "hostile-all")
    for type in sorted(DRAWN):
        part(page, type).locator("> div").first.wait_for(state="attached", timeout=PATIENCE)
    assert page.evaluate(PRESS_ALL) > 5
    assert page.evaluate("window.hit") is None
    assert page.locator("[data-component] script, [data-component] [onerror], [data-component] [onclick]").count() == 0
    assert page.locator("[href^='javascript'], [src^='javascript']").count() == 0


@pytest.mark.browser
@pytest.mark.integration
@pytest.mark.parametrize(("mode", "width"), [("light", 1280), ("dark", 390)])
def test_all_are_drawn_and_fit(visitor: Any, instance: Any, mode: str, width: int) -> None:
    from .test_browser import PATIENCE, opened, part, sign_in

    view = showcase(mode)
    instance.publish(view)
    sign_in(visitor, instance, "mia")
    page = opened(visitor, instance, view["slug"])
    page.set_viewport_size({"width": width, "height": 900})
    for component in view["pages"][0]["components"]:
        if component["type"] in DRAWN and component["type"] != "alert":
            box = part(page, component["id"])
            box.locator("> div > *").first.wait_for(state="attached", timeout=PATIENCE)
            place = box.bounding_box()
            in_tabs = str(component.get("parent", "")).startswith("tabs")
            assert in_tabs if place is None else place["height"] > 10, component["id"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
