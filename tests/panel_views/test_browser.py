"""Views in a real Chromium: the way of a person, and hostile text in every component."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from .conftest import stop

pytestmark = [pytest.mark.browser, pytest.mark.integration]
# Its views process is stopped and started again.
INSTANCE_OF_ITS_OWN = True
PATIENCE = 20_000
HOSTILE = "<img src=x onerror=\"window.hit='img'\"><script>window.hit='script'</script>\"'>{{7*7}}"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "my picture.png"
    Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(path)
    return path


def sign_in(visitor: Any, instance: Any, name: str) -> None:
    cookie = {"name": "worklets_session", "value": instance.session(name), "url": instance.url}
    visitor.context.clear_cookies()
    visitor.context.add_cookies([cookie])


def opened(visitor: Any, instance: Any, slug: str = "stylize") -> Page:
    page: Page = visitor.page()
    page.on("pageerror", lambda error: pytest.fail(f"the page raised {error}"))
    page.goto(f"{instance.url}/views/{slug}")
    drawn(page)
    return page


def drawn(page: Page) -> None:
    page.locator("#stage.drawn").wait_for(state="attached", timeout=PATIENCE)


def part(page: Page, id: str) -> Locator:
    return page.locator(f"[data-component={id}]")


def choose(page: Page, id: str, path: Path) -> None:
    part(page, id).locator("input[type=file]").set_input_files(path)
    filled(page, id)


def filled(page: Page, id: str) -> None:
    expect(part(page, id).locator(".zone.filled:not(.busy)")).to_be_visible(timeout=PATIENCE)


def drop(page: Page, id: str, name: str, kind: str, content: bytes) -> None:
    """Drop a file on a component, as a drag from the desktop does."""
    data = page.evaluate_handle(
        """([name, kind, bytes]) => {
            const data = new DataTransfer()
            data.items.add(new File([new Uint8Array(bytes)], name, { type: kind }))
            return data
        }""",
        [name, kind, list(content)],
    )
    zone = part(page, id).locator(".zone")
    for event in ("dragenter", "dragover", "drop"):
        zone.dispatch_event(event, {"dataTransfer": data})


def paint(page: Page, tiles: int) -> None:
    page.get_by_role("button", name="Paint").click()
    expect(part(page, "gallery").locator("button")).to_have_count(tiles, timeout=PATIENCE)
    expect(part(page, "result").get_by_role("link", name="Download")).to_be_visible(timeout=PATIENCE)


class TestStylize:
    def test_the_whole_way_and_back_after_a_reload_and_a_restart(
        self, visitor: Any, instance: Any, picture: Path, tmp_path: Path
    ) -> None:
        sign_in(visitor, instance, "ada")
        page = opened(visitor, instance)
        expect(page.get_by_role("button", name="Paint")).to_have_attribute("aria-disabled", "true")
        choose(page, "content", picture)
        drop(page, "style", "style.png", "image/png", picture.read_bytes())
        filled(page, "style")
        paint(page, tiles=1)
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        download.value.save_as(tmp_path / "result.png")
        assert Image.open(tmp_path / "result.png").size == (384, 256)

        page.reload()
        drawn(page)
        self._all_there(page)
        instance.restart_views()
        # The open page finds the way back by itself.
        expect(page.locator(".lost")).to_be_hidden(timeout=PATIENCE)
        drawn(page)
        self._all_there(page)
        paint(page, tiles=2)

    @staticmethod
    def _all_there(page: Page) -> None:
        for id in ("content", "style"):
            filled(page, id)
        expect(part(page, "gallery").locator("button")).to_have_count(1, timeout=PATIENCE)
        expect(part(page, "result").locator("img")).to_be_visible(timeout=PATIENCE)

    def test_each_has_their_own_history(self, visitor: Any, instance: Any, picture: Path) -> None:
        sign_in(visitor, instance, "bea")
        page = opened(visitor, instance)
        expect(page.get_by_text("What you paint is kept here.")).to_be_visible(timeout=PATIENCE)
        for id in ("content", "style"):
            choose(page, id, picture)
        paint(page, tiles=1)
        sign_in(visitor, instance, "cem")
        other = opened(visitor, instance)
        expect(other.get_by_text("What you paint is kept here.")).to_be_visible(timeout=PATIENCE)
        expect(part(other, "content").locator(".filled")).to_have_count(0)

    def test_an_earlier_result_is_shown_again(self, visitor: Any, instance: Any, picture: Path) -> None:
        sign_in(visitor, instance, "dan")
        page = opened(visitor, instance)
        for id in ("content", "style"):
            choose(page, id, picture)
        paint(page, tiles=1)
        first = part(page, "result").locator("img").get_attribute("src")
        page.get_by_role("button", name="Example: Mosaic").click()
        filled(page, "style")
        paint(page, tiles=2)
        expect(part(page, "result").locator("img")).not_to_have_attribute("src", str(first))
        part(page, "gallery").locator("button").nth(1).click()
        expect(part(page, "result").locator("img")).to_have_attribute("src", str(first), timeout=PATIENCE)

    def test_by_keyboard_alone(self, visitor: Any, instance: Any, picture: Path) -> None:
        sign_in(visitor, instance, "eva")
        page = opened(visitor, instance)
        # Listening from the start: Playwright may be told of the dialog before `expect_file_chooser` has asked for it.
        page.on("filechooser", lambda chooser: chooser.set_files(picture))
        zone = part(page, "content").locator(".drop")
        zone.focus()
        page.keyboard.press("Enter")
        filled(page, "content")
        zone.focus()
        page.keyboard.press("Delete")
        expect(part(page, "content").locator(".filled")).to_have_count(0)
        page.get_by_role("button", name="Example: Waves").focus()
        page.keyboard.press("Space")
        filled(page, "style")
        slider = page.get_by_role("slider", name="Size")
        slider.focus()
        page.keyboard.press("ArrowRight")
        expect(part(page, "size").locator("output")).to_have_text("448 px")

    def test_the_slider_s_value_is_still_there(self, visitor: Any, instance: Any) -> None:
        sign_in(visitor, instance, "fay")
        page = opened(visitor, instance)
        page.get_by_role("slider", name="Size").fill("640")
        page.wait_for_function("() => true")
        expect(part(page, "size").locator("output")).to_have_text("640 px")
        kept = None
        for _ in range(100):
            page.reload()
            drawn(page)
            kept = part(page, "size").locator("output").text_content()
            if kept == "640 px":
                break
        assert kept == "640 px"


class TestFaults:
    @pytest.mark.parametrize(
        ("name", "kind", "content", "said"),
        [
            ("note.txt", "text/plain", b"hello", "no picture of a kind that is taken here"),
            ("broken.png", "image/png", b"\x89PNG\r\n\x1a\n broken", "can't be opened as a picture"),
            ("drawing.svg", "image/svg+xml", b"<svg onload='window.hit=1'/>", "no picture of a kind"),
        ],
    )
    def test_files_that_are_no_picture(
        self, visitor: Any, instance: Any, name: str, kind: str, content: bytes, said: str
    ) -> None:
        sign_in(visitor, instance, "gus")
        page = opened(visitor, instance)
        drop(page, "content", name, kind, content)
        expect(part(page, "content").get_by_role("alert")).to_contain_text(said, timeout=PATIENCE)
        expect(part(page, "content").locator(".filled")).to_have_count(0)

    @pytest.mark.parametrize(
        ("address", "said"),
        [("not an address", "begins with https://"), ("http://169.254.169.254/x.png", "169.254.169.254")],
    )
    def test_addresses_that_lead_nowhere(self, visitor: Any, instance: Any, address: str, said: str) -> None:
        sign_in(visitor, instance, "gus")
        page = opened(visitor, instance)
        part(page, "content").get_by_role("button", name="Use a web address").click()
        box = part(page, "content").get_by_role("textbox")
        box.fill(address)
        box.press("Enter")
        expect(part(page, "content").get_by_role("alert")).to_contain_text(said, timeout=PATIENCE)

    def test_what_the_worklet_refuses_is_told_at_its_field(
        self, visitor: Any, instance: Any, picture: Path, stylize: dict[str, Any]
    ) -> None:
        document = json.loads(json.dumps(stylize))
        document["slug"] = "refusing"
        run = next(one for one in document["pages"][0]["components"] if one["id"] == "run")
        run["actions"]["click"][0]["input"]["style"] = {"expr": "components.style.value + 'x'"}
        instance.publish(document)
        sign_in(visitor, instance, "hal")
        page = opened(visitor, instance, "refusing")
        for id in ("content", "style"):
            choose(page, id, picture)
        page.get_by_role("button", name="Paint").click()
        # The refusal's own text has HTML in it.
        expect(part(page, "style").get_by_role("alert")).to_contain_text("<img src=x", timeout=PATIENCE)
        expect(part(page, "trouble").get_by_role("alert")).to_contain_text("does not fit")
        assert page.evaluate("window.hit") is None

    def test_a_session_that_ended_is_said(self, visitor: Any, instance: Any, picture: Path) -> None:
        sign_in(visitor, instance, "ida")
        page = opened(visitor, instance)
        page.request.get(f"{instance.url}/logout")
        part(page, "content").locator("input[type=file]").set_input_files(picture)
        expect(part(page, "content").get_by_role("alert")).to_contain_text("reload the page", timeout=PATIENCE)


class TestLostConnection:
    def test_what_was_typed_is_still_there(self, visitor: Any, instance: Any) -> None:
        fields = {"name": "text_input", "story": "text_area", "size": "slider", "secret": "text_input"}
        parts = [
            {"id": id, "type": kind, "at": {"x": 0, "y": 3 * row, "w": 12, "h": 3},
             "properties": {"label": id, **({"mode": "password"} if id == "secret" else {})}}
            for row, (id, kind) in enumerate(fields.items())
        ]  # fmt: skip
        echo = {"id": "echo", "type": "text", "at": {"x": 0, "y": 12, "w": 12, "h": 1},
                "bindings": {"text": {"expr": "components.name.value"}}}  # fmt: skip
        instance.publish({"slug": "typing", "title": "Typing", "pages": [{"components": [*parts, echo]}]})
        sign_in(visitor, instance, "lou")
        page = opened(visitor, instance, "typing")
        part(page, "name").get_by_role("textbox").fill("Ada")
        part(page, "secret").locator("input").fill("hush")
        expect(part(page, "echo")).to_contain_text("Ada", timeout=PATIENCE)
        page.evaluate("window.before = true")
        stop(instance.views)
        expect(page.get_by_text("Connection lost")).to_be_visible(timeout=PATIENCE)
        # Somebody goes on typing while there is no server.
        part(page, "story").get_by_role("textbox").fill("Once upon a time")
        instance.restart_views()
        page.wait_for_function("window.before === undefined", timeout=PATIENCE)
        drawn(page)
        expect(part(page, "name").get_by_role("textbox")).to_have_value("Ada", timeout=PATIENCE)
        expect(part(page, "story").get_by_role("textbox")).to_have_value("Once upon a time", timeout=PATIENCE)
        expect(part(page, "echo")).to_contain_text("Ada", timeout=PATIENCE)
        expect(part(page, "secret").locator("input")).to_have_value("")
        assert not page.evaluate("Object.keys(sessionStorage).filter((name) => name.includes('typed'))")


class TestHostileText:
    def test_no_component_runs_any(self, visitor: Any, instance: Any) -> None:
        texts: dict[str, dict[str, Any]] = {
            "markdown": {"text": f"# {HOSTILE}\n[x](javascript:window.hit=2) ![y](http://elsewhere.example/y)"},
            "text": {"text": HOSTILE},
            "card": {"title": HOSTILE, "description": HOSTILE},
            "image_input": {"label": HOSTILE, "help": HOSTILE, "error": HOSTILE,
                            "examples": [{"label": HOSTILE, "url": f"/{HOSTILE}"}]},
            "slider": {"label": HOSTILE, "help": HOSTILE, "unit": "<b>x</b>", "error": HOSTILE},
            "number": {"label": HOSTILE, "help": HOSTILE, "unit": "<b>x</b>", "error": HOSTILE},
            "button": {"label": HOSTILE, "hint": HOSTILE},
            "progress": {"label": HOSTILE, "active": True},
            "image": {"source": f"/{HOSTILE}", "alt": HOSTILE, "caption": HOSTILE, "placeholder": HOSTILE},
            "gallery": {"items": [{"data": {"image": f"/{HOSTILE}"}, "note": HOSTILE},
                                  {"data": {"image": "javascript:window.hit=3"}},
                                  {"data": {"image": "http://elsewhere.example/x.png"}}],
                        "caption": "note", "empty": HOSTILE},
            "alert": {"text": HOSTILE, "problem": {"title": HOSTILE, "detail": HOSTILE,
                                                   "errors": [{"loc": [HOSTILE], "msg": HOSTILE}]}},
        }  # fmt: skip
        parts = [
            {"id": kind, "type": kind, "at": {"x": 0, "y": 4 * row, "w": 12, "h": 4}, "properties": properties}
            for row, (kind, properties) in enumerate(texts.items())
        ]
        instance.publish({"slug": "hostile-parts", "title": HOSTILE, "pages": [{"components": parts}]})
        sign_in(visitor, instance, "jan")
        page = opened(visitor, instance, "hostile-parts")
        for kind in texts:
            if kind != "card":
                expect(part(page, kind).locator("> div").first).to_be_visible(timeout=PATIENCE)
        expect(part(page, "text")).to_contain_text("onerror=", timeout=PATIENCE)
        expect(part(page, "markdown")).to_contain_text("onerror=")
        page.get_by_role("button", name="onerror").first.click()
        assert page.evaluate("window.hit") is None
        assert page.locator("[data-component] script, [data-component] [onerror]").count() == 0


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_page_fits_its_width(visitor: Any, instance: Any, width: int) -> None:
    sign_in(visitor, instance, "kim")
    page = opened(visitor, instance)
    page.set_viewport_size({"width": width, "height": 844})
    expect(page.get_by_role("button", name="Paint")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
