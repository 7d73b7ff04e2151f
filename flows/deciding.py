"""Decisions: both arms stand in the graph, and a run goes along one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from enum import Enum
from typing import Any, TypeVar, cast

from ..connectors.errors import DefinitionError
from .context import RunContext
from .faults import caller_place, definition_fault
from .graph import GraphNode
from .hints import shape_of
from .nodes import NodeDefinition
from .steps import NOT_QUICK, SKIPPED, Failure, Getter, Step, Values, WrappedStep
from .symbols import Symbol
from .trace import Trace, current_trace

R = TypeVar("R")


def decide(
    condition: Any, then: Callable[[], R], otherwise: Callable[[], R], *, name: str = "decide", join: str = "join"
) -> R:
    """Go one way or the other: `decide(is_large(order), lambda: review(order), lambda: approve(order))`.

    In a worklet's definition both functions are called once, so that both arms are in the graph; a run takes one of
    them, and the nodes of the other are skipped. Outside a definition it is an ordinary choice.

    Args:
        condition: what a node or an input gives; its truth decides.
        then, otherwise: the arms: functions without parameters, which place nodes and return the arm's value.
        name, join: what the decision, and the node that takes its arms' values, are called in the graph.

    Returns:
        The value of the arm that was taken.

    Raises:
        DefinitionError: an arm is no function.
    """
    trace = current_trace()
    if trace is None:
        return then() if condition else otherwise()
    check_arms("decide()", then=then, otherwise=otherwise)
    made = trace.place(replace(_DECIDE, name=name), (condition,), {})
    return cast(R, joined_arms(trace, made, then, otherwise, join))


def switch(
    value: Any,
    cases: Mapping[Any, Callable[[], R]],
    otherwise: Callable[[], R] | None = None,
    *,
    name: str = "switch",
    join: str = "join",
) -> R | None:
    """Go one of several ways: `switch(kind(order), {"gift": lambda: wrap(order)}, lambda: pack(order))`.

    It stands in the graph as one decision a case, each in the arm of the one before that was not taken.

    Args:
        value: what a node or an input gives; a member of an enum counts as its value.
        cases: an arm for each text, number, truth value or None that it may be.
        otherwise: the arm for any other value; None gives None.
        name, join: what the decisions, and the nodes that take the arms' values, are called in the graph.

    Returns:
        The value of the arm that was taken.

    Raises:
        DefinitionError: there is no case, or an arm or a case does not fit.
    """
    last: Callable[[], Any] = otherwise if otherwise is not None else _nothing
    trace = current_trace()
    if trace is None:
        return next((arm for case, arm in cases.items() if equals(value, case)), last)()
    if not isinstance(cases, Mapping) or not cases:
        fault = definition_fault(
            "switch() is given no cases.", place=caller_place(), fix='write {"value": lambda: ...}'
        )
        raise DefinitionError("A decision is defined wrongly.", faults=[fault])
    check_arms("switch()", **{f"the case {case!r}": arm for case, arm in cases.items()}, otherwise=last)
    wrong = [case for case in cases if not isinstance(case, str | int | float | bool | None)]
    if wrong:
        fix = "name text, numbers, True, False or None"
        fault = definition_fault(f"switch() is given the case {wrong[0]!r}.", place=caller_place(), fix=fix)
        raise DefinitionError("A decision is defined wrongly.", faults=[fault])
    (case, arm), *others = cases.items()
    made = trace.place(replace(_DECIDE, name=name, settings={"equals": case}), (value,), {})
    rest = (lambda: switch(value, dict(others), last, name=name, join=join)) if others else last
    return cast(R | None, joined_arms(trace, made, arm, rest, join))


def check_arms(call: str, **arms: Any) -> None:
    """Raise DefinitionError for the first arm that is no function."""
    for which, arm in arms.items():
        if not callable(arm) or isinstance(arm, Symbol):
            what = f"{call} is given {which} that is no function."
            fault = definition_fault(what, place=caller_place(), fix="write lambda: ...")
            raise DefinitionError("A decision is defined wrongly.", faults=[fault])


def joined_arms(trace: Trace, made: Symbol, then: Callable[[], Any], otherwise: Callable[[], Any], join: str) -> Symbol:
    """Place the nodes of both arms of the decision `made`, and the node that joins them."""
    with trace.branch(made, arm=True):
        first = then()
    with trace.branch(made, arm=False):
        second = otherwise()
    return trace.place(replace(_JOIN, name=join), (made, first, second), {})


def equals(value: Any, case: Any) -> bool:
    """Whether a value is that of a case; True is not 1."""
    if isinstance(value, Enum):
        value = value.value
    return bool(value == case) and isinstance(value, bool) == isinstance(case, bool)


def _nothing() -> None:
    return None


def _condition(value: Any) -> bool:
    return bool(value)


def _joined(decision: Any, then: Any, otherwise: Any) -> Any:
    return then if decision else otherwise


_DECIDE = NodeDefinition("decide", "decide", shape_of(_condition))
_JOIN = NodeDefinition("decide", "join", shape_of(_joined), settings={"join": True})


class DecideStep(Step):
    """The truth of a value, or whether it is that of a case."""

    def __init__(self, node: GraphNode, slot: int, value: Getter) -> None:
        super().__init__(node, slot)
        self._value = value
        self._compares = "equals" in node.settings
        self._case = node.settings.get("equals")

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """True or False."""
        value = self._value(values)
        return equals(value, self._case) if self._compares else bool(value)

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """True or False."""
        return self.try_quick(values, context)


class FailedStep(Step):
    """What went wrong with a node whose failure the graph takes care of; False if nothing did."""

    def __init__(self, node: GraphNode, slot: int, value: Getter) -> None:
        super().__init__(node, slot)
        self._value = value

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """The failure, or False."""
        value = self._value(values)
        return value if isinstance(value, Failure) else False

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """The failure, or False."""
        return self.try_quick(values, context)


class JoinStep(Step):
    """The value of the arm that was taken."""

    def __init__(self, node: GraphNode, slot: int, decision: Getter, then: Getter, otherwise: Getter) -> None:
        super().__init__(node, slot)
        self._decision = decision
        self._then = then
        self._otherwise = otherwise

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """That arm's value; the other one's is not looked at."""
        return self._then(values) if self._decision(values) else self._otherwise(values)

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """That arm's value."""
        return self.try_quick(values, context)


class BranchStep(WrappedStep):
    """A step in one arm of a decision: skipped where the decision went the other way, or was itself skipped."""

    def __init__(self, step: Step, decision: int, arm: bool) -> None:
        super().__init__(step)
        self.note_on_loop = step.note_on_loop  # type: ignore[method-assign]
        self._decision = decision
        self._arm = arm

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """What the step gives, or SKIPPED."""
        way = values[self._decision]
        if way is SKIPPED or bool(way) is not self._arm:
            return SKIPPED
        return self._step.try_quick(values, context)

    def again(self, value: Any, context: RunContext) -> None:
        """As the step does, if it was not gone past."""
        if value is not SKIPPED:
            self._step.again(value, context)

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """What the step gives, or SKIPPED."""
        value = self.try_quick(values, context)
        return value if value is not NOT_QUICK else await self._step.run(values, context, executor)
