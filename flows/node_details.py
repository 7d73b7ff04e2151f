"""What the record keeps of each node of a run for people: what it gave, what it logged, which attempts failed.

Kept of every run that was submitted and of every one that failed, and of one run a second of each worklet that
completes on a request: the newest of them, in the store's table `run_details`, whose size is bounded. What a node was
given is not kept: it is what the graph says of what others gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from ..connectors.blanking import BLANK
from .execution import Execution
from .graph import Constant, FromInput, FromNode, GraphDocument, GraphNode, ListOf
from .remote import RemoteExecution
from .sketching import sketch
from .steps import SKIPPED

# Of one run, and of one node in it.
MOST_BYTES = 64 << 10
MOST_OF_A_NODE = 8 << 10
_PAUSE_S = 1.0
_SHOWN = ("completed", "failed", "timed-out", "running", "waiting", "paused")
LEFT_OUT = "… too long to be kept"


class Sampling:
    """Says of which completed runs the details are kept: one in each second of each worklet."""

    def __init__(self, pause_s: float = _PAUSE_S) -> None:
        self._pause_us = pause_s * 1e6
        self._next_us: dict[str, float] = {}

    def wants(self, worklet: str, state: str, started_us: int) -> bool:
        """Whether those of this run are to be kept."""
        if state == "completed" and started_us < self._next_us.get(worklet, 0.0):
            return False
        self._next_us[worklet] = started_us + self._pause_us
        return True


def details_of(execution: Execution) -> bytes | None:
    """The details of a run's nodes as JSON, as far as it has gone; None if there are none."""
    if isinstance(execution, RemoteExecution) and execution.details is not None:
        return execution.details
    context, values = execution.context, execution.values
    slots = {step.id: step.slot for step in execution.plan.steps}
    found: dict[str, dict[str, Any]] = {}
    size = 0
    for entry in list(execution.entries):
        node, state = entry[0], entry[2]
        part: dict[str, Any] = {}
        if state == "completed" and node in slots and values[slots[node]] is not SKIPPED:
            value = orjson.dumps(sketch(values[slots[node]]))
            size += len(value)
            fits = len(value) <= MOST_OF_A_NODE and size <= MOST_BYTES // 2
            part["output"] = orjson.Fragment(value) if fits else LEFT_OUT
        if context.failures and node in context.failures:
            part["failures"] = list(context.failures[node])
        if part:
            found[node] = part
    for at_us, node, level, text in _newest(list(context.lines or ()), MOST_BYTES - size):
        found.setdefault(node, {}).setdefault("lines", []).append([at_us, level, text])
    return orjson.dumps(found, default=str) if found else None


def lines_of(details: bytes | None, started_us: int, after_us: int) -> list[tuple[int, str, str, str]]:
    """What all nodes of a run have logged after a moment, in its order: (µs since 1970, node, level, text).

    Args:
        details: what `details_of` gave.
        started_us: when the run began, in µs since 1970.
        after_us: that moment, in µs since 1970.
    """
    lines = (
        (started_us + int(at_us), node, str(level), str(text))
        for node, part in _loaded(details).items()
        for at_us, level, text in part.get("lines", ())
    )
    return sorted(line for line in lines if line[0] > after_us)


def _newest(lines: list[tuple[int, str, str, str]], room: int) -> list[tuple[int, str, str, str]]:
    """As many of the last lines as there is room for."""
    for number, line in enumerate(reversed(lines)):
        room -= len(line[3])
        if room < 0:
            return lines[len(lines) - number :]
    return lines


@dataclass(frozen=True)
class NodeDetails:
    """A node of a run as people see it. `given`, `output` are JSON sketches; None of `is_kept` says they are not there.

    Attributes:
        is_kept: the run's details were kept.
        lines: (µs since the run's start, level, text).
        failures: what each failed attempt said, where attempts are repeated.
    """

    id: str
    kind: str
    state: str
    started: datetime | None
    ended: datetime | None
    duration_us: int | None
    attempts: int
    error: str | None
    is_kept: bool
    has_output: bool
    given: dict[str, Any] = field(default_factory=dict)
    output: Any = None
    lines: Sequence[Sequence[Any]] = ()
    failures: Sequence[str] = ()


def node_details(run: Any, graph: GraphDocument, node: GraphNode, details: bytes | None) -> NodeDetails:
    """What is known of one node of a run.

    Args:
        run: its record or its row: `nodes`, `input` and `started_us` are read.
        graph: of the version that made it.
        node: one of the graph's.
        details: what `details_of` gave; None if it was not kept.
    """
    kept = _loaded(details)
    own = kept.get(node.id, {})
    entry = next((each for each in reversed(run.nodes) if each[0] == node.id), None)
    state = str(entry[2]) if entry is not None else "not begun"
    took = int(entry[4]) if entry is not None and state in _SHOWN else None
    started = _moment(run.started_us + int(entry[3])) if entry is not None and took is not None else None
    is_over = state in ("completed", "failed", "timed-out")
    ended = _moment(run.started_us + int(entry[3]) + took) if entry is not None and took is not None else None
    failures = list(own.get("failures", ()))
    attempts = 0
    if took is not None:
        # Of one that failed for good the last failure is the attempt itself.
        attempts = max(1, len(failures) + (state in ("completed", "running")))
    given = _given(node, graph, run.input, kept) if details is not None and took is not None else {}
    return NodeDetails(
        node.id, node.kind, state, started, ended if is_over else None, took, attempts,
        str(entry[5]) if entry is not None and len(entry) > 5 and entry[5] else None,
        is_kept=details is not None, has_output="output" in own, given=given, output=own.get("output"),
        lines=own.get("lines", ()), failures=failures,
    )  # fmt: skip


def _loaded(details: bytes | None) -> dict[str, Any]:
    found = orjson.loads(details) if details else {}
    return found if isinstance(found, dict) else {}


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, UTC)


def _given(node: GraphNode, graph: GraphDocument, recorded: bytes | None, kept: Mapping[str, Any]) -> dict[str, Any]:
    body = orjson.loads(recorded) if recorded else {}
    inputs: dict[str, Any] = {}
    for each in graph.inputs:
        if graph.body == each.name:
            inputs[each.name] = body
        elif isinstance(body, dict) and each.name in body:
            inputs[each.name] = body[each.name]
        elif not each.required:
            inputs[each.name] = each.default
        if each.schema_.get("writeOnly") and each.name in inputs:  # a password
            inputs[each.name] = BLANK
    outputs = {id: part["output"] for id, part in kept.items() if "output" in part}
    return {name: sketch(_resolved(argument, inputs, outputs)) for name, argument in node.arguments.items()}


def _resolved(argument: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    """An argument's value, as far as what is kept tells it."""
    if isinstance(argument, Constant):
        return argument.constant
    if isinstance(argument, FromInput | FromNode):
        place, name = (inputs, argument.input) if isinstance(argument, FromInput) else (outputs, argument.node)
        value = place.get(name, f"… {name} is not kept")
        for step in argument.path:
            key = getattr(step, "attribute", None)
            key = step.item if key is None else key  # type: ignore[union-attr]
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return f"… {name} is not kept so far"
        return value
    if isinstance(argument, ListOf):
        return [_resolved(part, inputs, outputs) for part in argument.list]
    return {key: _resolved(part, inputs, outputs) for key, part in argument.object.items()}
