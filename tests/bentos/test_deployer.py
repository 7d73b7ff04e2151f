from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from prefect_worklets.bentos.deployer import Deployer
from prefect_worklets.bentos.hosted import HostedModel
from prefect_worklets.bentos.manifest import read_manifest
from prefect_worklets.bentos.package import archive, pack
from prefect_worklets.bentos.router import Router
from prefect_worklets.bentos.slots import InProcessSlot
from prefect_worklets.bentos.threads import ModelThreads
from prefect_worklets.bentos.tiers import choose
from prefect_worklets.connectors.errors import (
    BadInput,
    Conflict,
    DefinitionError,
    ModelFailed,
    NotFound,
    TookTooLong,
    Unavailable,
)
from sklearn.linear_model import LogisticRegression

ROW = [[5.1, 3.5, 1.4, 0.2]]


async def settled(deployer, name, version, status):
    """Wait until a version has a status: what comes after a swap runs beside it."""
    for _ in range(400):
        row = await asyncio.to_thread(deployer.records.version, name, version)
        if row.status == status:
            return row
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} {version} is {row.status}, not {status}")


class TestDeploy:
    async def test_a_model_goes_live(self, deployer, router, iris_package, iris, logreg):
        row = await deployer.deploy(iris_package, created_by="me")
        assert (row.version, row.status, row.tier, row.created_by) == ("1.0.0", "live", "in-process", "me")
        assert "scikit-learn" in row.tier_reason
        made = await router.predict("iris", iris[0])
        assert (made.model, made.version) == ("iris", "1.0.0")
        np.testing.assert_array_equal(made.outputs, logreg.predict(iris[0]))
        assert router.names() == ["iris"]
        assert router.signature("iris").outputs[0].dtype == "int64"

    async def test_from_an_archive_under_another_name(self, deployer, router, iris_package, tmp_path, data):
        path, _ = archive(iris_package, tmp_path / "a.tar.gz")
        row = await deployer.deploy(path, name="other", version="2.0.0")
        assert (row.model_name, row.version, row.bento_tag) == ("other", "2.0.0", "other:2.0.0")
        assert (await router.predict("other", ROW)).outputs.tolist() == [0]
        assert not list((data.root / "incoming").iterdir())

    async def test_bentoml_lists_it(self, deployer, iris_package, data):
        await deployer.deploy(iris_package)
        environment = {**os.environ, "BENTOML_HOME": str(data.bentoml), "BENTOML_DO_NOT_TRACK": "true"}
        command = [sys.executable, "-m", "bentoml", "models", "list", "-o", "json"]
        listed = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, check=True)
        assert b"iris:1.0.0" in listed.stdout

    async def test_equal_content_makes_no_new_version(self, deployer, iris_package, logreg, tmp_path):
        await deployer.deploy(iris_package)
        again = await deployer.deploy(iris_package)
        assert again.version == "1.0.0"
        other = pack(logreg, "iris", metadata={"by": "me"}, folder=tmp_path / "other")
        assert (await deployer.deploy(other)).version == "1.0.1"

    async def test_a_version_never_changes(self, deployer, iris_package):
        await deployer.deploy(iris_package, version="1.0.0")
        with pytest.raises(Conflict, match="a version never changes"):
            await deployer.deploy(iris_package, version="1.0.0")

    async def test_a_changed_package_is_refused(self, deployer, iris_package):
        (iris_package / "model.pkl").write_bytes(b"x")
        with pytest.raises(BadInput):
            await deployer.deploy(iris_package)
        assert await asyncio.to_thread(deployer.records.models) == []

    async def test_at_once(self, deployer, router, logreg, tmp_path):
        packages = [pack(logreg, "iris", metadata={"n": n}, folder=tmp_path / str(n)) for n in range(5)]
        rows = await asyncio.gather(*map(deployer.deploy, packages))
        assert {row.version for row in rows} == {f"1.0.{n}" for n in range(5)}
        live = (await asyncio.to_thread(deployer.records.model, "iris")).live_version
        assert (await router.predict("iris", ROW)).version == live

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("def predict(self, x: float = 1.0): raise ValueError('no weights')", "no weights"),
            ("def predict(self, x: float = 1.0): raise SystemExit('bye')", "SystemExit"),
            ("def load(self): raise OSError('no disk')\ndef predict(self, x: float = 1.0): return 1", "no disk"),
            ("def predict(self, x: float = 1.0): return object()", "is no data"),
            ("def predict(self, x: float): return 1\ndef sample(self): return {'x': 'text'}", "does not fit"),
        ],
    )
    async def test_a_failed_probe_leaves_the_old_one(self, deployer, router, write_model, body, reason):
        await deployer.deploy(write_model("thing", "def predict(self, x: float = 1.0): return x"))
        with pytest.raises(DefinitionError, match=r"1\.0\.0 still answers"):
            await deployer.deploy(write_model("thing", body))
        row = await asyncio.to_thread(deployer.records.version, "thing", "1.0.1")
        assert row.status == "failed"
        assert reason in row.error
        assert (await router.predict("thing", 3.0)) == (3.0, "thing", "1.0.0")

    async def test_a_failed_first_version(self, deployer, router, write_model):
        with pytest.raises(DefinitionError, match="no version answers"):
            await deployer.deploy(write_model("thing", "def predict(self, x: float = 1.0): raise ValueError('x')"))
        with pytest.raises(NotFound, match="no live version"):
            await router.predict("thing", 1.0)


class TestVersions:
    @pytest.fixture
    async def two(self, deployer, write_model):
        for number in (1, 2):
            await deployer.deploy(write_model("thing", f"def predict(self, x: float = 1.0): return {number}"))
        await settled(deployer, "thing", "1.0.0", "warm")

    async def test_the_old_one_stays_warm(self, two, router):
        assert (await router.predict("thing", 1.0)).outputs == 2
        assert (await router.predict("thing", 1.0, version="1.0.0")).outputs == 1

    async def test_rollback_and_promote(self, two, deployer, router):
        assert (await deployer.rollback("thing")).version == "1.0.0"
        assert (await router.predict("thing", 1.0)).outputs == 1
        assert (await deployer.promote("thing", "1.0.1")).status == "live"
        assert (await router.predict("thing", 1.0)).outputs == 2
        assert (await asyncio.to_thread(deployer.records.model, "thing")).generation == 4

    async def test_only_one_stays_warm(self, two, deployer, router, write_model):
        await deployer.deploy(write_model("thing", "def predict(self, x: float = 1.0): return 3"))
        await settled(deployer, "thing", "1.0.0", "stopped")
        await settled(deployer, "thing", "1.0.1", "warm")
        assert (await router.predict("thing", 1.0, version="1.0.0")).outputs == 1  # brought up when asked for

    async def test_no_version_to_go_back_to(self, deployer, iris_package):
        await deployer.deploy(iris_package)
        with pytest.raises(Conflict, match="no earlier version"):
            await deployer.rollback("iris")

    async def test_unknown_ones(self, two, deployer, router):
        with pytest.raises(NotFound, match="did you mean thing"):
            await router.predict("thign", 1.0)
        with pytest.raises(NotFound, match="has no version '9'"):
            await router.predict("thing", 1.0, version="9")
        with pytest.raises(NotFound):
            await deployer.promote("thing", "9")
        with pytest.raises(NotFound):
            await deployer.delete("nothing")

    async def test_delete(self, two, deployer, router, data):
        await deployer.delete("thing")
        with pytest.raises(NotFound):
            await router.predict("thing", 1.0)
        assert not (data.bentoml / "models" / "thing").exists()

    async def test_everything_is_back_after_a_restart(self, two, deployer, store, data):
        await deployer.stop()
        router = Router()
        again = Deployer(store, data, router)
        await again.start()
        await again.load_all()
        assert (await router.predict("thing", 1.0)) == (2, "thing", "1.0.1")
        assert (await asyncio.to_thread(again.records.version, "thing", "1.0.0")).status == "stopped"
        assert (await again.rollback("thing")).version == "1.0.0"
        await again.stop()

    async def test_a_version_that_was_starting_is_failed_after_a_restart(self, deployer, iris_package):
        row = await deployer.receive(iris_package)
        await asyncio.to_thread(deployer.records.settle_after_restart)
        row = await asyncio.to_thread(deployer.records.version, "iris", row.version)
        assert (row.status, "deploy it again" in row.error) == ("failed", True)


class TestSwaps:
    async def test_fifty_swaps_under_load_lose_nothing(self, deployer, router, write_model):
        await deployer.deploy(write_model("thing", "def predict(self, x: float = 1.0): return [x, 0]"))
        await deployer.deploy(
            write_model("thing", "def predict(self, x: float = 1.0):\n    time.sleep(0.0005)\n    return [x, 1]")
        )
        done = asyncio.Event()
        answers: list[tuple[float, list[float]]] = []

        async def ask(number: int) -> None:
            count = 0
            while not done.is_set():
                value = number * 1e6 + count
                answers.append((value, (await router.predict("thing", value)).outputs))
                count += 1
                await asyncio.sleep(0.001)

        askers = [asyncio.create_task(ask(number)) for number in range(8)]
        for swap in range(50):
            await deployer.promote("thing", f"1.0.{swap % 2}")
        done.set()
        await asyncio.gather(*askers)
        assert len(answers) > 200
        assert all(answer[0] == value for value, answer in answers)
        assert {answer[1] for _, answer in answers} == {0, 1}

    async def test_one_that_is_live_again_before_it_has_drained_stays_live(self, deployer, router, write_model):
        slow = "def predict(self, x: float = 0.0):\n    time.sleep(x)\n    return 1"
        await deployer.deploy(write_model("thing", slow))
        call = asyncio.create_task(router.predict("thing", 0.3))
        await asyncio.sleep(0.05)
        await deployer.deploy(write_model("thing", "def predict(self, x: float = 0.0): return 2"))
        await deployer.promote("thing", "1.0.0")
        await call
        for _ in range(30):  # its drain has ended by now, and says so a moment later
            assert deployer.records.version("thing", "1.0.0").status == "live"
            await asyncio.sleep(0.01)

    async def test_a_call_in_flight_ends_with_its_own_version(self, deployer, router, write_model):
        slow = "def predict(self, x: float = 0.0):\n    time.sleep(x)\n    return 'slow'"
        await deployer.deploy(write_model("thing", slow))
        call = asyncio.create_task(router.predict("thing", 0.3))
        await asyncio.sleep(0.05)
        await deployer.deploy(write_model("thing", "def predict(self, x: float = 0.0): return 'new'"))
        assert (await router.predict("thing", 0.0)).outputs == "new"
        assert (await call) == ("slow", "thing", "1.0.0")

    async def test_delete_waits_for_calls_in_flight(self, deployer, router, write_model):
        await deployer.deploy(
            write_model("thing", "def predict(self, x: float = 0.0):\n    time.sleep(x)\n    return x")
        )
        call = asyncio.create_task(router.predict("thing", 0.3))
        await asyncio.sleep(0.05)
        await deployer.delete("thing")
        assert (await call).outputs == 0.3


class TestFailures:
    async def test_what_a_model_raises_is_its_failure(self, deployer, router, write_model):
        body = "def predict(self, x: float = 1.0):\n    if x < 0: raise ValueError('x is negative')\n    return x"
        await deployer.deploy(write_model("thing", body))
        with pytest.raises(ModelFailed, match=r"thing:1\.0\.0 raised ValueError: x is negative"):
            await router.predict("thing", -1.0)

    async def test_the_models_own_timeout_is_no_time_limit(self, deployer, router, write_model):
        body = "def predict(self, x: float = 1.0):\n    if x < 0: raise TimeoutError('its own')\n    time.sleep(0.01)"
        await deployer.deploy(write_model("thing", body))
        with pytest.raises(ModelFailed, match="its own"):
            await router.predict("thing", -1.0)

    async def test_a_slow_model_takes_too_long_and_hinders_no_other(self, deployer, router, write_model, iris_package):
        await deployer.deploy(iris_package)
        await deployer.deploy(
            write_model("thing", "def predict(self, x: float = 0.01):\n    time.sleep(x)\n    return x")
        )
        began = time.perf_counter()
        calls = [router.predict("thing", 0.4, timeout=0.1) for _ in range(5)]
        results = await asyncio.gather(*calls, router.predict("iris", ROW), return_exceptions=True)
        assert time.perf_counter() - began < 0.4
        assert [type(result) for result in results[:5]] == [TookTooLong] * 5
        assert results[5].outputs.tolist() == [0]

    async def test_the_host_away(self, store, data, router, iris_package):
        from prefect_worklets.bentos.host_link import HostLink

        link = HostLink(data.socket("host"), "k", heal_seconds=0.2)
        deployer = Deployer(store, data, router, link=link)
        with pytest.raises(Unavailable, match="model host is away"):
            await deployer.deploy(iris_package, tier="shared-host")
        await deployer.stop()


class TestQuickness:
    async def test_a_quick_model_answers_on_the_loop(self, deployer, router, iris_package):
        await deployer.deploy(iris_package)
        call = router.quick("iris")
        assert call is not None
        assert call(ROW).outputs.tolist() == [0]
        assert router.quick("iris", "1.0.0") is not None
        assert router.quick("iris", "9") is None
        assert router.quick("nothing") is None

    async def test_code_of_a_users_own_does_not_however_quick(self, deployer, router, write_model):
        body = "def predict(self, x: float = 1.0):\n    import threading\n    return threading.current_thread().name"
        await deployer.deploy(write_model("thing", body))
        assert router.live("thing").tier == "in-process"
        assert router.quick("thing") is None
        for _ in range(50):
            answer = await router.predict("thing", 1.0)
            assert answer.outputs != threading.current_thread().name
        assert router.quick("thing") is None

    async def test_a_slow_or_waiting_model_does_not(self, deployer, router, write_model):
        await deployer.deploy(
            write_model("thing", "def predict(self, x: float = 1.0):\n    time.sleep(0.002)\n    return 1")
        )
        assert router.quick("thing") is None

    async def test_a_model_that_turns_slow_moves_off_and_back(self, write_model):
        body = (
            "def predict(self, x: int = 1):\n    end = time.thread_time() + x / 1e6\n"
            "    while time.thread_time() < end: pass\n    return x"
        )
        slot = InProcessSlot(HostedModel("thing:1", write_model("thing", body), limit=1))
        slot.manifest = slot.manifest.model_copy(update={"framework": "sklearn"})  # a class that behaves as we want it
        await slot.start()
        await slot.probe(10)
        assert slot.quick is not None
        for _ in range(200):  # until its computing time is no longer watched
            slot.quick(1)
        for _ in range(10):
            slot.quick(3000)
            if slot.quick is None:
                break
        assert slot.quick is None
        for _ in range(500):
            await slot.call({"x": 1}, 10)
            if slot.quick is not None:
                break
        assert slot.quick is not None
        await slot.close()

    async def test_a_model_that_begins_to_wait_moves_off(self, write_model):
        body = "def predict(self, x: float = 0.0):\n    if x: time.sleep(x)\n    return x"
        slot = InProcessSlot(HostedModel("thing:1", write_model("thing", body), limit=1))
        slot.manifest = slot.manifest.model_copy(update={"framework": "sklearn"})  # a class that behaves as we want it
        await slot.start()
        await slot.probe(10)
        for _ in range(30):
            if slot.quick is None:
                break
            slot.quick(0.03)
        assert slot.quick is None
        await slot.close()

    async def test_bad_input_to_a_quick_model(self, deployer, router, iris_package):
        await deployer.deploy(iris_package)
        with pytest.raises(BadInput):
            await router.predict("iris", [[1, 2]])
        slot = router.live("iris")
        assert slot.in_flight == 0

    async def test_many_rows_go_to_a_thread(self, deployer, router, iris_package):
        await deployer.deploy(iris_package)
        loop_blocked = []

        async def tick() -> None:
            for _ in range(5):
                began = time.perf_counter()
                await asyncio.sleep(0)
                loop_blocked.append(time.perf_counter() - began)

        ticking = asyncio.create_task(tick())
        made = await router.predict("iris", np.ones((200_000, 4)))
        await ticking
        assert made.outputs.shape == (200_000,)


class TestThreads:
    async def test_a_stuck_call_leaves_the_other_threads_free(self):
        threads, release = ModelThreads("t", 2), threading.Event()
        stuck = asyncio.create_task(threads.run(release.wait))
        await asyncio.sleep(0.02)
        stuck.cancel()
        assert await asyncio.wait_for(threads.run(lambda: 5), 2) == 5
        release.set()
        threads.close()

    async def test_no_more_threads_than_allowed(self):
        threads = ModelThreads("t", 2)
        running, most = 0, 0
        lock = threading.Lock()

        def work() -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.01)
            with lock:
                running -= 1

        await asyncio.gather(*(threads.run(work) for _ in range(10)))
        assert most == 2
        threads.close()


class TestTiers:
    def test_heavy_packages_go_to_the_host(self, iris_package):
        manifest = read_manifest(iris_package)
        assert choose(manifest).tier == "in-process"
        heavy = manifest.model_copy(update={"packages": {**manifest.packages, "onnxruntime": "1"}})
        assert choose(heavy).tier == "shared-host"
        assert "onnxruntime" in choose(heavy).reason
        assert choose(heavy, "in-process").tier == "in-process"

    def test_large_ones_go_to_the_host(self, iris_package):
        assert choose(read_manifest(iris_package), limit=10).tier == "shared-host"

    def test_another_environment_is_told(self, iris_package):
        manifest = read_manifest(iris_package)
        other = manifest.model_copy(update={"packages": {"numpy": "1.0"}, "python": "3.9.1"})
        assert "numpy 1.0 there" in choose(other).reason
        assert "Python 3.9.1 there" in choose(other).reason

    def test_an_unknown_tier(self, iris_package):
        with pytest.raises(BadInput, match="in-process, shared-host, isolated or own-environment"):
            choose(read_manifest(iris_package), "moon")


async def test_models_of_several_kinds_side_by_side(deployer, router, iris, tmp_path):
    for number in range(3):
        model = LogisticRegression(max_iter=200, C=10.0**number).fit(*iris)
        await deployer.deploy(pack(model, f"m{number}", folder=tmp_path / str(number)))
    made = await asyncio.gather(*(router.predict(f"m{n % 3}", ROW) for n in range(30)))
    assert [one.model for one in made] == [f"m{n % 3}" for n in range(30)]


class TestRestarts:
    async def test_a_live_version_that_does_not_come_up_is_tried_again(self, store, data, write_model, tmp_path):
        flag = tmp_path / "down"
        body = f"def load(self):\n    if os.path.exists({str(flag)!r}): raise OSError('disk away')\n"
        first = Deployer(store, data, Router())
        await first.start()
        await first.deploy(write_model("thing", body + "def predict(self, x: float = 1.0): return x"))
        await first.stop()
        flag.touch()
        router = Router()
        again = Deployer(store, data, router)
        await again.start()
        await again.load_all()
        row = await asyncio.to_thread(again.records.version, "thing", "1.0.0")
        assert (row.status, "disk away" in row.error) == ("failed", True)
        with pytest.raises(ModelFailed, match="disk away"):
            await router.predict("thing", 1.0)
        flag.unlink()
        assert (await router.predict("thing", 2.0)).outputs == 2.0
        assert (await asyncio.to_thread(again.records.version, "thing", "1.0.0")).status == "live"
        await again.stop()

    async def test_a_pinned_version_that_does_not_come_up_is_tried_again(self, deployer, router, write_model, tmp_path):
        flag = tmp_path / "down"
        body = f"def load(self):\n    if os.path.exists({str(flag)!r}): raise OSError('disk away')\n"
        for number in range(3):
            await deployer.deploy(write_model("thing", body + f"def predict(self, x: float = 1.0): return {number}"))
        await settled(deployer, "thing", "1.0.0", "stopped")
        flag.touch()
        for _ in range(2):
            with pytest.raises(ModelFailed, match="disk away"):
                await router.predict("thing", 1.0, version="1.0.0")
        flag.unlink()
        assert (await router.predict("thing", 1.0, version="1.0.0")).outputs == 0
