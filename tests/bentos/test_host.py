from __future__ import annotations

import os
import stat
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
from prefect_worklets.bentos.host_link import HostLink
from prefect_worklets.connectors.errors import BadInput, DefinitionError, ModelFailed, TookTooLong
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.store import Store

KEY = "the-internal-key"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """One data directory, and so one host, for the whole file; each test has a store of its own."""
    return DataDirectory(tmp_path_factory.mktemp("d")).prepare()


@pytest.fixture(scope="module")
def host(data, make_host):
    with make_host(data) as host:
        yield host


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'own.db'}")
    store.migrate()
    yield store
    store.close()


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
        ("raise", ModelFailed, r"thing:1\.0\.0 raised ValueError: no such luck"),
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
    with pytest.raises(TookTooLong, match=r"within 0\.2 s"):
        await router.predict("thing", {"what": "sleep", "x": 3}, timeout=0.2)
    assert time.perf_counter() - began < 1.5


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
    assert "thing:1.0.0" in (await link.health())["models"]
    await deployer.delete("thing")
    assert "thing:1.0.0" not in (await link.health())["models"]
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
