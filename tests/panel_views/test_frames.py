"""Pages in frames: which addresses may be shown, and that what is in a frame can't break out of it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fixtures_browser import LocalContext
from playwright.sync_api import expect
from prefect_worklets.connectors.errors import DefinitionError, SetupError
from prefect_worklets.panel_views.cells import Cell
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.components.base import Events
from prefect_worklets.panel_views.components.media import Iframe
from prefect_worklets.panel_views.document import Component
from prefect_worklets.panel_views.frames import FrameOrigins

from .conftest import Instance, running_instance
from .test_browser import PATIENCE, opened, part, sign_in

LISTED = FrameOrigins(["https://grafana.example.com", "https://*.docs.example.com", "http://127.0.0.1:3000"])
# What a page in a frame tries: to read the page around it, its own origin, and to lead the other away.
BREAK_OUT = """<!doctype html><title>in a frame</title><p id="said"></p><script>
  const said = []
  try { said.push("read " + parent.document.title) } catch { said.push("no parent") }
  said.push(self.origin === "null" ? "no origin" : "an origin")
  try { top.location.href = "/elsewhere"; said.push("led away") } catch { said.push("stays") }
  document.getElementById("said").textContent = said.join(", ")
</script>"""


def document(source: Any, slug: str = "framed") -> dict[str, Any]:
    parts = [{"id": "it", "type": "iframe", "properties": {"source": source}}]
    return {"slug": slug, "title": "Framed", "pages": [{"components": parts}]}


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "https://grafana.example.com/d/1?theme=light#panel",
            "https://GRAFANA.example.com:443",
            "https://a.b.docs.example.com/",
            "http://127.0.0.1:3000/x",
            "/api/files/one",
            "/grafana/d/1",
            "/views/examples/flower.jpg",
        ],
    )
    def test_what_may_be_shown(self, address: str) -> None:
        LISTED.check(parse(document(address)))

    @pytest.mark.parametrize(
        "address",
        [
            "http://grafana.example.com/",
            "https://grafana.example.com:8443/",
            "https://grafana.example.com.evil.example/",
            "https://docs.example.com/",
            "https://evildocs.example.com/",
            "http://localhost:3000/",
        ],
    )
    def test_what_another_site_needs_is_said_with_its_place(self, address: str) -> None:
        with pytest.raises(DefinitionError) as caught:
            LISTED.check(parse(document(address)))
        (fault,) = caught.value.faults
        assert fault.loc == ("pages", 0, "components", 0, "properties", "source")
        assert address.rstrip("/") in fault.msg
        assert f'WORKLETS_FRAME_ORIGINS: ["{address.rstrip("/")}"]' in (fault.fix or "")

    @pytest.mark.parametrize("address", ["/views/other", "/console", "/login?next=/", "/share/t", "/embed/x?a=1"])
    def test_a_page_that_needs_a_session_says_what_to_do_instead(self, address: str) -> None:
        with pytest.raises(DefinitionError) as caught:
            LISTED.check(parse(document(address)))
        assert "link to it" in (caught.value.faults[0].fix or "")

    @pytest.mark.parametrize(
        "address",
        [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,<script>alert(1)</script>",
            "blob:https://grafana.example.com/1",
            "//evil.example/",
            "/\\evil.example/",
            "https:/evil.example",
            "https://grafana.example.com\\@evil.example/",
            "https://grafana.example.com@evil.example/",
            "https://grafana.example.com\n.evil.example/",
            " https://grafana.example.com/",
            "file:///etc/passwd",
            "grafana.example.com",
            "",
        ],
    )
    def test_what_is_no_address_of_a_page(self, address: str) -> None:
        with pytest.raises(DefinitionError) as caught:
            parse(document(address))
        assert "is no address for a frame; write `/…`" in caught.value.faults[0].msg

    def test_an_address_of_10_mb(self) -> None:
        with pytest.raises(DefinitionError) as caught:
            parse(document("https://grafana.example.com/" + "x" * 10_000_000))
        assert len(str(caught.value)) < 1_000

    @pytest.mark.parametrize(
        "origin", ["grafana.example.com", "https://x/path", "https://*", "*", "https://a; b", "x:1"]
    )
    def test_a_setting_that_is_no_site(self, origin: str) -> None:
        with pytest.raises(SetupError, match="WORKLETS_FRAME_ORIGINS is no site"):
            FrameOrigins([origin])

    def test_the_policy_has_the_same_list(self) -> None:
        assert LISTED.policy == (
            "frame-src 'self' https://grafana.example.com https://*.docs.example.com http://127.0.0.1:3000"
        )
        assert FrameOrigins().policy == "frame-src 'self'"

    def test_a_bound_address_is_refused_as_it_is_shown(self) -> None:
        quiet = Events(lambda *what: None, lambda *what: None, lambda *what: None)
        made = Iframe(Component(id="it", type="iframe"), quiet, LISTED)
        made.show_cell("source", Cell("https://evil.example/x"))
        assert made.props["source"] is None
        assert "https://evil.example may not be shown in a frame: have an admin add it" in made.props["fault"]
        made.show_cell("source", Cell("https://grafana.example.com/x"))
        assert made.props["source"] == "https://grafana.example.com/x"
        assert "fault" not in made.props


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Another site, whose `/away` leads on to a third."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/away"):
                self.send_response(302)
                self.send_header("location", f"http://127.0.0.1:{self.server.server_port}/page")  # type: ignore[attr-defined]
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(BREAK_OUT.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def instance(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One that may show frames of the other site."""
    with running_instance(tmp_path_factory.mktemp("views"), frames=[site]) as running:
        yield running


@pytest.mark.browser
@pytest.mark.integration
def test_frames_in_a_browser(visitor: LocalContext, instance: Any, site: str) -> None:
    frames: dict[str, dict[str, Any]] = {
        "theirs": {"properties": {"source": f"{site}/page", "label": "Their page", "title": "A page of another site"}},
        "ours": {"properties": {"source": "/reports/one.html", "label": "Ours"}},
        "bound": {"bindings": {"source": {"param": "address"}}},
        "away": {"properties": {"source": f"{site}/away"}},
        "nothing": {"properties": {"label": "Report", "empty": "No report yet"}},
    }
    parts = [{"id": id, "type": "iframe", "at": {"y": 6 * row, "h": 6}, **rest}
             for row, (id, rest) in enumerate(frames.items())]  # fmt: skip
    instance.publish({"slug": "frames", "title": "Frames", "pages": [
        {"params": [{"name": "address"}], "components": parts}]})  # fmt: skip
    sign_in(visitor, instance, "uma")
    # A page with scripts at our own address, such as another program behind the same proxy has.
    visitor.context.route("**/reports/one.html", lambda route: route.fulfill(content_type="text/html", body=BREAK_OUT))
    visitor.context.add_init_script(
        "document.addEventListener('securitypolicyviolation', (event) => (window.stopped = event.blockedURI))"
    )
    page = opened(visitor, instance, "frames?address=javascript:alert(1)")
    for id in frames:
        part(page, id).locator(".around").scroll_into_view_if_needed()
    theirs = part(page, "theirs").locator("iframe")
    expect(theirs).to_have_attribute("title", "A page of another site")
    expect(theirs.content_frame.locator("#said")).to_have_text("no parent, an origin, stays", timeout=PATIENCE)
    ours = part(page, "ours").locator("iframe")
    expect(ours.content_frame.locator("#said")).to_have_text("no parent, no origin, stays", timeout=PATIENCE)
    expect(part(page, "bound").locator(".note")).to_contain_text("is no address for a frame")
    page.wait_for_function("window.stopped", timeout=PATIENCE)
    assert page.evaluate("window.stopped") == site.replace("localhost", "127.0.0.1")
    assert part(page, "away").locator("iframe").content_frame.locator("#said").count() == 0
    expect(part(page, "nothing").locator(".note")).to_have_text("No report yet")
    policy = httpx.get(page.url, cookies={c["name"]: c["value"] for c in page.context.cookies()}).headers[
        "content-security-policy"
    ]
    assert f"frame-src 'self' {site};" in policy
    assert page.url.startswith(instance.url), "the page in the frame has not led this one away"
