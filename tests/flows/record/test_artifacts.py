"""Pictures and tables of runs as Prefect's artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from fixtures_prefect import PrefectServer
from prefect_worklets.connectors.files import FileStore
from prefect_worklets.connectors.prefect_api import PrefectApi
from prefect_worklets.connectors.store import Store
from prefect_worklets.flows.journal import RunRecord
from prefect_worklets.flows.outbox import Outbox
from prefect_worklets.flows.prefect_artifacts import AT_ONCE, Artifacts, artifacts_of
from prefect_worklets.flows.recorder import Recorder
from record_runs import add_runs, add_worklet, make_record

PNG = bytes.fromhex("89504e470d0a1a0a")


def answered(output: Any, worklet: str = "stylize", **changes: Any) -> RunRecord:
    return make_record(worklet, output=orjson.dumps(output), **changes)


def found(output: Any) -> list[tuple[str, str, str]]:
    record = answered(output)
    return [(each.key, each.type, each.data) for each in artifacts_of(record)]  # type: ignore[arg-type]


def test_pictures_and_tables_are_found_wherever_they_stand() -> None:
    picture = f"/api/files/{uuid4().hex}"
    rows = [{"name": "a", "n": 1}, {"name": "b", "n": None}]
    assert found({"image": picture, "size": 384}) == [("stylize-image", "image", picture)]
    assert found(picture) == [("stylize-answer", "image", picture)]
    assert found(rows) == [("stylize-answer", "table", orjson.dumps(rows).decode())]
    assert found({"a": {"B c": [picture, picture]}}) == [
        ("stylize-a-b-c-0", "image", picture),
        ("stylize-a-b-c-1", "image", picture),
    ]


@pytest.mark.parametrize(
    "output",
    [None, 1, "text", [], {}, [1, 2], [{}], [{"a": [1]}], "/api/files/", "https://x.example/api/files/1", {"a": [{}]}],
)
def test_other_answers_have_none(output: Any) -> None:
    assert found(output) == []


def test_what_is_large_is_cut() -> None:
    many = [{f"c{n}": "x" * 1000 for n in range(100)}] * 1000
    ((_, _, data),) = found(many)
    rows = orjson.loads(data)
    assert (len(rows), len(rows[0]), len(rows[0]["c0"])) == (100, 50, 500)
    assert len(found([f"/api/files/{uuid4().hex}" for _ in range(100)])) == 8


@pytest.mark.integration
async def test_prefect_has_each_once(sqlite_store: Store, prefect_server: PrefectServer, tmp_path: Path) -> None:
    name = f"paint-{uuid4().hex[:6]}"
    add_worklet(sqlite_store, name)
    files = FileStore(sqlite_store, tmp_path / "files")
    picture = files.put(PNG, name="p.png")
    text = files.put(b"plain", name="p.txt")
    output = {"image": f"/api/files/{picture.id}", "log": f"/api/files/{text.id}", "rows": [{"a": 1}]}
    add_runs(sqlite_store, [answered(output, name, duration_us=20_000), answered({"a": 1}, name)])
    failed = answered(output, name, state="failed")
    add_runs(sqlite_store, [failed])

    async with PrefectApi(prefect_server.url) as api:
        artifacts = Artifacts(api, sqlite_store, "https://models.example.org/")
        recorder = Recorder(Outbox(sqlite_store), api, artifacts=artifacts)
        await recorder.step()
        await recorder.settle()
        flow_runs = prefect_server.ask("POST", "/flow_runs/filter", {"flows": {"name": {"any_": [name]}}})
        body = {"artifacts": {"flow_run_id": {"any_": [run["id"] for run in flow_runs]}}}
        stored = prefect_server.ask("POST", "/artifacts/filter", body)
        assert {(each["key"], each["type"], each["data"]) for each in stored} == {
            (f"{name}-image", "image", f"https://models.example.org/api/files/{picture.id}"),
            (f"{name}-rows", "table", '[{"a":1}]'),
        }
        assert (artifacts.sent, artifacts.left_out) == (2, 0)

        # Sent again, as after a crash before the run was marked.
        with_ids = [(answered(output, name), each["flow_run_id"]) for each in stored[:1]]
        await artifacts.send(with_ids)  # type: ignore[arg-type]
        assert len(prefect_server.ask("POST", "/artifacts/filter", body)) == 2

        many = [(answered([{"a": 1}], name), run["id"]) for run in flow_runs[:1] for _ in range(AT_ONCE + 5)]
        await artifacts.send(many)  # type: ignore[arg-type]
        assert artifacts.left_out == 5
