"""Editing worklets by their graph and code: begin, check, try a node, save as a draft, publish."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prefect_worklets.connectors.blanking import Blanks
from prefect_worklets.connectors.tables import TableRow
from prefect_worklets.connectors.web import Guard
from prefect_worklets.flows.editing import Edits
from prefect_worklets.flows.edits_api import EditsApi
from prefect_worklets.flows.source_functions import source_functions
from prefect_worklets.flows.trying import NodeTrial
from prefect_worklets.flows.versions import WorkletVersions
from sqlmodel import select
from starlette.applications import Starlette

from .conftest import Server

SHOP = {
    "order.py": '''
from pydantic import BaseModel
import prefect_worklets as pw

class Line(BaseModel):
    item: str
    price: float

@pw.node
def total(lines: list[Line], extra: float = 0.0) -> float:
    """Adds up."""
    return sum(line.price for line in lines) + extra

@pw.node(retries=1)
def shown(amount: float) -> dict:
    return {"total": amount}

@pw.worklet
def order(lines: list[Line]) -> dict:
    """Adds an order up."""
    return shown(total(lines))
''',
    "other.py": """
import prefect_worklets as pw

@pw.worklet
def echo(x: int) -> int:
    return x
""",
    "table.txt": "kept as it is",
}
CODE = """
import prefect_worklets as pw

@pw.node
def double(x: int) -> int:
    return 2 * x

@pw.node
def worded(x: int, word: str = "is") -> str:
    pw.context().logger.warning("writing")
    return f"it {word} {x}"
"""


class Editor:
    """Somebody who edits, as a role."""

    def __init__(self, client: httpx.AsyncClient, server: Server) -> None:
        self._client, self._server = client, server

    async def get(self, name: str, role: str = "builder", **query: Any) -> httpx.Response:
        return await self._client.get(f"/api/worklets/{name}/edit", params=query, headers=self._server.as_role(role))

    async def post(self, path: str, body: Any, role: str = "builder") -> httpx.Response:
        return await self._client.post(f"/api/worklets/{path}", json=body, headers=self._server.as_role(role))

    async def draft(self, name: str, **query: Any) -> dict[str, Any]:
        begun = (await self.get(name, **query)).json()
        return {key: begun[key] for key in ("document", "files", "base", "live")}


@pytest.fixture
async def editor(server: Server) -> AsyncIterator[Editor]:
    versions = WorkletVersions(server.store, server.registry.folder)
    edits = Edits(server.store, server.registry, versions)
    trial = NodeTrial(edits, server.engine, Blanks())
    app = Starlette(routes=EditsApi(Guard(server.access), edits, trial).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        yield Editor(client, server)


def new_draft() -> dict[str, Any]:
    document = {
        "version": 1,
        "name": "doubling",
        "inputs": [{"name": "x", "type": "int"}],
        "nodes": [
            {"id": "double", "function": "doubling_nodes:double", "arguments": {"x": {"input": "x"}}},
            {"id": "worded", "function": "doubling_nodes:worded", "arguments": {"x": {"node": "double"}}},
        ],
        "output": {"node": "worded"},
    }
    return {"document": document, "files": {"doubling_nodes.py": CODE}, "base": None, "live": None}


class TestBeginning:
    async def test_a_new_worklet_has_a_file_for_its_code(self, editor: Editor) -> None:
        begun = (await editor.get("doubling")).json()
        assert begun["document"] == {"version": 1, "name": "doubling", "inputs": [], "nodes": []}
        assert list(begun["files"]) == ["doubling_nodes.py"]
        assert (begun["base"], begun["live"]) == (None, None)
        kinds = {
            each["kind"]: each["schema"]["properties"] for each in begun["kinds"] if "properties" in each["schema"]
        }
        assert set(kinds["save"]) == {"table", "key"}
        assert {"retries", "timeout"} <= set(begun["options"]["properties"])

    async def test_of_the_live_version_all_python_is_there(self, server: Server, editor: Editor) -> None:
        server.push(SHOP)
        begun = (await editor.get("order")).json()
        assert set(begun["files"]) == {"order.py", "other.py"}
        assert "def order" not in begun["files"]["order.py"]  # it is what the graph says
        assert begun["faults"] == []
        assert begun["arguments"]["total"][0] == {
            "name": "lines", "required": True, "type": "list[Line]", "document_type": "list[order:Line]",
        }  # fmt: skip
        assert [each["function"] for each in begun["functions"]] == ["order:total", "order:shown"]

    @pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 403), ("builder", 200)])
    async def test_who_may(self, editor: Editor, role: str, status: int) -> None:
        assert (await editor.get("doubling", role)).status_code == status
        assert (await editor.post("doubling/edit/check", new_draft(), role)).status_code == status
        tried = await editor.post(
            "doubling/edit/try", {"draft": new_draft(), "node": "double", "input": {"x": 1}}, role
        )
        assert tried.status_code == status
        saved = await editor.post("doubling/edit?draft=true", new_draft(), role)
        assert saved.status_code == (201 if status == 200 else status)

    async def test_what_is_no_name_is_refused(self, editor: Editor) -> None:
        assert (await editor.get("no name")).status_code == 400


class TestFaults:
    async def test_all_at_once_with_their_nodes(self, editor: Editor) -> None:
        draft = new_draft()
        first, second = draft["document"]["nodes"]
        first["arguments"] = {"y": {"input": "z"}}
        second["function"] = "doubling_nodes:wordy"
        draft["document"]["nodes"].append({"id": "kept", "kind": "save", "arguments": {}})
        draft["files"]["more.py"] = "def ("
        faults = (await editor.post("doubling/edit/check", draft)).json()["faults"]
        said = {(fault["node"], fault["msg"]) for fault in faults}
        assert ("double", "its code has no parameter 'y'.") in said or any("'z'" in msg for _, msg in said)
        assert ("double", "its argument 'x' is missing.") in said
        assert ("worded", "there is no node 'doubling_nodes:wordy'.") in said
        assert ("kept", "its argument 'row' is missing.") in said
        assert any(fault["file"] == "more.py" and fault["line"] == 1 for fault in faults)
        refused = await editor.post("doubling/edit", draft)
        assert refused.status_code == 400
        assert len(refused.json()["errors"]) == len(faults)

    async def test_checking_runs_no_code(self, editor: Editor, tmp_path: Any) -> None:
        draft = new_draft()
        draft["files"]["doubling_nodes.py"] += f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n"
        assert (await editor.post("doubling/edit/check", draft)).json()["faults"] == []
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("file", ["../x.py", "/x.py", "a/../b.py", "x.txt", "a b.py", "./x.py"])
    async def test_files_stay_inside(self, editor: Editor, file: str) -> None:
        draft = new_draft()
        draft["files"][file] = ""
        for path in ("doubling/edit/check", "doubling/edit"):
            assert (await editor.post(path, draft)).status_code == 400

    async def test_what_only_the_code_tells(self, editor: Editor) -> None:
        draft = new_draft()
        draft["document"]["nodes"][1]["arguments"]["word"] = {"constant": 3}
        refused = await editor.post("doubling/edit", draft)
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["node"] == "worded"


class TestTrying:
    async def test_a_node_with_a_chosen_input(self, editor: Editor) -> None:
        body = {"draft": new_draft(), "node": "worded", "input": {"x": 4, "word": "was"}}
        tried = (await editor.post("doubling/edit/try", body)).json()
        assert (tried["state"], tried["output"], tried["error"]) == ("completed", "it was 4", None)

    async def test_what_it_saves_is_saved(self, server: Server, editor: Editor) -> None:
        draft = new_draft()
        kept = {"id": "kept", "kind": "save", "arguments": {"row": {"constant": 1}}, "settings": {"table": "tried"}}
        draft["document"]["nodes"].append(kept)
        body = {"draft": draft, "node": "kept", "input": {"row": {"a": 1}}}
        assert (await editor.post("doubling/edit/try", body)).json()["state"] == "completed"
        with server.store.read() as session:
            assert [row.data for row in session.exec(select(TableRow))] == [{"a": 1}]

    async def test_its_types_are_checked_and_made(self, server: Server, editor: Editor) -> None:
        server.push(SHOP)
        draft = await editor.draft("order")
        body = {"draft": draft, "node": "total", "input": {"lines": [{"item": "lamp", "price": 2}], "extra": 1}}
        assert (await editor.post("order/edit/try", body)).json()["output"] == 3.0
        body["input"]["lines"] = [{"item": "lamp"}]
        assert (await editor.post("order/edit/try", body)).status_code == 400

    async def test_it_reaches_no_host_that_the_project_does_not(self, server: Server, editor: Editor) -> None:
        server.push({**SHOP, "pyproject.toml": '[tool.worklets]\nhttp_hosts = ["api.example.com"]\n'})
        draft = await editor.draft("order")
        asked = {"id": "asked", "kind": "http", "arguments": {"url": {"constant": ""}}, "settings": {"method": "GET"}}
        draft["document"]["nodes"].append(asked)
        body = {"draft": draft, "node": "asked", "input": {"url": "https://example.org/"}}
        tried = (await editor.post("order/edit/try", body)).json()
        assert tried["state"] == "failed"
        assert "not among the hosts that requests may go to (api.example.com)" in tried["error"]["detail"]

    async def test_a_failure_has_its_traceback(self, editor: Editor) -> None:
        draft = new_draft()
        draft["files"]["doubling_nodes.py"] = CODE.replace("return 2 * x", "raise ValueError('no')")
        tried = (await editor.post("doubling/edit/try", {"draft": draft, "node": "double", "input": {"x": 1}})).json()
        assert (tried["state"], tried["error"]["node"]) == ("failed", "double")
        assert "ValueError: no" in tried["error"]["traceback"]

    async def test_what_is_not_there(self, editor: Editor) -> None:
        body = {"draft": new_draft(), "node": "nothing", "input": {}}
        assert (await editor.post("doubling/edit/try", body)).status_code == 400


class TestSaving:
    async def test_a_draft_then_the_published_one(self, server: Server, editor: Editor) -> None:
        saved = await editor.post("doubling/edit?draft=true", new_draft())
        assert (saved.status_code, saved.json()["version"], saved.json()["live"]) == (201, 1, False)
        assert (await server.invoke("doubling", {"x": 1})).status_code == 404
        assert (await server.invoke("doubling@1", {"x": 1})).json() == "it is 2"
        draft = await editor.draft("doubling")
        assert draft["base"] == 1
        draft["files"]["doubling_nodes.py"] = draft["files"]["doubling_nodes.py"].replace("2 * x", "3 * x")
        published = await editor.post("doubling/edit", draft)
        assert (published.json()["version"], published.json()["live"]) == (2, True)
        assert (await server.invoke("doubling", {"x": 1})).json() == "it is 3"
        differences = WorkletVersions(server.store, server.registry.folder).differences("doubling", 1, 2)
        assert [each.name for each in differences.files or ()] == ["doubling_nodes.py"]
        server.registry.promote("doubling", 1)
        assert (await server.invoke("doubling", {"x": 1})).json() == "it is 2"

    async def test_a_pushed_worklet_keeps_its_neighbours(self, server: Server, editor: Editor) -> None:
        server.push(SHOP)
        draft = await editor.draft("order")
        draft["document"]["nodes"][0]["arguments"]["extra"] = {"constant": 0.5}
        published = await editor.post("order/edit", draft)
        assert published.status_code == 201, published.text
        answer = await server.invoke("order", {"lines": [{"item": "lamp", "price": 2}]})
        assert answer.json() == {"total": 2.5}
        assert (await server.invoke("echo", {"x": 5})).json() == 5
        assert (server.registry.live["order"].graph.node("shown").retries) == 1
        folder = server.registry.folder / server.registry.live["order"].project_hash
        assert (folder / "table.txt").read_text() == "kept as it is"
        again = await editor.draft("order")
        again["document"]["description"] = "Adds up."
        assert (await editor.post("order/edit", again)).status_code == 201

    async def test_nobody_undoes_anothers_push(self, server: Server, editor: Editor) -> None:
        server.push(SHOP)
        draft = await editor.draft("order")
        stale = copy.deepcopy(draft)
        draft["document"]["description"] = "First."
        assert (await editor.post("order/edit", draft)).status_code == 201
        stale["document"]["description"] = "Second."
        refused = await editor.post("order/edit", stale)
        assert refused.status_code == 409
        assert "has gone live since" in refused.json()["detail"]
        new = new_draft()
        new["document"]["name"] = "order"
        assert (await editor.post("order/edit", new)).status_code == 409

    async def test_the_name_is_the_addresss(self, editor: Editor) -> None:
        assert (await editor.post("other/edit", new_draft())).status_code == 400


def test_hints_become_types_of_documents() -> None:
    text = """
import datetime as dt
from typing import Any
import prefect_worklets as pw
from shapes import Pair

class Own: ...

@pw.node
async def each(a: Pair | None, b: list[Own], c: dt.date, d: Any, e: pw.Image, f: unknown, *, g: int = 3, h): ...

def plain(x): ...
"""
    found, faults = source_functions({"shop/main.py": text})
    assert faults == []
    (function,) = found.values()
    assert function.function == "shop.main:each"
    assert [each.document_type for each in function.parameters] == [
        "shapes:Pair | None", "list[shop.main:Own]", "datetime:date", "Any", "prefect_worklets:Image", None, "int",
        None,
    ]  # fmt: skip
    assert [each.name for each in function.parameters if not each.required] == ["g"]
