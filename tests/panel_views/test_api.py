"""The routes below /api/views."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.errors import WorkletsError
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.web import Guard, problem_response
from prefect_worklets.panel_views import api
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async def tell(request: Request, error: Exception) -> Response:
        assert isinstance(error, WorkletsError)
        return problem_response(error)

    app = Starlette(routes=api.routes(store, Guard(Access(store))), exception_handlers={WorkletsError: tell})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test") as opened:
        yield opened


@pytest.fixture
def keys(store: Store) -> dict[str, dict[str, str]]:
    access = Access(store)
    return {
        role: {"authorization": f"Bearer {access.create_key(role, role)}"} for role in ("viewer", "operator", "builder")
    }


async def test_publish_list_and_read(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]], small: dict[str, Any]
) -> None:
    answer = await client.post("/api/views", json=small, headers=keys["builder"])
    assert (answer.status_code, answer.json()) == (201, {"slug": "small", "version": 1, "address": "/views/small"})
    listed = (await client.get("/api/views", headers=keys["viewer"])).json()["views"]
    assert [(view["slug"], view["version"]) for view in listed] == [("small", 1)]
    assert (await client.get("/api/views/small", headers=keys["viewer"])).json()["title"] == "Small"


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_only_builders_publish(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]], small: dict[str, Any], role: str
) -> None:
    assert (await client.post("/api/views", json=small, headers=keys[role])).status_code == 403


@pytest.mark.parametrize("path", ["/api/views", "/api/views/small", "/api/views/schema", "/api/views/components"])
async def test_nobody_reads_without_a_key(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 401


async def test_a_view_above_one_s_role_is_not_there(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]], small: dict[str, Any]
) -> None:
    (await client.post("/api/views", json={**small, "access": {"role": "builder"}}, headers=keys["builder"]))
    assert (await client.get("/api/views/small", headers=keys["viewer"])).status_code == 404
    assert (await client.get("/api/views", headers=keys["viewer"])).json() == {"views": []}


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[]", 400), (b"", 400), (b"x" * 3_000_000, 413)])
async def test_bodies_that_are_no_document(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]], body: bytes, status: int
) -> None:
    assert (await client.post("/api/views", content=body, headers=keys["builder"])).status_code == status


async def test_faults_come_with_their_places(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]], small: dict[str, Any]
) -> None:
    small["pages"][0]["components"][0]["type"] = "slidr"
    answer = await client.post("/api/views", json=small, headers=keys["builder"])
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["loc"] == ["pages", 0, "components", 0, "type"]


async def test_a_draft_from_its_beginning_to_a_roll_back(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]], small: dict[str, Any]
) -> None:
    by = {"headers": keys["builder"]}
    made = await client.post("/api/views/drafts", json={"document": small}, **by)
    assert (made.status_code, made.json()["edit"]) == (201, "/console/views/small/edit")
    assert (await client.get("/api/views/small", **by)).status_code == 404
    change = {"base": 1, "operations": [{"op": "set", "id": "go", "name": "label", "value": "Go"}]}
    changed = (await client.post("/api/views/small/draft/operations", json=change, **by)).json()
    assert changed["revision"] == 2
    assert changed["undo"] == [{"op": "set", "id": "go", "name": "label", "unset": True}]
    again = await client.post("/api/views/small/draft/operations", json=change, **by)
    assert (again.status_code, again.json()["errors"][0]["loc"]) == (409, ["component", "go"])
    assert "builder set label" in again.json()["errors"][0]["msg"]
    published = await client.post("/api/views/small/draft/publish", json={"base": 2, "note": "Hello"}, **by)
    assert (published.status_code, published.json()["version"]) == (201, 1)
    changes = (await client.get("/api/views/small/draft/changes?since=1", **by)).json()["changes"]
    assert [one["revision"] for one in changes] == [2]
    undone = {"base": 2, "operations": changed["undo"]}
    await client.post("/api/views/small/draft/operations", json=undone, **by)
    lines = (await client.get("/api/views/small/diff", **by)).json()["changes"]
    assert [line["text"] for line in lines] == ["set label of button “Go”"]
    await client.post("/api/views/small/draft/publish", json={"base": 3}, **by)
    rolled = await client.post("/api/views/small/rollback", json={"to": 1}, **by)
    assert rolled.json()["version"] == 3
    versions = (await client.get("/api/views/small/versions", **by)).json()["versions"]
    assert [(one["number"], one["live"], one["source"]) for one in versions] == [
        (3, True, "builder"),
        (2, False, "builder"),
        (1, False, "builder"),
    ]
    assert (await client.get("/api/views/small/versions/1", **by)).json()["title"] == "Small"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/views/drafts"),
        ("POST", "/api/views/drafts"),
        ("GET", "/api/views/small/draft"),
        ("PUT", "/api/views/small/draft"),
        ("DELETE", "/api/views/small/draft?base=0"),
        ("POST", "/api/views/small/draft/operations"),
        ("GET", "/api/views/small/draft/changes?since=0"),
        ("POST", "/api/views/small/draft/publish"),
        ("POST", "/api/views/small/draft/presence"),
        ("GET", "/api/views/small/versions"),
        ("GET", "/api/views/small/versions/1"),
        ("GET", "/api/views/small/diff"),
        ("POST", "/api/views/small/rollback"),
    ],
)
async def test_only_builders_see_and_change_drafts(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]], small: dict[str, Any], method: str, path: str
) -> None:
    await client.post("/api/views", json=small, headers=keys["builder"])
    assert (await client.request(method, path, json={}, headers=keys["operator"])).status_code == 403
    assert (await client.request(method, path, json={})).status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("operations", {"operations": []}, "`base` is needed"),
        ("operations", {"base": 0, "operations": [{"op": "explode"}]}, "not a change"),
        ("operations", {"base": 0, "operations": [{"op": "move"}] * 501}, "500 changes"),
        ("operations", {"base": 0, "operations": "x"}, "list of changes"),
        ("operations", {"base": True, "operations": []}, "`base` is needed"),
        ("publish", {"base": "x"}, "`base` is needed"),
        ("presence", {"client": 1}, "`client` names"),
        ("operations", [], "JSON object"),
    ],
)
async def test_bodies_that_are_no_change(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]], small: dict[str, Any], path: str, body: Any, said: str
) -> None:
    await client.post("/api/views", json=small, headers=keys["builder"])
    answer = await client.post(f"/api/views/small/draft/{path}", json=body, headers=keys["builder"])
    assert (answer.status_code, said in answer.json()["detail"]) == (400, True), answer.text


async def test_the_schema_and_the_palette(client: httpx.AsyncClient, keys: dict[str, dict[str, str]]) -> None:
    assert (await client.get("/api/views/schema", headers=keys["viewer"])).json()["$id"] == "urn:worklets:view:1"
    parts = (await client.get("/api/views/components", headers=keys["viewer"])).json()["components"]
    assert {"image_input", "gallery", "button"} <= {part["type"] for part in parts}
