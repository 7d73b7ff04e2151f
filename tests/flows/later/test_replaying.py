"""A run's input, done again on another version, and what differs."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from prefect_worklets.connectors.tables import Run
from prefect_worklets.flows import bundle
from prefect_worklets.flows.replaying import MOST_CHANGES, run_differences
from prefect_worklets.flows.shortening import is_shortened, shorten

from .conftest import source

NODES = [["a", "node", "completed", 0, 10, None]]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def ended(output: Any, version: int = 1, **fields: Any) -> Run:
    given = {"worklet": "w", "state": "completed", "started_us": 0, "duration_us": 100, "nodes": NODES, **fields}
    return Run(id=f"r{version}", version=version, output=orjson.dumps(output), **given)


class TestDifferences:
    def test_places(self) -> None:
        before = {"a": [1, 2, 3], "b/c": {"x": 1}, "gone": None, "same": [True]}
        after = {"a": [1, 5], "b/c": {"x": True}, "new": None, "same": [True]}
        found = run_differences(ended(before), ended(after, 2))
        assert not found["same"]
        assert [(each["path"], each["before"], each["after"], *each["present"]) for each in found["output"]] == [
            ("/a/1", 2, 5, True, True),
            ("/a/2", 3, None, True, False),
            ("/b~1c/x", 1, True, True, True),
            ("/gone", None, None, True, False),
            ("/new", None, None, False, True),
        ]

    def test_nodes_and_errors(self) -> None:
        failed = ended(
            None, 2, state="failed", error={"detail": "no"}, nodes=[*NODES, ["b", "node", "failed", 10, 5, None]]
        )
        found = run_differences(ended(None), failed)
        assert not found["same"]
        assert found["error"] == {"before": None, "after": "no"}
        assert [(node["id"], node["before"]["state"], node["after"]["state"]) for node in found["nodes"]] == [
            ("a", "completed", "completed"), ("b", None, "failed"),
        ]  # fmt: skip

    def test_no_more_than_fit(self) -> None:
        found = run_differences(ended(list(range(1000))), ended(list(range(1, 1001)), 2))
        assert (len(found["output"]), found["more_output"]) == (MOST_CHANGES, True)

    @given(JSON, JSON)
    def test_same_is_what_is_equal(self, one: Any, other: Any) -> None:
        assert run_differences(ended(one), ended(one, 2))["same"]
        equal = orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
        assert run_differences(ended(one), ended(other, 2))["same"] == equal


async def replay(parts: Any, id: str, role: str = "operator", **query: Any) -> Any:
    return await parts.client.post(f"/api/runs/{id}/replay", params=query, headers=parts.headers(role))


async def pushed(parts: Any, text: str) -> None:
    tree = parts.folder.parent / "again"
    tree.mkdir(exist_ok=True)
    (tree / "steps.py").write_text(text)
    await asyncio.to_thread(parts.registry.push, bundle.pack(tree), "demo", "me")


class TestReplay:
    async def test_on_another_version_and_back(self, parts: Any) -> None:
        parts.mark("go")
        first = (await parts.submit("steps", {"x": 4})).json()["id"]
        async with parts.working():
            assert (await parts.ended(first))["output"] == 50
            await pushed(parts, source(parts.folder).replace("return x * 10", "return x * 20"))
            made = await replay(parts, first)
            assert (made.status_code, made.json()["version"]) == (202, 2)
            second = await parts.ended(made.json()["id"])
            assert (second["input"], second["output"], second["trigger"]) == ({"x": 4}, 100, "replay")
            path = f"/api/runs/{second['id']}/differences"
            found = (await parts.client.get(path, headers=parts.headers())).json()
            assert (found["same"], found["output"]) == (
                False, [{"path": "", "before": 50, "after": 100, "present": [True, True]}],
            )  # fmt: skip
            assert [node["id"] for node in found["nodes"]] == ["first", "second"]
            # Nothing of the first one was taken over, and on its own version it gives the same.
            assert parts.begun("first") == 2
            third = await parts.ended((await replay(parts, first, version=1)).json()["id"])
            path = f"/api/runs/{third['id']}/differences"
            assert (await parts.client.get(path, headers=parts.headers())).json()["same"]
            other = await parts.client.get(path, params={"before": second["id"]}, headers=parts.headers())
            assert other.json()["output"][0]["before"] == 100

    async def test_refused(self, parts: Any) -> None:
        parts.mark("go")
        id = (await parts.submit("steps", {"x": 4})).json()["id"]
        assert (await replay(parts, id)).status_code == 409  # it has not ended
        async with parts.working():
            await parts.ended(id)
            other = source(parts.folder).replace("def steps(x: int = 1)", "def steps(y: int)")
            await pushed(parts, other.replace("second(first(x))", "second(first(y))"))
            refused = await replay(parts, id)
            assert refused.status_code == 409
            assert "does not fit version 2" in refused.json()["detail"]
            assert refused.json()["errors"]
            assert (await replay(parts, id, version=9)).status_code == 404
            assert (await replay(parts, id, "viewer")).status_code == 403
            assert (await replay(parts, "no-such-run")).status_code == 404
            alone = await parts.client.get(f"/api/runs/{id}/differences", headers=parts.headers())
            assert alone.status_code == 400
            assert "?before=" in alone.json()["detail"]

    async def test_others_runs_are_not_there(self, parts: Any) -> None:
        parts.mark("go")
        id = (await parts.submit("steps", {"x": 1}, "admin")).json()["id"]
        async with parts.working():
            await parts.ended(id, role="admin")
        assert (await replay(parts, id)).status_code == 404
        hidden = await parts.client.get(f"/api/runs/{id}/differences", params={"before": id}, headers=parts.headers())
        assert hidden.status_code == 404


async def test_an_input_that_was_cut_is_not_replayed(parts: Any, store: Any) -> None:
    cut = shorten(b'{"x": "' + b"y" * 3_000 + b'"}', 1_000)
    assert is_shortened(cut)
    with store.session() as session:
        session.add(
            Run(id="cut", worklet="steps", version=1, state="completed", started_us=0, duration_us=1, input=cut)
        )
    refused = await replay(parts, "cut", "admin")
    assert refused.status_code == 409
    assert "too large" in refused.json()["detail"]
