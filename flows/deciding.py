"""Decisions: both arms stand in the graph, and a run goes along one of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, TypeVar

from ..connectors.errors import DefinitionError
from .context import RunContext
from .faults import caller_place, definition_fault
from .graph import GraphNode
from .hints import shape_of
from .nodes import NodeDefinition
from .steps import NOT_QUICK, SKIPPED, Getter, Step, Values
from .symbols import Symbol
from .trace import current_trace

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
    for which, arm in (("then", then), ("otherwise", otherwise)):
        if not callable(arm) or isinstance(arm, Symbol):
            fault = definition_fault(
                f"decide() is given {which} that is no function.",
                place=caller_place(),
                fix=f"write {which}=lambda: ...",
            )
            raise DefinitionError("A decision is defined wrongly.", faults=[fault])
    made = trace.place(replace(_DECIDE, name=name), (condition,), {})
    with trace.branch(made, arm=True):
        first = then()
    with trace.branch(made, arm=False):
        second = otherwise()
    joined: R = trace.place(replace(_JOIN, name=join), (made, first, second), {})  # type: ignore[assignment]
    return joined


def _condition(value: Any) -> bool:
    return bool(value)


def _joined(decision: Any, then: Any, otherwise: Any) -> Any:
    return then if decision else otherwise


_DECIDE = NodeDefinition("decide", "decide", shape_of(_condition))
_JOIN = NodeDefinition("decide", "join", shape_of(_joined), settings={"join": True})


class DecideStep(Step):
    """The truth of a value."""

    def __init__(self, node: GraphNode, slot: int, value: Getter) -> None:
        super().__init__(node, slot)
        self._value = value

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """True or False."""
        return bool(self._value(values))

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """True or False."""
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


class BranchStep(Step):
    """A step in one arm of a decision: skipped where the decision went the other way, or was itself skipped."""

    def __init__(self, step: Step, decision: int, arm: bool) -> None:
        self.id, self.kind, self.slot = step.id, step.kind, step.slot
        self.retries, self.backoff, self.timeout = step.retries, step.backoff, step.timeout
        self.timeout_ns, self.fallback = step.timeout_ns, step.fallback
        self.needs, self.feeds = step.needs, step.feeds
        self.note_on_loop = step.note_on_loop  # type: ignore[method-assign]
        self._step = step
        self._decision = decision
        self._arm = arm

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """What the step gives, or SKIPPED."""
        if values[self._decision] is not self._arm:
            return SKIPPED
        return self._step.try_quick(values, context)

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """What the step gives, or SKIPPED."""
        value = self.try_quick(values, context)
        return value if value is not NOT_QUICK else await self._step.run(values, context, executor)
