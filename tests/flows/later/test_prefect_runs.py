"""Flow runs that Prefect's worker hands over: one run an attempt, whatever is repeated."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import pytest

FLOW_RUN = "2ce4a8bf-e9fa-48e7-8425-5a00c02224c4"


@pytest.fixture
def hand_over(parts):
    async def send(flow_run, role="builder", **changes):
        body = {"worklet": "steps", "parameters": {"x": 4}, "attempt": str(uuid4()), **changes}
        path = f"/api/prefect/flow-runs/{flow_run}"
        return await parts.client.put(path, json=body, headers=parts.headers(role))

    return send


async def test_the_run_has_the_flow_run_s_id(parts, hand_over):
    parts.mark("go")
    flow_run, attempt = uuid4(), str(uuid4())
    first = await hand_over(flow_run, attempt=attempt)
    again = await hand_over(flow_run, attempt=attempt)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"] == flow_run.hex
    async with parts.working():
        run = await parts.ended(flow_run.hex, role="builder")
    assert (run["output"], run["trigger"]) == (50, "prefect")
    assert (await hand_over(flow_run, attempt=attempt)).json()["state"] == "completed"
    assert parts.begun("first") == 1


async def test_another_attempt_goes_on_from_the_node_that_failed(parts, hand_over):
    parts.mark("go")
    parts.mark("break")
    flow_run = uuid4()
    await hand_over(flow_run)
    async with parts.working():
        assert (await parts.ended(flow_run.hex, role="builder"))["state"] == "failed"
        (parts.folder / "break").unlink()
        second = (await hand_over(flow_run)).json()["id"]
        assert second != flow_run.hex
        run = await parts.ended(second, role="builder")
    assert (run["output"], run["trigger"]) == (50, "prefect")
    assert (parts.begun("first"), parts.begun("second")) == (1, 2)


async def test_an_attempt_at_an_open_run_is_that_run(parts, hand_over):
    flow_run = uuid4()
    first, second = await hand_over(flow_run), await hand_over(flow_run)
    assert first.json()["id"] == second.json()["id"]
    assert await asyncio.to_thread(parts.queue.waiting) == 1


async def test_asking_begins_nothing(parts, hand_over):
    flow_run = uuid4()
    assert (await hand_over(flow_run, start=False)).status_code == 404
    await hand_over(flow_run)
    assert (await hand_over(flow_run, start=False)).json()["state"] == "queued"


@pytest.mark.parametrize(
    ("flow_run", "changes", "status"),
    [
        ("no-uuid", {}, 400),
        (FLOW_RUN, {"attempt": "x"}, 400),
        (FLOW_RUN, {"parameters": [1]}, 400),
        (FLOW_RUN, {"parameters": {"x": "many"}}, 400),
        (FLOW_RUN, {"worklet": "nowhere"}, 404),
        (FLOW_RUN, {"role": "operator"}, 403),
    ],
)
async def test_what_is_refused(parts, hand_over, flow_run, changes, status):
    assert (await hand_over(flow_run, **changes)).status_code == status
    assert await asyncio.to_thread(parts.queue.waiting) == 0


async def test_a_look_that_waits_is_answered_at_the_change(parts):
    parts.mark("go")
    id = (await parts.submit("steps", {"x": 1})).json()["id"]
    path = f"/api/runs/{id}?wait=20&seen=queued"
    looking = asyncio.create_task(parts.client.get(path, headers=parts.headers()))
    began = time.monotonic()
    async with parts.working():
        assert (await looking).json()["state"] in ("running", "completed")
        await parts.ended(id)
    assert time.monotonic() - began < 20
    assert (await parts.client.get(path, headers=parts.headers())).json()["state"] == "completed"
