"""A node over every item of a list, several at a time."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Unpack

from pydantic import JsonValue

from ..connectors.errors import DefinitionError
from .context import RunContext
from .faults import caller_place, definition_fault
from .graph import RUNNERS, GraphNode
from .hints import Shape
from .nodes import Node, NodeDefinition, NodeOptions, changed
from .sending import ItemCall, ItemRunner
from .steps import Getter, Step, Values
from .trace import current_trace

AT_ONCE = 8
_MOST = 256
# Places for items beside the process that runs the worklet.
ItemWork = Callable[[int, Any], Awaitable[Any]]
RunnerName = Literal["dask"]


class MapNode:
    """A node over every item of a list. Made by `map`."""

    def __init__(
        self,
        node: Node[..., Any],
        at_once: int,
        options: NodeOptions | None = None,
        *,
        runner: RunnerName | None = None,
    ) -> None:
        self._node = node
        self._at_once = at_once
        self._runner = runner
        self._options = options or NodeOptions()

    def with_options(self, **options: Unpack[NodeOptions]) -> MapNode:
        """The same map with other options, as for `node`; `name` is what the node is called in the graph."""
        return MapNode(self._node, self._at_once, {**self._options, **options}, runner=self._runner)

    def __call__(self, items: Any, **others: Any) -> Any:
        """Place it; outside a worklet's definition, call the node for each item, one after the other.

        Args:
            items: what the node's first parameter takes, a list of it.
            others: its other parameters, the same for every item.
        """
        trace = current_trace()
        if trace is None:
            return [self._node(item, **others) for item in items]
        placed = mapped(self._node.definition, self._at_once, self._options, self._runner)
        return trace.place(placed, (), {str(placed.settings["over"]): items, **others})


def mapped(
    inner: NodeDefinition,
    at_once: int = AT_ONCE,
    options: NodeOptions | None = None,
    runner: RunnerName | None = None,
) -> NodeDefinition:
    """A map over the code of a node, as a definition of its own. Raises DefinitionError for wrong options."""
    settings: dict[str, JsonValue] = {"over": inner.shape.parameters[0].name, "at_once": at_once}
    if runner is not None:
        settings["runner"] = runner
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


def map(node: Node[..., Any], *, at_once: int = AT_ONCE, runner: RunnerName | None = None) -> MapNode:
    """A node over every item of a list: `pw.map(resize, at_once=4)(pictures, size=256)`.

    It gives a list in the items' order; the first item that fails, fails the run.

    Args:
        node: a function under `@pw.node`; its first parameter takes the items.
        at_once: how many items may be under way at the same time.
        runner: `"dask"` works the items out on the server's Dask cluster; by default they stay in its own threads.

    Raises:
        DefinitionError: it is no node, at_once is not 1 to 256, or the runner is another.
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
    if runner is not None and runner not in RUNNERS:
        msg, fix = f"runner is {runner!r}.", "give runner='dask', or leave it out for the server's own threads"
        raise DefinitionError("A map node is defined wrongly.", faults=[definition_fault(msg, place=place, fix=fix)])
    return MapNode(node, at_once, runner=runner)


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
        runner = node.settings.get("runner")
        self._runner = str(runner) if runner is not None else None

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """The results in the items' order. Raises what the first item that failed raised, its place noted."""
        items = list(self._items(values))
        others = {name: getter(values) for name, getter in self._others.items()}
        elsewhere = context.services.elsewhere
        runner = elsewhere.runner(self._runner) if elsewhere is not None else None
        work = await self._sent(others, runner) if runner is not None else self._here(others, executor)
        free = asyncio.Semaphore(self._at_once)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_one(index, item, work, free)) for index, item in enumerate(items)]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    def _here(self, others: Mapping[str, Any], executor: Executor) -> ItemWork:
        """Each item in this process: awaited, or in a thread."""
        function = self._definition.function
        assert function is not None

        async def work(index: int, item: Any) -> Any:
            call: Callable[[], Any] = lambda: function(**{self._over: item}, **others)  # noqa: E731
            if self._definition.is_async:
                return await call()
            within = contextvars.copy_context().run
            return await asyncio.get_running_loop().run_in_executor(executor, within, call)

        return work

    async def _sent(self, others: Mapping[str, Any], runner: ItemRunner) -> ItemWork:
        """Each item where the runner has it worked out."""
        function = self._definition.function
        assert function is not None
        call = await asyncio.to_thread(ItemCall, self.id, function, self._over, others)
        return partial(runner.run, call)


async def _one(index: int, item: Any, work: ItemWork, free: asyncio.Semaphore) -> Any:
    async with free:
        try:
            return await work(index, item)
        except Exception as error:
            error.add_note(f"at item {index}")
            raise
