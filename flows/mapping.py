"""A node over every item of a list, several at a time."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, Unpack

from pydantic import JsonValue

from ..connectors.errors import DefinitionError
from .context import RunContext
from .faults import caller_place, definition_fault
from .graph import GraphNode
from .hints import Shape
from .nodes import Node, NodeDefinition, NodeOptions, changed
from .steps import Getter, Step, Values
from .trace import current_trace

AT_ONCE = 8
_MOST = 256


class MapNode:
    """A node over every item of a list. Made by `map`."""

    def __init__(self, node: Node[..., Any], at_once: int, options: NodeOptions | None = None) -> None:
        self._node = node
        self._at_once = at_once
        self._options = options or NodeOptions()

    def with_options(self, **options: Unpack[NodeOptions]) -> MapNode:
        """The same map with other options, as for `node`; `name` is what the node is called in the graph."""
        return MapNode(self._node, self._at_once, {**self._options, **options})

    def __call__(self, items: Any, **others: Any) -> Any:
        """Place it; outside a worklet's definition, call the node for each item, one after the other.

        Args:
            items: what the node's first parameter takes, a list of it.
            others: its other parameters, the same for every item.
        """
        trace = current_trace()
        if trace is None:
            return [self._node(item, **others) for item in items]
        placed = mapped(self._node.definition, self._at_once, self._options)
        return trace.place(placed, (), {str(placed.settings["over"]): items, **others})


def mapped(inner: NodeDefinition, at_once: int = AT_ONCE, options: NodeOptions | None = None) -> NodeDefinition:
    """A map over the code of a node, as a definition of its own. Raises DefinitionError for wrong options."""
    settings: dict[str, JsonValue] = {"over": inner.shape.parameters[0].name, "at_once": at_once}
    made = replace(
        inner,
        kind="map",
        on_error=None,
        cache=None,
        name=f"map_{inner.name}",
        shape=_lifted(inner.shape),
        settings=settings,
    )
    return changed(made, options or NodeOptions())


def map(node: Node[..., Any], *, at_once: int = AT_ONCE) -> MapNode:
    """A node over every item of a list: `pw.map(resize, at_once=4)(pictures, size=256)` gives a list, in order.

    Args:
        node: a function under `@pw.node`; its first parameter takes the items.
        at_once: how many items may be under way at the same time.

    Raises:
        DefinitionError: it is no node, or at_once is not 1 to 256. The first item that fails, fails the run.
    """
    place = caller_place()
    if not isinstance(node, Node) or not node.definition.shape.parameters:
        fault = definition_fault(
            "map() wants a node with a parameter.", place=place, fix="give a function under @pw.node"
        )
        raise DefinitionError("A map node is defined wrongly.", faults=[fault])
    if not 1 <= at_once <= _MOST:
        fault = definition_fault(f"at_once is {at_once}; it is 1 to {_MOST}.", place=place)
        raise DefinitionError("A map node is defined wrongly.", faults=[fault])
    return MapNode(node, at_once)


def _lifted(shape: Shape) -> Shape:
    """The shape with a list of its first parameter, and a list of what it returns."""
    first, *rest = shape.parameters
    hint = Any if first.hint is Any else list[first.hint]  # type: ignore[name-defined]
    returns = Any if shape.returns is Any else list[shape.returns]  # type: ignore[name-defined]
    kept = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in shape.signature.parameters.values()]
    signature = shape.signature.replace(parameters=kept)
    return replace(shape, parameters=(replace(first, hint=hint), *rest), returns=returns, signature=signature)


class MapStep(Step):
    """Calls a function for each item."""

    def __init__(
        self, node: GraphNode, slot: int, definition: NodeDefinition, items: Getter, others: Mapping[str, Getter]
    ) -> None:
        super().__init__(node, slot)
        self._definition = definition
        self._items = items
        self._others = dict(others)
        self._over = str(node.settings["over"])
        self._at_once = int(str(node.settings.get("at_once") or AT_ONCE))

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """The results in the items' order. Raises what the first item that failed raised, its place noted."""
        items = list(self._items(values))
        others = {name: getter(values) for name, getter in self._others.items()}
        free = asyncio.Semaphore(self._at_once)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._one(index, item, others, free, executor))
                    for index, item in enumerate(items)
                ]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _one(
        self, index: int, item: Any, others: Mapping[str, Any], free: asyncio.Semaphore, executor: Executor
    ) -> Any:
        function = self._definition.function
        assert function is not None
        call: Callable[[], Any] = lambda: function(**{self._over: item}, **others)  # noqa: E731
        async with free:
            try:
                if self._definition.is_async:
                    return await call()
                work = contextvars.copy_context().run
                return await asyncio.get_running_loop().run_in_executor(executor, work, call)
            except Exception as error:
                error.add_note(f"at item {index}")
                raise
