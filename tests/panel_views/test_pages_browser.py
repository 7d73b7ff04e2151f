"""Two pages with a parameter, in a real Chromium: a row leads to the other page, and the browser's buttons back."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from .test_browser import drawn, opened, part, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.integration]

FLOWERS = [{"number": n, "species": name} for n, name in enumerate(("setosa", "versicolor", "virginica"), 1)]
GO = {"do": "navigate", "page": "detail", "params": {"number": {"event": "row.number"}}}
DOCUMENT = {
    "slug": "two-pages",
    "title": "Flowers",
    "pages": [
        {"id": "list", "title": "All", "components": [
            {"id": "table", "type": "table", "at": {"w": 12, "h": 6}, "properties": {"rows": FLOWERS},
             "actions": {"row": [GO]}}]},
        {"id": "other", "title": "Other", "components": []},
        {"id": "detail", "title": "One", "hidden": True, "params": [{"name": "number", "type": "number"}],
         "components": [
            {"id": "title", "type": "text", "at": {"w": 6, "h": 1},
             "bindings": {"text": {"expr": "'Flower ' + str(params.number * 10)"}}},
            {"id": "number", "type": "metric", "at": {"y": 1, "w": 6, "h": 3}, "properties": {"label": "Number"},
             "bindings": {"value": {"param": "number"}}},
            {"id": "back", "type": "button", "at": {"y": 4, "w": 3, "h": 1}, "properties": {"label": "All flowers"},
             "actions": {"click": [{"do": "navigate", "page": "list"}]}}]},
    ],
}  # fmt: skip


TOLD = {
    "slug": "told-on",
    "title": "Told on",
    "state": [{"name": "chosen", "default": "nothing"}, {"name": "secret"}],
    "pages": [
        {"id": "first", "components": [
            {"id": "name", "type": "text_input", "at": {"w": 6, "h": 2}, "properties": {"label": "Name"}},
            {"id": "go", "type": "button", "at": {"y": 2, "w": 3, "h": 1}, "properties": {"label": "Go"},
             "actions": {"click": [
                 {"do": "set_state", "state": "session.chosen", "value": {"component": "name"}},
                 {"do": "navigate", "page": "second"}]}}]},
        {"id": "second", "components": [
            {"id": "shown", "type": "text", "at": {"w": 6},
             "bindings": {"text": {"state": "session.chosen"}}}]},
    ],
}  # fmt: skip


def test_a_session_goes_on_over_pages_of_one_tab(visitor: Any, instance: Any) -> None:
    instance.publish(TOLD)
    sign_in(visitor, instance, "ada")
    page = opened(visitor, instance, "told-on")
    page.get_by_label("Name").fill("<b>lamp</b>")
    page.get_by_role("button", name="Go").click()
    page.wait_for_url("**/views/told-on?page=second")
    drawn(page)
    expect(part(page, "shown")).to_have_text("<b>lamp</b>")
    page.reload()
    drawn(page)
    expect(part(page, "shown")).to_have_text("<b>lamp</b>")
    other = page.context.new_page()  # another tab is another session
    other.goto(page.url)
    drawn(other)
    expect(part(other, "shown")).to_have_text("nothing")
    other.close()


def test_there_and_back(visitor: Any, instance: Any) -> None:
    instance.publish(DOCUMENT)
    sign_in(visitor, instance, "ada")
    page = opened(visitor, instance, "two-pages")
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_text(["All", "Other"])
    page.get_by_text("versicolor").click()
    page.wait_for_url("**/views/two-pages?page=detail&number=2")
    drawn(page)
    expect(part(page, "title")).to_have_text("Flower 20")
    page.go_back()
    drawn(page)
    page.get_by_text("virginica").click()
    page.wait_for_url("**number=3")
    drawn(page)
    page.go_back()
    drawn(page)
    expect(part(page, "table")).to_be_visible()
    page.go_forward()
    drawn(page)
    expect(part(page, "title")).to_have_text("Flower 30")
    page.get_by_role("button", name="All flowers").click()
    page.wait_for_url("**/views/two-pages?page=list")
    page.goto(f"{instance.url}/views/two-pages?page=detail&number=many")
    drawn(page)
    expect(part(page, "number")).to_contain_text("'number' is a number, and 'many' is none")
