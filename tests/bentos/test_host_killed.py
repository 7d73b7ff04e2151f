"""The shared host, killed: nothing is lost, and nothing hangs."""

from __future__ import annotations

import asyncio

import pytest
from prefect_worklets.bentos.host_link import HostLink
from prefect_worklets.connectors.errors import ModelFailed

pytestmark = pytest.mark.integration
KEY = "the-internal-key"


async def test_a_killed_host_is_healed_while_the_request_waits(thing, router, host):
    before = (await router.predict("thing", {})).outputs["pid"]
    host.kill()
    waiting = [asyncio.create_task(router.predict("thing", {"x": n})) for n in range(10)]
    await asyncio.sleep(0.1)
    assert not any(task.done() for task in waiting)
    await asyncio.to_thread(host.start)
    made = await asyncio.gather(*waiting)
    assert [one.outputs["x"] for one in made] == list(range(10))
    assert made[0].outputs["pid"] not in (before, None)


async def test_calls_in_flight_when_the_host_is_killed_are_answered(thing, router, host):
    waiting = [asyncio.create_task(router.predict("thing", {"what": "sleep", "x": 0.3})) for _ in range(2)]
    await asyncio.sleep(0.1)
    host.kill()
    await asyncio.to_thread(host.start)
    made = await asyncio.gather(*waiting)
    assert [one.outputs["x"] for one in made] == [0.3, 0.3]


async def test_a_restarted_host_gets_its_models_before_anybody_asks(thing, deployer, host):
    link = HostLink(host.data.socket("host"), KEY)
    await asyncio.sleep(1.2)  # the watcher has seen the first host
    host.kill()
    await asyncio.to_thread(host.start)
    await asyncio.to_thread(host.wait_ready)
    for _ in range(100):
        try:
            if (await link.health())["models"] == ["thing:1.0.0"]:
                break
        except Exception:  # the new host is not up yet
            pass
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("the model was not loaded again")
    link.close()


async def test_a_model_that_kills_its_host_fails_and_does_not_do_it_for_ever(thing, deployer, router, host):
    starts = 0

    async def keep_alive() -> None:
        nonlocal starts
        while True:
            if host.process.poll() is not None:
                await asyncio.to_thread(host.start)
                starts += 1
            await asyncio.sleep(0.02)

    keeper = asyncio.create_task(keep_alive())
    with pytest.raises(ModelFailed, match=r"process of thing.* died while it computed.*status 3"):
        await router.predict("thing", {"what": "die"})
    # From now on it can bring down nobody but itself.
    row = await asyncio.to_thread(deployer.records.version, "thing", "1.0.0")
    assert (row.tier, router.live("thing").tier) == ("isolated", "isolated")
    assert "died twice" in row.tier_reason
    assert (await router.predict("thing", {"x": 5})).outputs["x"] == 5
    keeper.cancel()
    assert starts == 2
