"""Worklets that want another Python than the server's: what they may ask for, and a run in a real one."""

from __future__ import annotations

import ast
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures_pythons import OTHER, interpreters, put_first
from prefect_worklets.bentos import own_package
from prefect_worklets.bentos.environments import Environments, Wanted
from prefect_worklets.bentos.interpreters import Interpreter, Interpreters, check_python
from prefect_worklets.bentos.uv import Uv
from prefect_worklets.connectors.access import Principal, Role
from prefect_worklets.connectors.errors import DefinitionError, Fault
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.tables import TableRow
from prefect_worklets.flows import bundle
from prefect_worklets.flows.checkpoints import Checkpoints
from prefect_worklets.flows.context import Answer, Services
from prefect_worklets.flows.editing import Draft, Edits
from prefect_worklets.flows.engine import Engine
from prefect_worklets.flows.graph import GraphDocument
from prefect_worklets.flows.graph_differences import graph_differences
from prefect_worklets.flows.importing import import_document
from prefect_worklets.flows.project import load_file
from prefect_worklets.flows.project_hosts import ProjectHosts
from prefect_worklets.flows.project_modules import worklet_modules
from prefect_worklets.flows.registry import Registry
from prefect_worklets.flows.versions import WorkletVersions
from sqlmodel import select

THERE = f"""
import sys
import time
from pathlib import Path

import humanize
{"type Words = str" if OTHER == "3.12" else ""}
import numpy as np
import prefect_worklets as pw
from pydantic import BaseModel

class Ask(BaseModel):
    number: int
    rows: list[list[float]] = [[1.0, 2.0]]

class Told(BaseModel):
    python: str
    humanize: str
    said: list[float]

@pw.node
def rows(ask: Ask) -> np.ndarray:
    return np.asarray(ask.rows)

@pw.node
def told(ask: Ask, said) -> Told:
    return Told(python=sys.version.split()[0], humanize=humanize.__version__, said=[float(each) for each in said])

@pw.node
def first(folder: str) -> Ask:
    with open(Path(folder) / "first", "a") as file:
        file.write("x")
    return Ask(number=1)

@pw.node
def second(ask: Ask, folder: str) -> str:
    (Path(folder) / "second").touch()
    while not (Path(folder) / "go").exists():
        time.sleep(0.02)
    return repr(ask)

@pw.worklet(requirements=["humanize==4.4.0"], python={OTHER!r})
def there(ask: Ask) -> Told:
    return pw.save("told")(told(ask, pw.model("sums")(rows(ask))))

@pw.worklet(timeout=60, requirements=["humanize==4.4.0"], python={OTHER!r})
def waits(folder: str) -> str:
    return second(first(folder), folder)
"""
# No words of any Python; the server's may be too old for those of another one.
NEWER = """import prefect_worklets as pw
type = type of types
@pw.worklet(
    python={python},  # newer
)
def one(): ...
"""


class Sums:
    def quick(self, name: str, version: str | None = None) -> None:
        return None

    def joined(self, name: str, inputs: Any, version: str | None = None) -> None:
        return None

    async def predict(self, name: str, inputs: Any, version: str | None = None, *, timeout: float | None = None) -> Any:
        return Answer(inputs.sum(axis=1), name, "7")


class Some(Uv):
    """Finds two interpreters, and can install none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def run(self, *arguments: str, given: bytes = b"") -> str:
        self.asked.append(" ".join(arguments[:2]))
        shape = '{{"version": "{}", "path": "{}", "implementation": "{}", "variant": "default"}}'
        entries = [("3.12.4", "/a/python3.12", "cpython"), ("3.12.4", "/b/python", "cpython")]
        found = [shape.format(*each) for each in [*entries, ("3.11.9", "/c/pypy", "pypy")]]
        return f"[{', '.join(found)}]"


class TestWhatMayBeAskedFor:
    @pytest.mark.parametrize(
        ("python", "said"),
        [
            (3.12, "3.12 is no version of Python"),
            (">=3.12", "'>=3.12' is no version of Python"),
            ("python3.12", "'python3.12' is no version of Python"),
            ("./bin/python", "is no version of Python"),
            ("3.9", "runs on Python <3.13,>=3.11, and not on 3.9"),
        ],
    )
    def test_anything_else_is_refused(self, python: object, said: str) -> None:
        with pytest.raises(DefinitionError) as raised:
            check_python(python)
        assert said in raised.value.faults[0].msg

    async def test_an_interpreter_is_one_that_uv_finds(self) -> None:
        interpreters = Interpreters(Some())
        assert await interpreters.chosen("3.12") == Interpreter(Path("/a/python3.12"), "3.12.4")
        assert (await interpreters.chosen("/b/python")).path == Path("/b/python")

    @pytest.mark.parametrize("python", ["/bin/sh", "/c/pypy", "/a/../a/python3.12"])
    async def test_another_program_is_not_run(self, python: str) -> None:
        with pytest.raises(DefinitionError, match=r"none of the Python interpreters that uv finds .*\(3\.12\.4 \(/a"):
            await Interpreters(Some()).chosen(python)

    @pytest.mark.parametrize("downloads", ["never", "automatic"])
    async def test_what_is_missing_says_what_to_do(self, downloads: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UV_PYTHON_DOWNLOADS", downloads)
        uv = Some()
        with pytest.raises(DefinitionError) as raised:
            await Interpreters(uv).chosen("3.11")
        assert "no Python 3.11 on the server; uv finds 3.12.4 (/a/python3.12). Install it" in raised.value.detail
        assert "`uv python install 3.11`" in raised.value.detail
        assert ("python install" in uv.asked) == (downloads == "automatic")


class TestReading:
    def read(self, tmp_path: Path, text: str) -> tuple[list[Wanted], list[Fault]]:
        (tmp_path / "one.py").write_text(text)
        faults: list[Fault] = []
        return [each.wanted for each in worklet_modules(tmp_path, faults)], faults

    def test_it_is_read_out_of_the_source(self, tmp_path: Path) -> None:
        text = f"@pw.worklet(python={OTHER!r})\ndef a(): ...\n@pw.worklet(requirements=['six'])\ndef b(): ...\n"
        assert self.read(tmp_path, text) == ([Wanted(("six",), OTHER)], [])

    def test_the_servers_own_version_is_no_other_environment(self, tmp_path: Path) -> None:
        mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
        (wanted,), _ = self.read(tmp_path, f"@pw.worklet(python={mine!r})\ndef a(): ...\n")
        assert wanted == Wanted()
        assert not wanted.own

    @pytest.mark.parametrize(
        ("head", "said"),
        [
            ("@pw.worklet(python=WANTED)", "python is read before the module is run, so it is a text written out here"),
            ("@pw.worklet(python='3.1x')", "'3.1x' is no version of Python"),
            ("@pw.worklet(python='3.11')\ndef b(): ...\n@pw.worklet(python='3.12')", "different versions of Python"),
        ],
    )
    def test_what_cannot_be_read_has_its_place(self, tmp_path: Path, head: str, said: str) -> None:
        _, faults = self.read(tmp_path, f"{head}\ndef a(): ...\n")
        assert [said in str(each) and "one.py:" in str(each) for each in faults] == [True]

    def test_words_of_another_python_are_left_to_it(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, NEWER.format(python=repr(OTHER))) == ([Wanted((), OTHER)], [])
        found, faults = self.read(tmp_path, NEWER.format(python="None"))
        assert not found
        assert "one.py:2: it is no valid Python" in str(faults[0])


def test_a_document_has_it(tmp_path: Path) -> None:
    document = {"version": 1, "name": "one", "inputs": [], "nodes": [], "python": OTHER}
    module = import_document(document, tmp_path)
    assert f"python={OTHER!r}" in module.read_text().replace('"', "'")
    project = load_file(module)
    assert project.graph("one").python == OTHER
    assert project.tree is not None
    project.tree.close()
    changes = graph_differences(GraphDocument(name="one"), project.graph("one")).worklet
    assert ("python", None, OTHER) in [(each.field, each.before, each.after) for each in changes]


def test_a_whole_environment_has_all_that_the_process_imports() -> None:
    code = "import sys, prefect_worklets.flows.project_host, prefect_worklets as pw\n"
    code += "[getattr(pw, each) for each in ('node', 'model', 'notify', 'review', 'Image', 'worklet')]\n"
    code += "print(*(m.__file__ for n, m in list(sys.modules.items()) if n.startswith('prefect_worklets')), sep='\\n')"
    files = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    imported = {name.partition(".")[0] for file in files for name in _absolute_imports(Path(file))}
    distributions = {"PIL": "pillow"}
    needed = {distributions.get(name, name) for name in imported - set(sys.stdlib_module_names)}
    # What those bring, what a run there never does, and what a project names itself if it wants it.
    brought = {"httpcore", "pydantic_core", "typing_extensions"}
    elsewhere = {"alembic", "uv", "prefect", "distributed", "pandas"}
    assert needed - brought - elsewhere <= set(own_package.WORKLET_HOST)
    assert len(own_package.needed()) == len(own_package.WORKLET_HOST)


def _absolute_imports(file: Path) -> Iterator[str]:
    for found in ast.walk(ast.parse(file.read_text())):
        if isinstance(found, ast.Import):
            yield from (each.name for each in found.names)
        elif isinstance(found, ast.ImportFrom) and not found.level and found.module:
            yield found.module


@pytest.fixture
async def hosts(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ProjectHosts]:
    found = next(interpreters(OTHER), None)
    if found is None:
        pytest.skip(f"there is no Python {OTHER} on this machine")
    for name, value in put_first(found.parent).items():
        monkeypatch.setenv(name, value)
    data = DataDirectory(tmp_path / "data").prepare()
    environments = Environments(data.environments)
    made = ProjectHosts(data, environments, Sums(), variables={"WORKLETS_DATABASE_URL": store.url})
    made.start()
    yield made
    await made.stop()


@pytest.mark.integration
async def test_it_runs_there_and_goes_on_after_a_crash(store: Any, tmp_path: Path, hosts: ProjectHosts) -> None:
    registry = Registry(store, tmp_path / "projects", hosts=hosts)
    source, checkpoints = tmp_path / "source", Checkpoints(tmp_path / "data" / "results")
    source.mkdir()
    (source / "there.py").write_text(THERE)
    await asyncio.to_thread(registry.push, bundle.pack(source), "demo", "me")
    engine, me = Engine(services=Services(store=store)), Principal("me", "Me", Role.operator)

    live = registry.get("there")
    assert (live.graph.python, live.graph.requirements) == (OTHER, ("humanize==4.4.0",))
    inputs = live.worklet.input.from_json(b'{"number": 1, "rows": [[1, 2], [3, 4]]}')
    run = live.worklet.execution(engine, inputs, engine.context("there", live.version, me))
    await run.finish()
    assert run.error is None
    told = live.worklet.fitted_output(run.values[-1])
    assert f'"python":"{OTHER}.'.encode() in told
    assert told.endswith(b'"humanize":"4.4.0","said":[3.0,7.0]}')
    with store.read() as session:
        assert session.exec(select(TableRow)).one().data["said"] == [3.0, 7.0]

    # The text may be of a newer Python than the server's.
    edits = Edits(store, registry, WorkletVersions(store, tmp_path / "projects"))
    begun = await asyncio.to_thread(edits.begin, "there")
    draft = Draft.model_validate({key: begun[key] for key in ("document", "files", "base", "live")})
    draft.document["description"] = "Changed."
    saved = await asyncio.to_thread(edits.save, "there", draft, "me", publish=True)
    assert (saved.version, registry.get("there").graph.description) == (2, "Changed.")

    live = registry.get("waits")
    inputs = live.worklet.input.from_json(f'{{"folder": "{tmp_path}"}}'.encode())
    context = engine.context("waits", live.version, me)
    waiting = live.worklet.kept_execution(engine, inputs, context, checkpoints)
    finishing = asyncio.create_task(waiting.finish())
    while not (tmp_path / "second").exists():
        assert not finishing.done(), waiting.error
        await asyncio.sleep(0.02)
    (process,) = hosts._hosts.values()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    await finishing
    assert waiting.error is None
    assert (tmp_path / "first").read_text() == "x"
    assert "Ask(number=1" in live.worklet.fitted_output(waiting.values[-1]).decode()
    engine.close()
