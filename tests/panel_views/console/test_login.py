from __future__ import annotations

import re

import httpx
import pytest
from prefect_worklets.connectors.web import SESSION_COOKIE

from .conftest import BASE_URL, Instance

ORIGIN = {"origin": BASE_URL, "sec-fetch-site": "same-origin"}


@pytest.fixture
def link(instance: Instance) -> str:
    user = instance.access.ensure_user("ada", "admin")
    return instance.access.create_login_link(user.id)


class TestLoginLink:
    async def test_it_works_once(self, visitor: httpx.AsyncClient, link: str) -> None:
        page = await visitor.get(f"/login/{link}?next=/console/runs")
        assert page.status_code == 200
        assert "set-cookie" not in page.headers
        action = re.search(r'action="([^"]+)"', page.text)
        assert action is not None
        answer = await visitor.post(action[1].replace("&amp;", "&"), headers=ORIGIN)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/console/runs"
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(SESSION_COOKIE + "=")
        assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert (await visitor.get("/console")).status_code == 200

        visitor.cookies.clear()
        again = await visitor.post(f"/login/{link}", headers=ORIGIN)
        assert again.status_code == 401
        assert "unknown, used or expired" in again.text
        assert (await visitor.get("/console")).status_code == 303

    async def test_looking_does_not_use_it_up(self, visitor: httpx.AsyncClient, link: str) -> None:
        for _ in range(3):
            assert (await visitor.get(f"/login/{link}")).status_code == 200
            assert (await visitor.head(f"/login/{link}")).status_code == 200
        assert (await visitor.post(f"/login/{link}")).status_code == 303

    async def test_the_cookie_is_secure_over_https(self, instance: Instance, link: str) -> None:
        transport = httpx.ASGITransport(app=instance.app)
        async with httpx.AsyncClient(transport=transport, base_url="https://console.test") as client:
            answer = await client.post(f"/login/{link}")
        assert "Secure" in answer.headers["set-cookie"]

    async def test_one_who_is_signed_in_is_asked(self, admin: httpx.AsyncClient, link: str) -> None:
        page = await admin.get(f"/login/{link}")
        assert "signed in as <strong>ada</strong>" in page.text
        assert re.findall("<script[^>]*>", page.text) == re.findall('<script src="/console/static/[^>]*>', page.text)

    @pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/x", "/\\evil.example"])
    async def test_it_leads_to_no_other_site(self, visitor: httpx.AsyncClient, link: str, target: str) -> None:
        page = await visitor.get(f"/login/{link}", params={"next": target})
        assert "evil" not in page.text
        answer = await visitor.post(f"/login/{link}", params={"next": target})
        assert answer.headers["location"] == "/console"

    @pytest.mark.parametrize("token", ["x", "%3Cscript%3E", "..%2f..", "a" * 4000])
    async def test_an_unknown_token(self, visitor: httpx.AsyncClient, token: str) -> None:
        answer = await visitor.post(f"/login/{token}")
        assert answer.status_code in (401, 404)
        assert "<script>" not in answer.text


class TestLoginPage:
    async def test_it_explains(self, visitor: httpx.AsyncClient) -> None:
        page = await visitor.get("/login")
        assert page.status_code == 200
        assert "worklets login" in page.text

    async def test_a_page_leads_there_and_back(self, visitor: httpx.AsyncClient) -> None:
        answer = await visitor.get("/console/runs?state=failed&worklet=a%20b")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?next=%2Fconsole%2Fruns%3Fstate%3Dfailed%26worklet%3Da%2520b"

    async def test_one_who_is_signed_in_goes_on(self, admin: httpx.AsyncClient) -> None:
        answer = await admin.get("/login", params={"next": "/console/views"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/views")


class TestLogout:
    async def test_it_ends_the_session(self, instance: Instance, admin: httpx.AsyncClient) -> None:
        cookies = dict(admin.cookies)
        answer = await admin.post("/logout", headers=ORIGIN)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login"
        admin.cookies.update(cookies)  # a stolen copy is worth nothing either
        assert (await admin.get("/console")).status_code == 303

    @pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
    async def test_not_from_another_site(self, admin: httpx.AsyncClient, headers: dict[str, str]) -> None:
        answer = await admin.post("/logout", headers=headers)
        assert answer.status_code == 403
        assert "another site" in answer.text
        assert (await admin.get("/console")).status_code == 200

    async def test_without_a_session_it_is_no_error(self, visitor: httpx.AsyncClient) -> None:
        assert (await visitor.post("/logout")).status_code == 303
