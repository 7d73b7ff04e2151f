"""A worklet gives the same, fails the same and is recorded the same: answered at once, and as a submitted run."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefect_worklets.connectors.store import Store
from prefect_worklets.flows import bundle
from prefect_worklets.flows.checkpoints import Checkpoints
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.engine import Engine
from prefect_worklets.flows.failures import error_record
from prefect_worklets.flows.graph import needs_of
from prefect_worklets.flows.importing import import_document
from prefect_worklets.flows.journal import Journal
from prefect_worklets.flows.later import LaterRuns
from prefect_worklets.flows.recent import RecentRuns
from prefect_worklets.flows.registry import LiveWorklet, Registry
from prefect_worklets.flows.submitted import SubmittedRuns

from .conftest import until

CODE = """
import asyncio
from collections import Counter

import prefect_worklets as pw

tries = Counter()


@pw.node
def add(a: int, b: int = 1) -> int:
    return a + b


@pw.node(quick=True)
def twice(a: int) -> int:
    return 2 * a


@pw.node(quick=False)
def slower(a: int) -> int:
    return a - 1


@pw.node
async def later(a: int) -> int:
    await asyncio.sleep(0)
    return a + 10


@pw.node
def numbers(a: int) -> list[int]:
    return list(range(a % 4))


@pw.node
def total(a: list[int]) -> int:
    return sum(a)


@pw.node
def odd(a: int) -> bool:
    return a % 2 == 1


@pw.node
def boom(a: int) -> int:
    raise ValueError(f"no luck with {a}")


@pw.node
def wants_even(a: int) -> int:
    if a % 2:
        raise ValueError(f"{a} is odd")
    return a


@pw.node
def length(text: str) -> int:
    return len(text) % 7


@pw.node
def flaky(a: int, key: str) -> int:
    tries[pw.context().run_id, key] += 1
    if tries[pw.context().run_id, key] < 3:
        raise RuntimeError("not yet")
    return a


@pw.node
def unlucky(a: int) -> int:
    if a == 2:
        raise KeyError("two")
    return a
"""
PLAIN = ["add", "twice", "slower", "later"]


@dataclass
class Drawn:
    """A graph under way: its nodes, and where numbers can be had."""

    draw: Any
    nodes: list[dict[str, Any]]

    def node(self, function: str, when: Any, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
        id = f"{function}_{len(self.nodes)}"
        entry = {"id": id, "function": f"code:{function}", "arguments": arguments, "when": when, "timeout": 20, **more}
        self.nodes.append(entry)
        return {"node": id}

    def level(self, values: list[dict[str, Any]], when: Any, depth: int, least: int) -> list[dict[str, Any]]:
        given: list[dict[str, Any]] = []
        for _ in range(self.draw(st.integers(least, 3))):
            value = self.draw(st.sampled_from([*values, *given]))
            sort = self.draw(
                st.sampled_from(
                    [*PLAIN, "map", "flaky", "sum", *(["decide", "switch", "recover"] if depth < 2 else [])]
                )
            )
            given.append(self.one(sort, value, [*values, *given], when, depth))
        return given

    def one(self, sort: str, value: Any, seen: list[dict[str, Any]], when: Any, depth: int) -> dict[str, Any]:
        if sort == "map":
            items = self.node("numbers", when, {"a": value})
            function = self.draw(st.sampled_from(["add", "later", "slower"]))
            settings = {"over": "a", "at_once": 2}
            mapped = self.node(function, when, {"a": items}, kind="map", settings=settings)
            return self.node("total", when, {"a": mapped})
        if sort == "sum":
            return self.node("add", when, {"a": value, "b": self.draw(st.sampled_from(seen))})
        if sort == "flaky":
            key = {"constant": str(len(self.nodes))}
            return self.node("flaky", when, {"a": value, "key": key}, retries=2)
        if sort == "recover":
            return self.recovery(value, seen, when, depth)
        if sort not in ("decide", "switch"):
            return self.node(sort, when, {"a": value})
        truth = self.node("odd", when, {"a": value}) if sort == "decide" else value
        id = f"decide_{len(self.nodes)}"
        settings = {"equals": self.draw(st.integers(0, 3))} if sort == "switch" else {}
        self.nodes.append(
            {"id": id, "kind": "decide", "arguments": {"value": truth}, "settings": settings, "when": when}
        )
        arms = {}
        for arm, name in ((True, "then"), (False, "otherwise")):
            inside = self.level(seen, {"node": id, "arm": arm}, depth + 1, 0)
            branch = {"node": id, "arm": arm}
            arms[name] = self.node("total", branch, {"a": {"list": inside}}) if inside else value
        arguments = {"decision": {"node": id}, **arms}
        join = {"id": f"join_{id}", "kind": "decide", "settings": {"join": True}, "arguments": arguments, "when": when}
        self.nodes.append(join)
        return {"node": join["id"]}

    def recovery(self, value: dict[str, Any], seen: list[dict[str, Any]], when: Any, depth: int) -> dict[str, Any]:
        source = self.node("wants_even", when, {"a": value}, on_error="branch", retries=self.draw(st.integers(0, 1)))
        id = f"recover_{len(self.nodes)}"
        settings = {"failed": True}
        self.nodes.append(
            {"id": id, "kind": "decide", "arguments": {"value": source}, "settings": settings, "when": when}
        )
        branch = {"node": id, "arm": True}
        told = self.node("length", branch, {"text": {"node": id, "path": [{"attribute": "error"}]}})
        inside = self.level([*seen, told], branch, depth + 1, 0)
        then = self.node("total", branch, {"a": {"list": [*inside, told]}})
        arguments = {"decision": {"node": id}, "then": then, "otherwise": source}
        join = {"id": f"join_{id}", "kind": "decide", "settings": {"join": True}, "arguments": arguments, "when": when}
        self.nodes.append(join)
        return {"node": join["id"]}


@st.composite
def graphs(draw: Any) -> dict[str, Any]:
    """A sound graph of numbers, in which at most one node fails."""
    drawn = Drawn(draw, [])
    given = drawn.level([{"input": "x"}], None, 0, 1)
    failing = draw(st.sampled_from(["none", "none", "boom", "flaky", "map"]))
    if failing == "boom":
        given.append(drawn.node("boom", None, {"a": draw(st.sampled_from(given))}, retries=draw(st.integers(0, 1))))
    elif failing == "flaky":
        arguments = {"a": draw(st.sampled_from(given)), "key": {"constant": "last"}}
        given.append(drawn.node("flaky", None, arguments, retries=1))
    elif failing == "map":
        items = {"list": [{"constant": 1}, {"constant": 2}, draw(st.sampled_from(given))]}
        mapped = drawn.node("unlucky", None, {"a": items}, kind="map", settings={"over": "a"})
        given.append(drawn.node("total", None, {"a": mapped}))
    for after in draw(st.lists(st.sampled_from(PLAIN), max_size=2)):
        given.append(drawn.node(after, None, {"a": given[-1]}))
    output = {"list": given}
    return {"name": "drawn", "inputs": [{"name": "x", "type": "int"}], "nodes": drawn.nodes, "output": output,
            "output_type": "list[int]"}  # fmt: skip


@dataclass
class Outcome:
    """How a run ended, as it is recorded."""

    state: str
    output: Any
    error: Any
    nodes: dict[str, str]
    failures: dict[str, str]


def outcome(state: str, output: bytes | None, error: dict[str, Any] | None, entries: list[list[Any]]) -> Outcome:
    told = {key: error[key] for key in ("type", "status", "detail", "errors", "node")} if error else None
    # With what was said of a node whose failure the graph took care of.
    states = {entry[0]: f"{entry[2]} {entry[5] or ''}" for entry in entries}
    assert len(states) == len(entries)  # each node once
    failures = {entry[0]: entry[5] for entry in entries if entry[5] and entry[2] != "completed"}
    return Outcome(state, None if output is None else orjson.loads(output), told, states, failures)


async def at_once(live: LiveWorklet, engine: Engine, x: int) -> Outcome:
    inputs = live.worklet.input.from_object({"x": x})
    execution = live.worklet.execution(engine, inputs, engine.context(live.name, live.version))
    if not execution.advance():
        await execution.finish()
    output = None
    if execution.error is None:
        output = live.worklet.fitted_output(execution.plan.output(execution.values))
    failed = next((entry[0] for entry in execution.entries if entry[2] == "failed"), None)
    error = error_record(execution.error, failed) if execution.error is not None else None
    return outcome(execution.state, output, error, execution.entries)


@dataclass
class Both:
    """What runs a worklet both ways, without a server."""

    folder: Path
    registry: Registry
    queue: SubmittedRuns
    store: Store
    journal: Journal

    def push(self, data: dict[str, Any]) -> LiveWorklet:
        with tempfile.TemporaryDirectory() as place:
            project = Path(place)
            (project / "code.py").write_text(CODE)
            import_document(data, project)
            self.registry.push(bundle.pack(project), "both")
        return self.registry.get("drawn")

    async def run(self, live: LiveWorklet, xs: list[int]) -> list[tuple[Outcome, Outcome]]:
        engine, recent = Engine(services=Services(store=self.store)), RecentRuns()
        later = LaterRuns(self.queue, self.registry, engine, Checkpoints(self.folder / "results"), self.journal, recent)
        ids = [self.queue.submit(live.name, live.version, orjson.dumps({"x": x}), None)[0].id for x in xs]
        working = asyncio.create_task(later.run())
        try:
            first = [await at_once(live, engine, x) for x in xs]
            records = [await until(lambda id=id: ended(recent, id)) for id in ids]
            second = [outcome(each.state, each.output, each.error, each.nodes) for each in records]
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            engine.close()
        return list(zip(first, second, strict=True))


async def ended(recent: RecentRuns, id: str) -> Any:
    return recent.get(id)


@pytest.fixture
def both(store: Store, tmp_path: Path) -> Iterator[Both]:
    journal = Journal(tmp_path / "journal")
    yield Both(tmp_path, Registry(store, tmp_path / "projects"), SubmittedRuns(store), store, journal)
    journal.close()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=graphs(), x=st.integers(0, 9))
def test_both_ways_give_and_record_the_same(both: Both, data: dict[str, Any], x: int) -> None:
    live = both.push(data)
    for once, submitted in asyncio.run(both.run(live, [x, x + 1])):
        assert (submitted.state, submitted.output) == (once.state, once.output)
        assert submitted.error == once.error
        assert submitted.failures == once.failures
        assert submitted.nodes.keys() == once.nodes.keys()
        bound = bound_states(live, once)
        assert {id: submitted.nodes[id] for id in bound} == {id: once.nodes[id] for id in bound}


def bound_states(live: LiveWorklet, found: Outcome) -> set[str]:
    """The nodes whose states follow from the graph: beside a node that fails, what is under way is broken off."""
    if not found.failures:
        return set(found.nodes)
    (failed,) = found.failures
    needs = {node.id: needs_of(node) for node in live.graph.nodes}
    above, below = {failed}, {failed}
    for _ in needs:
        above |= {needed for id in above for needed in needs[id]}
        below |= {id for id in needs if below & set(needs[id])}
    return above | below
