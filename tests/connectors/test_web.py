"""The guard, problem documents and bodies, over HTTP and websockets as a browser or a program sends them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import numpy as np
import orjson
import pytest
from prefect_worklets.connectors.access import Access, Role
from prefect_worklets.connectors.errors import BadInput, Fault, NotFound, NotSignedIn, TooLarge, WorkletsError
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.web import (
    ON_BEHALF_HEADER,
    SESSION_COOKIE,
    Guard,
    clear_session_cookie,
    json_response,
    problem_response,
    read_body,
    read_json,
    set_session_cookie,
)
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket

HOST = "worklets.example"


class Site:
    """An app behind the guard, and its callers."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.guard = Guard(access)
        self.ada = access.add_user("ada", "operator")
        self.session = access.create_session(self.ada.id)
        self.key = access.create_key("ci", "viewer")
        routes = [
            Route("/who", self.who, methods=["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]),
            Route("/build", self.build, methods=["POST"]),
            Route("/json", self.json, methods=["POST"]),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            WebSocketRoute("/socket", self.socket),
        ]
        self.app = Starlette(routes=routes, exception_handlers={WorkletsError: self.failed})

    async def failed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, WorkletsError)
        return problem_response(error)

    async def who(self, request: Request) -> Response:
        principal = await self.guard(request, Role.viewer)
        return json_response({"id": principal.id, "name": principal.name, "role": principal.role.name})

    async def build(self, request: Request) -> Response:
        await self.guard(request, Role.builder, "push code")
        return PlainTextResponse("built")

    async def json(self, request: Request) -> Response:
        return json_response(await read_json(request, limit=100))

    async def sign_in(self, request: Request) -> Response:
        response = PlainTextResponse("done")
        if "out" in request.query_params:
            clear_session_cookie(response)
        else:
            set_session_cookie(response, request, self.session)
        return response

    async def socket(self, socket: WebSocket) -> None:
        try:
            principal = await self.guard.principal(socket)
        except WorkletsError:
            await socket.close(4401)
            return
        await socket.accept()
        await socket.send_text(principal.name)
        await socket.close()


@pytest.fixture
def site(sqlite_store: Store) -> Site:
    return Site(Access(sqlite_store, internal_key="internal-key"))


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(site.app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        yield client


class TestKnowsTheCaller:
    async def test_by_key(self, client: httpx.AsyncClient, site: Site) -> None:
        for scheme in ("Bearer", "bearer", "BEARER "):
            answer = await client.get("/who", headers={"authorization": f"{scheme} {site.key}"})
            assert answer.json()["name"] == "ci"

    async def test_by_cookie(self, client: httpx.AsyncClient, site: Site) -> None:
        client.cookies.set(SESSION_COOKIE, site.session)
        assert (await client.get("/who")).json() == {"id": site.ada.id, "name": "ada", "role": "operator"}

    async def test_a_wrong_key_is_not_helped_by_a_cookie(self, client: httpx.AsyncClient, site: Site) -> None:
        client.cookies.set(SESSION_COOKIE, site.session)
        assert (await client.get("/who", headers={"authorization": "Bearer wk_wrong"})).status_code == 401

    @pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", "wk_x", "Bearer \u00e9"])
    async def test_nobody_is_asked_to_sign_in(self, client: httpx.AsyncClient, value: str) -> None:
        answer = await client.get("/who", headers={"authorization": value.encode("latin-1")})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"

    async def test_an_internal_process_acts_for_a_user(self, client: httpx.AsyncClient, site: Site) -> None:
        headers = {"authorization": "Bearer internal-key"}
        assert (await client.get("/who", headers=headers)).json()["name"] == "internal"
        for_ada = {**headers, ON_BEHALF_HEADER: site.ada.id}
        assert (await client.get("/who", headers=for_ada)).json() == {
            "id": site.ada.id,
            "name": "ada",
            "role": "operator",
        }
        for_nobody = {**headers, ON_BEHALF_HEADER: "nobody"}
        assert (await client.get("/who", headers=for_nobody)).status_code == 401

    async def test_nobody_else_acts_for_a_user(self, client: httpx.AsyncClient, site: Site) -> None:
        headers = {"authorization": f"Bearer {site.key}", ON_BEHALF_HEADER: site.ada.id}
        assert (await client.get("/who", headers=headers)).json()["name"] == "ci"
        assert (await client.get("/who", headers={ON_BEHALF_HEADER: site.ada.id})).status_code == 401

    async def test_a_role_that_is_too_low(self, client: httpx.AsyncClient, site: Site) -> None:
        answer = await client.post("/build", headers={"authorization": f"Bearer {site.key}"})
        assert answer.status_code == 403
        assert "may not push code" in answer.json()["detail"]


SAME = f"http://{HOST}"
FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": f"http://{HOST}.evil.example"},
    {"origin": f"http://{HOST}:1"},
    {"origin": "null"},
    {"origin": "null", "host": ""},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": SAME},
    {"sec-fetch-site": "something-new"},
]
OWN = [{}, {"origin": SAME}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}]


class TestAnotherSitesPage:
    @pytest.mark.parametrize("headers", FOREIGN)
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_changes_nothing_with_the_cookie(
        self, client: httpx.AsyncClient, site: Site, headers: dict[str, str], method: str
    ) -> None:
        client.cookies.set(SESSION_COOKIE, site.session)
        answer = await client.request(method, "/who", headers=headers)
        assert answer.status_code == 403
        assert "another site" in answer.json()["detail"]

    @pytest.mark.parametrize("headers", OWN)
    async def test_our_own_page_may(self, client: httpx.AsyncClient, site: Site, headers: dict[str, str]) -> None:
        client.cookies.set(SESSION_COOKIE, site.session)
        assert (await client.post("/who", headers=headers)).status_code == 200

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    async def test_may_lead_to_ours(self, client: httpx.AsyncClient, site: Site, method: str) -> None:
        client.cookies.set(SESSION_COOKIE, site.session)
        assert (await client.request(method, "/who", headers={"sec-fetch-site": "cross-site"})).status_code == 200

    async def test_a_key_is_proof_enough(self, client: httpx.AsyncClient, site: Site) -> None:
        headers = {"authorization": f"Bearer {site.key}", "origin": "https://evil.example"}
        assert (await client.post("/who", headers=headers)).status_code == 200

    @pytest.mark.parametrize(
        ("headers", "name"), [({"origin": SAME}, "ada"), ({}, "ada"), ({"origin": "https://evil.example"}, None)]
    )
    async def test_opens_no_websocket(self, site: Site, headers: dict[str, str], name: str | None) -> None:
        sent = await open_websocket(site, {"host": HOST, "cookie": f"{SESSION_COOKIE}={site.session}", **headers})
        if name is None:
            assert [message["type"] for message in sent] == ["websocket.close"]
        else:
            assert sent[1]["text"] == name


async def open_websocket(site: Site, headers: dict[str, str]) -> list[Message]:
    """What the app sends to a browser that opens /socket."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/socket",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await site.app(scope, receive, send)
    return sent


class TestCookie:
    @pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
    async def test_is_kept_from_scripts_and_other_sites(self, site: Site, scheme: str, secure: bool) -> None:
        transport = httpx.ASGITransport(site.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://{HOST}") as client:
            cookie = (await client.post("/sign-in")).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert ("secure" in cookie) is secure

    async def test_signs_in_and_out(self, client: httpx.AsyncClient) -> None:
        await client.post("/sign-in")
        assert (await client.get("/who")).status_code == 200
        await client.post("/sign-in?out=1")
        assert (await client.get("/who")).status_code == 401


class TestProblem:
    def test_has_the_shape_of_the_standard(self) -> None:
        error = BadInput("It does not fit.", faults=[Fault(("a", 0), "is wrong", "kind", "do this")])
        response = problem_response(error, {"x-run-id": "r"})
        assert response.status_code == 400
        assert response.headers["x-run-id"] == "r"
        assert orjson.loads(bytes(response.body)) == {
            "type": "urn:worklets:problem:bad-input",
            "title": "Bad input",
            "status": 400,
            "detail": "It does not fit.",
            "errors": [{"loc": ["a", 0], "msg": "is wrong", "type": "kind", "fix": "do this"}],
        }

    @pytest.mark.parametrize(
        ("error", "status"), [(NotFound("x"), 404), (TooLarge("x"), 413), (NotSignedIn("x"), 401), (BadInput("x"), 400)]
    )
    def test_has_the_status_of_its_class(self, error: WorkletsError, status: int) -> None:
        assert problem_response(error).status_code == status

    def test_leaves_the_callers_headers_alone(self) -> None:
        headers = {"x-run-id": "r"}
        problem_response(NotSignedIn("x"), headers)
        assert headers == {"x-run-id": "r"}


class TestBodies:
    async def test_json_in_and_out(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/json", content=b'{"a": [1, null]}')).json() == {"a": [1, None]}
        assert (await client.post("/json")).json() is None

    @pytest.mark.parametrize("body", [b"{", b"NaN", b"\xff", b"{'a': 1}", b"[" * 90])
    async def test_what_is_no_json_is_told(self, client: httpx.AsyncClient, body: bytes) -> None:
        answer = await client.post("/json", content=body)
        assert answer.status_code == 400
        assert "not valid JSON" in answer.json()["detail"]

    async def test_announced_too_large(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/json", content=b"1" * 101)
        assert answer.status_code == 413
        assert "101 bytes and may have 100" in answer.json()["detail"]

    async def test_unannounced_too_large(self, client: httpx.AsyncClient) -> None:
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(100):
                sent += 1
                yield b"1" * 60

        answer = await client.post("/json", content=endless())
        assert answer.status_code == 413
        assert sent < 100

    async def test_a_lying_length_is_no_crash(self) -> None:
        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"12", "more_body": False}

        scope = {"type": "http", "method": "POST", "headers": [(b"content-length", b"\xb2")]}
        assert await read_body(Request(scope, receive), 10) == b"12"

    def test_values_of_science_are_understood(self) -> None:
        class Point(BaseModel):
            x: int

        value = {"a": np.arange(2), "p": Point(x=1), "nan": float("nan"), "t": datetime(2026, 1, 1, tzinfo=UTC)}
        assert orjson.loads(bytes(json_response(value, 201).body)) == {
            "a": [0, 1],
            "p": {"x": 1},
            "nan": None,
            "t": "2026-01-01T00:00:00+00:00",
        }

    def test_what_is_no_json_value_is_an_error_of_ours(self) -> None:
        with pytest.raises(TypeError, match="not JSON"):
            json_response({"a": object()})
