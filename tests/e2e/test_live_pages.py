"""Pages that follow what goes on elsewhere: what a run logs while it is under way."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
from fixtures_browser import LocalContext
from fixtures_server import Server
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.integration, pytest.mark.browser]

SOURCE = """
import time
from pathlib import Path

import prefect_worklets as pw


@pw.node
def fit(epochs: int) -> int:
    log = pw.context().logger
    for epoch in range(1, epochs + 1):
        log.info("epoch %d", epoch)
    log.warning("<img src=x onerror='window.hit = 1'> waits")
    while not Path({go!r}).exists():
        time.sleep(0.05)
    log.info("the end")
    return epochs


@pw.worklet
def {name}(epochs: int = 3) -> int:
    return fit(epochs)
"""


def sign_in(server: Server, page: Page) -> None:
    page.goto(json.loads(server.worklets("login", "--json").stdout)["url"])
    page.wait_for_url("**/console")


def publish(server: Server, document: dict[str, object], folder: Path) -> None:
    file = folder / "view.json"
    file.write_text(json.dumps(document))
    server.worklets("views", "publish", str(file))


def test_a_log_follows_the_run_that_a_button_begins(server: Server, visitor: LocalContext, tmp_path: Path) -> None:
    name, go = f"fitting_{uuid4().hex[:8]}", tmp_path / "go"
    project = tmp_path / name
    project.mkdir()
    (project / "fitting.py").write_text(SOURCE.format(go=str(go), name=name))
    server.worklets("push", str(project))
    start = {"do": "submit_run", "worklet": name, "into": "session.answer", "progress": "session.progress",
             "log": "session.log"}  # fmt: skip
    publish(server, {"version": 1, "slug": name.replace("_", "-"), "title": "Fitting",
        "state": [{"name": each} for each in ("answer", "progress", "log")],
        "pages": [{"components": [
            {"id": "start", "type": "button", "properties": {"label": "Fit"}, "actions": {"click": [start]}},
            {"id": "lines", "type": "log", "at": {"y": 1, "h": 6}, "bindings": {"lines": {"state": "session.log"}}},
            {"id": "answer", "type": "text", "at": {"y": 7}, "bindings": {"text": {"state": "session.answer"}}},
        ]}]}, tmp_path)  # fmt: skip
    page = visitor.page()
    sign_in(server, page)
    page.goto(f"{server.url}/views/{name.replace('_', '-')}")
    lines = page.locator("[data-component=lines] .line")
    page.get_by_role("button", name="Fit").click()
    expect(lines).to_have_count(4, timeout=60_000)
    expect(lines.nth(1)).to_contain_text("INFO     fit: epoch 2")
    expect(lines.nth(3)).to_contain_text("<img src=x onerror='window.hit = 1'> waits")
    # The run goes on; a page that is loaded again shows what came before.
    page.reload()
    expect(lines).to_have_count(4, timeout=60_000)
    go.touch()
    expect(lines.nth(4)).to_contain_text("the end", timeout=60_000)
    expect(page.locator("[data-component=answer]")).to_contain_text("3", timeout=60_000)
    assert page.evaluate("window.hit") is None
