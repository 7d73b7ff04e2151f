"""The pages and routes of users, keys and one's own account, and signing in by password."""

from __future__ import annotations

import re

import httpx
import pytest
from prefect_worklets.connectors.passwords import FREE_FOR_NAME
from prefect_worklets.connectors.web import SESSION_COOKIE

from .conftest import BASE_URL, Instance

ORIGIN = {"origin": BASE_URL, "sec-fetch-site": "same-origin"}
GOOD = "copper lantern 42"


def browser(instance: Instance, cookies: dict[str, str] | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=instance.app)
    return httpx.AsyncClient(transport=transport, base_url=BASE_URL, cookies=cookies, headers=ORIGIN)


@pytest.fixture
def bob(instance: Instance) -> str:
    instance.access.ensure_user("root", "admin")
    user = instance.access.ensure_user("bob", "builder")
    instance.passwords.set(user.id, GOOD)
    return user.id


class TestSigningIn:
    async def test_by_password_and_on_to_the_page_asked_for(self, visitor: httpx.AsyncClient, bob: str) -> None:
        page = await visitor.get("/login?next=/console/runs")
        action = re.search(r'action="([^"]+)"', page.text)
        assert action is not None
        answer = await visitor.post(action[1], data={"name": "bob", "password": GOOD}, headers=ORIGIN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/runs")
        assert {"HttpOnly", "SameSite=lax"} <= set(answer.headers["set-cookie"].split("; "))
        assert "bob" in (await visitor.get("/console/account")).text

    async def test_a_wrong_one_is_said_and_the_name_stays(self, visitor: httpx.AsyncClient, bob: str) -> None:
        answer = await visitor.post("/login", data={"name": '"><script>', "password": "x"}, headers=ORIGIN)
        assert answer.status_code == 401
        assert "Name or password is wrong" in answer.text
        assert "<script>" not in answer.text
        assert "&#34;&gt;&lt;script&gt;" in answer.text
        assert "set-cookie" not in answer.headers

    async def test_guessing_is_refused_after_a_while(self, visitor: httpx.AsyncClient, bob: str) -> None:
        for _ in range(FREE_FOR_NAME):
            assert (await visitor.post("/login", data={"name": "bob", "password": "x"})).status_code == 401
        answer = await visitor.post("/login", data={"name": "bob", "password": GOOD})
        assert answer.status_code == 429
        assert "try again in 30 seconds" in answer.text

    @pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
    async def test_not_from_another_site(self, visitor: httpx.AsyncClient, bob: str, headers: dict[str, str]) -> None:
        answer = await visitor.post("/login", data={"name": "bob", "password": GOOD}, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers

    async def test_what_is_no_form(self, visitor: httpx.AsyncClient) -> None:
        assert (await visitor.post("/login", content=b"\xff\xfe")).status_code == 400
        assert (await visitor.post("/login", content=b"x" * 50_000)).status_code == 413
        assert (await visitor.post("/login", content=b"&".join([b"a=1"] * 100))).status_code == 400


class TestInvitation:
    async def test_an_admin_gives_a_link_and_the_user_sets_a_password(
        self, admin: httpx.AsyncClient, visitor: httpx.AsyncClient
    ) -> None:
        assert (await admin.post("/api/users", json={"name": "eve", "role": "viewer"})).status_code == 201
        told = (await admin.post("/api/users/eve/links", json={"purpose": "password"})).json()
        path = told["url"].removeprefix(BASE_URL)
        assert "eve" in (await visitor.get(path)).text
        different = await visitor.post(path, data={"password": GOOD, "again": "x"}, headers=ORIGIN)
        assert (different.status_code, "not the same" in different.text) == (400, True)
        short = await visitor.post(path, data={"password": "short", "again": "short"}, headers=ORIGIN)
        assert (short.status_code, "10 to 1000" in short.text) == (400, True)
        answer = await visitor.post(path, data={"password": GOOD, "again": GOOD}, headers=ORIGIN)
        assert answer.status_code == 303
        assert (await visitor.get("/api/account")).json() == {
            "id": told_id(await admin.get("/api/users"), "eve"),
            "name": "eve",
            "role": "viewer",
            "password": True,
        }
        again = await visitor.get(path)
        assert (again.status_code, "unknown, used" in again.text) == (401, True)

    async def test_not_from_another_site(self, instance: Instance, visitor: httpx.AsyncClient) -> None:
        user = instance.access.ensure_user("eve", "viewer")
        token = instance.passwords.invite(user.id)
        data = {"password": GOOD, "again": GOOD}
        answer = await visitor.post(f"/invitation/{token}", data=data, headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 403
        assert not instance.passwords.has_one(user.id)


def told_id(answer: httpx.Response, name: str) -> str:
    return next(user["id"] for user in answer.json()["users"] if user["name"] == name)


class TestAccount:
    async def test_changing_the_password_ends_the_other_browsers(self, instance: Instance, bob: str) -> None:
        cookies = [{SESSION_COOKIE: instance.access.create_session(bob)} for _ in range(2)]
        async with browser(instance, cookies[0]) as mine, browser(instance, cookies[1]) as other:
            assert "Change your password" in (await mine.get("/console/account")).text
            refused = await mine.post("/api/account/password", json={"old": "wrong", "new": "another lantern 43"})
            assert refused.status_code == 403
            done = await mine.post("/api/account/password", json={"old": GOOD, "new": "another lantern 43"})
            assert done.status_code == 200
            assert (await mine.get("/api/account")).status_code == 200
            assert (await other.get("/api/account")).status_code == 401

    async def test_signing_out_everywhere(self, instance: Instance, bob: str) -> None:
        cookies = [{SESSION_COOKIE: instance.access.create_session(bob)} for _ in range(2)]
        async with browser(instance, cookies[0]) as mine, browser(instance, cookies[1]) as other:
            assert (await mine.post("/api/account/sign-out")).status_code == 200
            assert (await other.get("/api/account")).status_code == 401

    async def test_a_key_has_no_account(self, instance: Instance, visitor: httpx.AsyncClient) -> None:
        headers = {"authorization": f"Bearer {instance.access.create_key('k', 'admin')}"}
        for path in ("password", "sign-out"):
            answer = await visitor.post(f"/api/account/{path}", json={"new": GOOD}, headers=headers)
            assert answer.status_code == 403

    async def test_not_from_another_site(self, instance: Instance, bob: str) -> None:
        async with browser(instance, {SESSION_COOKIE: instance.access.create_session(bob)}) as mine:
            elsewhere = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
            answer = await mine.post("/api/account/password", json={"old": GOOD, "new": GOOD}, headers=elsewhere)
        assert answer.status_code == 403


class TestUsers:
    async def test_an_admin_changes_them(self, admin: httpx.AsyncClient, bob: str) -> None:
        assert (await admin.patch("/api/users/bob", json={"role": "viewer"})).json()["role"] == "viewer"
        assert (await admin.patch("/api/users/bob", json={"disabled": True})).json()["disabled"] is True
        assert (await admin.post("/api/users/bob/links", json={})).status_code == 400
        assert (await admin.patch("/api/users/bob", json={"disabled": False})).json()["disabled"] is False
        assert (await admin.post("/api/users/bob/links", json={})).json()["url"].startswith(f"{BASE_URL}/login/")
        page = (await admin.get("/console/users")).text
        assert "bob" in page
        assert 'aria-label="Disable bob"' in page

    @pytest.mark.parametrize(
        ("method", "path", "body", "status"),
        [
            ("POST", "/api/users", {"name": "bob"}, 409),
            ("POST", "/api/users", {"name": ""}, 400),
            ("POST", "/api/users", {"name": "eve", "role": "queen"}, 400),
            ("POST", "/api/users", {"name": "eve", "admin": True}, 400),
            ("PATCH", "/api/users/nobody", {"role": "viewer"}, 404),
            ("POST", "/api/users/nobody/links", {}, 404),
            ("POST", "/api/users/bob/links", {"purpose": "theft"}, 400),
            ("POST", "/api/users/nobody/sign-out", {}, 404),
        ],
    )
    async def test_what_is_refused(
        self, admin: httpx.AsyncClient, bob: str, method: str, path: str, body: object, status: int
    ) -> None:
        assert (await admin.request(method, path, json=body)).status_code == status

    @pytest.mark.parametrize("role", ["viewer", "operator", "builder"])
    async def test_for_admins_alone(self, instance: Instance, role: str) -> None:
        _, cookies = instance.user("eve", role)
        async with browser(instance, cookies) as eve:
            for method, path in (
                ("GET", "/api/users"),
                ("POST", "/api/users"),
                ("PATCH", "/api/users/eve"),
                ("POST", "/api/users/eve/links"),
                ("POST", "/api/users/eve/sign-out"),
                ("GET", "/console/users"),
            ):
                assert (await eve.request(method, path, json={"role": "admin"})).status_code == 403, path


class TestKeys:
    async def test_one_sees_and_ends_ones_own(self, instance: Instance, admin: httpx.AsyncClient) -> None:
        _, cookies = instance.user("eve", "operator")
        await admin.post("/api/keys", json={"name": "theirs", "role": "admin"})
        async with browser(instance, cookies) as eve:
            made = await eve.post("/api/keys", json={"name": "mine", "days": 7, "scopes": ["worklet:greet"]})
            assert made.status_code == 201
            assert instance.access.by_key(made.json()["key"]).scopes == {"worklet:greet"}
            [listed] = (await eve.get("/api/keys")).json()["keys"]
            assert listed["name"] == "mine"
            assert "key_hash" not in listed
            assert made.json()["key"] not in (await eve.get("/console/keys")).text
            assert "theirs" not in (await eve.get("/console/keys")).text
            assert (await eve.delete("/api/keys/theirs")).status_code == 404
            assert (await eve.delete("/api/keys/mine")).status_code == 204
        assert "theirs" in (await admin.get("/console/keys")).text

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"name": "k", "role": "builder"}, 403),
            ({"name": "k", "role": "queen"}, 400),
            ({"name": "k", "days": 0}, 400),
            ({"name": "k", "days": 1e9}, 400),
            ({"name": "k", "scopes": []}, 400),
            ({"name": "k", "scopes": ["everything"]}, 400),
            ({"name": "k", "scopes": ["worklet:../x"]}, 400),
            ({}, 400),
        ],
    )
    async def test_what_is_refused(self, instance: Instance, body: object, status: int) -> None:
        _, cookies = instance.user("eve", "operator")
        async with browser(instance, cookies) as eve:
            assert (await eve.post("/api/keys", json=body)).status_code == status

    async def test_a_key_makes_none(self, instance: Instance, visitor: httpx.AsyncClient) -> None:
        headers = {"authorization": f"Bearer {instance.access.create_key('k', 'admin')}"}
        answer = await visitor.post("/api/keys", json={"name": "child"}, headers=headers)
        assert answer.status_code == 403


class TestScopes:
    async def test_a_scoped_key_reaches_nothing_else(self, pushed: Instance, visitor: httpx.AsyncClient) -> None:
        given = {"person": {"name": "Ada", "age": 36}}
        for scope, status in (("worklet:greet", 200), ("worklet:greeting", 403), ("model:greet", 403)):
            headers = {"authorization": f"Bearer {pushed.access.create_key(scope, 'admin', scopes=[scope])}"}
            answer = await visitor.post("/api/worklets/greet/invoke", json=given, headers=headers)
            assert answer.status_code == status, scope
            assert (await visitor.get("/api/worklets/greet", headers=headers)).status_code == status
            for path in ("/api/worklets", "/api/users", "/api/keys", "/api/openapi.json", "/api/tables/t/rows"):
                assert (await visitor.get(path, headers=headers)).status_code == 403, path
            for path in ("/console", "/console/worklets"):
                assert (await visitor.get(path, headers=headers)).status_code == 403, path
            assert (await visitor.get("/api/runs", headers=headers)).status_code == 200
