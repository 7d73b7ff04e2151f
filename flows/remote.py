"""Worklets whose project has requirements of its own: they stand in for those in the project's process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..connectors.errors import BadInput, NodeFailed, TookTooLong, WorkletsError
from .channel import as_error, principal_data
from .checkpoints import Checkpoints
from .context import RunContext
from .engine import LATER_SECONDS, Engine
from .execution import Execution
from .graph import GraphDocument
from .observing import MOST_LINES
from .plan import Plan
from .project_hosts import ProjectHosts, Tree

# Beyond the run's own limit, which the process keeps: by then it hangs.
_GRACE_SECONDS = 10.0
# A submitted run goes on in so many further processes, if they die.
_DEATHS = 2


@dataclass(frozen=True)
class _Given:
    """A run's input as it came: the process reads it."""

    message: dict[str, Any]


class RemoteInput:
    """Stands for the input of a worklet in another process, where it is checked."""

    def __init__(self, worklet: RemoteWorklet, body: str | None) -> None:
        self._worklet = worklet
        # The one parameter that is the whole body, if it is so.
        self.body = body

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the request's body."""
        return self._worklet.graph.input_schema

    def from_json(self, body: bytes) -> list[Any]:
        """The body, to be read by the run."""
        return [_Given({"body": bytes(body)})]

    def from_object(self, value: Any) -> list[Any]:
        """The value, to be read by the run."""
        return [_Given({"object": value})]

    def check(self, body: bytes) -> None:
        """Let the process read a body; blocking. Raises BadInput with every fault."""
        self._worklet.check(body)


class RemoteOutput:
    """Stands for the output of a worklet in another process, which gives it as JSON."""

    def __init__(self, has_images: bool) -> None:
        self.has_images = has_images


class RemoteWorklet:
    """A worklet that runs in its project's own process.

    Attributes:
        name: what it is called everywhere.
        graph: nodes, edges and schemas.
        plan: without steps; they are in the process.
    """

    def __init__(
        self, graph: GraphDocument, tree: Tree, hosts: ProjectHosts, *, has_images: bool, body: str | None
    ) -> None:
        self.name = graph.name
        self.graph = graph
        self.input = RemoteInput(self, body)
        self.output = RemoteOutput(has_images)
        self.plan = Plan(graph.name, (), 1, 2, _last, graph.timeout, linear=True)
        self._tree = tree
        self._hosts = hosts

    def fitted_output(self, value: Any) -> bytes:
        """The result as JSON bytes, as the process gave it."""
        return bytes(value)

    def execution(self, engine: Engine, inputs: Sequence[Any], context: RunContext) -> Execution:
        """A run that somebody waits for."""
        return RemoteExecution(self, engine, inputs, context, kept=False)

    def kept_execution(
        self, engine: Engine, inputs: Sequence[Any], context: RunContext, checkpoints: Checkpoints
    ) -> Execution:
        """A run whose nodes keep what they give; the process does that, in the same place."""
        return RemoteExecution(self, engine, inputs, context, kept=True)

    def check(self, body: bytes) -> None:
        """Raises BadInput with every fault of a body; blocking."""
        self._hosts.wait(self._hosts.check(self._tree, {"worklet": self.name, "body": bytes(body)}))

    async def run(self, execution: RemoteExecution, message: dict[str, Any]) -> dict[str, Any]:
        """How a run ended there."""
        pauses = execution.context.services.pauses if message["kept"] else None
        return await self._hosts.run(self._tree, {"worklet": self.name, **message}, execution.learn, pauses)


class RemoteExecution(Execution):
    """One run in the project's process, as the app's paths see it."""

    __slots__ = ("_kept", "_took_us", "_worklet", "details")

    def __init__(
        self, worklet: RemoteWorklet, engine: Engine, inputs: Sequence[Any], context: RunContext, *, kept: bool
    ) -> None:
        super().__init__(engine, worklet.plan, inputs, context)
        self._worklet = worklet
        self._kept = kept
        self._took_us: int | None = None
        # What the process kept of its nodes for people, once the run has ended.
        self.details: bytes | None = None

    @property
    def elapsed_us(self) -> int:
        """Microseconds that the run took there; until it has ended, since it began."""
        return self._took_us if self._took_us is not None else super().elapsed_us

    def advance(self) -> bool:
        """Nothing of it runs at once."""
        return False

    async def join(self) -> bool:
        """Nothing of it is gathered with others here."""
        return False

    def learn(self, entries: list[Any], lines: Sequence[Sequence[Any]] = ()) -> None:
        """Take in how far it is, and what its nodes have logged since the last time."""
        self.entries[:] = [list(entry) for entry in entries]
        if lines:
            if self.context.lines is None:
                self.context.lines = deque(maxlen=MOST_LINES)
            self.context.lines += [(int(at_us), str(node), str(level), str(text)) for at_us, node, level, text in lines]

    async def finish(self) -> None:
        """Run it there. Raises CancelledError, after the run is marked as cancelled."""
        limit = self.plan.timeout or (LATER_SECONDS if self._kept else self.engine.timeout)
        try:
            async with asyncio.timeout(limit + _GRACE_SECONDS):
                self._take(await self._asked())
        except TimeoutError:
            self.state = "timed-out"
            self.error = TookTooLong(f"The worklet {self.plan.name!r} did not end within {limit:g} seconds.")
        except WorkletsError as error:
            self.state, self.error = "timed-out" if isinstance(error, TookTooLong) else "failed", error
        except asyncio.CancelledError:
            self.state = "cancelled"
            raise

    async def _asked(self) -> dict[str, Any]:
        given = self.values[0]
        assert isinstance(given, _Given)
        message = {
            **given.message,
            "run": self.context.run_id,
            "version": self.context.version,
            "principal": principal_data(self.context.principal),
            "callers": list(self.context.callers),
            "root": self.context.root,
            "kept": self._kept,
        }
        deaths = 0
        while True:
            try:
                return await self._worklet.run(self, message)
            except NodeFailed:
                # The process has died. What has ended is kept; what was under way is tried again.
                if not self._kept or deaths == _DEATHS:
                    raise
                deaths += 1

    def _take(self, found: dict[str, Any]) -> None:
        if found.get("cancelled"):
            raise BadInput("The run was cancelled in its process.")
        self.state = found["state"]
        self.learn(found["entries"])
        self._took_us = found["elapsed_us"]
        self.details = found["details"]
        self.context.model_versions.update(found["models"])
        if found["failure"] is not None:
            self.error = as_error(found["failure"])
        elif self.state == "completed":
            self.values[-1] = found["output"]


def _last(values: list[Any]) -> Any:
    return values[-1]
