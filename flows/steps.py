"""Steps: nodes compiled for running. A step runs at once on the event loop if it can, else it is awaited."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from ..connectors.errors import NodeFailed, NotFound, SetupError
from ..connectors.images import Image
from .context import NO_MODELS, RunContext
from .quickness import Pace

if TYPE_CHECKING:
    from .graph import GraphNode

Values = list[Any]
Getter = Callable[[Values], Any]
NOT_QUICK: Final = object()


class Skipped(Enum):
    """The value of a node that a decision went past; an enum, so that it stays itself through a pickle."""

    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Failure:
    """The value of a node that has failed where the graph goes on from there (flows/recovering.py)."""

    error: str


class Suspended(Exception):
    """A node waits for something that may take days; the run gives its process back."""


class Paused(Suspended):
    """Somebody lets the run rest; the node has not begun."""


SKIPPED: Final = Skipped.SKIPPED
_NEVER = 1 << 62
# More rows or values than these are too much for the event loop, whatever the model.
_QUICK_VALUES = 500


class Step:
    """A node with its arguments bound to places in the list of a run's values."""

    kind: str = "node"

    def __init__(self, node: GraphNode, slot: int) -> None:
        self.id = node.id
        self.kind = node.kind
        self.slot = slot
        self.retries = node.retries
        self.backoff = node.backoff
        self.timeout = node.timeout
        # Its value if it fails, from what is said of the failure; filled by the compiler.
        self.fallback: Callable[[str], Any] | None = None
        self.timeout_ns = int(node.timeout * 1e9) if node.timeout else _NEVER
        # Positions in the plan, filled by the compiler.
        self.needs: frozenset[int] = frozenset()
        self.feeds: tuple[int, ...] = ()

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """The node's value, worked out here and now; NOT_QUICK if it has to be awaited."""
        return NOT_QUICK

    def joined(self, values: Values, context: RunContext) -> Awaitable[Any] | None:
        """The node's value, worked out with that of other runs in this turn of the event loop; None if it is not."""
        return None

    def note_on_loop(self, took_ns: int) -> None:
        """Learn how long `try_quick` took."""

    def again(self, value: Any, context: RunContext) -> None:
        """Do what the kept value of an earlier process does not do by itself."""

    async def keep(self, values: Values, executor: Executor) -> None:
        """Let the value that stands for a failure last as long as one that the node gave."""

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """The node's value, off the event loop where it would hold it up."""
        raise SetupError(f"This version can't run nodes of the kind {self.kind!r}.")


class WrappedStep(Step):
    """A step around another one: for the engine it has the other's place, retries and limits."""

    def __init__(self, step: Step) -> None:
        self.id, self.kind, self.slot = step.id, step.kind, step.slot
        self.retries, self.backoff, self.timeout = step.retries, step.backoff, step.timeout
        self.timeout_ns, self.fallback = step.timeout_ns, step.fallback
        self.needs, self.feeds = step.needs, step.feeds
        self._step = step


class AsyncStep(Step):
    """An async function."""

    def __init__(self, node: GraphNode, slot: int, call: Callable[[Values], Awaitable[Any]]) -> None:
        super().__init__(node, slot)
        self._call = call

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """Await the function."""
        return await self._call(values)


class CodeStep(Step):
    """A plain function, on the loop or in a thread as its pace says."""

    def __init__(self, node: GraphNode, slot: int, call: Getter, pace: Pace) -> None:
        super().__init__(node, slot)
        self._call = call
        self.pace = pace
        self.note_on_loop = pace.on_loop  # type: ignore[method-assign]

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """Call it, if it is quick."""
        if self.pace.quick:
            return self._call(values)
        return NOT_QUICK

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """Call it in a thread, with the run's context variables, and note how long it took by itself."""
        work = contextvars.copy_context().run
        value, error, took_ns = await asyncio.get_running_loop().run_in_executor(
            executor, work, _measured, self._call, values
        )
        self.pace.in_thread(took_ns)
        if error is not None:
            raise error
        return value


def _measured(call: Getter, values: Values) -> tuple[Any, BaseException | None, int]:
    # The error goes back as a value: StopIteration can't pass through a future, and SystemExit would end the loop.
    began = time.perf_counter_ns()
    try:
        value = call(values)
    except BaseException as error:
        return None, error, time.perf_counter_ns() - began
    return value, None, time.perf_counter_ns() - began


class ModelStep(Step):
    """A model, asked through the router."""

    def __init__(self, node: GraphNode, slot: int, inputs: Getter) -> None:
        super().__init__(node, slot)
        self._inputs = inputs
        self._model = str(node.settings["model"])
        version = node.settings.get("version")
        self._version = str(version) if version is not None else None

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """Call the model, if it lives in this process and is quick."""
        models = context.services.models
        call = models.quick(self._model, self._version) if models is not None else None
        if call is None:
            return NOT_QUICK
        inputs = self._inputs(values)
        if _is_large(inputs):
            return NOT_QUICK  # quick with a row doesn't mean quick with thousands
        answer = call(inputs)
        context.model_versions[answer.model] = answer.version
        return answer.outputs

    def joined(self, values: Values, context: RunContext) -> Awaitable[Any] | None:
        """The model's answer to this and other runs, while it gathers them."""
        models = context.services.models
        answer = models.joined(self._model, self._inputs(values), self._version) if models is not None else None
        return self._of(answer, context) if answer is not None else None

    async def _of(self, answer: Awaitable[Any], context: RunContext) -> Any:
        found = await answer
        context.model_versions[found.model] = found.version
        return found.outputs

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """Ask the router."""
        models = context.services.models
        if models is None:
            raise SetupError(NO_MODELS)
        try:
            answer = await models.predict(self._model, self._inputs(values), self._version, timeout=self.timeout)
        except NotFound as error:
            # Not the caller's 404: the worklet exists, its model does not.
            raise NodeFailed(f"Node {self.id!r} has no model to ask: {error.detail}", node=self.id) from None
        context.model_versions[answer.model] = answer.version
        return answer.outputs


def _is_large(inputs: Any) -> bool:
    size = getattr(inputs, "size", None)
    if size is None:
        size = len(inputs) if isinstance(inputs, list | tuple) else 0
    return isinstance(size, int) and size > _QUICK_VALUES


async def with_stored_images(value: Any, context: RunContext) -> Any:
    """The same value, with every image in it kept in the file store, so that its JSON is short."""
    files = context.services.files
    if files is None:
        return value
    if isinstance(value, Image):
        return await value.stored(files, owner=context.owner)
    if isinstance(value, BaseModel):
        changed = {}
        for name in type(value).model_fields:
            part = getattr(value, name)
            kept = await with_stored_images(part, context)
            if kept is not part:
                changed[name] = kept
        return value.model_copy(update=changed) if changed else value
    if isinstance(value, dict):
        return {key: await with_stored_images(part, context) for key, part in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)([await with_stored_images(part, context) for part in value])
    return value


def images_in(value: Any) -> Sequence[Image]:
    """Every image in a result."""
    if isinstance(value, Image):
        return [value]
    parts: Sequence[Any] = ()
    if isinstance(value, BaseModel):
        parts = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = value
    elif hasattr(value, "__dataclass_fields__"):
        parts = [getattr(value, name) for name in value.__dataclass_fields__]
    return [image for part in parts for image in images_in(part)]
