"""Worklets: a function that is traced once into a graph, and then called, served or run as a Prefect flow."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Sequence
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from ..bentos.interpreters import check_python
from ..connectors.errors import DefinitionError, NodeFailed
from .checkpoints import Checkpoints, with_checkpoints
from .checks import check, output_cannot_fit, raise_faults
from .context import Models, RunContext, Services, given_models
from .engine import Engine
from .execution import Execution
from .faults import DefinitionFault, Place, caller_locals, caller_place, definition_fault
from .graph import FromInput, GraphDocument, GraphInput
from .hint_text import written_hint
from .hints import Shape, name_of, schema_of, shape_of
from .inputs import InputContract, Misfit, OutputContract, default_as_json
from .observing import observed
from .plan import Plan, compile_plan
from .symbols import Symbol, hint_of, written
from .trace import Trace, current_trace, no_trace
from .triggers import Trigger
from .waiting import wait_for

if TYPE_CHECKING:
    from prefect import Flow

P = ParamSpec("P")
R = TypeVar("R")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class Worklet(Generic[P, R]):
    """A graph of nodes with a typed input and output. Made by the decorator `worklet`.

    Attributes:
        name: what it is called everywhere.
        graph: nodes, edges and schemas, as a document.
        plan: the graph compiled for the engine.
        input: reads a request's body.
        output: writes the answer.
        place: where its function is.
    """

    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[P, R], graph: GraphDocument, trace: Trace, shape: Shape) -> None:
        self.function = function
        self.name = graph.name
        self.graph = graph
        self.shape = shape
        self.place = _place_of(function)
        self.definitions = dict(trace.definitions)
        self.plan: Plan = compile_plan(graph, self.definitions)
        self._observed = observed(self.plan)
        self.input = InputContract(graph.name, shape.parameters)
        self.output = OutputContract(shape.returns)
        self._models: Models | Callable[[], Models] | None = None
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run here and now, in this process. Inside another worklet's definition its nodes are placed there.

        Raises:
            BadInput: the arguments don't fit.
            NodeFailed: a node raised; its own error is the cause.
            WorkletsError: what else a node or a model raises on purpose.
        """
        if current_trace() is not None:
            return self.function(*args, **kwargs)
        inputs = self.input.from_call(self.shape.signature.bind(*args, **kwargs).arguments)
        result: R = wait_for(self._run_here(inputs))
        return result

    async def _run_here(self, inputs: Sequence[Any]) -> Any:
        engine = Engine(services=Services(models=self.reachable_models()))
        try:
            result = await engine.run(self.plan, inputs, engine.context(self.name))
        finally:
            engine.close()
        if result.error is not None:
            raise result.error
        return result.output

    def execution(self, engine: Engine, inputs: Sequence[Any], context: RunContext) -> Execution:
        """A run that somebody waits for."""
        return Execution(engine, self._observed, inputs, context)

    def kept_execution(
        self, engine: Engine, inputs: Sequence[Any], context: RunContext, checkpoints: Checkpoints
    ) -> Execution:
        """A run whose nodes keep what they give, and take what is kept already; blocking."""
        context.checkpoints = checkpoints
        kept = checkpoints.kept(context.run_id)
        plan = with_checkpoints(self._observed, context.run_id, checkpoints, kept)
        return Execution(engine, plan, inputs, context)

    def with_models(self, models: Models | Callable[[], Models]) -> Worklet[P, R]:
        """The same worklet, whose direct calls ask these models (or those that the function gives)."""
        other = copy.copy(self)
        other._models = models
        other.__dict__.pop("flow", None)  # made for the models of before
        return other

    def limit_requests(self, hosts: Sequence[str]) -> None:
        """Let its HTTP nodes reach these hosts alone."""
        own = {"hosts": list(hosts)}
        nodes = tuple(
            node.model_copy(update={"settings": {**node.settings, **own}}) if node.kind == "http" else node
            for node in self.graph.nodes
        )
        self.graph = self.graph.model_copy(update={"nodes": nodes})
        self.plan = compile_plan(self.graph, self.definitions)
        self._observed = observed(self.plan)

    def reachable_models(self) -> Models | None:
        """Where direct calls get their models: `using_models`, else `with_models`, else nowhere (None)."""
        given = given_models()
        if given is not None:
            return given
        if self._models is None or hasattr(self._models, "predict"):
            return self._models  # type: ignore[return-value]
        return self._models()

    @cached_property
    def flow(self) -> Flow[..., Any]:
        """The worklet as a Prefect flow of the same parameters: each node is a task. Made at first use."""
        from .durable import make_flow

        return make_flow(self)

    def fitted_output(self, value: Any) -> Any:
        """The result as JSON bytes. Raises NodeFailed where it doesn't fit the worklet's return type."""
        try:
            return self.output.dump(value)
        except Misfit as error:
            raise NodeFailed(f"The result of the worklet {self.name!r} is wrong: {error}.", node="output") from None

    def __repr__(self) -> str:
        return f"<worklet {self.name!r}: {len(self.graph.nodes)} nodes>"


@overload
def worklet(function: Callable[P, R], /) -> Worklet[P, R]: ...


@overload
def worklet(
    *,
    name: str | None = None,
    triggers: Sequence[Trigger] = (),
    timeout: float | None = None,
    description: str | None = None,
    tags: Sequence[str] = (),
    requirements: Sequence[str] = (),
    python: str | None = None,
    concurrency: int | None = None,
    models: Models | Callable[[], Models] | None = None,
) -> Callable[[Callable[P, R]], Worklet[P, R]]: ...


def worklet(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    triggers: Sequence[Trigger] = (),
    timeout: float | None = None,
    description: str | None = None,
    tags: Sequence[str] = (),
    requirements: Sequence[str] = (),
    python: str | None = None,
    concurrency: int | None = None,
    models: Models | Callable[[], Models] | None = None,
) -> Any:
    """Make a function that passes values between nodes a worklet.

    Args:
        name: what it is called everywhere; the function's own name if None.
        triggers: what starts it besides a call: `pw.cron(...)`, several if you like.
        timeout: seconds for a whole run.
        description: for people; the docstring if None.
        tags: for finding it in Prefect.
        requirements: packages of an environment of its own (`["pandas==2.1.*"]`), in which the server runs the
            worklets of this module. A call in your own process does not look at them.
        python: the Python version of that environment ("3.12"), or one of the interpreters on the server's machine by
            its path; the server's if None.
        concurrency: how many of its submitted runs are under way at once, whoever starts them; others wait.
        models: where direct calls get their models (or a function that gives it).

    Raises:
        DefinitionError: with every fault found, each with its file and line.
    """

    def decorate(function: Callable[..., Any]) -> Worklet[Any, Any]:
        made = _define(function, name, triggers, timeout, description, tags, requirements, python, concurrency)
        return made.with_models(models) if models is not None else made

    return decorate if function is None else decorate(function)


def _define(
    function: Callable[..., Any],
    name: str | None,
    triggers: Sequence[Trigger],
    timeout: float | None,
    description: str | None,
    tags: Sequence[str],
    requirements: Sequence[str],
    python: str | None,
    concurrency: int | None,
) -> Worklet[Any, Any]:
    if not inspect.isfunction(function):
        what = f"@worklet wants a function and found {type(function).__name__}."
        faults = [definition_fault(what, place=caller_place(), fix="put @pw.worklet above a plain def")]
        raise DefinitionError("A worklet is defined wrongly.", faults=faults)
    label = name or function.__name__
    shape = shape_of(function, caller_locals())
    faults = _head_faults(function, label, shape, timeout, python, concurrency, triggers)
    raise_faults(label, faults)
    trace = Trace()
    output = _traced(function, shape, trace, label)
    graph = GraphDocument(
        name=label,
        description=description if description is not None else (inspect.getdoc(function) or ""),
        tags=tuple(tags),
        requirements=tuple(requirements),
        python=python,
        timeout=timeout,
        concurrency=concurrency,
        triggers=tuple(triggers),
        inputs=tuple(
            GraphInput(
                name=each.name,
                type=written_hint(each.hint),
                schema_=schema_of(each.hint),
                required=each.required,
                default=default_as_json(each),
            )
            for each in shape.parameters
        ),
        nodes=tuple(trace.nodes),
        output=trace.argument(output, "the result"),
        output_type=written_hint(shape.returns),
        output_schema=schema_of(shape.returns, "serialization"),
    )
    known = {fault.node for fault in trace.faults}
    trace.faults += [fault for fault in check(graph) if fault.node not in known]
    if isinstance(output, Symbol) and output_cannot_fit(hint_of(output), shape.returns):
        trace.faults.append(
            definition_fault(
                f"its result is {name_of(shape.returns)}, and {written(output)} is {name_of(hint_of(output))}.",
                place=_place_of(function),
                fix="return another value, or change the function's return type",
            )
        )
    raise_faults(label, trace.faults)
    try:
        contract = InputContract(label, shape.parameters)
    except Misfit as error:
        raise_faults(label, [definition_fault(f"{error}.", place=_place_of(function))])
        raise
    graph = graph.model_copy(update={"body": contract.body, "input_schema": contract.schema})
    return Worklet(function, graph, trace, shape)


def _head_faults(
    function: Callable[..., Any],
    label: str,
    shape: Shape,
    timeout: float | None,
    python: str | None,
    concurrency: int | None,
    triggers: Sequence[Trigger],
) -> list[DefinitionFault]:
    place = _place_of(function)
    faults: list[tuple[str, str | None]] = []
    if not _NAME.fullmatch(label):
        faults.append((f"the name {label!r} isn't letters, digits, _ and - (at most 63).", "give another with name="))
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        faults.append(("its function is async or yields.", "make it a plain def; nodes may be async"))
    if shape.variadic:
        faults.append(("it takes *args or **kwargs, so its input can't be known.", "name each input"))
    for unresolved in shape.unresolved:
        hint = function.__annotations__.get(unresolved)
        faults.append(
            (f"the type {hint!r} of {unresolved!r} names nothing here.", "import it where the module can see it")
        )
    if timeout is not None and timeout <= 0:
        faults.append((f"timeout is {timeout} seconds; it is more than 0, or None.", None))
    try:
        check_python(python)
    except DefinitionError as error:
        faults += [(f"{each.msg}.", each.fix) for each in error.faults]
    if concurrency is not None and (not isinstance(concurrency, int) or concurrency < 1):
        faults.append((f"concurrency is {concurrency!r}; it is a whole number from 1, or None.", None))
    for trigger in triggers:
        if not isinstance(trigger, Trigger):
            faults.append((f"{trigger!r} is no trigger.", "use pw.cron(...) or pw.kafka(...)"))
    return [definition_fault(msg, fix=fix, place=place) for msg, fix in faults]


def _traced(function: Callable[..., Any], shape: Shape, trace: Trace, label: str) -> Any:
    symbols = {each.name: Symbol(FromInput(input=each.name), each.hint) for each in shape.parameters}
    try:
        with trace.active():
            return function(**symbols)
    except DefinitionError as error:
        raise_faults(label, [*trace.faults, *(f for f in error.faults if isinstance(f, DefinitionFault))])
        raise
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        fault = definition_fault(
            f"its function raised {type(error).__name__} while it was traced: {said}",
            place=_raised_at(error, function),
            fix="it may only call nodes and pass their values on; put any other work into a node",
        )
        with no_trace():
            raise_faults(label, [*trace.faults, fault])
        raise


def _raised_at(error: BaseException, function: Callable[..., Any]) -> Place:
    found = _place_of(function)
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == function.__code__.co_filename:
            found = Place(step.tb_frame.f_code.co_filename, step.tb_lineno)
        step = step.tb_next
    return found


def _place_of(function: Callable[..., Any]) -> Place:
    return Place(function.__code__.co_filename, function.__code__.co_firstlineno)
