"""A view in another site's page, in a real Chromium: localhost is one site, 127.0.0.1 another."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fixtures_browser import LocalContext
from playwright.sync_api import FrameLocator, Page, expect
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.passwords import Passwords
from prefect_worklets.connectors.secret import derived_key
from prefect_worklets.connectors.shares import Shares

pytestmark = [pytest.mark.integration, pytest.mark.browser]
# Requests of strangers are counted for each address.
INSTANCE_OF_ITS_OWN = True
MS = 20_000


@dataclass
class Site:
    """Another site with pages of its own."""

    origin: str
    pages: dict[str, str] = field(default_factory=dict)

    def page(self, name: str, body: str) -> str:
        """Put a page there; its address."""
        self.pages[f"/{name}"] = f"<!doctype html><title>{name}</title><body>{body}</body>"
        return f"{self.origin}/{name}"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = made.pages.get(self.path.partition("?")[0])
            self.send_response(200 if text else 404)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Site(f"http://localhost:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()


def document(origins: list[str], slug: str = "framed") -> dict[str, Any]:
    click = [
        {"do": "set_state", "state": "user.pressed", "value": {"constant": "pressed before"}},
        {"do": "send", "event": "chosen", "data": {"param": "who"}},
    ]
    components = [
        {"id": "greeting", "type": "text", "bindings": {"text": {"param": "who", "default": "nobody"}}},
        {"id": "memory", "type": "text", "at": {"y": 2}, "bindings": {"text": {"state": "user.pressed"}}},
        {
            "id": "choose",
            "type": "button",
            "at": {"y": 4},
            "properties": {"label": "Choose"},
            "actions": {"click": click},
        },
        {
            "id": "picture",
            "type": "image_input",
            "at": {"y": 6, "h": 5},
            "properties": {"label": "Picture", "examples": [{"label": "Flower", "url": "/views/examples/flower.jpg"}]},
        },
        {
            "id": "shown",
            "type": "image",
            "at": {"y": 11, "h": 5},
            "properties": {"alt": "The same picture"},
            "bindings": {"source": {"component": "picture"}},
        },
    ]
    return {
        "slug": slug,
        "title": "Framed",
        "access": {"origins": origins},
        "state": [{"name": "pressed", "scope": "user", "default": "not pressed"}],
        "pages": [{"components": components}],
    }


@pytest.fixture(scope="module")
def token(instance: Any, site: Site) -> str:
    instance.publish(document([site.origin]))
    access = Access(instance.store)
    shares = Shares(instance.store, derived_key(instance.data, "shares"), Passwords(instance.store, access))
    return shares.create("framed")[1]


def script(instance: Any, token: str, more: str = "") -> str:
    hear = "addEventListener('worklets', (event) => heard.textContent += JSON.stringify(event.detail))"
    listen = f"<pre id=heard></pre><script>{hear}</script>"
    return f'{listen}<script src="{instance.url}/embed.js" data-view="framed" data-token="{token}" {more}></script>'


def framed(page: Page) -> FrameLocator:
    return page.frame_locator("iframe").first


class TestByScript:
    def test_the_whole_way(self, instance: Any, site: Site, token: str, visitor: LocalContext, tmp_path: Any) -> None:
        page = visitor.page()
        page.goto(site.page("whole", script(instance, token, 'data-who="Ada" data-title="A view"')))
        view = framed(page)
        expect(view.get_by_text("Ada", exact=True)).to_be_visible(timeout=MS)
        expect(view.get_by_text("not pressed")).to_be_visible(timeout=MS)
        # As high as it needs: nothing of it is out of sight.
        page.wait_for_function("document.querySelector('iframe').offsetHeight > 700", timeout=MS)
        assert page.locator("iframe").get_attribute("title") == "A view"
        # Files, without a cookie.
        view.locator("input[type=file]").set_input_files(str(instance.data.root / "demo" / "temple.jpg"))
        picture = view.get_by_role("img", name="The same picture")
        expect(picture).to_be_visible(timeout=MS)
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 96
        example = view.get_by_role("button", name="Example: Flower")
        example.click()
        expect(example).to_have_attribute("aria-pressed", "true", timeout=MS)
        # Events go out, parameters come in.
        view.get_by_role("button", name="Choose").click()
        expect(page.locator("#heard")).to_contain_text('{"event":"chosen","data":"Ada"}', timeout=MS)
        page.evaluate("document.querySelector('iframe').send({ who: 'Grace <b>H</b>', evil: { a: 1 } })")
        expect(view.get_by_text("Grace <b>H</b>")).to_be_visible(timeout=MS)
        # Known again, though the browser sends no cookie to a frame of another site.
        expect(view.get_by_text("pressed before")).to_be_visible(timeout=MS)
        page.reload()
        expect(framed(page).get_by_text("pressed before")).to_be_visible(timeout=MS)
        assert visitor.context.cookies() == []

    def test_another_visitor_begins_anew(self, instance: Any, site: Site, token: str, visitor: LocalContext) -> None:
        page = visitor.page()
        page.goto(site.page("anew", script(instance, token)))
        expect(framed(page).get_by_text("not pressed")).to_be_visible(timeout=MS)
        expect(framed(page).get_by_text("nobody")).to_be_visible(timeout=MS)


class TestWhoMay:
    def test_a_site_that_is_not_listed_may_not(
        self, instance: Any, site: Site, token: str, visitor: LocalContext
    ) -> None:
        page = visitor.page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(site.page("theirs", script(instance, token)).replace("localhost", "127.0.0.1"))
        page.wait_for_timeout(1500)
        assert any("frame-ancestors" in text for text in said), said
        expect(framed(page).get_by_text("nobody")).to_have_count(0)

    def test_a_page_around_a_listed_page_hears_nothing(
        self, instance: Any, site: Site, token: str, visitor: LocalContext
    ) -> None:
        """A message from a window that is not the page around the view changes nothing."""
        page = visitor.page()
        page.goto(site.page("inner", script(instance, token, 'data-who="Ada"')))
        view = framed(page)
        expect(view.get_by_text("Ada", exact=True)).to_be_visible(timeout=MS)
        page.evaluate(
            """() => {
              const other = document.createElement('iframe')
              document.body.append(other)
              const message = "{worklets: 1, kind: 'params', params: {who: 'Mallory'}}"
              other.contentWindow.eval(`parent.frames[0].postMessage(${message}, '*')`)
            }"""
        )
        page.evaluate("document.querySelector('iframe').send({ who: 'Grace' })")
        expect(view.get_by_text("Grace")).to_be_visible(timeout=MS)
        expect(view.get_by_text("Mallory")).to_have_count(0)

    @pytest.mark.parametrize("query", ["", "?token=nonsense", "?visitor=nonsense"])
    def test_nothing_is_framed_without_a_link(self, instance: Any, site: Site, token: str, query: str) -> None:
        answer = httpx.get(f"{instance.url}/embed/framed{query}", timeout=20)
        assert answer.status_code in (403, 404)
        assert "not pressed" not in answer.text
        assert site.origin in answer.headers["content-security-policy"]

    def test_the_plain_page_is_framed_by_nobody(self, instance: Any, site: Site, token: str) -> None:
        page = httpx.get(f"{instance.url}/share/{token}", timeout=20)
        assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
        assert site.origin not in page.headers["content-security-policy"]
