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


async def test_the_schema_and_the_palette(client: httpx.AsyncClient, keys: dict[str, dict[str, str]]) -> None:
    assert (await client.get("/api/views/schema", headers=keys["viewer"])).json()["$id"] == "urn:worklets:view:1"
    parts = (await client.get("/api/views/components", headers=keys["viewer"])).json()["components"]
    assert {"image_input", "gallery", "button"} <= {part["type"] for part in parts}
