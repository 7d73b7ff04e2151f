"""The demo's view, exported as Python and shown by a stock `panel serve`: no console, no views process of ours."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fixtures_browser import LocalContext
from fixtures_server import Server, free_port
from playwright.sync_api import expect

pytestmark = [pytest.mark.integration, pytest.mark.browser]


STARS = Path(__file__).parents[2] / "docs" / "examples" / "stars" / "stars.js"
NUMBER = {"type": "integer", "minimum": 0, "maximum": 10}


def publish_soups(server: Server) -> None:
    """A view with an author's component, a table, a query and an API of its own."""
    own = {name: {**NUMBER, "default": value} for name, value in (("value", 0), ("most", 5), ("hovered", 0))}
    stars = {"name": "stars", "title": "Stars", "properties": {"type": "object", "properties": own},
             "events": {"rated": {"type": "object"}}, "values": ["hovered"], "script": STARS.read_text()}  # fmt: skip
    rated = {"do": "save", "table": "served_soups",
             "row": {"name": {"constant": "leek"}, "stars": {"event": "stars"}}}  # fmt: skip
    parts = [
        {"id": "stars", "type": "custom", "properties": {"component": "stars", "label": "The soup"},
         "bindings": {"most": {"param": "of", "default": 7}}, "actions": {"rated": [rated]}},
        {"id": "would", "type": "text", "at": {"y": 3},
         "bindings": {"text": {"component": "stars", "value": "hovered"}}},
        {"id": "rows", "type": "table", "at": {"y": 5, "h": 6}, "bindings": {"rows": {"query": "soups"}}},
        {"id": "health", "type": "json", "at": {"y": 11, "h": 4}, "bindings": {"value": {"api": "health"}}},
    ]  # fmt: skip
    table = {
        "name": "served_soups",
        "columns": [{"name": "name"}, {"name": "stars", "type": "number"}],
        "key": ["name"],
    }
    document = {
        "slug": "soups", "title": "Soups", "tables": [table], "pages": [{"components": parts}],
        "queries": [{"name": "soups", "sql": "SELECT name, stars FROM served_soups"}],
        "apis": [{"name": "health", "url": f"{server.url}/api/health"}],
    }  # fmt: skip
    with server.client() as client:
        client.post("/api/views/custom", json=stars).raise_for_status()
        client.post("/api/views", json=document).raise_for_status()


@pytest.fixture(scope="module")
def served(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page."""
    folder = tmp_path_factory.mktemp("served")
    publish_soups(server)
    for slug in ("stylize", "soups"):
        server.worklets("views", "export", slug, "--python", "--output", str(folder / f"{slug}.py"))
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("panel")),
        "serve",
        "stylize.py",
        "soups.py",
        "--port",
        str(port),
        "--num-procs=1",
    ]
    log = (folder / "panel.log").open("w")
    process = subprocess.Popen(command, cwd=folder, env=server.environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://localhost:{port}/stylize"
    try:
        for _ in range(600):
            try:
                httpx.get(f"http://localhost:{port}/favicon.ico", timeout=5)
                break
            except httpx.HTTPError:
                assert process.poll() is None, (folder / "panel.log").read_text()
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_the_exported_view_works_in_panel_serve(served: str, server: Server, visitor: LocalContext) -> None:
    demo = server.data_dir / "demo"
    page = visitor.page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda answer: answer.status >= 400 and wrong.append(f"{answer.status} {answer.url}"))
    page.goto(served)
    expect(page.get_by_role("heading", name="Stylize")).to_be_visible()
    # Pictures go through Panel's server to ours, and come back the same way.
    for id, name in (("content", "temple.jpg"), ("style", "mosaic.jpg")):
        part = page.locator(f"[data-component={id}]")
        part.locator("input[type=file]").set_input_files(demo / name)
        expect(part.locator(".zone img")).to_have_js_property("complete", value=True)
        expect(part.locator(".zone img")).to_have_attribute("src", re.compile("/components/.*/files/"))
    page.get_by_role("button", name="Paint").click()
    picture = page.locator("[data-component=result] img")
    expect(picture).to_have_attribute("src", re.compile("/components/.*/files/"), timeout=60_000)
    expect(page.get_by_text(re.compile(r"\d+ px, in "))).to_be_visible()
    # What the signed-in user has is the key's.
    expect(page.locator("[data-component=gallery] img, [data-component=pictures] img").first).to_be_visible()
    # States of a user outlive the page, for as long as Panel's server runs.
    page.reload()
    expect(picture).to_have_attribute("src", re.compile("/components/.*/files/"))
    assert picture.evaluate("async (img) => { await img.decode(); return img.naturalWidth }") > 100
    assert wrong == []


def test_components_of_authors_and_what_the_view_declares(served: str, visitor: LocalContext) -> None:
    page, other = visitor.page(), visitor.page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda answer: answer.status >= 400 and wrong.append(f"{answer.status} {answer.url}"))
    for each in (other, page):
        each.goto(served.replace("stylize", "soups"))
    stars = page.locator("[data-component=stars]").get_by_role("button")
    expect(stars).to_have_count(7)
    expect(page.locator("[data-component=health]")).to_contain_text("status")
    stars.nth(5).hover()
    expect(page.locator("[data-component=would]")).to_have_text("6")
    stars.nth(5).click()
    # The row is on our server, and the other page of Panel's reads it again.
    for each in (page, other):
        expect(each.locator("[data-component=rows]").get_by_role("cell", name="leek")).to_be_visible()
        expect(each.locator("[data-component=rows]").get_by_role("cell", name="6", exact=True)).to_be_visible()
    assert wrong == []


def test_only_pages_of_this_server_may_upload_and_nothing_else_of_ours_is_open(served: str) -> None:
    base = served.rsplit("/", 1)[0] + "/components/prefect_worklets.panel_views.served"
    httpx.get(served).raise_for_status()
    for origin in ({}, {"origin": "https://elsewhere.example"}):
        assert httpx.post(f"{base}/files?name=a.txt", content=b"x", headers=origin).status_code == 403
    for path in (
        "files/..%2f..%2fworklets",
        "files/",
        "api/worklets",
        f"custom/{'0' * 64}.js",
        "custom/served.js",
        "ui/x/served.py",
        "ui/served.py",
        "files/%2e%2e",
    ):
        assert httpx.get(f"{base}/{path}").status_code == 404, path
    assert httpx.get(f"{base}/files/{'0' * 32}").status_code == 404
