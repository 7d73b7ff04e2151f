"""Worklets whose module has requirements: in a process of a real environment, made by uv from the package registry."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import humanize
import pytest
from prefect_worklets.bentos.environments import Environments
from prefect_worklets.connectors.access import Principal, Role
from prefect_worklets.connectors.blanking import Blanks
from prefect_worklets.connectors.errors import BadInput, DefinitionError, NodeFailed, SetupError, TookTooLong
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.tables import TableRow
from prefect_worklets.flows import bundle
from prefect_worklets.flows.calling import WorkletCalls
from prefect_worklets.flows.checkpoints import Checkpoints
from prefect_worklets.flows.context import Answer, Services
from prefect_worklets.flows.editing import Draft, Edits
from prefect_worklets.flows.engine import Engine
from prefect_worklets.flows.execution import Execution
from prefect_worklets.flows.faults import DefinitionFault
from prefect_worklets.flows.journal import Journal
from prefect_worklets.flows.project import load_project
from prefect_worklets.flows.project_hosts import ProjectHosts
from prefect_worklets.flows.recent import RecentRuns
from prefect_worklets.flows.registry import Registry
from prefect_worklets.flows.remote_calls import CallAnswers
from prefect_worklets.flows.reviews import Reviews
from prefect_worklets.flows.trying import NodeTrial
from prefect_worklets.flows.versions import WorkletVersions
from sqlmodel import select

OLD = """
import os
import time
from pathlib import Path

import humanize
import prefect_worklets as pw
from pydantic import BaseModel

from shared import plus_one

FOLDER = Path({folder!r})

class Ask(BaseModel):
    number: int
    rows: list[list[float]] = [[1.0, 2.0]]

@pw.node
def spell(ask: Ask) -> str:
    if ask.number < 0:
        raise ValueError("no number below zero")
    return f"{{humanize.__version__}} {{plus_one(ask.number)}} {{pw.context().principal.id}}"

@pw.node
def first(ask: Ask) -> int:
    with open(FOLDER / "first", "a") as file:
        file.write("x")
    return ask.number

@pw.node
def second(number: int) -> int:
    (FOLDER / "second").touch()
    for _ in range(600):
        if (FOLDER / "go").exists():
            break
        time.sleep(0.02)
    return os.getpid()

@pw.node
def rows(ask: Ask) -> list[list[float]]:
    return ask.rows

@pw.node
def joined(text: str, said) -> dict:
    return {{"text": text, "said": [float(each) for each in said]}}

@pw.worklet(requirements=["humanize==4.4.0"])
def spelled(ask: Ask) -> str:
    "With an old humanize."
    return spell(ask)

@pw.worklet(requirements=["humanize==4.4.0"])
def asked(ask: Ask) -> dict:
    return pw.save("asked")(joined(spell(ask), pw.model("sums", timeout=5)(rows(ask))))

@pw.worklet(requirements=["humanize==4.4.0"])
def judged(ask: Ask):
    return pw.review(title="Is it right?")(spell(ask))

@pw.worklet(timeout=60, requirements=["humanize==4.4.0"])
def waits(ask: Ask) -> int:
    return second(first(ask))

@pw.node
def third(number: int) -> bool:
    (FOLDER / "third").touch()
    return number > 0

@pw.worklet(requirements=["humanize==4.4.0"])
def rests(ask: Ask) -> bool:
    return third(second(first(ask)))
"""
NEW = """
import humanize
import prefect_worklets as pw
from shared import plus_one

@pw.node
def tell(number: int) -> str:
    return f"{humanize.__version__} {plus_one(number)}"

@pw.worklet
def told(number: int) -> str:
    return tell(number)
"""
ME = Principal("me", "Me", Role.operator)


class Sums:
    """Stands where the app's router stands: a model that adds up rows."""

    def quick(self, name: str, version: str | None = None) -> None:
        return None

    def joined(self, name: str, inputs: Any, version: str | None = None) -> None:
        return None

    async def predict(self, name: str, inputs: Any, version: str | None = None, *, timeout: float | None = None) -> Any:
        if name != "sums":
            raise TookTooLong(f"no answer of {name}")
        return Answer([sum(row) for row in inputs], name, "7")


async def until(there: Callable[[], bool]) -> None:
    for _ in range(1000):
        if there():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come")


class Parts:
    def __init__(self, store: Any, hosts: ProjectHosts, root: Path, folder: Path) -> None:
        self.store, self.hosts, self.root, self.folder = store, hosts, root, folder
        self.registry = Registry(store, root / "projects", hosts=hosts)
        self.recent, self.journal = RecentRuns(), Journal(root / "journal")
        calls = WorkletCalls(self.registry, self.journal, self.recent)
        self.engine = Engine(services=Services(store=store, calls=calls, reviews=Reviews(store)))
        self.checkpoints = Checkpoints(root / "data" / "results")
        hosts.calls = CallAnswers(self.engine, self.engine, self.checkpoints)

    async def push(self, **files: str) -> None:
        source = self.root / "source"
        source.mkdir(exist_ok=True)
        for name, text in files.items():
            (source / f"{name}.py").write_text(text)
        await asyncio.to_thread(self.registry.push, bundle.pack(source), "demo", "me")

    async def begun(self, name: str, body: bytes, *, kept: bool = False) -> Execution:
        live = self.registry.get(name)
        context = self.engine.context(name, live.version, ME)
        inputs = live.worklet.input.from_json(body)
        if kept:
            return live.worklet.kept_execution(self.engine, inputs, context, self.checkpoints)
        return live.worklet.execution(self.engine, inputs, context)

    async def run(self, name: str, body: bytes) -> tuple[Execution, bytes | None]:
        execution = await self.begun(name, body)
        if not execution.advance():
            await execution.finish()
        if execution.error is not None:
            return execution, None
        live = self.registry.get(name)
        return execution, live.worklet.fitted_output(execution.plan.output(execution.values))

    async def pid(self) -> int:
        (process,) = self.hosts._hosts.values()
        assert process.pid is not None
        return process.pid

    async def until_there(self, name: str) -> None:
        await until((self.folder / name).exists)


@pytest.fixture(scope="module")
def environments_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
async def parts(store: Any, tmp_path: Path, environments_folder: Path) -> AsyncIterator[Parts]:
    folder = tmp_path / "marks"
    folder.mkdir()
    data = DataDirectory(tmp_path / "data").prepare()
    variables = {"WORKLETS_DATABASE_URL": store.url}
    hosts = ProjectHosts(data, Environments(environments_folder), Sums(), variables=variables)
    hosts.start()
    made = Parts(store, hosts, tmp_path, folder)
    yield made
    await hosts.stop()
    made.engine.close()


async def pushed(parts: Parts) -> Parts:
    shared = "def plus_one(number):\n    return number + 1\n"
    await parts.push(old=OLD.format(folder=str(parts.folder)), new=NEW, shared=shared)
    return parts


async def test_two_versions_of_a_library_answer_side_by_side(parts: Parts) -> None:
    await pushed(parts)
    assert humanize.__version__ != "4.4.0"
    assert (await parts.run("spelled", b'{"number": 3}'))[1] == b'"4.4.0 4 me"'
    assert (await parts.run("told", b'{"number": 3}'))[1] == f'"{humanize.__version__} 4"'.encode()
    graph = parts.registry.get("spelled").graph
    assert graph.requirements == ("humanize==4.4.0",)
    assert graph.description == "With an old humanize."
    assert graph.nodes[0].source is not None
    assert graph.nodes[0].source.file == "old.py"
    assert graph.nodes[0].function == "old:spell"

    execution, output = await parts.run("asked", b'{"number": 1, "rows": [[1, 2], [3, 4]]}')
    assert output == b'{"text":"4.4.0 2 me","said":[3.0,7.0]}'
    assert execution.context.model_versions == {"sums": "7"}
    assert [entry[:3] for entry in execution.entries if entry[1] == "save"] == [["save_asked", "save", "completed"]]
    with parts.store.read() as session:
        (row,) = session.exec(select(TableRow).where(TableRow.table_name == "asked")).all()
    assert (row.data["text"], row.owner, row.run_id) == ("4.4.0 2 me", "me", execution.context.run_id)


async def test_failures_are_told_as_those_of_other_worklets(parts: Parts) -> None:
    await pushed(parts)
    execution, _ = await parts.run("spelled", b'{"number": "x"}')
    assert isinstance(execution.error, BadInput)
    assert execution.error.faults[0].loc == ("number",)
    with pytest.raises(BadInput, match="number"):
        await asyncio.to_thread(parts.registry.get("spelled").worklet.input.check, b'{"number": "x"}')

    execution, _ = await parts.run("spelled", b'{"number": -1}')
    assert isinstance(execution.error, NodeFailed)
    assert execution.error.node == "spell"
    assert "no number below zero" in str(execution.error.__cause__)
    assert [entry[2] for entry in execution.entries] == ["failed"]


async def test_a_killed_process_costs_what_was_inside_it(parts: Parts) -> None:
    await pushed(parts)
    inline = asyncio.create_task(parts.run("waits", b'{"number": 1}'))
    await parts.until_there("second")
    os.kill(await parts.pid(), signal.SIGKILL)
    execution, _ = await inline
    assert isinstance(execution.error, NodeFailed)
    assert "process ended (status -9)" in execution.error.detail

    for mark in ("first", "second"):
        (parts.folder / mark).unlink()
    later = await parts.begun("waits", b'{"number": 1}', kept=True)
    work = asyncio.create_task(later.finish())
    await parts.until_there("second")
    first = await parts.pid()
    os.kill(first, signal.SIGKILL)
    (parts.folder / "go").touch()
    await work
    assert later.error is None
    assert int(later.plan.output(later.values)) not in (first, os.getpid())
    assert (parts.folder / "first").read_text() == "x"  # it had ended, and was not run again


async def test_a_paused_run_begins_no_more_nodes_there(parts: Parts) -> None:
    await pushed(parts)
    live, pauses = parts.registry.get("rests"), parts.engine.services.pauses
    execution = await parts.begun("rests", b'{"number": 1}', kept=True)
    work = asyncio.create_task(execution.finish())
    await parts.until_there("second")
    pauses.ask(execution.context.run_id)
    await asyncio.to_thread(live.worklet.input.check, b'{"number": 1}')  # answered after that has been heard
    (parts.folder / "go").touch()
    await work
    assert (execution.state, [entry[0] for entry in execution.entries]) == ("suspended", ["first", "second"])
    assert not (parts.folder / "third").exists()
    pauses.forget(execution.context.run_id)
    context = parts.engine.context("rests", 1, ME, run_id=execution.context.run_id)
    body = live.worklet.input.from_json(b'{"number": 1}')
    again = live.worklet.kept_execution(parts.engine, body, context, parts.checkpoints)
    await again.finish()
    assert (again.state, again.plan.output(again.values)) == ("completed", b"true")
    assert (parts.folder / "first").read_text() == "x"


async def test_a_run_waits_for_a_person_and_goes_on(parts: Parts) -> None:
    await pushed(parts)
    reviews = Reviews(parts.store)
    execution = await parts.begun("judged", b'{"number": 1}', kept=True)
    await execution.finish()
    assert (execution.state, execution.error) == ("suspended", None)
    (question,) = reviews.waiting(ME)
    assert (question.title, question.value) == ("Is it right?", b'"4.4.0 2 me"')
    reviews.decide(question.id, ME, {"approved": True})
    context = parts.engine.context("judged", 1, ME, run_id=execution.context.run_id)
    live = parts.registry.get("judged")
    again = live.worklet.kept_execution(
        parts.engine, live.worklet.input.from_json(b'{"number": 1}'), context, parts.checkpoints
    )
    await again.finish()
    assert b'"approved":true' in live.worklet.fitted_output(again.plan.output(again.values))


CALLS = """
import humanize
import prefect_worklets as pw
from pydantic import BaseModel

class Ask(BaseModel):
    number: int

@pw.node
def both(said: str, other: str) -> str:
    return f"{humanize.__version__} calls {said} and {other}"

@pw.worklet(requirements=["humanize==4.4.0"])
def calls(number: int) -> str:
    return both(pw.call("told")(number=number), pw.call("told")(number))

@pw.worklet(requirements=["humanize==4.4.0"])
def calls_its_like(number: int) -> str:
    return pw.call("calls")(number=number)

@pw.worklet(requirements=["humanize==4.4.0"])
def calls_wrongly(number: int) -> str:
    return pw.call("told")(numbr=number)

@pw.worklet(requirements=["humanize==4.4.0"])
def calls_too_long(number: int) -> int:
    return pw.call("endless", timeout=0.3)(number)

@pw.worklet(requirements=["humanize==4.4.0"])
def calls_a_judge(number: int) -> dict:
    return pw.call("judged_here")(number)
"""
CALLED = """
import prefect_worklets as pw

@pw.node
def same(number: int) -> int:
    if number < 0:
        raise ValueError("no number below zero")
    return number

@pw.node
async def slow(number: int) -> int:
    import asyncio
    await asyncio.sleep(60)
    return number

@pw.worklet
def endless(number: int) -> int:
    return slow(number)

@pw.worklet
def through(number: int) -> str:
    return pw.call("calls_its_like")(same(number))

@pw.worklet
def through_wrongly(number: int) -> str:
    return pw.call("spelled")({"number": "x"})

@pw.worklet
def judged_here(number: int):
    return pw.review(title="Is it right?")(same(number))
"""


async def with_calls(parts: Parts) -> Parts:
    await pushed(parts)
    await parts.push(calls=CALLS, called=CALLED)
    return parts


async def test_it_is_edited_like_others(parts: Parts) -> None:
    await pushed(parts)
    versions = WorkletVersions(parts.store, parts.root / "projects")
    edits = Edits(parts.store, parts.registry, versions)
    trial = NodeTrial(edits, parts.engine, Blanks(), parts.hosts)
    begun = await asyncio.to_thread(edits.begin, "spelled")
    assert begun["document"]["requirements"] == ["humanize==4.4.0"]
    assert begun["faults"] == []
    draft = Draft(**{key: begun[key] for key in ("document", "files", "base", "live")})
    assert "def spelled" not in draft.files["old.py"]

    tried = await trial.run("spelled", draft, "spell", {"ask": {"number": 3}}, ME)
    assert (tried["state"], tried["output"]) == ("completed", "4.4.0 4 me")
    failed = await trial.run("spelled", draft, "spell", {"ask": {"number": -3}}, ME)
    assert (failed["state"], failed["error"]["node"]) == ("failed", "spell")
    assert "no number below zero" in failed["error"]["traceback"]
    with pytest.raises(BadInput, match="number"):
        await trial.run("spelled", draft, "spell", {"ask": {"number": "x"}}, ME)

    draft.files["old.py"] = draft.files["old.py"].replace("__version__} {", "__version__} edited {")
    draft.document["description"] = "Edited."
    saved = await asyncio.to_thread(edits.save, "spelled", draft, "me", publish=False)
    assert (saved.version, saved.live) == (2, False)
    assert (await parts.run("spelled", b'{"number": 3}'))[1] == b'"4.4.0 4 me"'
    saved = await asyncio.to_thread(edits.save, "spelled", draft, "me", publish=True)
    assert saved.live
    assert (await parts.run("spelled", b'{"number": 3}'))[1] == b'"4.4.0 edited 4 me"'
    # Its neighbours in the module are still there, in the same environment.
    assert (await parts.run("asked", b'{"number": 1, "rows": [[1, 2]]}'))[1] is not None


async def test_what_only_the_code_of_a_draft_tells_has_its_place(parts: Parts) -> None:
    await pushed(parts)
    edits = Edits(parts.store, parts.registry, WorkletVersions(parts.store, parts.root / "projects"))
    begun = await asyncio.to_thread(edits.begin, "spelled")
    draft = Draft(**{key: begun[key] for key in ("document", "files", "base", "live")})
    draft.document["nodes"][0]["arguments"]["ask"] = {"constant": {"number": "x"}}
    with pytest.raises(DefinitionError) as refused:
        await asyncio.to_thread(edits.save, "spelled", draft, "me", publish=True)
    assert [fault.node for fault in refused.value.faults if isinstance(fault, DefinitionFault)] == ["spell"]
    draft.document["requirements"] = ["-r x.txt"]
    assert [fault.pointer for fault in edits.check(draft).faults] == ["/requirements"]


async def test_calls_go_both_ways(parts: Parts) -> None:
    await with_calls(parts)
    said = f"{humanize.__version__} 4"
    execution, output = await parts.run("calls", b'{"number": 3}')
    assert output == f'"4.4.0 calls {said} and {said}"'.encode()
    assert [entry[1:3] for entry in execution.entries if entry[0] == "told"] == [["call", "completed"]]
    children = [run for run in parts.recent._runs.values() if run.parent == execution.context.run_id]
    assert [(child.worklet, child.trigger, child.output, child.principal) for child in children] == [
        ("told", "call", f'"{said}"'.encode(), "me")
    ] * 2
    # From the app into the environment, from there into it again, and to the app.
    assert (await parts.run("through", b'{"number": 3}'))[1] == output


async def test_failures_of_calls_are_told_as_elsewhere(parts: Parts) -> None:
    await with_calls(parts)
    execution, _ = await parts.run("calls_wrongly", b'{"number": 3}')
    assert isinstance(execution.error, NodeFailed)
    assert execution.error.detail.startswith("Node 'told' can't call the worklet 'told': the worklet 'told' refuses")
    assert not execution.error.repeatable
    execution, _ = await parts.run("through_wrongly", b'{"number": 3}')
    assert isinstance(execution.error, NodeFailed)
    assert "the worklet 'spelled' refuses its input: number: Input should be a valid integer" in execution.error.detail
    execution, _ = await parts.run("calls_too_long", b'{"number": 3}')
    assert isinstance(execution.error, TookTooLong)
    await until(lambda: any(run.worklet == "endless" for run in parts.recent._runs.values()))
    (called,) = [run for run in parts.recent._runs.values() if run.worklet == "endless"]
    assert (called.state, called.parent) == ("cancelled", execution.context.run_id)
    ring = (
        'import prefect_worklets as pw\n@pw.worklet(requirements=["humanize==4.4.0"])\ndef one(a: int) -> int:\n'
        '    return pw.call("one")(a)\n'
    )
    with pytest.raises(DefinitionError, match="calls go in a ring: one → one"):
        await parts.push(ring=ring)


async def test_a_submitted_run_calls_one_that_waits_for_a_person(parts: Parts) -> None:
    await with_calls(parts)
    reviews = Reviews(parts.store)
    execution = await parts.begun("calls_a_judge", b'{"number": 5}', kept=True)
    await execution.finish()
    assert (execution.state, execution.error) == ("suspended", None)
    (question,) = reviews.waiting(ME)
    assert question.value == b"5"
    reviews.decide(question.id, ME, {"approved": True})
    context = parts.engine.context("calls_a_judge", 1, ME, run_id=execution.context.run_id)
    live = parts.registry.get("calls_a_judge")
    body = live.worklet.input.from_json(b'{"number": 5}')
    again = live.worklet.kept_execution(parts.engine, body, context, parts.checkpoints)
    await again.finish()
    assert again.error is None
    assert b'"approved":true' in live.worklet.fitted_output(again.plan.output(again.values))
    children = [run for run in parts.recent._runs.values() if run.parent == execution.context.run_id]
    assert [child.worklet for child in children] == ["judged_here"]


async def test_a_process_that_nobody_asks_ends_and_starts_again(
    store: Any, tmp_path: Path, environments_folder: Path
) -> None:
    data = DataDirectory(tmp_path / "data").prepare()
    variables = {"WORKLETS_DATABASE_URL": store.url}
    hosts = ProjectHosts(data, Environments(environments_folder), Sums(), idle_seconds=0.2, variables=variables)
    hosts.start()
    parts = await pushed(Parts(store, hosts, tmp_path, tmp_path))
    (process,) = hosts._hosts.values()
    await until(lambda: process.pid is None)
    assert (await parts.run("spelled", b'{"number": 3}'))[1] == b'"4.4.0 4 me"'
    await hosts.stop()
    parts.engine.close()
    assert process.pid is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('@pw.worklet(requirements=["no-such-thing-at-all==1"])', "no-such-thing-at-all"),
        ("@pw.worklet(requirements=WANTED)", "a list of texts written out here"),
        ('@pw.worklet(requirements=["-r x.txt"])', "'-r x.txt' is no requirement"),
    ],
)
async def test_bad_requirements_are_refused_with_their_place(parts: Parts, text: str, said: str) -> None:
    module = f"import prefect_worklets as pw\nWANTED = ['humanize']\n{text}\ndef one(a: int) -> int:\n    return a\n"
    with pytest.raises(DefinitionError) as refused:
        await parts.push(one=module)
    assert said in str(refused.value)
    assert "one.py" in str(refused.value)
    assert not parts.registry.live


async def test_one_module_has_one_environment(parts: Parts) -> None:
    one = '@pw.worklet(requirements=["humanize==4.4.0"])\ndef one(a: int) -> int:\n    return a\n'
    other = '@pw.worklet(requirements=["humanize==4.5.0"])\ndef other(a: int) -> int:\n    return a\n'
    with pytest.raises(DefinitionError, match="modules of their own"):
        await parts.push(both=f"import prefect_worklets as pw\n{one}{other}")


async def test_faults_of_code_in_the_environment_have_their_place(parts: Parts) -> None:
    module = (
        'import prefect_worklets as pw\nimport no_such_module\n@pw.worklet(requirements=["humanize==4.4.0"])\n'
        "def one(a: int) -> int:\n    return a\n"
    )
    with pytest.raises(DefinitionError, match=r"broken\.py.2: it imports 'no_such_module'"):
        await parts.push(broken=module)


def test_outside_the_server_such_a_project_says_where_it_runs(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(
        'import prefect_worklets as pw\n@pw.worklet(requirements=["humanize==4.4.0"])\ndef one(a: int) -> int:\n'
        "    return a\n"
    )
    with pytest.raises(SetupError, match="push the project"):
        load_project(tmp_path)
