"""Components that are there only at times, in a real Chromium: no place taken, no reload, no vote in their form."""

from __future__ import annotations

import os
from typing import Any

import pytest
from playwright.sync_api import expect

from .test_browser import opened, part, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def condition(id: str, type: str, y: int, expr: str = "", parent: str | None = None, **rest: Any) -> dict[str, Any]:
    shown = {"visible_if": {"expr": expr}} if expr else {}
    inside = {"parent": parent} if parent else {}
    return {"id": id, "type": type, "at": {"x": 0, "y": y, "w": 12, "h": 2}, **inside, **shown, **rest}


DOCUMENT = {
    "slug": "conditions",
    "title": "Order",
    "state": [{"name": "sent"}, {"name": "trouble"}],
    "pages": [
        {
            "components": [
                condition("gift", "checkbox", 0, properties={"label": "It is a gift"}),
                condition("wrap", "card", 2, "components.gift.value", properties={"title": "Gift wrap"}),
                condition("colour", "text_input", 0, parent="wrap", properties={"label": "Colour"}),
                condition("order", "form", 4, properties={"title": "Address"}, actions={"submit": [
                    {"do": "set_state", "state": "session.sent", "value": {"event": "values"}},
                ]}),
                condition("name", "text_input", 0, parent="order", properties={"label": "Name"}),
                condition("card_text", "text_input", 2, "components.gift.value", "order",
                          properties={"label": "Text of the card", "required": True}),
                condition("go", "button", 12, properties={"label": "Check"}, actions={"click": [
                    {"do": "set_state", "state": "session.sent", "value": {"expr": "1 / 0"},
                     "on_error": [{"do": "set_state", "state": "session.trouble", "value": {"expr": "error.detail"}}]},
                ]}),
                condition("done", "text", 14, "session.sent", properties={"text": "Thank you"}),
                condition("oops", "text", 16, "session.trouble", bindings={"text": {"state": "session.trouble"}}),
            ]
        }
    ],
}  # fmt: skip


@pytest.mark.parametrize("width", [1280, 390])
def test_they_come_and_go_and_a_hidden_field_asks_for_nothing(visitor: Any, instance: Any, width: int) -> None:
    instance.publish(DOCUMENT)
    sign_in(visitor, instance, "ada")
    page = opened(visitor, instance, "conditions")
    page.set_viewport_size({"width": width, "height": 900})
    for id in ("wrap", "card_text", "done", "oops"):
        expect(part(page, id)).to_be_hidden()
    top = part(page, "order").bounding_box()["y"]
    gift = part(page, "gift").bounding_box()
    assert top - (gift["y"] + gift["height"]) < 40  # no gap where the card would stand
    part(page, "name").locator("input").fill("Ada")
    page.get_by_role("button", name="Save").click()
    expect(part(page, "done")).to_be_visible()
    part(page, "gift").locator("input").check()
    expect(part(page, "wrap")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(part(page, "card_text").get_by_role("alert")).to_be_visible()
    if shots := os.environ.get("SHOTS"):
        page.screenshot(path=f"{shots}/conditions-{width}.png", full_page=True)
    page.get_by_role("button", name="Check").click()
    expect(part(page, "oops")).to_contain_text("division by zero")
    part(page, "gift").locator("input").uncheck()
    expect(part(page, "wrap")).to_be_hidden()
    expect(part(page, "card_text")).to_be_hidden()


def test_a_modal_a_note_a_file_and_the_clipboard(visitor: Any, instance: Any) -> None:
    steps = {
        "ask": [{"do": "open_modal", "modal": "sure"}],
        "yes": [
            {"do": "close_modal", "modal": "sure"},
            {"do": "notify", "text": {"constant": "<b>Deleted</b>"}, "style": "success"},
        ],
        "copy": [{"do": "copy", "text": {"constant": "row 7"}}],
        "file": [{"do": "download", "source": {"constant": [{"a": 1}]}, "name": "rows.csv"}],
    }
    parts = [condition("sure", "modal", 0, properties={"title": "Sure?"})]
    parts += [
        condition(id, "button", 2 * n, parent="sure" if id == "yes" else None, properties={"label": id.title()},
                  actions={"click": does})
        for n, (id, does) in enumerate(steps.items(), 1)
    ]  # fmt: skip
    instance.publish({"slug": "orders", "title": "Orders", "pages": [{"components": parts}]})
    sign_in(visitor, instance, "ada")
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = opened(visitor, instance, "orders")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("dialog", name="Sure?")).to_be_visible()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    note = page.locator(".note")
    expect(note).to_have_text("<b>Deleted</b>")
    if shots := os.environ.get("SHOTS"):
        page.screenshot(path=f"{shots}/note.png")
    note.click()
    expect(note).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="File").click()
    assert download.value.suggested_filename == "rows.csv"
    assert download.value.path().read_text().split() == ["a", "1"]
    page.get_by_role("button", name="Copy").click()
    expect(note).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "row 7"
