"""Sharing the requests of a model out: splits, shadows, and many swaps under load, over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import httpx
import numpy as np
import pytest
from prefect_worklets.bentos import api, rollout_api
from prefect_worklets.bentos.deployer import Deployer
from prefect_worklets.bentos.rollout import KEPT, Rollouts
from prefect_worklets.bentos.router import Router
from prefect_worklets.bentos.shadow import WAITING, Shadow, difference
from prefect_worklets.bentos.slots import Prediction
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.errors import Conflict
from prefect_worklets.connectors.web import Guard
from starlette.applications import Starlette


def answers(number, body="return {'by': %d, 'x': x}"):
    return f"def predict(self, x: float = 1.0):\n    {body % number if '%d' in body else body}"


@pytest.fixture
async def rollouts(store, deployer):
    return Rollouts(store, deployer)


@pytest.fixture
async def two(deployer, write_model, router):
    """Version 1 is live, version 2 answers beside it; both on the event loop, as models of a framework do."""
    await deployer.deploy(write_model("thing", answers(1)), version="1")
    row = await deployer.receive(write_model("thing", answers(2)), version="2")
    warm = await deployer.bring_warm(row)
    for slot in (router.live("thing"), router.warm("thing")["2"]):
        slot.manifest = slot.manifest.model_copy(update={"framework": "sklearn"})
        await slot.probe(10)
    return warm


@pytest.fixture
async def client(store, data, router, deployer, rollouts):
    access = Access(store)
    keys = {role: access.create_key(role, role=role) for role in ("viewer", "operator", "builder")}
    guard = Guard(access)
    routes = [*api.routes(router, deployer, guard, data), *rollout_api.routes(rollouts, guard)]
    headers = {"authorization": f"Bearer {keys['builder']}"}
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as client:
        client.keys = keys
        yield client


async def until(there, seconds=20):
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


class TestSplit:
    async def test_requests_are_shared_out(self, two, router, rollouts):
        assert (two.status, router.live("thing").version) == ("warm", "1")
        shown = await rollouts.set("thing", {"split": {"2": 30}})
        assert {row["version"]: row["percent"] for row in shown["versions"]} == {"1": 70, "2": 30}
        seen = Counter([(await router.predict("thing", {"x": 2.0})).version for _ in range(600)])
        assert 100 < seen["2"] < 270
        quick = Counter(router.quick("thing")({"x": 2.0}).version for _ in range(600))
        assert 100 < quick["2"] < 270
        assert (await router.predict("thing", {}, "1")).version == "1"
        assert router.quick("thing", "2")({}).version == "2"
        counted = {row["version"]: row["answered"] for row in (await rollouts.show("thing"))["versions"]}
        assert counted["2"] >= seen["2"] + quick["2"]

    async def test_where_one_is_slow_each_request_is_drawn_once(self, two, router, rollouts):
        await rollouts.set("thing", {"split": {"2": 30}})
        router.warm("thing")["2"].quick = None
        assert router.quick("thing") is None
        seen = Counter([(await router.predict("thing", {})).version for _ in range(300)])
        assert 40 < seen["2"] < 150

    async def test_it_outlives_a_restart_and_ends_with_a_promotion(self, two, store, data, deployer, rollouts):
        await rollouts.set("thing", {"split": {"2": 100}})
        await deployer.stop()
        router = Router()
        other = Deployer(store, data, router, internal_key="k")
        await other.start()
        again = Rollouts(store, other)
        await other.load_all()
        assert (await router.predict("thing", {})).version == "1"
        await again.restore()
        assert (await router.predict("thing", {})).version == "2"
        await other.promote("thing", "2")
        assert (await again.show("thing"))["split"] == {}
        assert other.records.model("thing").traffic is None
        assert router.traffic("thing") is None
        await other.stop()

    async def test_a_version_that_goes_leaves_its_share_to_the_live_one(self, two, router, rollouts):
        await rollouts.set("thing", {"split": {"2": 100}})
        router.drop("thing", "2")
        assert (await router.predict("thing", {})).version == "1"
        assert router.quick("thing")({}).version == "1"

    async def test_a_version_that_does_not_come_up_changes_nothing(self, two, deployer, router, rollouts, write_model):
        bad = await deployer.receive(write_model("thing", "def load(self): raise ValueError('no')\n" + answers(3)))
        with pytest.raises(Conflict, match="packaged"):
            await rollouts.set("thing", {"split": {bad.version: 10}})
        assert router.traffic("thing") is None

    async def test_what_is_wrong_is_told_at_once(self, two, client):
        body = {"split": {"1": 10, "2": 101, "3": 0}, "shadow": {"version": "1"}}
        answer = await client.put("/api/models/thing/traffic", json=body)
        assert answer.status_code == 400
        places = {tuple(fault["loc"]) for fault in answer.json()["errors"]}
        assert places == {("split", "1"), ("split", "2"), ("split", "3"), ("split",), ("shadow", "version")}
        assert (await client.put("/api/models/thing/traffic", json={"splitt": {}})).status_code == 400
        assert (await client.put("/api/models/thing/traffic", json={"split": {"9": 5}})).status_code == 404
        assert (await client.put("/api/models/none/traffic", json={})).status_code == 404

    async def test_who_may(self, two, client):
        headers = {"authorization": f"Bearer {client.keys['operator']}"}
        assert (await client.get("/api/models/thing/traffic", headers=headers)).status_code == 200
        for method, rest in (("PUT", ""), ("DELETE", ""), ("GET", "/differences")):
            answer = await client.request(method, f"/api/models/thing/traffic{rest}", headers=headers, json={})
            assert answer.status_code == 403
        assert (await client.get("/api/models/thing/traffic", headers={"authorization": ""})).status_code == 401
        assert (await client.put("/api/models/thing/traffic", json={"split": {"2": 5}})).status_code == 200
        assert (await client.delete("/api/models/thing/traffic")).json()["split"] == {}


class TestShadow:
    async def test_it_listens_and_nobody_sees_it(self, two, router, rollouts):
        await rollouts.set("thing", {"shadow": {"version": "2"}})
        seen = [(await router.predict("thing", {"x": 2.0})).version for _ in range(3)]
        seen.append(router.quick("thing")({"x": 3.0}).version)
        assert set(seen) == {"1"}
        shadow = router.traffic("thing").shadow
        await until(lambda: shadow.different == 4)
        await until(lambda: len(rollouts.differences("thing")) == 4)
        newest = rollouts.differences("thing")[0]
        assert (newest["live_version"], newest["shadow_version"], newest["kind"]) == ("1", "2", "different")
        assert newest["expected"]["by"] == 1
        assert newest["found"]["by"] == 2
        assert "by" in newest["detail"]
        assert (await rollouts.show("thing"))["shadow"]["asked"] == 4
        await rollouts.clear("thing")
        assert router.traffic("thing") is None

    async def test_one_that_fails_or_hangs_costs_the_caller_nothing(self, deployer, router, rollouts, write_model):
        await deployer.deploy(write_model("thing", answers(1)), version="1")
        body = "if x > 1: raise ValueError('no luck')\n    return {'by': 1, 'x': x}"
        await deployer.bring_warm(await deployer.receive(write_model("thing", answers(0, body)), version="2"))
        await rollouts.set("thing", {"shadow": {"version": "2"}})
        assert (await router.predict("thing", {"x": 2.0})).outputs["by"] == 1
        assert (await router.predict("thing", {"x": 0.5})).outputs["by"] == 1
        shadow = router.traffic("thing").shadow
        await until(lambda: shadow.failed == 1 and shadow.equal == 1)
        await until(lambda: rollouts.differences("thing"))
        assert "no luck" in rollouts.differences("thing")[0]["detail"]

    async def test_what_does_not_fit_is_dropped_and_counted(self):
        asked = []
        shadow = Shadow("2", asked.append, asked.append)
        answer = Prediction({}, "thing", "1")
        for _ in range(WAITING + 5):
            shadow.offer({"x": 1}, answer)
        shadow.offer(np.zeros(200_000), answer)
        assert shadow.counts()["dropped"] == 6
        assert asked == []

    async def test_it_sees_the_input_as_it_was(self):
        seen = []

        async def ask(inputs):
            seen.append(inputs)
            return Prediction(1, "thing", "2")

        shadow = Shadow("2", ask, seen.append)
        array, rows = np.zeros(2), [[1.0]]
        shadow.offer(array, Prediction(1, "thing", "1"))
        shadow.offer({"rows": rows}, Prediction(1, "thing", "1"))
        array[0] = rows[0][0] = 7
        task = asyncio.create_task(shadow.run())
        await until(lambda: shadow.equal == 2)
        task.cancel()
        assert seen[0].tolist() == [0, 0]
        assert seen[1] == {"rows": [[1.0]]}

    async def test_only_the_newest_are_kept(self, two, rollouts):
        from prefect_worklets.bentos.shadow import Difference

        for number in range(KEPT + 5):
            rollouts._keep("thing", Difference("1", "2", "different", str(number), None, None, None))
        kept = rollouts.differences("thing", 500)
        assert len(kept) == KEPT
        assert kept[0]["detail"] == str(KEPT + 4)


@pytest.mark.parametrize(
    ("expected", "found", "said"),
    [
        ([1.0, 2.0], np.array([1.0, 2.0 + 1e-9]), None),
        ([1.0, float("nan")], [1.0, float("nan")], None),
        ([1.0, 2.0], [1.0, 2.5], "1 of 2 numbers differ, by up to 0.5"),
        ([1.0], [[1.0]], "its shape is (1, 1) and not (1,)"),
        (["a", "b"], ["a", "c"], "1 of 2 values differ"),
        ({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3]}, "1 of 2 numbers differ, by up to 1 at b"),
        ({"a": 1}, {"b": 1}, "its parts are ['b'] and not ['a']"),
        ("text", "text", None),
        ("text", "other", "'other' and not 'text'"),
        (None, None, None),
        ([None, "a"], [None, "b"], "[None, 'b'] and not [None, 'a']"),
    ],
)
def test_differences_in_words(expected, found, said):
    assert difference(expected, found, 1e-6) == said


async def test_fifty_swaps_under_sixteen_clients_fail_no_request(deployer, client, write_model):
    await deployer.deploy(write_model("thing", answers(1)), version="1")
    await deployer.deploy(write_model("thing", answers(2)), version="2")
    done = asyncio.Event()
    seen: Counter[str] = Counter()

    async def ask():
        while not done.is_set():
            answer = await client.post("/api/models/thing/predict", json={"inputs": {"x": 1.0}})
            assert answer.status_code == 200, answer.text
            version = answer.headers["x-model-version"]
            assert answer.json()["version"] == version
            assert answer.json()["outputs"]["by"] == int(version)
            seen[version] += 1
            await asyncio.sleep(0)

    clients = [asyncio.create_task(ask()) for _ in range(16)]
    for number in range(50):
        answer = await client.post("/api/models/thing/promote", json={"version": str(1 + number % 2)})
        assert answer.status_code == 200
    done.set()
    await asyncio.gather(*clients)
    assert min(seen["1"], seen["2"]) > 20
