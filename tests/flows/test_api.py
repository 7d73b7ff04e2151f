from __future__ import annotations

import io
from typing import Any

import pytest
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import Run

from .conftest import Server, packed

FLOW = """
from __future__ import annotations
from pydantic import BaseModel
from prefect_worklets.connectors.images import Image
from prefect_worklets.flows.nodes import node
from prefect_worklets.flows.worklet import worklet
class Part(BaseModel):
    a: int
class Request(BaseModel):
    parts: list[Part]
    picture: Image | None = None
@node
def count(request: Request) -> int:
    return len(request.parts)
@worklet
def counted(request: Request) -> int:
    '''Counts parts.

    More about it.'''
    return count(request)
"""


async def get(server: Server, path: str, role: str = "viewer") -> Any:
    return await server.client.get(path, headers=server.as_role(role))


def add_run(store: Store, id: str, **changes: Any) -> None:
    values: dict[str, Any] = {"worklet": "counted", "state": "completed", "started_us": 1000, "duration_us": 5}
    with store.session() as session:
        session.add(Run(id=id, **(values | changes)))


class TestProjects:
    async def test_a_push_over_http(self, server: Server, tmp_path: Any) -> None:
        body = packed({"flow.py": FLOW}, tmp_path / "source")
        path = "/api/projects/demo/versions"
        assert (await server.client.post(path, content=body, headers=server.as_role("operator"))).status_code == 403
        answer = await server.client.post(path, content=body, headers=server.as_role("builder"))
        assert answer.status_code == 201
        assert answer.json()["worklets"] == [{"worklet": "counted", "version": 1, "created": True, "live": True}]
        assert (await server.invoke("counted", {"parts": [{"a": 1}]})).json() == 1

    async def test_faults_of_a_push_have_file_and_line(self, server: Server, tmp_path: Any) -> None:
        body = packed({"flow.py": FLOW + "    undefined()\n1/0\n"}, tmp_path / "source")
        answer = await server.client.post("/api/projects/demo/versions", content=body, headers=server.as_role("admin"))
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert (error["file"], error["line"]) == ("flow.py", 22)

    async def test_no_bundle(self, server: Server) -> None:
        answer = await server.client.post("/api/projects/demo/versions", content=b"x", headers=server.as_role("admin"))
        assert answer.status_code == 400


class TestWorklets:
    async def test_list_show_promote_and_rollback(self, server: Server) -> None:
        server.push({"flow.py": FLOW})
        server.push({"flow.py": FLOW + "# changed\n"})
        (row,) = (await get(server, "/api/worklets")).json()["worklets"]
        assert (row["name"], row["version"], row["status"], row["description"]) == (
            "counted", 2, "live", "Counts parts.",
        )  # fmt: skip
        shown = (await get(server, "/api/worklets/counted")).json()
        assert shown["graph"]["nodes"][0]["function"] == "flow:count"
        assert [each["version"] for each in shown["versions"]] == [2, 1]
        rolled = await server.client.post("/api/worklets/counted/rollback", headers=server.as_role("builder"))
        assert rolled.json() == {"name": "counted", "version": 1}
        headers = server.as_role("builder")
        promoted = await server.client.post("/api/worklets/counted/promote", headers=headers, json={"version": 2})
        assert promoted.json()["version"] == 2
        for wrong in ({}, {"version": "2"}, [], {"version": True}):
            answer = await server.client.post("/api/worklets/counted/promote", headers=headers, json=wrong)
            assert answer.status_code == 400
        assert (await get(server, "/api/worklets/counter")).status_code == 404
        assert (await server.client.get("/api/worklets")).status_code == 401

    async def test_openapi_has_each_worklets_schema(self, server: Server) -> None:
        server.push({"flow.py": FLOW})
        document = (await get(server, "/api/openapi.json")).json()
        post = document["paths"]["/api/worklets/counted/invoke"]["post"]
        assert set(post["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
        schemas = document["components"]["schemas"]
        assert (
            schemas["counted.input"]["properties"]["parts"]["items"]["$ref"]
            == "#/components/schemas/counted.input.Part"
        )
        assert schemas["counted.output"] == {"type": "integer"}
        for reference in _references(document):
            assert reference.removeprefix("#/components/schemas/") in schemas


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [each for value in part.values() for each in _references(value)]
    return [each for value in part for each in _references(value)] if isinstance(part, list) else []


class TestRuns:
    async def test_a_run_is_there_at_once(self, server: Server) -> None:
        server.push({"flow.py": FLOW})
        id = (await server.invoke("counted", {"parts": []})).headers["x-run-id"]
        run = (await get(server, f"/api/runs/{id}", "operator")).json()
        assert (run["state"], run["input"], run["output"]) == ("completed", {"parts": []}, 0)
        assert run["nodes"][0]["id"] == "count"
        assert (await get(server, f"/api/runs/{id}", "viewer")).status_code == 404
        assert (await get(server, f"/api/runs/{id}", "builder")).status_code == 200

    async def test_the_list_is_filtered_and_paged(self, server: Server, store: Store) -> None:
        for index in range(5):
            add_run(
                store, f"r{index}", started_us=1000 + index, principal="key:x", state="failed" if index else "completed"
            )
        add_run(store, "other", worklet="other", started_us=1, principal="key:x")
        first = (await get(server, "/api/runs?limit=2", "builder")).json()
        assert [run["id"] for run in first["runs"]] == ["r4", "r3"]
        second = (await get(server, f"/api/runs?limit=4&before={first['next_before']}", "builder")).json()
        assert [run["id"] for run in second["runs"]] == ["r2", "r1", "r0", "other"]
        failed = (await get(server, "/api/runs?state=failed&worklet=counted&principal=key:x", "builder")).json()
        assert len(failed["runs"]) == 4
        assert (await get(server, "/api/runs", "operator")).json()["runs"] == []
        assert (await get(server, "/api/runs?principal=key:x", "operator")).status_code == 403

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=x", "limit=501", "before=-1", "state=done", "limit=" + "9" * 40]
    )
    async def test_wrong_queries_are_told(self, server: Server, query: str) -> None:
        assert (await get(server, f"/api/runs?{query}")).status_code == 400

    async def test_a_traceback_is_for_builders(self, server: Server, store: Store) -> None:
        owner = server.access.by_key(server.keys["operator"]).id
        add_run(store, "r", principal=owner, state="failed", error={"detail": "d", "traceback": "lines"})
        assert "traceback" not in (await get(server, "/api/runs/r", "operator")).json()["error"]
        assert (await get(server, "/api/runs/r", "builder")).json()["error"]["traceback"] == "lines"


class TestFiles:
    async def test_a_body_or_a_form_is_kept_and_given_back_to_its_owner(self, server: Server) -> None:
        headers = server.as_role("operator")
        raw = await server.client.post("/api/files?name=a.bin", content=b"\0\1", headers=headers)
        form = await server.client.post("/api/files", files={"file": ("b.txt", b"hello")}, headers=headers)
        assert (raw.status_code, raw.json()["name"], raw.json()["size"]) == (201, "a.bin", 2)
        back = await server.client.get(form.json()["url"], headers=headers)
        assert back.content == b"hello"
        assert back.headers["x-content-type-options"] == "nosniff"
        assert "private" in back.headers["cache-control"]
        assert (await get(server, form.json()["url"], "builder")).status_code == 404
        assert (await get(server, form.json()["url"], "admin")).status_code == 200

    @pytest.mark.parametrize(
        ("name", "content", "shown"),
        [
            ("x.html", b"<script>alert(1)</script>", False),
            ("x.svg", b"<svg onload='alert(1)'/>", False),
            ("x.png", b"\x89PNG\r\n\x1a\n0000", True),
        ],
    )
    async def test_only_harmless_types_are_shown_in_the_page(
        self, server: Server, name: str, content: bytes, shown: bool
    ) -> None:
        headers = server.as_role("operator")
        url = (await server.client.post("/api/files", files={"f": (name, content)}, headers=headers)).json()["url"]
        answer = await server.client.get(url, headers=headers)
        assert answer.headers["content-disposition"].startswith("inline" if shown else "attachment")
        assert (answer.headers["content-type"] == "application/octet-stream") is not shown
        assert "sandbox" in answer.headers["content-security-policy"]

    async def test_wrong_uploads_are_told(self, server: Server) -> None:
        headers = server.as_role("operator")
        assert (await server.client.post("/api/files", content=b"", headers=headers)).status_code == 400
        two = {"a": io.BytesIO(b"1"), "b": io.BytesIO(b"2")}
        assert (await server.client.post("/api/files", files=two, headers=headers)).status_code == 400
        assert (await server.client.get("/api/files/nope", headers=headers)).status_code == 404
        huge = {**headers, "content-length": "99999999999"}
        assert (await server.client.post("/api/files", content=b"x", headers=huge)).status_code == 413


async def test_the_schema_of_graph_documents_is_there_for_those_who_may_read(server: Server) -> None:
    found = await get(server, "/api/schemas/graph")
    assert found.status_code == 200
    assert "nodes" in found.json()["properties"]
    assert (await server.client.get("/api/schemas/graph")).status_code == 401
