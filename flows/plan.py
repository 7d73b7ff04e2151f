"""Compiling a graph: from the document and the nodes' code to a plan that the engine runs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from ..connectors.errors import DefinitionError
from .caching import CachedStep
from .calling import CallStep
from .deciding import BranchStep, DecideStep, FailedStep, JoinStep
from .faults import definition_fault
from .graph import (
    Argument,
    AttributeStep,
    Constant,
    Fallback,
    FromInput,
    FromNode,
    GraphDocument,
    GraphNode,
    ListOf,
    needs_of,
)
from .graph import Step as PathStep
from .hints import Parameter, adapter_of, name_of
from .mapping import MapStep
from .notifying import NotifyStep
from .queries import QueryStep
from .quickness import Pace
from .requesting import HttpStep
from .reviewing import ReviewStep
from .saving import SaveStep
from .steps import AsyncStep, CodeStep, Failure, Getter, ModelStep, Step, Values

if TYPE_CHECKING:
    from .nodes import NodeDefinition

# Kinds whose values have no type of their own.
_UNTYPED = frozenset({"model", "query", "http", "call"})
# Types that numpy values are turned into before they are checked.
_PLAIN = (list, tuple, set, dict, int, float, str, bool)


@dataclass(frozen=True, eq=False)
class Plan:
    """A worklet ready to run.

    Attributes:
        name: the worklet's.
        steps: in an order in which each finds what it needs.
        inputs: how many parameters; their values stand first in a run's list of values.
        size: the length of that list.
        output: takes the result out of it.
        timeout: seconds for the whole run, or None for the engine's own limit.
        linear: no two steps could run at the same time.
    """

    name: str
    steps: tuple[Step, ...]
    inputs: int
    size: int
    output: Getter
    timeout: float | None
    linear: bool


def compile_plan(document: GraphDocument, definitions: Mapping[str, NodeDefinition]) -> Plan:
    """Compile a checked graph.

    Args:
        document: a graph without faults (flows/checks.py).
        definitions: the code of each node of the kind `node`, by node id.

    Raises:
        DefinitionError: a node's code is missing.
    """
    slots = {("input", parameter.name): index for index, parameter in enumerate(document.inputs)}
    ordered = _ordered(document)
    for index, node in enumerate(ordered):
        slots[("node", node.id)] = len(document.inputs) + index
    compiler = _Compiler(slots, {node.id: node for node in ordered})
    steps = tuple(compiler.cached(node, compiler.step(node, definitions.get(node.id))) for node in ordered)
    for node, step in zip(ordered, steps, strict=True):
        if node.on_error is not None:
            step.fallback = _fallback(node.on_error, definitions.get(node.id))
    positions = {node.id: index for index, node in enumerate(ordered)}
    steps = tuple(
        step if node.when is None else BranchStep(step, slots[("node", node.when.node)], node.when.arm)
        for node, step in zip(ordered, steps, strict=True)
    )
    for index, node in enumerate(ordered):
        steps[index].needs = frozenset(positions[needed] for needed in needs_of(node))
    for index, step in enumerate(steps):
        step.feeds = tuple(other for other, later in enumerate(steps) if index in later.needs)
    return Plan(
        name=document.name,
        steps=steps,
        inputs=len(document.inputs),
        size=len(slots),
        output=compiler.getter(document.output),
        timeout=document.timeout,
        linear=_is_linear(steps),
    )


def _ordered(document: GraphDocument) -> list[GraphNode]:
    sorter: TopologicalSorter[str] = TopologicalSorter({node.id: needs_of(node) for node in document.nodes})
    return [document.node(id) for id in sorter.static_order()]


def _is_linear(steps: Sequence[Step]) -> bool:
    before: list[set[int]] = []
    for step in steps:
        reached = set(step.needs)
        for needed in step.needs:
            reached |= before[needed]
        before.append(reached)
    return all(index - 1 in before[index] for index in range(1, len(steps)))


class _Compiler:
    def __init__(self, slots: Mapping[tuple[str, str], int], nodes: Mapping[str, GraphNode]) -> None:
        self._slots = slots
        self._nodes = nodes

    def step(self, node: GraphNode, definition: NodeDefinition | None) -> Step:
        slot = self._slots[("node", node.id)]
        if node.kind == "model":
            return ModelStep(node, slot, self.getter(node.arguments["inputs"]))
        if node.kind == "save":
            return SaveStep(node, slot, self.getter(node.arguments["row"]))
        if node.kind == "query":
            return QueryStep(node, slot, {name: self.getter(each) for name, each in node.arguments.items()})
        if node.kind == "http":
            given = {name: self.getter(each) for name, each in node.arguments.items()}
            return HttpStep(node, slot, given, definition.shape.returns if definition is not None else Any)
        if node.kind == "notify":
            return NotifyStep(node, slot, {name: self.getter(each) for name, each in node.arguments.items()})
        if node.kind == "call":
            return CallStep(node, slot, self.getter(node.arguments["inputs"]))
        if node.kind == "review":
            returns = definition.shape.returns if definition is not None else Any
            return ReviewStep(node, slot, self.getter(node.arguments["value"]), returns)
        if node.kind == "decide":
            return self._decision(node, slot)
        if node.kind == "map" and definition is not None and definition.function is not None:
            over = str(node.settings["over"])
            others = {name: self.getter(given) for name, given in node.arguments.items() if name != over}
            return MapStep(node, slot, definition, self.getter(node.arguments[over]), others)
        if node.kind == "node" and definition is not None and definition.function is not None:
            call = self._call(node, definition)
            if definition.is_async:
                return AsyncStep(node, slot, call)
            return CodeStep(node, slot, call, Pace(node.quick, f"node {node.id!r} ({definition.path})"))
        what = (
            f"its code {node.function!r} is not there"
            if node.kind in ("node", "map")
            else f"the kind {node.kind!r} can't run"
        )
        raise DefinitionError("A graph can't be run.", faults=[definition_fault(what, node=node.id)])

    def cached(self, node: GraphNode, step: Step) -> Step:
        """The step, which keeps what it gives if the node says so."""
        if node.cache is None:
            return step
        return CachedStep(step, [self.getter(each) for _, each in sorted(node.arguments.items())], node.cache)

    def _decision(self, node: GraphNode, slot: int) -> Step:
        arguments = node.arguments
        if not node.settings.get("join"):
            made = FailedStep if node.settings.get("failed") else DecideStep
            return made(node, slot, self.getter(arguments["value"]))
        decision, then, otherwise = (self.getter(arguments[name]) for name in ("decision", "then", "otherwise"))
        return JoinStep(node, slot, decision, then, otherwise)

    def _call(self, node: GraphNode, definition: NodeDefinition) -> Callable[[Values], Any]:
        function = definition.function
        assert function is not None
        positional: list[Getter | int] = []
        keywords: dict[str, Getter] = {}
        left_out = False
        for parameter in definition.shape.parameters:
            argument = node.arguments.get(parameter.name)
            if argument is None:
                left_out = True  # its default; what comes after it goes by name
                continue
            fit = self._fit(node, parameter, argument)
            if parameter.keyword_only or left_out:
                keywords[parameter.name] = self.getter(argument, fit, parameter)
            elif fit is None and isinstance(argument, FromInput | FromNode) and not argument.path:
                positional.append(self._slot(argument))
            else:
                positional.append(self.getter(argument, fit, parameter))
        return _bound(function, positional, keywords)

    def _fit(self, node: GraphNode, parameter: Parameter, argument: Argument) -> Callable[[Any], Any] | None:
        """What a model answers or a query finds has no known type, so it is fitted to the parameter's."""
        if isinstance(argument, FromNode) and (kind := self._nodes[argument.node].kind) in _UNTYPED:
            return fitter(parameter, f"node {node.id!r}", f"the {kind} node {argument.node!r}")
        return None

    def getter(
        self, argument: Argument, fit: Callable[[Any], Any] | None = None, parameter: Parameter | None = None
    ) -> Getter:
        if isinstance(argument, Constant):
            return _constant(argument.constant, parameter)
        if isinstance(argument, FromInput | FromNode):
            return _part(self._slot(argument), argument.path, fit)
        if isinstance(argument, ListOf):
            parts = [self.getter(part) for part in argument.list]
            return lambda values: [part(values) for part in parts]
        fields = {key: self.getter(part) for key, part in argument.object.items()}
        return lambda values: {key: part(values) for key, part in fields.items()}

    def _slot(self, argument: FromInput | FromNode) -> int:
        key = ("input", argument.input) if isinstance(argument, FromInput) else ("node", argument.node)
        return self._slots[key]


def _bound(
    function: Callable[..., Any], positional: Sequence[Getter | int], keywords: Mapping[str, Getter]
) -> Callable[[Values], Any]:
    """The function as one of the run's values; the common shapes without a loop over the arguments."""
    slots = [part for part in positional if isinstance(part, int)]
    if not keywords and len(slots) == len(positional):
        if not slots:
            return lambda values: function()
        if len(slots) == 1:
            only = slots[0]
            return lambda values: function(values[only])
        if len(slots) == 2:
            first, second = slots
            return lambda values: function(values[first], values[second])
        pick = itemgetter(*slots)
        return lambda values: function(*pick(values))
    getters = [itemgetter(part) if isinstance(part, int) else part for part in positional]
    if not keywords:
        if len(getters) == 1:
            single = getters[0]
            return lambda values: function(single(values))
        return lambda values: function(*[getter(values) for getter in getters])
    return lambda values: function(
        *[getter(values) for getter in getters], **{name: getter(values) for name, getter in keywords.items()}
    )


def _fallback(on_error: Fallback | Literal["branch"], definition: NodeDefinition | None) -> Callable[[str], Any]:
    """What stands for the value of a node that fails, from what is said of the failure."""
    if not isinstance(on_error, Fallback):
        return Failure
    value = _constant(on_error.value, Parameter("value", definition.shape.returns if definition is not None else Any))
    return lambda said: value([])


def _constant(value: Any, parameter: Parameter | None) -> Getter:
    if parameter is not None and parameter.hint is not Any:
        adapter = adapter_of(parameter.hint)
        if adapter is not None:
            value = adapter.validate_python(value)
    if isinstance(value, str | int | float | bool | None):
        return lambda values: value
    return lambda values: copy.deepcopy(value)  # a node may change what it is given; the next run must not see it


def _part(slot: int, path: Sequence[PathStep], fit: Callable[[Any], Any] | None) -> Getter:
    if not path:
        return itemgetter(slot) if fit is None else lambda values: fit(values[slot])
    takers: list[Getter] = [
        attrgetter(step.attribute) if isinstance(step, AttributeStep) else itemgetter(step.item) for step in path
    ]
    if len(takers) == 1 and fit is None:
        only = takers[0]
        return lambda values: only(values[slot])

    def walk(values: Values) -> Any:
        value = values[slot]
        for take in takers:
            value = take(value)
        return fit(value) if fit is not None else value

    return walk


class Unfit(TypeError):
    """A value is not what the next node takes."""


def fitter(parameter: Parameter, taker: str, giver: str) -> Callable[[Any], Any] | None:
    """A function that turns a value of unknown type into the parameter's; None if it takes anything.

    The function raises Unfit.
    """
    hint = parameter.hint
    origin = getattr(hint, "__origin__", hint)
    if hint is Any or not isinstance(origin, type) or origin is object:
        return None
    if origin.__module__ == "numpy":
        return _to_array if origin.__name__ == "ndarray" else None
    adapter = adapter_of(hint)
    if adapter is None:
        return None
    validate = adapter.validate_python
    exact = origin if origin is hint else None
    plain_first = origin in _PLAIN

    def fit(value: Any) -> Any:
        if exact is not None and isinstance(value, exact):
            return value
        if plain_first and hasattr(value, "tolist"):
            value = value.tolist()
            if exact is not None and exact not in (list, tuple, set) and isinstance(value, list) and len(value) == 1:
                value = value[0]
        try:
            return validate(value)
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"]
            raise Unfit(
                f"{taker} takes {name_of(hint)} as {parameter.name!r}, "
                f"and {giver} answered a {type(value).__name__}: {reason}"
            ) from None

    return fit


def _to_array(value: Any) -> Any:
    import numpy as np

    return np.asarray(value)
