"""The views process, over HTTP and websockets: who gets in, and what leaves."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import zlib
from typing import Any

import httpx
import pytest
import websockets
from prefect_worklets.connectors.access import Access

pytestmark = pytest.mark.integration
# What its list and its sessions hold is counted.
INSTANCE_OF_ITS_OWN = True


@pytest.fixture(scope="module")
def ada(instance: Any) -> dict[str, str]:
    return {"cookie": f"worklets_session={instance.session('ada')}"}


@pytest.fixture(scope="module")
def bob(instance: Any) -> dict[str, str]:
    return {"cookie": f"worklets_session={instance.session('bob')}"}


def get(instance: Any, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.get(instance.url + path, headers=headers or {}, timeout=20)


def token_of(page: httpx.Response) -> str:
    found = re.search(r'"token":"([^"]+)"', page.text)
    assert found is not None
    return found[1]


async def handshake(instance: Any, token: str, headers: dict[str, str], origin: str | None = None) -> str:
    """Open a websocket as a page does; returns what the server first says."""
    connection = await websockets.connect(
        f"ws://127.0.0.1:{instance.port}/views/stylize/ws",
        subprotocols=[websockets.Subprotocol("bokeh"), websockets.Subprotocol(token)],
        additional_headers=headers,
        origin=websockets.Origin(origin or instance.url),
        open_timeout=10,
    )
    async with connection:
        return str(await asyncio.wait_for(connection.recv(), 10))


class TestPages:
    def test_nobody_is_sent_to_the_login_and_back(self, instance: Any) -> None:
        answer = get(instance, "/views/stylize?tab=1")
        assert answer.status_code == 302
        assert answer.headers["location"] == "/login?next=/views/stylize%3Ftab%3D1"

    @pytest.mark.parametrize("cookie", ["", "worklets_session=", "worklets_session=nonsense", "worklets_session=a.b.c"])
    def test_a_cookie_that_is_no_session_is_nobody(self, instance: Any, cookie: str) -> None:
        assert get(instance, "/views/stylize", {"cookie": cookie}).status_code == 302

    def test_the_page(self, instance: Any, ada: dict[str, str]) -> None:
        page = get(instance, "/views/stylize", ada)
        assert page.status_code == 200
        assert "<h1>Stylize</h1>" in page.text
        assert page.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'self'" in page.headers["content-security-policy"]

    def test_nothing_in_it_names_another_host(self, instance: Any, ada: dict[str, str]) -> None:
        page = get(instance, "/views/stylize", ada).text
        hosts = set(re.findall(r"https?://([^/\"'\s]+)", page)) - {"www.w3.org"}
        assert hosts <= {f"127.0.0.1:{instance.port}"}

    def test_the_token_in_it_holds_no_cookie(self, instance: Any, ada: dict[str, str]) -> None:
        token = token_of(get(instance, "/views/stylize", ada))
        payload = json.loads(_decoded(token.split(".")[0]))
        inner = zlib.decompress(_decoded(payload["__bk__zlib_"])).decode()
        secret = ada["cookie"].partition("=")[2]
        assert secret not in token
        assert secret not in json.dumps(payload) + inner

    def test_what_is_not_there_and_what_is_not_for_one(self, instance: Any, ada: dict[str, str]) -> None:
        instance.publish({"slug": "staff", "title": "Staff", "access": {"role": "admin"}, "pages": [{}]})
        assert get(instance, "/views/nope", ada).status_code == 404
        refused = get(instance, "/views/staff", ada)
        assert refused.status_code == 403
        assert "admin" in refused.text

    def test_a_public_view_opens_for_nobody_in_particular(self, instance: Any) -> None:
        instance.publish({"slug": "open", "title": "Open", "access": {"public": True}, "pages": [{}]})
        page = get(instance, "/views/open")
        assert page.status_code == 200
        assert "Sign in" in page.text

    def test_a_new_version_is_seen_without_a_restart(self, instance: Any, ada: dict[str, str]) -> None:
        for title in ("First", "Second"):
            instance.publish({"slug": "changing", "title": title, "pages": [{}]})
            assert f"<h1>{title}</h1>" in get(instance, "/views/changing", ada).text

    def test_hostile_titles_are_text(self, instance: Any, ada: dict[str, str]) -> None:
        hostile = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
        instance.publish({"slug": "hostile", "title": hostile, "description": hostile, "pages": [{}]})
        for path in ("/views/hostile", "/views/"):
            page = get(instance, path, ada).text
            assert "<script>alert(1)" not in page
            assert "<img src=x" not in page
            assert "&lt;script&gt;alert(1)" in page

    def test_the_list_has_what_one_may_open(self, instance: Any, ada: dict[str, str]) -> None:
        instance.publish({"slug": "staff", "title": "Staff", "access": {"role": "admin"}, "pages": [{}]})
        page = get(instance, "/views/", ada).text
        assert "/views/stylize" in page
        assert "/views/staff" not in page
        assert get(instance, "/views/").status_code == 302

    def test_signing_out_ends_it(self, instance: Any) -> None:
        token = instance.session("carla")
        cookie = {"cookie": f"worklets_session={token}"}
        assert get(instance, "/views/stylize", cookie).status_code == 200
        Access(instance.store).end_session(token)
        deadline = 300
        while get(instance, "/views/stylize", cookie).status_code == 200:
            deadline -= 1
            assert deadline, "the session still opens pages"


class TestSockets:
    async def test_the_visitor_s_own(self, instance: Any, ada: dict[str, str]) -> None:
        token = token_of(get(instance, "/views/stylize", ada))
        assert "ACK" in await handshake(instance, token, ada)

    @pytest.mark.parametrize("headers", [{}, {"cookie": "worklets_session=nonsense"}])
    async def test_without_a_session_there_is_none(
        self, instance: Any, ada: dict[str, str], headers: dict[str, str]
    ) -> None:
        token = token_of(get(instance, "/views/stylize", ada))
        with pytest.raises(websockets.InvalidStatus) as caught:
            await handshake(instance, token, headers)
        assert caught.value.response.status_code == 403

    async def test_not_from_another_site_s_page(self, instance: Any, ada: dict[str, str]) -> None:
        token = token_of(get(instance, "/views/stylize", ada))
        with pytest.raises(websockets.InvalidStatus) as caught:
            await handshake(instance, token, ada, origin="http://elsewhere.example")
        assert caught.value.response.status_code == 403

    async def test_not_with_somebody_else_s_page(self, instance: Any, ada: dict[str, str], bob: dict[str, str]) -> None:
        token = token_of(get(instance, "/views/stylize", ada))
        with pytest.raises(websockets.ConnectionClosed):
            await handshake(instance, token, bob)

    async def test_not_with_a_token_that_was_changed(self, instance: Any, ada: dict[str, str]) -> None:
        token = token_of(get(instance, "/views/stylize", ada))
        payload, _, signature = token.partition(".")
        content = json.loads(_decoded(payload))
        content["session_id"] = "mine"
        forged = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=") + "." + signature
        with pytest.raises(websockets.ConnectionClosed):
            await handshake(instance, forged, ada)


class TestOtherAddresses:
    @pytest.mark.parametrize(
        "path",
        [
            "/views/components/os/path/_css/x",
            "/views/components/this/Zen/_css/x",
            "/views/components/prefect_worklets.panel_views.server/x/_css/y",
            "/views/components/panel.command.serve/x/_css/y",
            "/views/ui/x/server.py",
            "/views/ui/x/base.py",
            "/views/ui/x/..%2F..%2Fserver.py",
            "/views/ui/x/",
            "/views/examples/..%2F..%2Fworklets.db",
            "/views/examples/worklets.db",
            "/views/stylize/metadata",
        ],
    )
    def test_lead_to_no_module_and_no_file_of_ours(self, instance: Any, ada: dict[str, str], path: str) -> None:
        assert get(instance, path, ada).status_code in (400, 403, 404)

    def test_autoload_is_closed_like_the_page(self, instance: Any, ada: dict[str, str]) -> None:
        path = "/views/stylize/autoload.js?bokeh-autoload-element=1&bokeh-app-path=/views/stylize"
        assert get(instance, path).status_code == 403
        assert "access-control-allow-origin" not in get(instance, path, ada).headers

    def test_examples_are_for_those_who_signed_in(self, instance: Any, ada: dict[str, str]) -> None:
        assert get(instance, "/views/examples/waves.jpg", ada).headers["content-type"] == "image/jpeg"
        assert get(instance, "/views/examples/waves.jpg").status_code == 302

    def test_the_style_sheets_of_late_documents_come_from_here(self, instance: Any) -> None:
        assert get(instance, "/views/cdn/1.9.4/dist/css/loading.css").status_code == 200

    def test_it_listens_on_this_machine_alone(self, instance: Any) -> None:
        with open(f"/proc/{instance.views.pid}/net/tcp") as table:
            listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
        port = f"{instance.views_port:04X}"
        assert [address.split(":")[0] for address in listening if address.endswith(port)] == ["0100007F"]


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
