"""Broken models of many kinds, in a running server: each ends clearly, and no other model notices."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fixtures_server import start_server
from prefect_worklets.bentos.package import archive, pack
from prefect_worklets.connectors.errors import DefinitionError

pytestmark = pytest.mark.integration

LOAD_SECONDS = 5
MEMORY = 1_500_000_000
SETTINGS = {"WORKLETS_MODEL_LOAD_SECONDS": str(LOAD_SECONDS), "WORKLETS_MODEL_MEMORY": str(MEMORY)}
SHARED = ("in-process", "shared-host")
EVERY = (*SHARED, "isolated")
OWN = ("shared-host", "isolated")

# What goes wrong as it loads, where, and what is said of it.
IN_LOAD: dict[str, tuple[str, tuple[str, ...], str]] = {
    "raises": ("raise ValueError('no weights here')", EVERY, "raised ValueError: no weights here"),
    "hangs": ("time.sleep(600)", ("in-process", "isolated"), "did not load within 5 s.*WORKLETS_MODEL_LOAD_SECONDS"),
    "sys.exit": ("raise SystemExit('bye')", EVERY, "raised SystemExit: bye"),
    "os._exit": ("os._exit(7)", EVERY, r"process ended as it loaded the model \(status 7\)"),
    "segfault": ("import ctypes; ctypes.string_at(0)", EVERY, "SIGSEGV: a fault in native code"),
    "out of memory": ("self.all = np.ones(400_000_000)", EVERY, "ran out of memory.*WORKLETS_MODEL_MEMORY"),
    "missing package": ("import no_such_package", EVERY, "needs the module no_such_package.*requirements="),
    "endless recursion": ("self.load()", ("in-process",), "raised RecursionError"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", EVERY, "raised KeyboardInterrupt"),
    "closes what is open": ("os.closerange(3, 200)", EVERY, "process"),
}

# What goes wrong in a call, where, and the problem that its caller gets.
IN_PREDICT: dict[str, tuple[str, tuple[str, ...], int, str]] = {
    "raises": ("raise ValueError('no such luck')", EVERY, 502, "raised ValueError: no such luck"),
    "hangs": ("time.sleep(600)", OWN, 504, "did not answer within 0.5 s"),
    "sys.exit": ("raise SystemExit('bye')", EVERY, 502, "raised SystemExit: bye"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", EVERY, 502, "raised KeyboardInterrupt"),
    "endless recursion": ("return self.predict(what)", EVERY, 502, "raised RecursionError"),
    "wrong shape": ("return np.ones((2, 3)) @ np.ones((2, 3))", EVERY, 502, "raised ValueError: matmul"),
    "an array too large to send": (
        "return np.zeros(30_000_000)",
        EVERY,
        502,
        "answered 240 MB, and no more than 200 MB",
    ),
    "a text too large to send": ("return ['x' * 250_000_000]", EVERY, 502, "answered 250 MB, and no more"),
    "no data": ("return object()", EVERY, 502, "answered something that is no data|object"),
    "missing package": ("import no_such_package", EVERY, 502, "needs the module no_such_package"),
    "StopIteration": ("next(iter(()))", EVERY, 502, "StopIteration"),
    "out of memory": ("return float(np.ones(400_000_000).sum())", OWN, 502, "ran out of memory"),
    "os._exit": ("os._exit(3)", ("isolated",), 502, r"died while it computed this answer \(status 3\)"),
    "segfault": ("import ctypes; ctypes.string_at(0)", ("isolated",), 502, "SIGSEGV"),
    "closes what is open": ("os.closerange(3, 200)", ("isolated",), 502, "died while it computed"),
}

# What is odd but no fault: the answer is right, the same call is answered again, and nobody else sees a change.
ODD: dict[str, tuple[str, Any]] = {
    "not a number": ("return np.array([np.nan, np.inf, 1.0])", [None, None, 1.0]),
    "megabytes of prints": ("print('x' * 3_000_000); return 1", 1),
    "threads without end": (
        "import threading\n[threading.Thread(target=time.sleep, args=(600,), daemon=True).start() for _ in range(8)]\n"
        "return 1", 1,
    ),
    "bytes behind our back": ("os.write(1, b'x' * 100_000); os.write(2, b'y' * 100_000); return 1", 1),
    "another working directory": ("os.chdir('/'); return 1", 1),
    "other variables": ("os.environ['HOME'] = os.environ['PATH'] = '/nowhere'; return 1", 1),
}  # fmt: skip


class Neighbour(threading.Thread):
    """Asks healthy models in a loop, and keeps what went wrong."""

    def __init__(self, client: httpx.Client, names: list[str]) -> None:
        super().__init__(daemon=True)
        self.client, self.names = client, names
        self.answered: Counter[str] = Counter()
        self.failures: list[str] = []
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(0.1):
            for name in self.names:
                try:
                    answer = self.client.post(f"/api/models/{name}/predict", json={"inputs": {"x": 2.0}})
                    if answer.status_code != 200 or answer.json()["outputs"] != 4.0:
                        self.failures.append(f"{name}: {answer.status_code} {answer.text[:300]}")
                except httpx.HTTPError as error:
                    self.failures.append(f"{name}: {error!r}")
                self.answered[name] += 1


class Instance:
    """The server, and models made from the text of their class."""

    def __init__(self, client: httpx.Client, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.made = 0

    def deploy(self, body: str, tier: str, *, wait: bool = True, **options: Any) -> tuple[str, httpx.Response]:
        self.made += 1
        name = f"broken-{self.made}"
        place = self.folder / name
        place.mkdir()
        source = "import os\nimport time\n\nimport numpy as np\n\n\nclass Thing:\n"
        (place / "thing.py").write_text(source + "\n".join(f"    {line}" for line in body.splitlines()) + "\n")
        package = pack(f"{place / 'thing.py'}:Thing", name, folder=place / "package", **options)
        packed, digest = archive(package, place / "package.tar.gz")
        query = {"tier": tier, "wait": str(wait).lower()}
        headers = {"x-content-sha256": digest}
        path, content = f"/api/models/{name}/versions", packed.read_bytes()
        return name, self.client.post(path, params=query, content=content, headers=headers)

    def predict(self, name: str, **inputs: Any) -> httpx.Response:
        return self.client.post(f"/api/models/{name}/predict", json={"inputs": inputs})

    def version(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/api/models/{name}/versions/1.0.0").json()
        return found


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    started = start_server(folder / "data", demo=False, settings=SETTINGS)
    try:
        until(lambda: "Ready." in started.log.read_text(), 120)
        with started.client(timeout=60) as client:
            yield Instance(client, folder)
    finally:
        started.stop()


@pytest.fixture(scope="module")
def asking(instance):
    names = []
    for tier in EVERY:
        name, answer = instance.deploy("def predict(self, x: float = 1.0): return 2 * x", tier)
        assert answer.status_code == 201, answer.text
        names.append(name)
    with httpx.Client(base_url=instance.client.base_url, headers=instance.client.headers, timeout=60) as client:
        neighbour = Neighbour(client, names)
        neighbour.start()
        yield neighbour
        neighbour.stop.set()
        neighbour.join()


@pytest.fixture(autouse=True)
def neighbour(asking):
    """The healthy models answer before, while and after: not one failure."""
    yield asking
    before = min(asking.answered[name] for name in asking.names)
    until(lambda: all(asking.answered[name] > before for name in asking.names), 60)
    found, asking.failures = asking.failures, []
    assert found == []


@pytest.fixture(scope="module")
def things(instance):
    """For each tier a model that does what it is told, and one that does it in half a second or not at all."""
    cases = {**{f"fault {kind}": how[0] for kind, how in IN_PREDICT.items()},
             **{f"odd {kind}": how[0] for kind, how in ODD.items()}}  # fmt: skip
    lines = ["def predict(self, what: str = ''):"]
    for kind, code in cases.items():
        lines += [f"    if what == {kind!r}:", *(f"        {line}" for line in code.splitlines())]
    body = "\n".join([*lines, "    return os.getpid()"])
    made = {}
    for tier in EVERY:
        for patience, seconds in (("patient", 60), ("hasty", 0.5)):
            name, answer = instance.deploy(body, tier, timeout=seconds)
            assert answer.status_code == 201, answer.text
            made[patience, tier] = name
    return made


def until(found, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def check_problem(answer: httpx.Response, status: int, reason: str) -> None:
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    detail = " ".join(answer.json()["detail"].split())
    assert answer.status_code == status, detail
    assert re_search(reason, detail), detail


def re_search(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


@pytest.mark.parametrize(("kind", "tier"), [(kind, tier) for kind, how in IN_LOAD.items() for tier in how[1]])
def test_what_fails_as_it_loads_fails_the_version(instance, kind, tier):
    code, _, reason = IN_LOAD[kind]
    name, answer = instance.deploy(f"def load(self): {code}\ndef predict(self, x: float = 1.0): return x", tier)
    check_problem(answer, answer.status_code, reason)
    assert 400 <= answer.status_code < 600
    version = instance.version(name)
    assert version["status"] == "failed"
    assert re_search(reason, " ".join(version["error"].split())), version["error"]
    assert instance.predict(name, x=1.0).status_code == 404


@pytest.mark.parametrize(("kind", "tier"), [(kind, tier) for kind, how in IN_PREDICT.items() for tier in how[1]])
def test_what_fails_in_a_call_costs_that_call(instance, things, kind, tier):
    _, _, status, reason = IN_PREDICT[kind]
    name = things["hasty" if status == 504 else "patient", tier]
    check_problem(instance.predict(name, what=f"fault {kind}"), status, reason)
    assert instance.predict(name).status_code == 200
    assert instance.version(name)["status"] == "live"


@pytest.mark.parametrize("tier", EVERY)
@pytest.mark.parametrize("kind", ODD)
def test_what_is_odd_is_answered(instance, things, kind, tier):
    for _ in range(2):
        answer = instance.predict(things["patient", tier], what=f"odd {kind}")
        assert (answer.status_code, answer.json()["outputs"]) == (200, ODD[kind][1])


def test_one_that_changes_numpy_spoils_only_its_own_process(instance):
    body = "def predict(self, x: float = 1.0):\n    np.sum = np.ndarray = None\n    return x"
    name, answer = instance.deploy(body, "isolated")
    assert answer.status_code == 201, answer.text
    assert instance.predict(name, x=2.0).status_code == 200
    assert instance.version(name)["status"] == "live"


@pytest.mark.parametrize("code", ["os._exit(3)", "import ctypes; ctypes.string_at(0)"])
def test_a_model_that_ends_the_shared_host_gets_a_process_of_its_own(instance, code):
    body = f"def predict(self, die: bool = False):\n    if die:\n        {code}\n    return os.getpid()"
    name, answer = instance.deploy(body, "shared-host")
    assert answer.status_code == 201
    check_problem(instance.predict(name, die=True), 502, "process of .* died while it computed")
    assert instance.predict(name).status_code == 200
    version = instance.version(name)
    assert (version["status"], version["tier"]) == ("live", "isolated")
    assert "died twice" in version["tier_reason"]


def test_an_answer_that_never_fits_fails_the_version_at_its_sample(instance):
    body = "def predict(self, x: float = 1.0): return object()"
    name, answer = instance.deploy(body, "auto", sample_input={"x": 1.0})
    check_problem(answer, answer.status_code, "no version answers.*object")
    assert instance.version(name)["status"] == "failed"


def test_what_never_answers_its_sample_fails(instance):
    name, answer = instance.deploy(
        "def predict(self, x: float = 1.0): time.sleep(600)", "auto", sample_input={"x": 1.0}
    )
    check_problem(answer, answer.status_code, "did not answer within 5 s")
    assert instance.version(name)["status"] == "failed"


def test_a_slow_load_is_seen_and_ends_well(instance):
    body = "def load(self): time.sleep(1.5)\ndef predict(self, x: float = 1.0): return x"
    name, answer = instance.deploy(body, "auto", wait=False)
    assert answer.status_code == 202
    seen = []
    until(lambda: seen.append(instance.version(name)["status"]) or seen[-1] in ("live", "failed"))
    assert "starting" in seen
    assert seen[-1] == "live"


def test_inputs_of_the_wrong_shape_are_refused_before_the_model_sees_them(instance):
    name, answer = instance.deploy(
        "def predict(self, rows: np.ndarray): return rows.sum(1)", "auto", sample_input={"rows": np.ones((1, 4))}
    )
    assert answer.status_code == 201, answer.text
    refused = instance.predict(name, rows=[[1.0, 2.0], [3.0, "x"]])
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["loc"][:2] == ["inputs", "rows"]
    assert instance.predict(name, rows=[[1.0, 2.0, 3.0, 4.0]]).json()["outputs"] == [10.0]


def test_what_cannot_be_pickled_is_told_before_it_is_sent(tmp_path):
    class Holder:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def predict(self, x: float = 1.0) -> float:
            return x

    with pytest.raises(DefinitionError, match="lock"):
        pack(Holder(), "holder", folder=tmp_path / "package")


@pytest.mark.parametrize("count", [8])
def test_a_crash_among_many_calls_costs_those_inside_it(instance, things, count):
    """Others that compute in the same process go down with it; those after it are answered by the next process."""
    name, answers = things["patient", "isolated"], []
    before = instance.predict(name).json()["outputs"]

    def ask(what: str) -> None:
        answers.append((what, instance.predict(name, what=what)))

    asked = [threading.Thread(target=ask, args=("fault segfault" if n == 3 else "",)) for n in range(count)]
    for one in asked:
        one.start()
    for one in asked:
        one.join()
    assert all(answer.status_code in (200, 502) for _, answer in answers)
    check_problem(next(answer for what, answer in answers if what), 502, "SIGSEGV")
    after = instance.predict(name)
    assert after.json()["outputs"] not in (before, os.getpid())
