"""The builder's page: for builders, with scripts from this server only."""

from __future__ import annotations

import re

import httpx
import pytest
from prefect_worklets.panel_views.publishing import publish

from .conftest import BASE_URL, Instance

HOSTILE = "\"><script>alert(1)</script>{{7*7}}'&"


@pytest.fixture
def desk(instance: Instance) -> Instance:
    publish(instance.store, {"slug": "desk", "title": HOSTILE, "pages": [{"components": []}]})
    return instance


def browser(instance: Instance, role: str) -> httpx.AsyncClient:
    _, cookies = instance.user(role, role)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=instance.app), base_url=BASE_URL, cookies=cookies)


async def test_the_page_loads_its_scripts_from_here(desk: Instance) -> None:
    async with browser(desk, "builder") as client:
        answer = await client.get("/console/views/desk/edit")
        assert answer.status_code == 200
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "<script>alert" not in answer.text
        files = re.findall(r'(?:src|href)="(/console/(?:builder|static)/[^"]+)"', answer.text)
        assert any(name.endswith("main.js") for name in files)
        for name in files:
            found = await client.get(name)
            assert (found.status_code, "immutable" in found.headers["cache-control"]) == (200, True), name
        modules = next(name for name in files if name.endswith("main.js")).removesuffix("main.js")
        text = (await client.get(f"{modules}main.js")).text
        for imported in re.findall(r'from "\./([^"]+)"', text):
            assert (await client.get(modules + imported)).status_code == 200, imported
        assert (await client.get(f"{modules}nope.js")).status_code == 404
        old = await client.get("/console/builder/000000000000/main.js")
        assert old.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 403), ("builder", 200), ("admin", 200)])
async def test_for_builders_only(desk: Instance, role: str, status: int) -> None:
    async with browser(desk, role) as client:
        assert (await client.get("/console/views/desk/edit")).status_code == status
        listed = (await client.get("/console/views")).text
        assert ("data-new-view" in listed) is (status == 200)


async def test_a_view_that_is_not_there(desk: Instance) -> None:
    async with browser(desk, "builder") as client:
        assert (await client.get("/console/views/nope/edit")).status_code == 404


async def test_who_has_not_signed_in_does_so_first(desk: Instance, visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/console/views/desk/edit")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fconsole%2Fviews%2Fdesk%2Fedit")
