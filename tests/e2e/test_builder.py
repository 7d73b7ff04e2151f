"""The builder with a real mouse: from an empty page to a view that people use, and all that hands do on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from builder_hands import PATIENCE, BuilderHands
from fixtures_browser import LocalContext
from fixtures_server import Server, restart
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytestmark = [pytest.mark.integration, pytest.mark.browser]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}


def sign_in(server: Server, context: BrowserContext, user: str = "admin") -> Page:
    page = context.new_page()
    page.goto(json.loads(server.worklets("login", user, "--json").stdout)["url"])
    page.wait_for_url("**/console")
    return page


@pytest.fixture(scope="module")
def cookies(server: Server, chromium: Browser) -> Any:
    """What a browser has once its user has signed in."""
    context = chromium.new_context()
    sign_in(server, context)
    found = context.cookies()
    context.close()
    return found


@pytest.fixture
def hands(server: Server, visitor: LocalContext, cookies: Any) -> Iterator[BuilderHands]:
    visitor.context.add_cookies(cookies)
    made = BuilderHands(visitor.page(), server.url)
    yield made
    assert made.errors == []


@pytest.fixture
def desk(server: Server) -> str:
    """A draft with three fields in a row, and a card below that shows what the first one says."""
    slug = f"desk-{uuid4().hex[:8]}"
    fields: list[dict[str, Any]] = [
        {"id": id, "type": "text_input", "at": {"x": 4 * n, "y": 0, "w": 4, "h": 2}, "properties": {"label": id}}
        for n, id in enumerate("abc")
    ]
    card = {"id": "holder", "type": "card", "at": {"x": 0, "y": 2, "w": 6, "h": 6}, "properties": {"title": "Holder"}}
    inner = {"id": "inner", "type": "text", "parent": "holder", "bindings": {"text": {"component": "a"}}}
    document = {"slug": slug, "title": "Desk", "pages": [{"id": "main", "components": [*fields, card, inner]}]}
    with server.client() as client:
        assert client.post("/api/views/drafts", json={"document": document}).status_code == 201
    return slug


def parts(server: Server, slug: str) -> dict[str, dict[str, Any]]:
    """The draft's components as the server has them."""
    with server.client() as client:
        document = client.get(f"/api/views/{slug}/draft").json()["document"]
    return {part["id"]: part for page in document["pages"] for part in page.get("components", [])}


def place(server: Server, slug: str, id: str) -> tuple[int, int, int]:
    at = parts(server, slug)[id]["at"]
    return at.get("x", 0), at.get("y", 0), at.get("w", 12)


def test_the_style_transfer_view_from_an_empty_page(server: Server, hands: BuilderHands) -> None:
    page = hands.page
    page.goto(f"{server.url}/console/views")
    page.get_by_role("button", name="New view").click()
    page.get_by_label("Title").fill(f"Paint {uuid4().hex[:6]}")
    page.get_by_role("button", name="Make the view").click()
    page.wait_for_url("**/edit")
    slug = page.url.split("/")[-2]
    hands.ready()

    for column, name, label in ((1, "content", "Picture"), (5, "style", "Style")):
        hands.bring("image_input", hands.column(column), "image_input")
        hands.rename(name)
        hands.set("label", label)
    hands.bring("image", hands.column(10), "image")
    hands.rename("result")
    hands.set("alt", "The painted picture")
    hands.bring("button", (hands.column(1)[0], hands.below("content")), "button")
    hands.rename("paint")
    hands.set("label", "Paint it")
    # The worklet's inputs have the names of the two components, so they are connected at once.
    hands.add_step("Run a worklet")
    hands.bring("progress", (hands.column(5)[0], hands.middle("paint")[1]), "progress")
    hands.to_state("Active", "session.result", whether="loading")
    hands.select("result")
    hands.to_state("Source", "session.result", part="image")
    page.get_by_role("tab", name="Data").click()
    hands.bring("table:stylized", (hands.column(6)[0], hands.below("result", "paint")), "stylized_rows")
    hands.select("paint")
    hands.add_step("Read a table again")
    run = parts(server, slug)["paint"]["actions"]["click"]
    assert run[0]["input"] == {"content": {"component": "content"}, "style": {"component": "style"}}
    assert run[1] == {"do": "refresh", "table": "stylized"}
    hands.publish("The first one")

    page.goto(f"{server.url}/views/{slug}")
    pictures = server.data_dir / "demo"
    tiles = page.get_by_role("button", name="Result of")
    inputs = page.locator("input[type=file]")
    expect(inputs).to_have_count(2, timeout=PATIENCE)
    for number, name in enumerate(("flower", "waves")):
        inputs.nth(number).set_input_files(str(pictures / f"{name}.jpg"))
    expect(page.locator(".zone.filled:not(.busy)")).to_have_count(2, timeout=PATIENCE)
    before = tiles.count()
    page.get_by_role("button", name="Paint it").click()
    result = page.get_by_role("img", name="The painted picture")
    expect(result).to_be_visible(timeout=PATIENCE)
    expect(tiles).to_have_count(before + 1, timeout=PATIENCE)
    painted = str(result.get_attribute("src"))
    page.reload()
    expect(page.locator(f"img[src='{painted}']").first).to_be_visible(timeout=PATIENCE)
    restart(server)
    page.goto(f"{server.url}/views/{slug}")
    expect(page.locator(f"img[src='{painted}']").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Paint it")).to_be_visible()


class TestHands:
    def test_the_mouse(self, server: Server, hands: BuilderHands, desk: str) -> None:
        hands.open(desk)
        hands.drag(hands.middle("c"), hands.middle("a"))
        hands.settled()
        assert place(server, desk, "c") == (0, 0, 4)
        assert place(server, desk, "a") == (0, 2, 4), "who is in the way moves down"
        hands.page.get_by_role("button", name="Undo").click()
        hands.settled()
        assert (place(server, desk, "a"), place(server, desk, "c")) == ((0, 0, 4), (8, 0, 4))
        hands.page.get_by_role("button", name="Redo").click()
        hands.settled()
        assert place(server, desk, "c") == (0, 0, 4)
        hands.page.keyboard.press("Control+z")
        hands.settled()

        hands.select("b")
        handle = hands.box("b").locator(".handle.e").bounding_box()
        assert handle is not None
        hands.drag((handle["x"] + 5, handle["y"] + 5), (hands.column(5)[0] + 10, handle["y"] + 5))
        hands.settled()
        assert place(server, desk, "b") == (4, 0, 2)

        card = hands.middle("holder")
        hands.drag(hands.middle("c"), (card[0], card[1] + 60))
        hands.settled()
        assert parts(server, desk)["c"]["parent"] == "holder"

        hands.drag(
            (hands.column(-0.5)[0] - 8, hands.column(0, -8)[1]), (hands.column(11)[0], hands.middle("a")[1] + 10)
        )
        chosen = hands.page.locator(".box.selected").evaluate_all("boxes => boxes.map((box) => box.dataset.box)")
        assert sorted(chosen) == ["a", "b"]
        hands.page.get_by_role("button", name="Same width").click()
        hands.settled()
        assert place(server, desk, "b")[2] == 4
        # A drag that is thought better of changes nothing.
        revision = _revision(server, desk)
        start = hands.middle("holder")
        hands.page.mouse.move(*start)
        hands.page.mouse.down()
        hands.page.mouse.move(start[0] + 200, start[1] + 50, steps=4)
        hands.page.keyboard.press("Escape")
        hands.page.mouse.up()
        assert _revision(server, desk) == revision

    def test_the_keyboard(self, server: Server, hands: BuilderHands, desk: str) -> None:
        hands.open(desk)
        keys = hands.page.keyboard
        hands.select("c")
        keys.press("ArrowDown")
        keys.press("Shift+ArrowLeft")
        keys.press("ArrowRight")
        hands.settled()
        assert place(server, desk, "c") == (9, 1, 3)
        hands.select("holder")
        keys.press("Control+c")
        keys.press("Control+v")
        hands.settled()
        found = parts(server, desk)
        assert (found["inner2"]["parent"], found["inner2"]["bindings"]) == ("holder2", {"text": {"component": "a"}})
        hands.select("a")
        keys.press("Delete")
        hands.settled()
        expect(hands.page.locator(".note-box", has_text="What read it went with it")).to_be_visible()
        assert "bindings" not in parts(server, desk)["inner"]
        keys.press("Control+z")
        hands.settled()
        assert parts(server, desk)["inner"]["bindings"] == {"text": {"component": "a"}}
        keys.press("Escape")
        hands.box("a").focus()
        keys.press("Tab")
        expect(hands.page.locator("#component-name")).to_have_value("b")
        keys.press("Control+d")
        hands.settled()
        assert "b2" in parts(server, desk)

    def test_expressions_are_completed(self, server: Server, hands: BuilderHands, desk: str) -> None:
        hands.open(desk)
        hands.select("inner")
        hands.page.get_by_role("button", name="Text: Component a.value").click()
        hands.page.get_by_role("tab", name="Expression").click()
        hands.page.keyboard.type("upper(comp")
        expect(hands.page.get_by_role("option", name="components.a.value")).to_be_visible()
        hands.page.keyboard.press("Enter")
        hands.page.keyboard.type(")")
        hands.page.keyboard.press("Control+Enter")
        hands.settled()
        assert parts(server, desk)["inner"]["bindings"] == {"text": {"expr": "upper(components.a.value)"}}
        hands.page.get_by_role("button", name="Try", exact=True).click()
        preview = hands.page.frame_locator("iframe.preview")
        preview.get_by_role("textbox", name="a", exact=True).fill("hello")
        preview.get_by_role("textbox", name="a", exact=True).press("Tab")
        expect(preview.get_by_text("HELLO")).to_be_visible(timeout=PATIENCE)

    def test_fields_of_a_list_keep_each_other(self, server: Server, hands: BuilderHands, desk: str) -> None:
        table = {"id": "rows", "type": "table", "at": {"x": 0, "y": 9, "w": 12, "h": 4}}
        table["properties"] = {"columns": [{"name": "one"}, {"name": "two"}]}
        with server.client() as client:
            base = client.get(f"/api/views/{desk}/draft").json()["revision"]
            body = {"base": base, "operations": [{"op": "add", "page": "main", "component": table}]}
            assert client.post(f"/api/views/{desk}/draft/operations", json=body).status_code == 200
        hands.open(desk)
        hands.select("rows")
        column = hands.page.locator(".fold").nth(1)
        column.locator("summary").click()
        column.get_by_label("Title 2").fill("Two")
        column.get_by_label("Decimals 2").fill("2")
        hands.page.keyboard.press("Tab")
        column.get_by_label("Format 2").select_option(label="Number")
        hands.settled()
        found = parts(server, desk)["rows"]["properties"]["columns"]
        assert found == [{"name": "one"}, {"name": "two", "title": "Two", "decimals": 2, "format": "number"}]

    def test_a_declared_table_and_a_model_come_connected(self, server: Server, hands: BuilderHands, desk: str) -> None:
        page = hands.page
        hands.open(desk)
        page.get_by_role("button", name="Add a table").click()
        hands.settled()
        expect(page.get_by_label("Name 1").first).to_be_focused()
        page.get_by_role("tab", name="Data").click()
        hands.bring("declared:table1", (hands.column(3)[0], hands.below("holder")), "table1_card")
        found = parts(server, desk)
        row = [
            {"do": "set_state", "state": "session.table1_row", "value": {"event": "row"}},
            {"modal": "table1_window"},
        ]
        done = found["table1_rows"]["actions"]["row"]
        assert [step | part for step, part in zip(done, row, strict=True)] == done
        assert found["column1"]["parent"] == "table1_form"
        page.get_by_role("button", name="Undo").click()
        hands.settled()
        expect(hands.box("table1_card")).to_have_count(0)
        # Without a mouse; what the model takes and answers comes below all else, and into sight.
        page.locator("[data-source='model:style-transfer']").press("Enter")
        expect(hands.box("style_transfer_answer")).to_be_in_viewport(timeout=PATIENCE)
        hands.settled()
        found = parts(server, desk)
        assert "table1_card" not in found
        assert found["output_shown"]["bindings"]["source"]["input"]["style"] == {
            "state": "session.style_transfer_asked", "path": "style",
        }  # fmt: skip

    def test_a_step_leads_to_a_page_of_another_view_and_one_asks_an_api(
        self, server: Server, hands: BuilderHands, desk: str
    ) -> None:
        pages = [{"id": "list", "title": "List"}, {"id": "one", "title": "One", "params": [{"name": "number"}]}]
        other = {"slug": f"{desk}-two", "title": f"Two of {desk}", "pages": pages}
        with server.client() as client:
            assert client.post("/api/views", json=other).status_code == 201
            shop = {"name": "shop", "url": "https://shop.example/{a}", "method": "PUT"}
            change = {"op": "set_view", "name": "apis", "value": [shop]}
            base = client.get(f"/api/views/{desk}/draft").json()["revision"]
            body = {"base": base, "operations": [change]}
            assert client.post(f"/api/views/{desk}/draft/operations", json=body).status_code == 200
        hands.open(desk)
        hands.select("a")
        hands.add_step("Go to a page")
        step = hands.page.locator(".step")
        step.get_by_label("View").select_option(label=other["title"])
        step.get_by_label("Page").select_option(label="One")
        step.get_by_role("button", name="Connect number to data").click()
        picker = hands.page.locator(".picker")
        hands.page.get_by_role("tab", name="Component", exact=True).click()
        picker.get_by_text("a.value").click()
        hands.settled()
        hands.add_step("Ask an API")
        step = hands.page.locator(".step").nth(1)
        step.get_by_label("Another parameter").fill("note")
        step.get_by_label("Part of the answer").fill("number")
        hands.page.keyboard.press("Tab")
        expect(step.get_by_label("note: Fixed value")).to_be_visible()
        hands.settled()
        leads, asks = parts(server, desk)["a"]["actions"]["change"]
        assert leads == {
            "do": "navigate", "view": other["slug"], "page": "one", "params": {"number": {"component": "a"}},
        }  # fmt: skip
        params = {"a": {"component": "a"}, "note": {"constant": ""}}
        assert asks == {"do": "ask_api", "api": "shop", "params": params, "path": "number"}

    def test_a_component_of_an_author(self, server: Server, hands: BuilderHands, desk: str) -> None:
        own = {"value": {"type": "integer", "default": 0}, "most": {"type": "integer", "default": 5},
               "near": {"type": "integer", "default": 0}}  # fmt: skip
        schema = {"type": "object", "properties": own}
        dial = {"name": "dial", "title": "Dial", "properties": schema, "values": ["near"],
                "events": {"turned": {"type": "integer"}}, "script": "export default () => () => {}"}  # fmt: skip
        part = {"id": "dial", "type": "custom", "at": {"y": 9}, "properties": {"component": "dial"}}
        with server.client() as client:
            client.post("/api/views/custom", json=dial).raise_for_status()
            base = client.get(f"/api/views/{desk}/draft").json()["revision"]
            body = {"base": base, "operations": [{"op": "add", "page": "main", "component": part}]}
            client.post(f"/api/views/{desk}/draft/operations", json=body).raise_for_status()
        hands.open(desk)
        hands.select("dial")
        page = hands.page
        expect(page.locator("#property-data")).to_have_count(0)  # it has none
        page.locator("#property-most").fill("7")
        page.locator("#property-most").press("Tab")
        page.get_by_role("button", name="Connect Near to data").click()
        page.get_by_role("tab", name="Component", exact=True).click()
        page.locator(".picker").get_by_text("a.value").click()
        turned = page.locator(".event", has_text="turned")
        turned.get_by_role("button", name="Add a step").click()
        page.locator(".popover").get_by_text("Say something", exact=True).click()
        hands.settled()
        made = parts(server, desk)["dial"]
        assert made["properties"] == {"component": "dial", "props": {"most": 7}}
        assert made["bindings"] == {"near": {"component": "a"}}
        assert [step["do"] for step in made["actions"]["turned"]] == ["notify"]
        hands.select("inner")
        page.get_by_role("button", name="Text: Component a.value").click()
        page.locator(".picker").get_by_text("dial.near").click()
        hands.settled()
        assert parts(server, desk)["inner"]["bindings"] == {"text": {"component": "dial", "value": "near"}}

    def test_pages_worklets_and_versions(self, server: Server, hands: BuilderHands, desk: str) -> None:
        page = hands.page
        hands.open(desk)
        hands.publish("One page")
        page.get_by_role("button", name="Add a page").click()
        expect(page.locator(".blank")).to_be_visible(timeout=PATIENCE)
        hands.settled()
        page.get_by_role("tab", name="Data").click()
        hands.bring("worklet:stylize", hands.column(3), "run_stylize")
        page.get_by_role("tab", name="Outline").click()
        expect(page.get_by_role("treeitem", name="stylize_form")).to_be_visible()
        found = Axe().run(page, options=RULES).response["violations"]
        assert [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]] == []
        hands.publish("With the worklet")
        view = page.context.new_page()
        view.goto(f"{server.url}/views/{desk}")
        view.get_by_role("link", name="Page 2").click()
        expect(view.get_by_role("button", name="Stylize")).to_be_visible(timeout=PATIENCE)
        view.go_back()
        expect(view.get_by_role("textbox", name="a", exact=True)).to_be_visible(timeout=PATIENCE)
        view.close()
        page.get_by_role("button", name="Versions").click()
        sheet = page.locator("dialog")
        sheet.get_by_role("button", name="Changes").first.click()
        expect(sheet.get_by_text("Added the page “Page 2”")).to_be_visible()
        sheet.get_by_role("button", name="Roll back").click()
        expect(page.locator(".note-box", has_text="Version 1 is live again")).to_be_visible(timeout=PATIENCE)
        assert "run_stylize" not in parts(server, desk)


def test_two_people_at_one_view(server: Server, chromium: Browser, hands: BuilderHands, desk: str) -> None:
    server.worklets("users", "add", "bob", "--role", "builder", check=False)
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    try:
        other = BuilderHands(sign_in(server, context, "bob"), server.url)
        hands.open(desk)
        other.open(desk)
        expect(hands.page.locator("[data-part=people]")).to_contain_text("bob is here", timeout=PATIENCE)
        # Of one moment, and about different things: both are kept.
        hands.select("a")
        hands.set("label", "By admin")
        other.select("b")
        other.set("label", "By bob")
        hands.settled()
        other.settled()
        found = parts(server, desk)
        assert [found[id]["properties"]["label"] for id in ("a", "b")] == ["By admin", "By bob"]
        # About the same thing: who is second is told, and asked.
        other.page.evaluate("Object.defineProperty(document, 'visibilityState', { value: 'hidden' })")
        hands.set("label", "Newer")
        hands.settled()
        other.select("a")
        other.set("label", "Older")
        said = other.page.locator(".note-box", has_text="Your change was not made")
        expect(said).to_contain_text("admin set label", timeout=PATIENCE)
        assert parts(server, desk)["a"]["properties"]["label"] == "Newer"
        said.get_by_role("button", name="Make it anyway").click()
        other.settled()
        assert parts(server, desk)["a"]["properties"]["label"] == "Older"
        assert other.errors == []
    finally:
        context.close()


def test_a_document_of_hostile_text_runs_nothing(server: Server, hands: BuilderHands) -> None:
    hostile = "<img src=x onerror=\"window.hit='img'\"><script>window.hit='script'</script>\"'>"
    slug = f"hostile-{uuid4().hex[:8]}"
    part = {"id": "x", "type": "button", "properties": {"label": hostile}}
    document = {"slug": slug, "title": hostile, "pages": [{"id": "main", "title": hostile, "components": [part]}]}
    with server.client() as client:
        assert client.post("/api/views/drafts", json={"document": document}).status_code == 201
    hands.open(slug)
    hands.select("x")
    hands.page.get_by_role("tab", name="Outline").click()
    hands.page.get_by_role("button", name="Publish…").click()
    hands.page.keyboard.press("Escape")
    assert hands.page.evaluate("window.hit") is None
    assert hands.page.title().startswith("<img")


def _revision(server: Server, slug: str) -> int:
    with server.client() as client:
        return int(client.get(f"/api/views/{slug}/draft").json()["revision"])
