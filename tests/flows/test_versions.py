from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prefect_worklets.connectors.errors import Conflict, NotFound
from prefect_worklets.connectors.store import Store
from prefect_worklets.flows.registry import Registry
from prefect_worklets.flows.versions import WorkletVersions

from .conftest import Server
from .conftest import packed as packed_in
from .test_registry import source

VIEW = '{"title": "Times", "pages": []}'


@pytest.fixture
def registry(store: Store, tmp_path: Path) -> Registry:
    return Registry(store, tmp_path / "projects")


@pytest.fixture
def versions(store: Store, registry: Registry) -> WorkletVersions:
    return WorkletVersions(store, registry.folder)


def packed(files: Mapping[str, str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return packed_in(files, Path(folder) / "tree")


def pushed(factor: int, **changes: str) -> bytes:
    return packed({**source(factor), **changes})


def test_a_draft_answers_by_its_number_until_it_is_promoted(registry: Registry, versions: WorkletVersions) -> None:
    registry.push(pushed(2), "demo")
    (made,) = registry.push(pushed(3), "demo", draft=True)
    assert (made.version, made.created, made.live) == (2, True, False)
    assert registry.get("times").worklet(5) == 10
    assert registry.pinned("times@2").worklet(5) == 15
    assert [(each["version"], each["state"]) for each in versions.all("times")] == [(2, "draft"), (1, "live")]
    registry.promote("times", 2)
    assert registry.get("times").worklet(5) == 15
    assert [(each["version"], each["state"]) for each in versions.all("times")] == [(2, "live"), (1, "kept")]


def test_a_worklet_may_begin_as_a_draft(registry: Registry, versions: WorkletVersions) -> None:
    registry.push(pushed(2), "demo", draft=True)
    with pytest.raises(NotFound):
        registry.get("times")
    assert registry.pinned("times@1").worklet(5) == 10
    registry.load_all()
    assert registry.live == {}
    (made,) = registry.push(pushed(2), "demo")  # the same content, this time for everybody
    assert (made.version, made.created, made.live) == (1, False, True)
    assert versions.all("times")[0]["state"] == "live"


def test_a_draft_of_what_is_live_leaves_it_live(registry: Registry, versions: WorkletVersions) -> None:
    registry.push(pushed(2), "demo")
    (made,) = registry.push(pushed(2), "demo", draft=True)
    assert (made.created, made.live) == (False, True)
    assert versions.all("times")[0]["state"] == "live"


def test_rolling_back_passes_drafts_over(registry: Registry) -> None:
    registry.push(pushed(2), "demo")
    registry.push(pushed(3), "demo", draft=True)
    registry.push(pushed(4), "demo")
    assert registry.rollback("times").version == 1
    with pytest.raises(Conflict):
        registry.rollback("times")


def test_views_of_a_draft_are_not_published(store: Store, tmp_path: Path) -> None:
    taken: list[Any] = []
    registry = Registry(store, tmp_path / "projects", take_views=lambda session, views, by: taken.append(views))
    files = {**source(2), "views/times.json": VIEW}
    registry.push(packed(files), "demo", draft=True)
    assert taken == []
    registry.push(packed(files), "demo")
    assert len(taken) == 1


@pytest.mark.parametrize("text", ["times@3", "times@x", "times@", "other@1", "times@99999999999999999999"])
def test_a_version_that_is_not_there_is_told(registry: Registry, text: str) -> None:
    registry.push(pushed(2), "demo")
    with pytest.raises(NotFound, match="version"):
        registry.pinned(text)


def test_versions_are_compared_in_graph_and_source(registry: Registry, versions: WorkletVersions) -> None:
    registry.push(pushed(2, **{"gone.txt": "a\nb\n", "picture.png": "\0"}), "demo")
    after = (
        source(3)["flow.py"].replace("@node\n", "@node(retries=2)\n").replace("return multiply(a)", "return more(a)")
    )
    after = after.replace("@worklet", "@node\ndef more(a: int) -> int:\n    return a\n@worklet")
    registry.push(packed({"flow.py": after.replace("more(a)\n", "more(multiply(a))\n"), "new.txt": "x"}), "demo")
    found = versions.differences("times", 1, 2).as_dict()
    graph = found["graph"]
    assert graph["added"] == ("more",)
    assert graph["edges_added"] == (("multiply", "more"),)
    assert {"field": "retries", "before": 0, "after": 2} in graph["changed"]["multiply"]
    assert [each["field"] for each in graph["worklet"]] == ["output"]
    files = {each["name"]: each for each in found["files"]}
    assert {name: each["state"] for name, each in files.items()} == {
        "flow.py": "changed", "gone.txt": "removed", "new.txt": "added", "picture.png": "removed"
    }  # fmt: skip
    assert files["gone.txt"]["lines"] == ("@@ -1,2 +0,0 @@", "-a", "-b")
    assert "-    return a * 2" in files["flow.py"]["lines"]
    assert not versions.differences("times", 2, 2).files
    with pytest.raises(NotFound, match="no version 7"):
        versions.differences("times", 1, 7)


# --- over HTTP ----------------------------------------------------------------------------------------------


async def test_drafts_are_tried_and_promoted_over_http(server: Server) -> None:
    builder, operator = server.as_role("builder"), server.as_role("operator")
    client = server.client
    await client.post("/api/projects/demo/versions", content=pushed(2), headers=builder)
    made = await client.post("/api/projects/demo/versions?draft=true", content=pushed(3), headers=builder)
    assert made.json()["worklets"] == [{"worklet": "times", "version": 2, "created": True, "live": False}]
    live = await client.post("/api/worklets/times/invoke", json={"a": 5}, headers=operator)
    tried = await client.post("/api/worklets/times@2/invoke", json={"a": 5}, headers=operator)
    assert (live.json(), tried.json()) == (10, 15)
    assert (server.journal.last.worklet, server.journal.last.version) == ("times", 2)
    listed = await client.get("/api/worklets/times/versions", headers=server.as_role("viewer"))
    assert [each["state"] for each in listed.json()["versions"]] == ["draft", "live"]
    one = await client.get("/api/worklets/times/versions/2", headers=server.as_role("viewer"))
    assert one.json()["graph"]["name"] == "times"
    compared = await client.get("/api/worklets/times/diff?before=1&after=2", headers=builder)
    assert compared.json()["files"][0]["name"] == "flow.py"
    await client.post("/api/worklets/times/promote", json={"version": 2}, headers=builder)
    assert (await client.post("/api/worklets/times/invoke", json={"a": 5}, headers=operator)).json() == 15


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        ("GET", "/diff?before=1&after=2", "operator", 403),
        ("GET", "/diff?before=1", "builder", 400),
        ("GET", "/versions/9", "viewer", 404),
        ("POST", "/promote", "operator", 403),
        ("POST", "/rollback", "operator", 403),
        ("POST", "@9/invoke", "operator", 404),
    ],
)
async def test_versions_are_guarded_and_checked(server: Server, method: str, path: str, role: str, status: int) -> None:
    await server.client.post("/api/projects/demo/versions", content=pushed(2), headers=server.as_role("builder"))
    found = await server.client.request(method, f"/api/worklets/times{path}", json={}, headers=server.as_role(role))
    assert found.status_code == status
