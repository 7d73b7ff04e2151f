"""Submitted runs that are paused and resumed: nodes under way end, none is lost, and none that has ended runs again."""

from __future__ import annotations

import asyncio
import random

import pytest
from prefect_worklets.connectors.tables import SubmittedRun, TableRow
from sqlmodel import select, update

from .conftest import Later, until


@pytest.fixture(autouse=True)
def leases_last(parts: Later) -> None:
    # Nothing here waits for a lease to end, and a busy machine must not let one.
    parts.queue._lease_us = 60_000_000


async def submitted(parts: Later, name: str = "three") -> str:
    return (await parts.submit(name, {"x": 1})).json()["id"]


def states(run):
    return {node["id"]: node["state"] for node in run["nodes"]}


@pytest.mark.parametrize("name", ["three", "around"])
async def test_nodes_under_way_end_and_no_other_begins(parts, name):
    id = await submitted(parts, name)
    async with parts.working():
        await parts.has_begun("second")
        told = await parts.ask(id, "pause")
        assert (told["state"], told["pause_asked"]) == ("running", True)
        assert (await parts.run(id))["pause_asked"]
        parts.mark("go")
        run = await parts.in_state(id, "paused")
        assert (
            states(run) == {"three": {"first": "completed", "second": "completed"}, "around": {"three": "paused"}}[name]
        )
        assert not run["pause_asked"]
        await until(lambda: asyncio.sleep(0, parts.later._tasks == {}))  # nothing holds it
        assert (await parts.ask(id, "pause"))["state"] == "paused"  # once more changes nothing
    assert (parts.begun("second"), parts.begun("third")) == (1, 0)
    async with parts.working():  # of another process
        assert (await parts.run(id))["state"] == "paused"
        await parts.ask(id, "resume")
        run = await parts.ended(id)
    assert (run["state"], run["output"]) == ("completed", {"three": 23, "around": 26}[name])
    assert (parts.begun("first"), parts.begun("second")) == (1, 1)


async def test_a_queued_run_is_not_taken_until_it_is_resumed(parts):
    parts.mark("go")
    id, other = await submitted(parts), await submitted(parts)
    assert (await parts.ask(id, "pause"))["state"] == "paused"
    async with parts.working():
        assert (await parts.ended(other))["state"] == "completed"
        listed = (await parts.client.get("/api/runs?state=paused", headers=parts.headers())).json()["runs"]
        assert [run["id"] for run in listed] == [id]
        assert parts.begun("first") == 1
        await parts.ask(id, "resume")
        assert (await parts.ended(id))["state"] == "completed"


async def test_resumed_before_it_sleeps_it_goes_on(parts):
    id = await submitted(parts)
    async with parts.working():
        await parts.has_begun("second")
        await parts.ask(id, "pause")
        await parts.ask(id, "resume")
        parts.mark("go")
        assert (await parts.ended(id))["output"] == 23
    assert (parts.begun("second"), parts.begun("third")) == (1, 1)


async def test_a_paused_run_takes_no_room(parts):
    ids = [await submitted(parts, "few") for _ in range(3)]
    for id in ids[:2]:
        await parts.ask(id, "pause")
    taken = await asyncio.to_thread(parts.queue.claim, "another", 9, {"few": 1})
    assert [row.id for row in taken] == [ids[2]]


async def test_a_paused_run_can_be_cancelled(parts):
    id = await submitted(parts)
    async with parts.working():
        await parts.has_begun("second")
        await parts.ask(id, "pause")
        parts.mark("go")
        await parts.in_state(id, "paused")
        await parts.ask(id, "cancel")
        run = await parts.ended(id)
    assert (run["state"], states(run)) == ("cancelled", {"first": "completed", "second": "completed"})
    assert parts.begun("third") == 0


async def test_what_cannot_be_paused_or_resumed_says_so(parts):
    parts.mark("go")
    id = await submitted(parts)
    assert "not paused; it is queued" in (await parts.ask(id, "resume", 409))["detail"]
    async with parts.working():
        await parts.ended(id)
    for what in ("pause", "resume"):
        assert "has ended already (completed)" in (await parts.ask(id, what, 409))["detail"]
        assert "what was invoked ends with its answer" in (await parts.ask("0" * 32, what, 404))["detail"]
    going = await submitted(parts)
    await asyncio.to_thread(parts.queue.claim, "another", 1)
    await parts.ask(going, "cancel")
    assert "is being cancelled" in (await parts.ask(going, "pause", 409))["detail"]
    answer = await parts.client.post(f"/api/runs/{going}/pause", headers=parts.headers("viewer"))
    assert answer.status_code == 403


async def test_a_run_that_waits_for_a_decision_rests_until_it_is_resumed(parts):
    id = await submitted(parts, "asking")
    async with parts.working():
        (review,) = await parts.asked(id)
        assert (await parts.ask(id, "pause"))["state"] == "paused"
        await parts.ask(id, "resume")
        await parts.in_state(id, "waiting")  # nobody has decided yet
        await parts.ask(id, "pause")
        assert (await parts.decide(review["id"], {"approved": True})).status_code == 200
        assert (await parts.run(id))["state"] == "paused"
        await parts.ask(id, "resume")
        assert (await parts.ended(id))["output"] == "lamp: yes"
    assert parts.begun("offer") == 1


async def test_a_process_that_stops_while_nodes_end_leaves_it_paused(parts):
    id = await submitted(parts)
    async with parts.working():
        await parts.has_begun("second")
        await parts.ask(id, "pause")
    assert (await parts.run(id))["state"] == "paused"
    async with parts.working():
        parts.mark("go")
        await parts.ask(id, "resume")
        assert (await parts.ended(id))["output"] == 23
    assert (parts.begun("first"), parts.begun("second")) == (1, 2)


async def test_the_flow_run_that_prefect_resumes_is_handed_over_again(parts):
    flow_run = "2ce4a8bf-e9fa-48e7-8425-5a00c02224c4"

    async def hand_over(attempt):
        body = {"worklet": "three", "parameters": {"x": 1}, "attempt": attempt}
        answer = await parts.client.put(
            f"/api/prefect/flow-runs/{flow_run}", json=body, headers=parts.headers("builder")
        )
        return answer.json()

    first, second = "0" * 31 + "1", "0" * 31 + "2"
    id = (await hand_over(first))["id"]
    for attempt in (second, first):
        await asyncio.to_thread(parts.queue.ask_to_pause, id)
        before = second if attempt == first else first
        assert await hand_over(before) == {"id": id, "state": "paused", "worklet": "three", "version": 1}
        assert (await hand_over(attempt))["state"] == "queued"


async def killed(parts: Later, working: asyncio.Task[None]) -> None:
    """As if the process had died: it gives nothing back, and its leases end."""
    release, parts.queue.release = parts.queue.release, lambda holder: None
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    parts.queue.release = release
    with parts.registry.store.session() as session:
        session.exec(update(SubmittedRun).values(lease_until_us=0))


async def test_killed_while_it_is_paused_nothing_is_lost_and_nothing_done_twice(parts, store):
    chosen = random.Random(7)
    id, done = await submitted(parts, "stages"), {}
    working = asyncio.create_task(parts.later.run())

    async def got_on():
        return len(parts.checkpoints.kept(id)) > min(len(done), 3) or (await parts.run(id))["state"] == "paused"

    for _ in range(4):
        await until(got_on)
        for _ in range(chosen.randrange(4)):
            await parts.client.post(f"/api/runs/{id}/{chosen.choice(['pause', 'resume'])}", headers=parts.headers())
            await asyncio.sleep(chosen.random() * 0.05)
        await killed(parts, working)
        done |= {node: parts.begun(node) for node in parts.checkpoints.kept(id)}
        working = asyncio.create_task(parts.later.run())
        await parts.client.post(f"/api/runs/{id}/resume", headers=parts.headers())
    parts.mark("go")
    await parts.client.post(f"/api/runs/{id}/resume", headers=parts.headers())
    run = await parts.ended(id)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert (run["state"], run["output"]) == ("completed", {"d": 4, "c": 3, "e": 40})
    assert done
    assert {node: parts.begun(node) for node in done} == done
    with store.read() as session:
        assert len(session.exec(select(TableRow).where(TableRow.run_id == id)).all()) == 1
