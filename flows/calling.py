"""Call nodes: another worklet as a step. It runs in the app, as a run of its own that knows its parent."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import JsonValue

from ..connectors.errors import BadInput, DefinitionError, NodeFailed, NotFound, SetupError, WorkletsError
from .context import RunContext
from .failures import error_record
from .faults import DefinitionFault, Place, caller_place, definition_fault, did_you_mean
from .graph import GraphDocument, GraphNode
from .hints import Parameter, Shape
from .inputs import InputContract, Misfit, as_json_bytes
from .journal import RunRecord
from .nodes import NodeDefinition, NodeOptions, changed, node_id
from .steps import Getter, Step, Suspended, Values, with_stored_images
from .trace import current_trace

if TYPE_CHECKING:
    from ..connectors.meters import Meters
    from .execution import Execution
    from .journal import Journal
    from .recent import RecentRuns
    from .registry import LiveWorklet, Registry

# Worklets that call worklets that call worklets: more is a mistake.
MOST_DEEP = 16
_SHAPE = Shape(
    (Parameter("inputs"),), Any, inspect.Signature([inspect.Parameter("inputs", inspect.Parameter.KEYWORD_ONLY)])
)


class CallNode:
    """Another worklet as a node. Made by `call`."""

    def __init__(self, worklet: str, version: int | None, name: str | None, options: NodeOptions) -> None:
        self.worklet = worklet
        self.version = version
        self._options = options
        self._name = node_id(name or worklet)

    def __call__(self, *value: Any, **inputs: Any) -> Any:
        """Place the node: one value for a worklet with one input, else its inputs by name.

        Raises:
            DefinitionError: outside a worklet's definition, or with both a value and inputs by name.
        """
        trace = current_trace()
        if trace is None:
            fault = definition_fault(
                f"call({self.worklet!r}) is called outside a worklet's function.",
                place=caller_place(),
                fix="call it in a function under @pw.worklet; elsewhere use pw.Client().worklets[...].invoke(...)",
            )
            raise DefinitionError("A worklet is called by another worklet's run.", faults=[fault])
        if len(value) > 1 or (value and inputs):
            fault = definition_fault(
                f"call({self.worklet!r}) is given {len(value)} values and {len(inputs)} inputs by name.",
                place=caller_place(),
                fix="give one value, or each input by its name",
            )
            raise DefinitionError("A call node is defined wrongly.", faults=[fault])
        settings: dict[str, JsonValue] = {
            "worklet": self.worklet, "version": self.version, "by_name": not value,
        }  # fmt: skip
        definition = changed(NodeDefinition("call", self._name, _SHAPE, settings=settings), self._options)
        return trace.place(definition, (), {"inputs": value[0] if value else inputs})

    def __repr__(self) -> str:
        return f"<call {self.worklet!r}>" if self.version is None else f"<call {self.worklet!r} v{self.version}>"


def call(
    worklet: str,
    version: int | None = None,
    *,
    name: str | None = None,
    timeout: float | None = None,
    retries: int = 0,
    backoff: float = 0.0,
    on_error: Any = "fail",
) -> CallNode:
    """Another worklet as a node: `call("stylize")(content=photo, style=painting)` gives its result.

    Args:
        worklet: the worklet's name.
        version: a fixed version; None takes the one that is live when this one runs.
        name: the node's name in the graph; the worklet's if None.
        timeout: seconds that one attempt may take.
        retries: how often a failed attempt is repeated.
        backoff: seconds before the first repeat; each further wait doubles.
        on_error: "fail", or the node's value if all attempts fail.
    """
    wrong = None
    if not isinstance(worklet, str) or not worklet:
        wrong = f"call() wants a worklet's name and found {worklet!r}."
    elif version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 1):
        wrong = f"call({worklet!r}) wants a version's number and found {version!r}."
    if wrong:
        fix = "call the worklet itself to make its nodes part of this one's graph" if callable(worklet) else None
        raise DefinitionError(
            "A call node is defined wrongly.", faults=[definition_fault(wrong, place=caller_place(), fix=fix)]
        )
    options: NodeOptions = {"timeout": timeout, "retries": retries, "backoff": backoff, "on_error": on_error}
    return CallNode(worklet, version, name, options)


class CallStep(Step):
    """Runs the other worklet to its end."""

    def __init__(self, node: GraphNode, slot: int, inputs: Getter) -> None:
        super().__init__(node, slot)
        self._inputs = inputs
        version = node.settings.get("version")
        self._call = Call(
            node.id,
            str(node.settings["worklet"]),
            version if isinstance(version, int) else None,
            node.settings.get("by_name") is True,
        )

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """The other worklet's result; its run is recorded.

        Raises:
            NodeFailed: there is no such worklet, it refuses its input, it would call itself, or it failed.
            WorkletsError: what else it raised on purpose.
            SetupError: this process has no worklets to call.
        """
        calls = context.services.calls
        if calls is None or context.engine is None:
            raise SetupError(
                f"Node {self.id!r} can't call the worklet {self._call.worklet!r} here; "
                "run it in the server (`worklets up`)."
            )
        given = self._inputs(values)
        return await calls.result(self._call, given, await self._call.body(given, context), context)


# In place of a value of which only the JSON is here.
AS_JSON: Final = object()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a called worklet gave: as JSON, and as a value where it ran in this process."""

    output: bytes
    value: Any


@dataclass(frozen=True, slots=True)
class Call:
    """What a call node asks for.

    Attributes:
        id: the node's.
        worklet, version: whom it calls; None is the version that is live by then.
        by_name: it is given an object with the other's inputs, and not the one input.
    """

    id: str
    worklet: str
    version: int | None
    by_name: bool

    async def body(self, given: Any, context: RunContext) -> bytes:
        """What is given as JSON. Raises NodeFailed."""
        try:
            return as_json_bytes(await with_stored_images(given, context))
        except Misfit as error:
            raise self._wrong(f"its input is wrong: {error}") from None

    async def run(self, context: RunContext, body: bytes, given: Any = AS_JSON) -> Answered:
        """Run the other worklet to its end, and record its run.

        Args:
            context: of the run that calls.
            body: the input as JSON.
            given: the input as it is in this process.

        Raises:
            NodeFailed: there is no such worklet, it refuses its input, it would call itself, or it failed.
            WorkletsError: what else it raised on purpose.
            Suspended: it waits for a person.
        """
        calls, engine = context.services.calls, context.engine
        assert calls is not None
        assert engine is not None
        chain = (*context.callers, context.worklet)
        if self.worklet in chain or len(chain) >= MOST_DEEP:
            raise self._wrong(f"calls go in a ring: {' → '.join((*chain, self.worklet))}")
        try:
            live = await calls.find(self.worklet, self.version)
        except NotFound as error:
            raise self._wrong(error.detail) from None
        child = engine.context(live.name, live.version, context.principal, self._child_id(context))
        child.callers = chain
        child.root = context.root or context.run_id
        inputs = self._read(live, given, body)
        if context.checkpoints is None:
            execution = live.worklet.execution(engine, inputs, child)
        else:
            kept = live.worklet.kept_execution
            execution = await asyncio.to_thread(kept, engine, inputs, child, context.checkpoints)
        return await self._ended(execution, live, context, body)

    def _child_id(self, context: RunContext) -> str:
        """The same for the same attempt of the same run, so that what the child saves is saved once."""
        attempt = context.called[self.id] = context.called.get(self.id, 0) + 1
        digest = hashlib.sha256(f"{context.run_id}/{self.id}/{attempt}".encode()).hexdigest()
        return context.run_id[:12] + digest[:20]

    def _read(self, live: LiveWorklet, given: Any, body: bytes) -> list[Any]:
        contract = live.worklet.input
        names = [each.name for each in live.graph.inputs]
        if not self.by_name and len(names) != 1:
            raise self._wrong(f"{live.name!r} takes {', '.join(names) or 'no input'}; give its inputs by name")
        try:
            if given is not AS_JSON and isinstance(contract, InputContract):
                return contract.from_call(given if self.by_name else {names[0]: given})
            if not self.by_name and contract.body is None:
                body = b'{"%s":%s}' % (names[0].encode(), body)
            return contract.from_json(body)
        except BadInput as error:
            raise self._refused(live, error) from None

    def _refused(self, live: LiveWorklet, error: BadInput) -> NodeFailed:
        said = "; ".join(str(fault) for fault in error.faults) or error.detail
        return self._wrong(f"the worklet {live.name!r} refuses its input: {said}")

    async def _ended(self, execution: Execution, live: LiveWorklet, context: RunContext, body: bytes) -> Answered:
        calls = context.services.calls
        assert calls is not None
        started_us = time.time_ns() // 1000
        output: bytes | None = None
        result = None
        try:
            if not execution.advance():
                await execution.finish()
            if execution.state == "suspended":
                await execution.commit()
                context.called[self.id] -= 1  # the same attempt goes on
                raise Suspended(self.id)
            error = execution.error
            if error is None:
                result = execution.plan.output(execution.values)
                fitted = await asyncio.to_thread(live.worklet.fitted_output, result)
                await execution.commit()
                output = fitted
        except asyncio.CancelledError:
            if context.checkpoints is None:  # else it may go on, in the next process
                await calls.record(_record(execution, live, context, started_us, body, None))
            raise
        except NodeFailed as failure:
            execution.state, error = "failed", failure
            execution.error = failure
        await calls.record(_record(execution, live, context, started_us, body, output))
        if isinstance(error, BadInput) and not execution.entries:  # read in its own process, before any node
            raise self._refused(live, error)
        if error is not None:
            raise self._failed(error, live.name)
        if context.checkpoints is not None:
            await asyncio.to_thread(context.checkpoints.forget, execution.context.run_id)
        found = output or b"null"
        return Answered(found, result if _is_here(live) else orjson.loads(found))

    def _failed(self, error: WorkletsError, name: str) -> WorkletsError:
        if not isinstance(error, NodeFailed):
            return error
        failure = NodeFailed(
            f"Node {self.id!r}: the worklet {name!r} failed: {error.detail}", node=self.id, repeatable=error.repeatable
        )
        failure.__cause__ = error.__cause__
        return failure

    def _wrong(self, why: str) -> NodeFailed:
        return NodeFailed(
            f"Node {self.id!r} can't call the worklet {self.worklet!r}: {why}", node=self.id, repeatable=False
        )


def _is_here(live: LiveWorklet) -> bool:
    return isinstance(live.worklet.input, InputContract)


def _record(
    execution: Execution, live: LiveWorklet, parent: RunContext, started_us: int, body: bytes, output: bytes | None
) -> RunRecord:
    from .node_details import details_of

    error = execution.error
    failed = next((entry[0] for entry in execution.entries if entry[2] in ("failed", "timed-out")), None)
    return RunRecord(
        execution.context.run_id, live.name, live.version, "call", parent.owner, execution.state, started_us,
        execution.elapsed_us, body, output, error_record(error, failed) if error is not None else None,
        execution.entries, parent.run_id,
        # As of the run that called it: a submitted one keeps all.
        details_of(execution) if parent.checkpoints is not None or execution.state != "completed" else None,
    )  # fmt: skip


def call_faults(
    graphs: Mapping[str, GraphDocument],
    others: Mapping[str, GraphDocument],
    has_version: Callable[[str, int], bool],
) -> list[DefinitionFault]:
    """What is wrong with the calls of some worklets, once they are live beside the others."""
    known = {**others, **graphs}
    faults = []
    for graph in graphs.values():
        for node in _calls_of(graph):
            name, version = str(node.settings.get("worklet")), node.settings.get("version")
            place = Place(node.source.file, node.source.line) if node.source else None
            if name not in known:
                fix = did_you_mean(name, known) or "push that one first"
                faults.append(definition_fault(f"there is no worklet {name!r}.", node=node.id, place=place, fix=fix))
            elif isinstance(version, int) and not has_version(name, version):
                msg = f"the worklet {name!r} has no version {version}."
                faults.append(definition_fault(msg, node=node.id, place=place))
    try:
        called = {
            name: {str(node.settings.get("worklet")) for node in _calls_of(graph)} for name, graph in known.items()
        }
        TopologicalSorter(called).prepare()
    except CycleError as error:
        ring = list(reversed(error.args[1]))
        here = next((graphs[name] for name in ring if name in graphs), None)
        nodes = [node for node in _calls_of(here) if node.settings.get("worklet") in ring] if here else []
        source = nodes[0].source if nodes else None
        faults.append(
            definition_fault(
                f"calls go in a ring: {' → '.join(ring)}.",
                node=nodes[0].id if nodes else None,
                place=Place(source.file, source.line) if source else None,
                fix="take one of these calls away",
            )
        )
    return faults


def _calls_of(graph: GraphDocument) -> list[GraphNode]:
    return [node for node in graph.nodes if node.kind == "call"]


class WorkletCalls:
    """The worklets that this process can call, and the record of what it called.

    Args:
        registry: the worklets.
        journal, recent: where the records go.
        meters: counts ended runs by worklet and state.
    """

    def __init__(
        self, registry: Registry, journal: Journal, recent: RecentRuns, meters: Meters[tuple[str, str]] | None = None
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._recent = recent
        self._meters = meters

    async def result(self, call: Call, given: Any, body: bytes, context: RunContext) -> Any:
        """What the called worklet gives. Raises what `Call.run` raises."""
        return (await call.run(context, body, given)).value

    async def find(self, name: str, version: int | None) -> LiveWorklet:
        """A worklet's live version, or a fixed one. Raises NotFound, Unavailable."""
        if version is None:
            return self._registry.get(name)
        return await asyncio.to_thread(self._registry.version, name, version)

    async def record(self, record: RunRecord) -> None:
        """Keep how a called run ended."""
        await asyncio.to_thread(self._journal.append, record)
        self._recent.add(record)
        if self._meters is not None:
            self._meters.add((record.worklet, record.state), record.duration_us * 1e-6)
