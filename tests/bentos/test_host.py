from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
from PIL import Image as Pillow  # noqa: F401 - a picture's class must be there before hints are read
from prefect_worklets.bentos.host_link import HostLink
from prefect_worklets.connectors.errors import BadInput, DefinitionError, ModelFailed, TookTooLong

KEY = "the-internal-key"
ROW = [[5.1, 3.5, 1.4, 0.2]]


@pytest.fixture
async def thing(host, deployer, write_model):
    body = """
def predict(self, what: str = "", x: float = 1.0):
    if what == "raise": raise ValueError("no such luck")
    if what == "refuse": return object()
    if what == "exit": raise SystemExit("bye")
    if what == "die": os._exit(3)
    if what == "sleep": time.sleep(x)
    return {"x": x, "array": np.arange(3, dtype=np.float32), "nan": float("nan"), "pid": os.getpid()}
"""
    return await deployer.deploy(write_model("thing", body), tier="shared-host")


async def test_answers_are_those_of_the_model(host, deployer, router, iris_package, iris, logreg):
    row = await deployer.deploy(iris_package, tier="shared-host")
    assert (row.status, row.tier, row.tier_reason) == ("live", "shared-host", "asked for")
    made = await router.predict("iris", iris[0])
    np.testing.assert_array_equal(made.outputs, logreg.predict(iris[0]))
    assert router.quick("iris") is None


async def test_data_keeps_its_types(thing, router, host):
    made = (await router.predict("thing", {"x": 2})).outputs
    assert made["x"] == 2.0
    assert made["array"].dtype == np.float32
    assert made["nan"] != made["nan"]
    assert made["pid"] == host.process.pid


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("raise", ModelFailed, "thing:1.0.0 raised ValueError: no such luck"),
        ("exit", ModelFailed, "SystemExit: bye"),
        ("refuse", ModelFailed, "no data"),
        (3, BadInput, "does not fit"),
    ],
)
async def test_failures_come_through_as_they_are(thing, router, what, error, message):
    with pytest.raises(error, match=message):
        await router.predict("thing", {"what": what})
    assert (await router.predict("thing", {"x": 1})).outputs["x"] == 1


async def test_too_slow_an_answer(thing, router):
    began = time.perf_counter()
    with pytest.raises(TookTooLong, match="within 0.2 s"):
        await router.predict("thing", {"what": "sleep", "x": 3}, timeout=0.2)
    assert time.perf_counter() - began < 1.5


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


async def test_a_model_that_kills_its_host_fails_and_does_not_do_it_for_ever(thing, router, host):
    starts = 0

    async def keep_alive() -> None:
        nonlocal starts
        while True:
            if host.process.poll() is not None:
                await asyncio.to_thread(host.start)
                starts += 1
            await asyncio.sleep(0.02)

    keeper = asyncio.create_task(keep_alive())
    with pytest.raises(ModelFailed, match="died twice"):
        await router.predict("thing", {"what": "die"})
    assert (await router.predict("thing", {"x": 5})).outputs["x"] == 5
    keeper.cancel()
    assert starts == 2


async def test_swap_and_rollback_across_tiers(thing, deployer, router, write_model):
    await deployer.deploy(write_model("thing", "def predict(self, what: str = '', x: float = 1.0): return 'here'"))
    assert (await router.predict("thing", {})).outputs == "here"
    assert (await deployer.rollback("thing")).tier == "shared-host"
    assert (await router.predict("thing", {})).outputs["x"] == 1.0


async def test_a_model_that_does_not_load(host, deployer, write_model):
    broken = write_model(
        "broken", "def load(self): raise OSError('no weights')\ndef predict(self, x: int = 1): return x"
    )
    with pytest.raises(DefinitionError, match="raised OSError: no weights"):
        await deployer.deploy(broken, tier="shared-host")


async def test_unloaded_when_deleted(thing, deployer, host):
    link = HostLink(host.data.socket("host"), KEY)
    assert (await link.health())["models"] == ["thing:1.0.0"]
    await deployer.delete("thing")
    assert (await link.health())["models"] == []
    link.close()


class TestDoor:
    @pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer other"}, {"authorization": KEY}])
    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "/health"), ("POST", "/models"), ("POST", "/models/a/1/call")]
    )
    async def test_only_this_instance_gets_in(self, host, headers, method, path):
        transport = httpx.AsyncHTTPTransport(uds=str(host.data.socket("host")))
        async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
            assert (await client.request(method, path, headers=headers)).status_code == 403

    async def test_pickles_are_not_read(self, thing, host, tmp_path):
        evil = b"cos\nsystem\n(S'touch " + str(tmp_path / "evil").encode() + b"'\ntR."
        transport = httpx.AsyncHTTPTransport(uds=str(host.data.socket("host")))
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/vnd.bentoml+pickle"}
        async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
            for path in ("call", "predict"):
                answer = await client.post(f"/models/thing/1.0.0/{path}", content=evil, headers=headers)
                assert answer.status_code >= 400
        assert not (tmp_path / "evil").exists()

    async def test_the_services_own_json_route(self, thing, host):
        transport = httpx.AsyncHTTPTransport(uds=str(host.data.socket("host")))
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://h", headers=headers) as client:
            answer = await client.post("/models/thing/1.0.0/predict", json={"inputs": {"x": 4}})
            assert answer.json()["outputs"]["x"] == 4
            assert answer.json()["outputs"]["nan"] is None
            wrong = await client.post("/models/thing/1.0.0/predict", json={"inputs": {"x": "4"}})
            assert (wrong.status_code, wrong.json()["faults"][0]["loc"]) == (400, ["inputs", "x"])

    def test_the_socket_is_its_owners(self, host):
        assert stat.S_IMODE(os.stat(host.data.socket("host")).st_mode) == 0o600

    def test_no_key_no_host(self, data):
        environment = {name: value for name, value in os.environ.items() if name != "WORKLETS_INTERNAL_KEY"}
        command = [sys.executable, "-m", "prefect_worklets.bentos.host", "--data", str(data.root)]
        ended = subprocess.run(command, env=environment, capture_output=True, timeout=30)
        assert ended.returncode == 1
        assert b"WORKLETS_INTERNAL_KEY is not set" in ended.stderr
