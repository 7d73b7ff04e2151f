"""Components of authors in a real Chromium: the documentation's stars, and scripts that fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect
from prefect_worklets.connectors.access import Access
from prefect_worklets.panel_views import custom

from .test_browser import HOSTILE, PATIENCE, opened, part, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.integration]
STARS = Path(__file__).parents[2] / "docs" / "examples" / "stars" / "stars.js"
SCRIPTS = {
    "hostile": "export default ({ root, h }) => ({ text }) => root.replaceChildren(h('p', { text }))",
    "throws": "export default () => { throw new Error('" + "no luck" + "') }",
    "misdrawn": "export default () => () => { throw new TypeError('no such thing') }",
    "unreadable": "export default () => { return ] }",
    "undeclared": (
        "export default ({ root, h, give, fire }) => { give('x', 1); fire('y')\n"
        "return () => root.replaceChildren(h('p', { text: 'drawn' })) }"
    ),
    "foreign": "import 'https://elsewhere.example/x.js'\nexport default () => () => {}",
}


def push(instance: Any, name: str, script: str, properties: dict[str, Any], **more: Any) -> str:
    principal = Access(instance.store).ensure_user("author", "builder")
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    definition = {"name": name, "title": name.title(), "properties": schema, "script": script, **more}
    return custom.push(instance.store, definition, principal)[0].hash


def test_stars_to_press_and_scripts_that_fail(visitor: Any, instance: Any) -> None:
    bounds = {"type": "integer", "minimum": 0, "maximum": 10}
    properties = {name: {**bounds, "default": value} for name, value in (("value", 0), ("most", 5), ("hovered", 0))}
    rated = {"type": "object", "properties": {"stars": bounds}, "required": ["stars", "share"]}
    hash = push(instance, "stars", STARS.read_text(), properties, events={"rated": rated}, values=["hovered"])
    for name, script in SCRIPTS.items():
        push(instance, name, script, {"text": {"type": "string", "default": ""}})
    broken = [{"id": name, "type": "custom", "at": {"y": 8 + 2 * row, "h": 2},
               "properties": {"component": name, "props": {"text": HOSTILE}}}
              for row, name in enumerate(SCRIPTS)]  # fmt: skip
    instance.publish({"slug": "custom", "title": "Custom", "state": [{"name": "share"}], "pages": [{
        "params": [{"name": "given"}, {"name": "of", "type": "number"}], "components": [
        {"id": "stars", "type": "custom", "at": {"h": 3},
         "properties": {"component": "stars", "label": "How was the soup?", "value": 2, "props": {"most": 7}},
         "bindings": {"most": {"param": "of"}},
         "actions": {"rated": [{"do": "set_state", "state": "session.share", "value": {"event": "share"}}]}},
        {"id": "said", "type": "text", "at": {"y": 3}, "bindings": {"text": {"expr":
            "'You gave ' + str(components.stars.value) + ', a share of ' + str(session.share)"}}},
        {"id": "would", "type": "text", "at": {"y": 4, "h": 1},
         "bindings": {"text": {"component": "stars", "value": "hovered"}}},
        {"id": "bound", "type": "custom", "at": {"y": 5, "h": 2}, "properties": {"component": "stars"},
         "bindings": {"value": {"param": "given"}}},
        *broken,
    ]}]})  # fmt: skip
    sign_in(visitor, instance, "zoe")
    told: list[str] = []
    visitor.context.on("console", lambda message: told.append(message.text))
    page = opened(visitor, instance, "custom?given=many&of=10")
    stars = part(page, "stars").get_by_role("button")
    expect(stars).to_have_count(10, timeout=PATIENCE)
    expect(part(page, "stars").get_by_role("group")).to_have_attribute("aria-label", "How was the soup?")
    stars.nth(4).hover()
    expect(part(page, "would")).to_have_text("5", timeout=PATIENCE)
    stars.nth(4).click()
    expect(part(page, "said")).to_have_text("You gave 5, a share of 0.5", timeout=PATIENCE)
    expect(stars.nth(4)).to_have_attribute("aria-pressed", "true")
    stars.nth(2).focus()
    page.keyboard.press("Enter")
    expect(part(page, "said")).to_have_text("You gave 3, a share of 0.3", timeout=PATIENCE)
    expect(stars.nth(3)).to_have_attribute("aria-pressed", "false")

    expect(part(page, "bound").locator(".note")).to_contain_text("'many' is not of type 'integer'")
    expect(part(page, "hostile").locator("p")).to_have_text(HOSTILE)
    for name, words in {"throws": "could not be loaded: no luck", "misdrawn": "could not be drawn: no such thing",
                        "unreadable": "could not be loaded", "foreign": "could not be loaded"}.items():  # fmt: skip
        expect(part(page, name).locator(".note")).to_contain_text(words, timeout=PATIENCE)
    expect(part(page, "undeclared").locator("p")).to_have_text("drawn")
    assert any('declares no "x" in `gives`' in text for text in told)
    assert any('declares no "y" in `fires`' in text for text in told)
    assert page.evaluate("window.hit") is None

    answer = httpx.get(f"{instance.url}/views/custom/{hash}.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert httpx.get(f"{instance.url}/views/custom/{'0' * 64}.js").status_code == 404
