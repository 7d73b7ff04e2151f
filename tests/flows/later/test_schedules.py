"""Time triggers: due when they say, once for each time, and once together for the times that were missed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from prefect_worklets.connectors.errors import NotFound
from prefect_worklets.flows.schedules import Schedules, next_time

NOON = datetime(2026, 3, 2, 12, 1, tzinfo=UTC)  # a Monday


def at(time):
    return int(time.timestamp() * 1e6)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        ("*/5 * * * *", "UTC", NOON, datetime(2026, 3, 2, 12, 5, tzinfo=UTC)),
        ("0 6 * * *", "Europe/Berlin", NOON, datetime(2026, 3, 3, 5, 0, tzinfo=UTC)),
        # The clocks skip 02:30 on this day: it runs right after.
        ("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 29, 0, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)),
        # And repeat it on this one: it runs once.
        ("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 25, 0, 31, tzinfo=UTC),
         datetime(2026, 10, 26, 1, 30, tzinfo=UTC)),
        ("0 0 29 2 *", "UTC", NOON, datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_the_next_time(cron, zone, after, expected):
    assert next_time(cron, zone, after) == at(expected)


def test_a_day_that_never_comes():
    assert next_time("0 0 31 2 *", "UTC", NOON) is None


async def test_each_time_gives_one_run(parts):
    schedules = parts.schedules
    assert await asyncio.to_thread(schedules.step, NOON) == 0
    rows = await asyncio.to_thread(schedules.all)
    assert [(row["worklet"], row["number"], row["timezone"]) for row in rows] == [
        ("timed", 0, "Europe/Berlin"), ("timed", 1, "UTC"),
    ]  # fmt: skip
    due = NOON + timedelta(minutes=4)
    # Another process looks at the same time.
    other = Schedules(schedules._store, parts.registry, parts.queue)
    fired = [await asyncio.to_thread(each.step, due) for each in (schedules, other, schedules)]
    assert sum(fired) == 1
    (row,) = await asyncio.to_thread(parts.queue.open_runs, "timed", ("queued",), 10)
    assert (row.trigger, row.principal) == ("cron", None)
    async with parts.working():
        run = await until_ended(parts, row.id)
    assert (run["state"], run["input"], run["output"]) == ("completed", {"x": 7}, 8)


async def until_ended(parts, id):
    while True:
        run = await parts.run(id, "admin")
        if run["state"] not in ("queued", "running"):
            return run
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(("catch_up", "runs"), [(True, 1), (False, 0)])
async def test_times_that_were_missed_give_one_run_or_none(parts, store, catch_up, runs):
    schedules = Schedules(store, parts.registry, parts.queue, catch_up=catch_up)
    await asyncio.to_thread(schedules.step, NOON)
    later = NOON + timedelta(hours=10)
    assert await asyncio.to_thread(schedules.step, later) == runs
    assert await asyncio.to_thread(schedules.step, later) == 0
    row = (await asyncio.to_thread(schedules.all))[0]
    assert row["due_us"] == at(later + timedelta(minutes=4))


async def test_a_paused_one_rests_and_goes_on_from_its_next_time(parts):
    schedules = parts.schedules
    await asyncio.to_thread(schedules.step, NOON)
    for role, status in (("operator", 403), ("builder", 200)):
        answer = await parts.client.patch("/api/schedules/timed/0", json={"paused": True}, headers=parts.headers(role))
        assert answer.status_code == status
    assert await asyncio.to_thread(schedules.step, NOON + timedelta(minutes=10)) == 0
    resumed_at = NOON + timedelta(hours=1)
    shown = await asyncio.to_thread(lambda: schedules.pause("timed", 0, paused=False, now=resumed_at))
    assert shown["due_us"] == at(resumed_at + timedelta(minutes=4))
    with pytest.raises(NotFound):
        await asyncio.to_thread(lambda: schedules.pause("timed", 9, paused=True))


async def test_a_new_version_keeps_what_stays_the_same(parts, store, tmp_path):
    from prefect_worklets.flows import bundle

    schedules = parts.schedules
    await asyncio.to_thread(schedules.step, NOON)
    await asyncio.to_thread(lambda: schedules.pause("timed", 0, paused=True))
    tree = tmp_path / "source"
    text = (tree / "steps.py").read_text().replace(', pw.cron("0 6 * * 1")', "").replace('{"x": 7}', '{"x": 8}')
    (tree / "steps.py").write_text(text)
    await asyncio.to_thread(parts.registry.push, bundle.pack(tree), "demo", "me")
    await asyncio.to_thread(schedules.step, NOON + timedelta(minutes=1))
    (row,) = await asyncio.to_thread(schedules.all)
    assert (row["number"], row["paused"], row["inputs"]) == (0, True, {"x": 8})
