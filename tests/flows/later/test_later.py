"""Submitted runs: accepted, done, followed, cancelled, done again from the node that failed."""

from __future__ import annotations

import asyncio
import time

import pytest
from prefect_worklets.connectors.errors import Conflict, DefinitionError

import prefect_worklets as pw

from .conftest import until


async def test_accepted_then_done(parts):
    parts.mark("go")
    answer = await parts.submit("steps", {"x": 4})
    assert answer.status_code == 202
    id = answer.json()["id"]
    assert answer.headers["location"] == f"/api/runs/{id}"
    assert (await parts.run(id))["state"] == "queued"
    async with parts.working():
        run = await parts.ended(id)
    assert (run["state"], run["output"], run["input"]) == ("completed", 50, {"x": 4})
    assert [(node["id"], node["state"]) for node in run["nodes"]] == [("first", "completed"), ("second", "completed")]
    assert run["trigger"] == "run"
    assert (await asyncio.to_thread(parts.queue.get, id)).state == "completed"


@pytest.mark.parametrize("body", [{"x": "no"}, {"y": 1}, []])
async def test_input_that_does_not_fit_is_refused_at_once(parts, body):
    answer = await parts.submit("steps", body)
    assert answer.status_code == 400
    assert await asyncio.to_thread(parts.queue.waiting) == 0


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 202), ("builder", 202)])
async def test_who_may_submit(parts, role, status):
    assert (await parts.submit("steps", {"x": 1}, role)).status_code == status


async def test_others_see_no_run_of_mine(parts):
    id = (await parts.submit("steps", {"x": 1}, "admin")).json()["id"]
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry")):
        answer = await parts.client.request(method, f"/api/runs/{id}{path}", headers=parts.headers("operator"))
        assert answer.status_code == 404, (method, path)


async def test_a_key_gives_one_run(parts):
    first = await parts.submit("steps", {"x": 1}, **{"idempotency-key": "k1"})
    again = await parts.submit("steps", {"x": 1}, **{"idempotency-key": "k1"})
    other = await parts.submit("steps", {"x": 2}, **{"idempotency-key": "k1"})
    somebody = await parts.submit("steps", {"x": 2}, "builder", **{"idempotency-key": "k1"})
    assert first.json()["id"] == again.json()["id"]
    assert (first.json()["new"], again.json()["new"]) == (True, False)
    assert other.status_code == 409
    assert somebody.status_code == 202


async def test_a_failed_run_goes_on_from_the_node_that_failed(parts):
    parts.mark("go")
    parts.mark("break")
    id = (await parts.submit("steps", {"x": 1})).json()["id"]
    async with parts.working():
        run = await parts.ended(id)
        assert (run["state"], run["error"]["detail"]) == ("failed", run["error"]["detail"])
        assert "no such luck" in run["error"]["detail"]
        (parts.folder / "break").unlink()
        again = await parts.client.post(f"/api/runs/{id}/retry", headers=parts.headers())
        assert again.status_code == 202
        run = await parts.ended(again.json()["id"])
        assert (run["state"], run["output"], run["trigger"]) == ("completed", 20, "retry")
        assert (parts.begun("first"), parts.begun("second")) == (1, 2)
        refused = await parts.client.post(f"/api/runs/{run['id']}/retry", headers=parts.headers())
        assert refused.status_code == 409


async def test_cancelled_while_it_waits(parts):
    id = (await parts.submit("steps", {"x": 1})).json()["id"]
    assert (await parts.client.post(f"/api/runs/{id}/cancel", headers=parts.headers())).status_code == 202
    async with parts.working():
        assert (await parts.ended(id))["state"] == "cancelled"
    assert parts.begun("first") == 0
    with pytest.raises(Conflict):
        await asyncio.to_thread(parts.queue.ask_to_cancel, id)


async def test_cancelled_while_it_runs(parts):
    id = (await parts.submit("steps", {"x": 1})).json()["id"]
    async with parts.working():
        await parts.has_begun("second")
        run = await parts.run(id)
        assert (run["state"], [node["state"] for node in run["nodes"]]) == ("running", ["completed", "running"])
        await parts.client.post(f"/api/runs/{id}/cancel", headers=parts.headers())
        run = await parts.ended(id)
    assert run["state"] == "cancelled"
    assert [node["state"] for node in run["nodes"]] == ["completed", "skipped"]


async def test_a_process_that_stops_gives_its_runs_back(parts):
    id = (await parts.submit("steps", {"x": 1})).json()["id"]
    async with parts.working():
        await parts.has_begun("second")
    assert (await asyncio.to_thread(parts.queue.get, id)).state == "queued"
    parts.mark("go")
    async with parts.working():
        run = await parts.ended(id)
    assert (run["state"], run["output"]) == ("completed", 20)
    # The first node was done; only the one that was under way began again.
    assert (parts.begun("first"), parts.begun("second")) == (1, 2)


async def test_one_run_goes_to_one_holder(parts):
    ids = [(await parts.submit("steps", {"x": n})).json()["id"] for n in range(6)]
    claims = await asyncio.gather(*(asyncio.to_thread(parts.queue.claim, f"holder {n}", 3) for n in range(4)))
    taken = [row.id for rows in claims for row in rows]
    assert sorted(taken) == sorted(set(taken))
    assert set(taken) <= set(ids)


async def test_a_worklet_has_no_more_runs_under_way_than_it_allows(parts):
    ids = [(await parts.submit("few", {"x": n})).json()["id"] for n in range(5)]
    other = (await parts.submit("steps", {"x": 1})).json()["id"]

    async def states():
        return [(await parts.run(id))["state"] for id in (*ids, other)]

    async with parts.working():
        await parts.has_begun("second", 3)
        assert await states() == ["running"] * 2 + ["queued"] * 3 + ["running"]
        assert await asyncio.to_thread(parts.queue.claim, "another", 9, {"few": 2}) == []
        parts.mark("go")
        for id in ids:
            assert (await parts.ended(id))["state"] == "completed"


async def test_room_is_counted_worklet_by_worklet(parts):
    ids = [(await parts.submit(name, {"x": 1})).json()["id"] for name in ("few", "few", "few", "steps", "few", "steps")]
    first = await asyncio.to_thread(parts.queue.claim, "first", 3, {"few": 2})
    assert [row.id for row in first] == [ids[0], ids[1], ids[3]]
    assert [row.id for row in await asyncio.to_thread(parts.queue.claim, "second", 9, {"few": 2})] == [ids[5]]
    await asyncio.to_thread(parts.queue.end, "first", ids[0], "completed")
    assert [row.id for row in await asyncio.to_thread(parts.queue.claim, "second", 9, {"few": 2})] == [ids[2]]


async def test_a_holder_that_lost_its_run_cannot_end_it(parts):
    id = (await parts.submit("steps", {"x": 1})).json()["id"]
    (row,) = await asyncio.to_thread(parts.queue.claim, "first", 1)
    await asyncio.sleep(1.1)  # its lease is over
    (again,) = await asyncio.to_thread(parts.queue.claim, "second", 1)
    assert (again.id, again.attempts) == (row.id, 2)
    assert not await asyncio.to_thread(parts.queue.end, "first", id, "completed")
    assert await asyncio.to_thread(parts.queue.end, "second", id, "completed")


async def test_rows_are_saved_once_however_often_the_run_is_taken_up(parts, store):
    from prefect_worklets.connectors.tables import TableRow
    from sqlmodel import select

    id = (await parts.submit("kept", {"x": 1})).json()["id"]
    async with parts.working():
        await parts.ended(id)
        # As if the process had died after it had saved and before it had noted that.
        parts.checkpoints.forget(id)
        with store.session() as session:
            from prefect_worklets.connectors.tables import SubmittedRun

            row = session.get(SubmittedRun, id)
            row.state = "queued"
            session.add(row)
        parts.later.wake()
        await parts.has_begun("first", 2)
        await asyncio.sleep(0.2)
    with store.read() as session:
        assert len(session.exec(select(TableRow).where(TableRow.run_id == id)).all()) == 1


async def test_a_retry_of_this_moment_waits_for_the_queue(parts, monkeypatch):
    parts.mark("go")
    parts.mark("break")
    id = (await parts.submit("steps", {"x": 1})).json()["id"]
    end = parts.queue.end

    def late(*args):
        time.sleep(0.4)
        return end(*args)

    monkeypatch.setattr(parts.queue, "end", late)
    async with parts.working():
        await until(lambda: asyncio.to_thread(parts.recent.get, id))
        assert parts.queue.get(id).state == "running"
        answer = await parts.client.post(f"/api/runs/{id}/retry", headers=parts.headers())
        assert answer.status_code == 202, answer.text


async def test_open_runs_are_listed_first(parts):
    parts.mark("go")
    done = (await parts.submit("steps", {"x": 1})).json()["id"]
    async with parts.working():
        await parts.ended(done)
    waiting = (await parts.submit("steps", {"x": 2})).json()["id"]
    listed = (await parts.client.get("/api/runs", headers=parts.headers())).json()["runs"]
    assert listed[0]["id"] == waiting
    only = (await parts.client.get("/api/runs?state=queued", headers=parts.headers())).json()["runs"]
    assert [run["id"] for run in only] == [waiting]


async def test_events_tell_each_change_until_the_end(parts):
    import orjson

    id = (await parts.submit("steps", {"x": 1})).json()["id"]

    async def follow():
        answer = await parts.client.get(f"/api/runs/{id}/events", headers=parts.headers())
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [orjson.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.15)
    async with parts.working():
        await parts.has_begun("second")
        await asyncio.sleep(0.2)
        parts.mark("go")
        changes = await following
    states = [change["state"] for change in changes]
    assert states[0] == "queued"
    assert "running" in states
    assert states[-1] == "completed"
    assert [node["state"] for node in changes[-1]["nodes"]] == ["completed", "completed"]


async def test_what_cannot_be_pickled_runs_again_and_nothing_else_breaks(parts, tmp_path):
    parts.checkpoints.keep("0" * 32, "good", {"a": 1})
    parts.checkpoints.keep("0" * 32, "bad", lambda: None)
    assert parts.checkpoints.kept("0" * 32) == {"good": {"a": 1}}
    (tmp_path / "results" / ("0" * 32) / "good").write_bytes(b"nonsense")
    assert parts.checkpoints.kept("0" * 32) == {}
    with pytest.raises(ValueError, match="no run's id"):
        parts.checkpoints.kept("../../etc")


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "2"])
def test_a_concurrency_that_is_none_is_refused(concurrency):
    with pytest.raises(DefinitionError, match="whole number from 1"):

        @pw.worklet(concurrency=concurrency)
        def nothing(x: int) -> int:
            return x
