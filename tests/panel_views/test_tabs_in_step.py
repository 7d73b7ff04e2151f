"""Persistent states in step: what one tab keeps, the others show, of one process or of two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from prefect_worklets.views_pool import process_of

from .conftest import free_port, start_views, stop, wait_for
from .test_browser import PATIENCE, drawn, part, sign_in
from .test_server import token_of

# It gets a second views process.
INSTANCE_OF_ITS_OWN = True
TWIN = {
    "version": 1,
    "slug": "twin",
    "title": "Twin",
    "state": [{"name": "note", "scope": "user", "default": ""}, {"name": "board", "scope": "view", "default": ""}],
    "pages": [
        {
            "id": "main",
            "components": [
                {
                    "id": name,
                    "type": "text_input",
                    "at": {"x": 0, "y": y, "w": 12, "h": 1},
                    "properties": {"label": name},
                    "bindings": {"value": {"state": state}},
                    "actions": {"change": [{"do": "set_state", "state": state, "value": {"event": "value"}}]},
                }
                for y, (name, state) in enumerate((("Note", "user.note"), ("Board", "view.board")))
            ],
        }
    ],
}


@pytest.fixture
def second(instance: Any) -> Iterator[str]:
    """Another views process on the same store; its address."""
    instance.publish(TWIN)
    port = free_port()
    process = start_views(instance.data, instance.port, port, number=1)
    try:
        wait_for(f"http://127.0.0.1:{port}/views/-/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


@pytest.mark.browser
@pytest.mark.integration
def test_tabs_of_two_processes(visitor: Any, instance: Any, second: str) -> None:
    cookie = {"cookie": f"worklets_session={instance.session('ada')}"}
    pages = [httpx.get(f"{url}/views/twin", headers=cookie, timeout=20) for url in (instance.url, second)]
    # By this the proxy finds the process that made a page.
    assert [process_of(["bokeh", token_of(page)]) for page in pages] == [0, 1]
    sign_in(visitor, instance, "ada")
    tabs = []
    for url in (instance.url, instance.url, second):
        tab = visitor.page()
        tab.goto(f"{url}/views/twin")
        drawn(tab)
        tabs.append(tab)
    for writer, text in ((0, "from the first"), (2, "from the other process")):
        for name in ("Note", "Board"):
            field = part(tabs[writer], name).get_by_role("textbox")
            field.fill(text)
            field.press("Tab")
        for tab in tabs:
            for name in ("Note", "Board"):
                expect(part(tab, name).get_by_role("textbox")).to_have_value(text, timeout=PATIENCE)
