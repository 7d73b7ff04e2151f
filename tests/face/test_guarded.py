"""Every route of the app says who may call it: in docs/reference/http.md, and when it is called."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from prefect_worklets.connectors.access import Access, Role
from prefect_worklets.connectors.store import Store
from prefect_worklets.flows.invoke import InvokeApp
from starlette.routing import BaseRoute, Mount, Route

from prefect_worklets.app import create_app
from prefect_worklets.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "http.md"
# Open to all, with the reason.
OPEN = {
    "GET /": "leads to the console",
    "GET /api/health": "a load balancer has no key",
    "GET /api/ready": "a load balancer has no key",
    "GET /console/static/{name}": "the sign-in page needs its style",
    "GET /console/builder/{version}/{name}": "scripts, the same for all",
    "GET /login": "the way in",
    "POST /login": "the way in: the password decides",
    "GET /login/{token}": "the way in",
    "POST /login/{token}": "the way in: the link decides",
    "GET /invitation/{token}": "the way in: the link decides",
    "POST /invitation/{token}": "the way in: the link decides",
    "POST /logout": "the way out",
    "GET /embed.js": "a script, the same for all",
}
# What is behind them decides for itself: see tests/panel_views/test_server.py and test_sharing.py.
MOUNTS = {"/share", "/embed", "/views"}
# The role decides only after something else, or what it decides is in the answer.
ELSEWHERE = {"POST /api/worklets/{name}/invoke"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[InvokeApp, Access]]:
    data = tmp_path_factory.mktemp("guarded")
    settings = Settings(data_dir=data, views_url="http://127.0.0.1:1")
    store = Store(settings.store_url)
    store.migrate()
    app = create_app(settings)
    assert isinstance(app, InvokeApp)
    yield app, Access(store)
    store.close()


@pytest.fixture
async def anybody(made: tuple[InvokeApp, Access]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=made[0], raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://app.test") as client:
        yield client


def routes(app: InvokeApp) -> list[BaseRoute]:
    return list(app.app.routes)  # type: ignore[attr-defined]


def named(app: InvokeApp) -> list[str]:
    """`METHOD /path` of every route."""
    found = ["POST /api/worklets/{name}/invoke"]
    for route in routes(app):
        if isinstance(route, Route):
            found += [f"{method} {route.path}" for method in sorted((route.methods or set()) - {"HEAD"})]
        else:
            assert isinstance(route, Mount)
            assert route.path in MOUNTS
    return found


def documented() -> dict[str, str]:
    """What the page says: the role by `METHOD /path`."""
    lines = re.findall(r"^\| `([A-Z]+ /[^`]*)` \| ([^|]+) \|", PAGE.read_text(), flags=re.MULTILINE)
    return {name: role.strip() for name, role in lines}


def address(name: str) -> tuple[str, str]:
    method, path = name.split(" ", 1)
    return method, re.sub(r"\{number\}|\{version\}", "1", re.sub(r"\{rest:path\}", "x", path)).replace("{", "").replace(
        "}", ""
    )


async def test_nobody_gets_in(made: tuple[InvokeApp, Access], anybody: httpx.AsyncClient) -> None:
    wrong = {}
    for name in named(made[0]):
        if name in OPEN:
            continue
        method, path = address(name)
        answer = await anybody.request(method, path, json={})
        to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login?")
        if not (answer.status_code == 401 or (path.startswith("/console") and to_login)):
            wrong[name] = answer.status_code
    assert wrong == {}


async def test_each_asks_for_the_role_that_the_page_says(
    made: tuple[InvokeApp, Access], anybody: httpx.AsyncClient
) -> None:
    app, access = made
    keys = {role: access.create_key(role.name, role.name) for role in Role}
    roles = documented()
    wrong, asked = {}, 0
    for name in named(app):
        said = re.split(r"[ ,]", roles.get(name, ""))[0]
        if said not in Role.__members__ or Role[said] is Role.viewer or name in ELSEWHERE:
            continue
        method, path = address(name)
        below = keys[Role(Role[said] - 1)]
        answer = await anybody.request(method, path, json={}, headers={"authorization": f"Bearer {below}"})
        asked += 1
        if answer.status_code != 403:
            wrong[name] = (said, answer.status_code, answer.text[:100])
    assert wrong == {}
    assert asked > 40


def test_the_page_lists_every_route_and_no_other(made: tuple[InvokeApp, Access]) -> None:
    there = {name for name in named(made[0]) if name.split(" ")[1].startswith(("/api/", "/metrics"))}
    listed = {name for name in documented() if name.split(" ")[1].startswith(("/api/", "/metrics"))}
    assert dict.fromkeys(there - listed, "is not on the page") == {}
    assert listed - there - {"POST /api/models/{name}@{version}/predict"} == set()
