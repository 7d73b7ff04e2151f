"""The shared host, killed: nothing is lost, and nothing hangs."""

from __future__ import annotations

import asyncio

import numpy as np
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


@pytest.fixture
async def starts(host):
    """Has the host started again whenever it dies, as `worklets up` does; how often, so far."""
    made: list[float] = []

    async def keep_alive() -> None:
        while True:
            if host.process.poll() is not None:
                await asyncio.to_thread(host.start)
                made.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.02)

    keeper = asyncio.create_task(keep_alive())
    yield made
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)


async def test_a_model_that_kills_its_host_fails_and_does_not_do_it_for_ever(thing, deployer, router, starts):
    with pytest.raises(ModelFailed, match=r"process of thing.* died while it computed.*status 3"):
        await router.predict("thing", {"what": "die"})
    # From now on it can bring down nobody but itself.
    row = await asyncio.to_thread(deployer.records.version, "thing", "1.0.0")
    assert (row.tier, router.live("thing").tier) == ("isolated", "isolated")
    assert "died twice" in row.tier_reason
    assert (await router.predict("thing", {"x": 5})).outputs["x"] == 5
    assert len(starts) == 2


async def test_one_that_its_host_dies_of_as_it_loads_is_given_up(
    thing, deployer, router, host, starts, write_model, tmp_path
):
    flag = tmp_path / "flag"
    good = "def predict(self, x: float): return {'x': x}"
    later_bad = f"def load(self):\n    if os.path.exists({str(flag)!r}): os._exit(5)\n{good}"
    await deployer.deploy(write_model("loop", good), tier="shared-host")
    bad = await deployer.deploy(write_model("loop", later_bad), tier="shared-host")
    flag.touch()
    host.kill()
    for _ in range(600):
        row = await asyncio.to_thread(deployer.records.version, "loop", bad.version)
        live = router.live("loop")
        if row.status == "failed" and live is not None and live.version == "1.0.0":
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError(f"it is {row.status}; the host started {len(starts)} times")
    assert "status 5" in row.error
    assert (await router.predict("loop", {"x": 2.0})).outputs["x"] == 2.0
    assert (await router.predict("thing", {"x": 5})).outputs["x"] == 5
    assert len(starts) == 3  # once for the kill, twice for the model


async def test_one_that_several_rows_kill_is_deployed_without_batches(deployer, router, starts, write_model):
    body = """
def predict(self, x: np.ndarray):
    if len(x) > 1: os._exit(4)
    return {"y": x * 2}
"""
    package = write_model("single", body, sample_input={"x": np.ones((1, 2))})
    row = await asyncio.wait_for(deployer.deploy(package, tier="shared-host"), 60)
    assert row.status == "live"
    assert "died twice" in row.manifest["batching"]["reason"]
    assert (await router.predict("single", {"x": [[1.0, 2.0]]})).outputs["y"].tolist() == [[2.0, 4.0]]
