"""Models in processes of their own: what kills one costs nobody else anything."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from prefect_worklets.bentos.deployer import Deployer
from prefect_worklets.connectors.errors import BadInput, DefinitionError, ModelFailed, TookTooLong

pytestmark = pytest.mark.integration

BODY = """
def predict(self, what: str = "", x: float = 1.0):
    if what == "segfault":
        import ctypes
        ctypes.string_at(0)
    if what == "exit": os._exit(3)
    if what == "sleep": time.sleep(x)
    if what == "raise": raise ValueError("no such luck")
    return {"x": x, "pid": os.getpid()}
"""


@pytest.fixture
async def isolated(deployer, write_model):
    return await deployer.deploy(write_model("thing", BODY, isolate=True))


async def until(found, seconds=20):
    deadline = time.monotonic() + seconds
    while not (got := await found()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return got


async def test_it_has_a_process_of_its_own(isolated, router):
    assert (isolated.status, isolated.tier) == ("live", "isolated")
    first = (await router.predict("thing", {"x": 2.0})).outputs
    assert first["x"] == 2.0
    assert first["pid"] != os.getpid()
    assert (await router.predict("thing", {})).outputs["pid"] == first["pid"]


@pytest.mark.parametrize("what", ["segfault", "exit"])
async def test_a_crash_costs_only_the_request_inside_it(isolated, router, what):
    with pytest.raises(ModelFailed, match="died while it computed"):
        await router.predict("thing", {"what": what})
    began = time.monotonic()
    assert (await router.predict("thing", {"x": 3.0})).outputs["x"] == 3.0
    assert time.monotonic() - began < 30  # a limit for a stuck one; benchmarks/ measure it
    assert (await asyncio.to_thread(lambda: router.live("thing").tier)) == "isolated"


async def test_a_crash_does_not_touch_another_model(isolated, deployer, write_model, router):
    await deployer.deploy(write_model("other", BODY, isolate=True))
    answered = []

    async def ask():
        while len(answered) < 50:
            answered.append((await router.predict("other", {})).outputs["pid"])

    asking = asyncio.create_task(ask())
    for _ in range(2):
        with pytest.raises(ModelFailed):
            await router.predict("thing", {"what": "segfault"})
        assert (await router.predict("thing", {"x": 1.0})).outputs
    await asking
    assert len(set(answered)) == 1


async def test_one_that_is_killed_from_outside_comes_back(isolated, router):
    pid = router.live("thing").pid
    os.kill(pid, signal.SIGKILL)

    async def back():
        return router.live("thing").pid not in (None, pid)

    await until(back)
    assert (await router.predict("thing", {})).outputs["pid"] == router.live("thing").pid


async def test_one_that_hangs_is_replaced(isolated, router):
    first = router.live("thing").pid
    with pytest.raises(TookTooLong):
        await router.predict("thing", {"what": "sleep", "x": 600.0}, timeout=0.3)
    assert (await router.predict("thing", {})).outputs["pid"] != first


async def test_one_that_keeps_dying_is_given_up_and_the_version_before_answers(isolated, deployer, write_model, router):
    bad = await deployer.deploy(write_model("thing", BODY.replace('"x": x', '"x": -x'), isolate=True))
    assert bad.version == "1.0.1"
    for _ in range(3):
        with pytest.raises(ModelFailed):
            await router.predict("thing", {"what": "exit"}, "1.0.1")

    async def gone_back():
        live = router.live("thing")
        return live is not None and live.version == "1.0.0"

    await until(gone_back)
    row = await asyncio.to_thread(deployer.records.version, "thing", "1.0.1")
    assert row.status == "failed"
    assert "status 3" in row.error
    assert (await router.predict("thing", {"x": 5.0})).outputs["x"] == 5.0


async def test_one_without_a_version_before_is_tried_again_when_it_is_asked(isolated, deployer, router):
    for _ in range(3):
        with pytest.raises(ModelFailed):
            await router.predict("thing", {"what": "exit"})

    async def given_up():
        return (await asyncio.to_thread(deployer.records.version, "thing", "1.0.0")).status == "failed"

    await until(given_up)
    assert (await router.predict("thing", {"x": 4.0})).outputs["x"] == 4.0
    assert (await asyncio.to_thread(deployer.records.version, "thing", "1.0.0")).status == "live"


async def test_one_that_dies_as_it_loads_leaves_the_old_one(isolated, deployer, write_model, router):
    package = write_model(
        "thing", "def load(self): os._exit(7)\ndef predict(self, x: float = 1.0): return x", isolate=True
    )
    with pytest.raises(DefinitionError, match=r"1\.0\.0 still answers.*status 7"):
        await deployer.deploy(package)
    assert (await router.predict("thing", {})).version == "1.0.0"


async def test_deleting_ends_its_process(isolated, deployer, router, data):
    pid = router.live("thing").pid
    await deployer.delete("thing")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list(data.run.glob("m-*.sock")) == []


async def test_timeout_and_concurrency_of_the_package_hold(deployer, write_model, router):
    await deployer.deploy(write_model("thing", BODY, isolate=True, timeout=0.3, max_concurrency=1))
    with pytest.raises(TookTooLong, match=r"0\.3 s"):
        await router.predict("thing", {"what": "sleep", "x": 600.0})


APP = """
import asyncio, pathlib, sys
from multiprocessing import forkserver
from prefect_worklets.bentos.spawning import ForkSpawner
from prefect_worklets.connectors.layout import DataDirectory

async def main():
    data = DataDirectory(pathlib.Path(sys.argv[1])).prepare()
    child = await ForkSpawner().spawn(data, data.socket("m"), "k", data.root / "log", None)
    while not data.socket("m").exists():
        await asyncio.sleep(0.02)
    print(child.pid, forkserver._forkserver._forkserver_pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_they_end_with_an_app_that_is_killed(tmp_path):
    app = subprocess.Popen([sys.executable, "-c", APP, str(tmp_path / "d")], stdout=subprocess.PIPE, text=True)
    assert app.stdout is not None
    pids = [int(word) for word in app.stdout.readline().split()]
    assert len(pids) == 2
    assert all(psutil.pid_exists(pid) for pid in pids)
    app.kill()
    app.wait()
    app.stdout.close()
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=20)
    assert alive == []


async def test_an_idle_one_starts_again_when_it_is_asked(store, data, router, write_model):
    deployer = Deployer(store, data, router, internal_key="k", idle_seconds=0.3)
    await deployer.start()
    try:
        await deployer.deploy(write_model("thing", BODY, requirements=["iniconfig==2.0.0"]))
        first = (await router.predict("thing", {})).outputs["pid"]

        async def asleep():
            return router.live("thing").pid is None

        await until(asleep)
        assert (await asyncio.to_thread(deployer.records.version, "thing", "1.0.0")).status == "live"
        assert (await router.predict("thing", {})).outputs["pid"] != first
    finally:
        await deployer.stop()


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": -1}, {"max_concurrency": 0}, {"requirements": "numpy"},
                                     {"requirements": ["not a requirement!"]}, {"requirements": ["-r secrets.txt"]},
                                     {"requirements": ["x @ file:///etc/passwd"]}])  # fmt: skip
def test_what_cannot_be_asked_for(write_model, options):
    with pytest.raises(DefinitionError):
        write_model("thing", BODY, **options)


async def test_tiers_that_do_not_fit(deployer, write_model):
    with pytest.raises(BadInput, match="give `requirements"):
        await deployer.deploy(write_model("thing", BODY), tier="own-environment")
    with pytest.raises(BadInput, match="own environment"):
        await deployer.deploy(write_model("thing", BODY, requirements=["iniconfig==2.0.0"]), tier="in-process")
