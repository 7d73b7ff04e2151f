"""Links for anyone, over HTTP and websockets: what they open, what they don't, and that they end."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
import websockets
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.passwords import Passwords
from prefect_worklets.connectors.secret import derived_key
from prefect_worklets.connectors.shares import Shares

pytestmark = pytest.mark.integration
# Requests of strangers are counted for each address.
INSTANCE_OF_ITS_OWN = True
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def shares(instance: Any) -> Shares:
    """As the instance's own processes see them."""
    access = Access(instance.store)
    return Shares(instance.store, derived_key(instance.data, "shares"), Passwords(instance.store, access))


@pytest.fixture(scope="module")
def link(instance: Any, shares: Shares) -> str:
    return shares.create("stylize")[1]


def get(instance: Any, path: str, **options: Any) -> httpx.Response:
    return httpx.get(instance.url + path, timeout=20, **options)


def ticket_of(page: httpx.Response) -> str:
    found = re.search(r'name="worklets-ticket" content="([^"]+)"', page.text)
    assert found is not None, page.text[:2000]
    return found[1]


def token_of(page: httpx.Response) -> str:
    found = re.search(r'"token":"([^"]+)"', page.text)
    assert found is not None
    return found[1]


def connect(instance: Any, path: str, token: str, **options: Any) -> Any:
    options.setdefault("origin", instance.url)
    return websockets.connect(
        f"ws://127.0.0.1:{instance.port}{path}",
        subprotocols=[websockets.Subprotocol("bokeh"), websockets.Subprotocol(token)],
        open_timeout=10,
        **options,
    )


async def closed(connection: Any) -> None:
    """Wait until the server closes the connection."""
    with contextlib.suppress(websockets.ConnectionClosed):
        async with asyncio.timeout(40):
            async for _ in connection:
                pass
    assert connection.close_code == 1008


class TestByLink:
    def test_it_opens_the_view_without_an_account(self, instance: Any, link: str) -> None:
        page = get(instance, f"/share/{link}")
        assert page.status_code == 200
        assert "<h1>Stylize</h1>" in page.text
        assert f"Path=/share/{link}" in page.headers["set-cookie"]
        assert "HttpOnly" in page.headers["set-cookie"]
        assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
        script = re.search(r'src="(static/js/bokeh.min.js[^"]*)"', page.text)
        assert script is not None
        assert get(instance, f"/share/{script[1]}").headers["content-type"].endswith("/javascript")

    async def test_its_websocket_needs_no_cookie(self, instance: Any, link: str) -> None:
        page = get(instance, f"/share/{link}")
        for path in (f"/share/{link}/ws", "/views/stylize/ws", "/embed/stylize/ws"):
            async with connect(instance, path, token_of(page)) as connection:
                assert "ACK" in str(await asyncio.wait_for(connection.recv(), 10))

    def test_each_visitor_is_another_and_stays_who_they_are(self, instance: Any, link: str) -> None:
        first, second = (get(instance, f"/share/{link}") for _ in range(2))
        assert guest(first) != guest(second)
        again = get(instance, f"/share/{link}", headers={"cookie": first.headers["set-cookie"].partition(";")[0]})
        assert guest(again) == guest(first)

    def test_files_are_the_visitor_s_own(self, instance: Any, link: str) -> None:
        mine, theirs = (ticket_of(get(instance, f"/share/{link}")) for _ in range(2))
        files = f"{instance.url}/api/files"
        kept = httpx.post(files, params={"ticket": mine}, content=PNG, headers={"content-type": "image/png"})
        assert kept.status_code == 201, kept.text
        address = kept.json()["url"]
        assert get(instance, address, params={"ticket": mine}).content == PNG
        assert get(instance, address, params={"ticket": theirs}).status_code == 404
        assert get(instance, address).status_code == 401
        assert get(instance, "/views/examples/temple.jpg", params={"ticket": mine}).status_code == 200
        assert get(instance, "/views/examples/temple.jpg").status_code == 302

    def test_a_ticket_opens_nothing_else(self, instance: Any, link: str) -> None:
        ticket = ticket_of(get(instance, f"/share/{link}"))
        for path in (
            "/api/views",
            "/api/views/stylize",
            "/api/views/stylize/shares",
            "/api/tables/stylized/rows",
            "/views/",
            "/views/stylize",
        ):
            for how in (
                {"params": {"ticket": ticket}},
                {"headers": {"authorization": f"Bearer {ticket}"}},
                {"headers": {"x-worklets-user": ticket}},
                {"headers": {"cookie": f"worklets_session={ticket}; worklets_ticket={ticket}"}},
            ):
                assert get(instance, path, **how).status_code in (302, 401, 403), (path, how)
        for worklet in ("stylize", "other"):
            address = f"{instance.url}/api/worklets/{worklet}/invoke"
            assert httpx.post(address, json={}, params={"ticket": ticket}).status_code in (401, 404)
            assert httpx.post(address, json={}, headers={"authorization": f"Bearer {ticket}"}).status_code in (401, 404)

    def test_another_view_s_link_is_none(self, instance: Any, shares: Shares, link: str) -> None:
        instance.publish({"slug": "hidden", "title": "Hidden", "pages": [{}]})
        ticket = ticket_of(get(instance, f"/share/{link}"))
        headers = {"x-worklets-ticket": ticket}
        refused = httpx.get(f"http://127.0.0.1:{instance.views_port}/views/hidden", headers=headers)
        assert (refused.status_code, "another view" in refused.text) == (404, True)
        assert get(instance, "/embed/hidden", params={"token": link}).status_code == 404

    async def test_another_view_s_websocket_is_closed_to_it(self, instance: Any, link: str) -> None:
        instance.publish({"slug": "hidden", "title": "Hidden", "pages": [{}]})
        token = token_of(get(instance, f"/share/{link}"))
        for path in ("/views/hidden/ws", "/embed/hidden/ws"):
            with pytest.raises(websockets.InvalidStatus):
                async with connect(instance, path, token):
                    pass

    @pytest.mark.parametrize("change", ["one letter", "another id", "nonsense", "empty"])
    def test_a_token_that_was_changed(self, instance: Any, shares: Shares, link: str, change: str) -> None:
        identity, _, signed = link.partition(".")
        token = {
            "one letter": f"{identity}.{signed[:-1]}{'A' if signed[-1] != 'A' else 'B'}",
            "another id": f"{'0' * 24}.{signed}",
            "nonsense": "%3Cscript%3E",
            "empty": "",
        }[change]
        answer = get(instance, f"/share/{token}")
        assert answer.status_code == 404
        assert "leads nowhere" in answer.text
        assert "<script>" not in answer.text

    def test_a_ticket_that_was_changed(self, instance: Any, link: str) -> None:
        ticket = ticket_of(get(instance, f"/share/{link}"))
        parts = ticket.split(".")
        for number, value in enumerate(("0" * 24, "public", "hidden", "99999999999", "A" * 32)):
            forged = ".".join([*parts[:number], value, *parts[number + 1 :]])
            answer = get(instance, "/views/examples/temple.jpg", params={"ticket": forged})
            assert answer.status_code == 302, forged


def guest(page: httpx.Response) -> str:
    return ticket_of(page).partition(".")[0]


class TestEnding:
    def test_an_expired_one(self, instance: Any, shares: Shares, monkeypatch: pytest.MonkeyPatch) -> None:
        share, token = shares.create("stylize", life=timedelta(minutes=1))
        page = get(instance, f"/share/{token}")
        with instance.store.session() as session:
            share.expires_at = share.created_at
            session.merge(share)
        answer = get(instance, f"/share/{token}", headers={"cookie": page.headers["set-cookie"].partition(";")[0]})
        assert (answer.status_code, "has ended" in answer.text) == (404, True)

    async def test_revoking_shuts_out_who_is_connected(self, instance: Any, shares: Shares) -> None:
        share, token = shares.create("stylize")
        page = get(instance, f"/share/{token}")
        async with connect(instance, f"/share/{token}/ws", token_of(page)) as connection:
            assert "ACK" in str(await asyncio.wait_for(connection.recv(), 10))
            shares.revoke("stylize", share.id)
            await closed(connection)
        assert get(instance, f"/share/{token}").status_code == 404
        with pytest.raises((websockets.InvalidStatus, websockets.ConnectionClosed)):
            async with connect(instance, "/views/stylize/ws", token_of(page)) as connection:
                await asyncio.wait_for(connection.recv(), 10)
        files = {"ticket": ticket_of(page)}
        deadline = time.monotonic() + 30
        while get(instance, "/api/files/" + "0" * 32, params=files).status_code != 401:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)

    async def test_signing_out_does_the_same(self, instance: Any) -> None:
        session = instance.session("leaving")
        headers = {"cookie": f"worklets_session={session}"}
        page = get(instance, "/views/stylize", headers=headers)
        async with connect(instance, "/views/stylize/ws", token_of(page), additional_headers=headers) as connection:
            assert "ACK" in str(await asyncio.wait_for(connection.recv(), 10))
            Access(instance.store).end_session(session)
            await closed(connection)


class TestPassword:
    def test_it_is_asked_once(self, instance: Any, shares: Shares) -> None:
        _, token = shares.create("stylize", password="open sesame")
        with httpx.Client(base_url=instance.url, follow_redirects=True, timeout=20) as browser:
            asked = browser.get(f"/share/{token}")
            assert "This page is protected" in asked.text
            assert "worklets-ticket" not in asked.text
            wrong = browser.post(f"/share/{token}", data={"password": "guess"})
            assert (wrong.status_code, "wrong" in wrong.text) == (403, True)
            assert "<h1>Stylize</h1>" in browser.post(f"/share/{token}", data={"password": "open sesame"}).text
            assert "<h1>Stylize</h1>" in browser.get(f"/share/{token}").text
        assert "This page is protected" in get(instance, f"/share/{token}").text

    def test_a_ticket_of_another_link_is_not_enough(self, instance: Any, shares: Shares, link: str) -> None:
        _, token = shares.create("stylize", password="open sesame")
        ticket = ticket_of(get(instance, f"/share/{link}"))
        answer = get(instance, f"/share/{token}", headers={"cookie": f"worklets_ticket={ticket}"})
        assert "This page is protected" in answer.text
        embedded = get(instance, "/embed/stylize", params={"token": token, "visitor": ticket})
        assert "This page is protected" in embedded.text

    def test_guessing_is_slowed_down(self, instance: Any, shares: Shares) -> None:
        _, token = shares.create("stylize", password="open sesame")
        address = f"{instance.url}/share/{token}"
        answers = [httpx.post(address, data={"password": str(number)}, timeout=20).status_code for number in range(6)]
        assert answers == [403] * 5 + [429]


class TestOpenToAll:
    async def test_visitors_are_apart_and_known_again(self, instance: Any) -> None:
        instance.publish({"slug": "open", "title": "Open", "access": {"public": True}, "pages": [{}]})
        first, second = (get(instance, "/views/open") for _ in range(2))
        assert guest(first) != guest(second)
        cookie = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        assert guest(get(instance, "/views/open", headers=cookie)) == guest(first)
        async with connect(instance, "/views/open/ws", token_of(first)) as connection:
            assert "ACK" in str(await asyncio.wait_for(connection.recv(), 10))
            instance.publish({"slug": "open", "title": "Open", "pages": [{}]})
            await closed(connection)

    def test_a_private_view_is_for_its_users(self, instance: Any) -> None:
        access = {"private": True, "users": ["ada"]}
        instance.publish({"slug": "own", "title": "Own", "access": access, "pages": [{}]})
        for name, role, status in (("ada", "viewer", 200), ("bert", "builder", 403), ("root", "admin", 200)):
            cookie = {"cookie": f"worklets_session={instance.session(name, role)}"}
            assert get(instance, "/views/own", headers=cookie).status_code == status, name
            assert (get(instance, "/api/views/own", headers=cookie).status_code == 200) is (status == 200)


class TestApi:
    def call(self, instance: Any, method: str, path: str, role: str = "builder", **options: Any) -> httpx.Response:
        key = Access(instance.store).replace_key(f"api {role}", role)
        return httpx.request(
            method, instance.url + path, headers={"authorization": f"Bearer {key}"}, timeout=20, **options
        )

    def test_make_list_and_end(self, instance: Any) -> None:
        instance.publish({"slug": "listed", "title": "Listed", "pages": [{}]})
        made = self.call(instance, "POST", "/api/views/listed/shares", json={"days": 7, "label": "For the fair"})
        assert made.status_code == 201
        assert httpx.get(made.json()["url"], timeout=20).status_code == 200
        [listed] = self.call(instance, "GET", "/api/views/listed/shares").json()["shares"]
        assert listed == made.json()
        assert "password_hash" not in listed
        assert self.call(instance, "DELETE", f"/api/views/stylize/shares/{listed['id']}").status_code == 404
        assert self.call(instance, "DELETE", f"/api/views/listed/shares/{listed['id']}").status_code == 204
        [ended] = self.call(instance, "GET", "/api/views/listed/shares").json()["shares"]
        assert (ended["url"], ended["token"]) == (None, None)

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"days": 0}, "days"),
            ({"days": 400}, "days"),
            ({"password": "short"}, "6 to 1000"),
            ({"label": "x" * 101}, "100 printable"),
            ({"forever": True}, "forever"),
        ],
    )
    def test_what_is_refused(self, instance: Any, body: object, said: str) -> None:
        answer = self.call(instance, "POST", "/api/views/stylize/shares", json=body)
        assert answer.status_code == 400
        assert said in answer.text

    def test_for_builders_who_may_open_the_view(self, instance: Any) -> None:
        instance.publish({"slug": "closed", "title": "Closed", "access": {"private": True}, "pages": [{}]})
        for role, slug, status in (("operator", "stylize", 403), ("builder", "closed", 404), ("builder", "none", 404)):
            for method, path in (("GET", "shares"), ("POST", "shares"), ("GET", "access"), ("PUT", "access")):
                answer = self.call(instance, method, f"/api/views/{slug}/{path}", role, json={})
                assert answer.status_code == status, (role, slug, method, path)

    def test_who_may_look_is_a_new_version(self, instance: Any) -> None:
        instance.publish({"slug": "moved", "title": "Moved", "pages": [{}]})
        access = {"private": True, "users": ["ada"], "origins": ["https://wiki.example.org"]}
        changed = self.call(instance, "PUT", "/api/views/moved/access", json=access)
        assert changed.json()["version"] == 2
        # Whoever makes it private keeps it.
        assert changed.json()["users"] == ["ada", "api builder"]
        wrong = self.call(instance, "PUT", "/api/views/moved/access", json={"origins": ["javascript:alert(1)", "x y"]})
        assert (wrong.status_code, len(wrong.json()["errors"])) == (400, 2)
