"""One run of a plan: what is quick runs straight through; the rest is awaited.

The quick part is one plain function without awaits, tasks, locks or copies. It costs a few microseconds a node.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..connectors.errors import BadInput, NodeFailed, TookTooLong, WorkletsError
from .checkpoints import Done
from .context import CURRENT, RunContext
from .failures import SHORT, as_error, pause_before, too_long, worth_repeating
from .plan import Plan
from .saving import write_rows
from .steps import NOT_QUICK, SKIPPED, Paused, Step, Suspended

if TYPE_CHECKING:
    from .engine import Engine

logger = logging.getLogger(__name__)

_clock = time.perf_counter_ns
# What a node may raise and the server must survive: sys.exit() in a node is that node's failure.
_FAILURES = (Exception, SystemExit)


@dataclass(slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        state: completed, failed, timed-out, cancelled or suspended.
        output: the worklet's result, if completed.
        nodes: `[node id, kind, state, start offset µs, duration µs, error or null]`, in the order of their start.
        error: what to answer, unless completed.
    """

    state: str
    output: Any
    nodes: list[list[Any]]
    error: WorkletsError | None = None


class Execution:
    """One run of a plan: `advance` takes it as far as it goes at once, `finish` to its end."""

    __slots__ = ("context", "engine", "entries", "error", "origin", "plan", "position", "retrying", "state", "values")

    def __init__(self, engine: Engine, plan: Plan, inputs: Sequence[Any], context: RunContext) -> None:
        self.engine = engine
        self.plan = plan
        self.context = context
        self.values: list[Any] = [*inputs, *(None,) * (plan.size - plan.inputs)]
        self.entries: list[list[Any]] = []
        self.position = 0
        self.state = "completed"
        self.error: WorkletsError | None = None
        # Failed first attempts that are to be repeated: when it began, and the failure.
        self.retrying: dict[Step, tuple[int, BaseException]] = {}
        self.origin = _clock()

    def result(self) -> RunResult:
        """How it ended."""
        output = self.plan.output(self.values) if self.state == "completed" else None
        return RunResult(self.state, output, self.entries, self.error)

    async def commit(self) -> None:
        """Write the rows of a run that ends well, or waits for a person: all or none; nothing where there are none.

        Raises:
            NodeFailed: they could not be written; the run has failed.
        """
        ids = list(self.context.unsaved)
        if not ids:
            return
        try:
            await write_rows(self.context, self.engine.executor)
        except NodeFailed as failure:
            self.state, self.error = "failed", failure
            for entry in self.entries:
                if entry[0] == failure.node:
                    entry[2], entry[5] = "failed", failure.detail[:SHORT]
            raise
        if self.state == "suspended" and self.context.checkpoints is not None:
            keep, values = self.context.checkpoints.keep, self.values
            for step in self.plan.steps:
                if step.id in ids:
                    await asyncio.to_thread(keep, self.context.run_id, step.id, Done(values[step.slot]))

    @property
    def elapsed_us(self) -> int:
        """Microseconds since the run began."""
        return (_clock() - self.origin) // 1000

    # --- at once ------------------------------------------------------------------------------------

    def advance(self) -> bool:
        """Run step after step until one has to be awaited; True if the run has ended."""
        steps, values, entries, origin = self.plan.steps, self.values, self.entries, self.origin
        context = self.context
        position, count = self.position, len(steps)
        token = CURRENT.set(context)
        began = _clock()
        try:
            while position < count:
                step = steps[position]
                try:
                    value = step.try_quick(values, context)
                except _FAILURES as error:
                    if not (step.retries and worth_repeating(error)) and self._spare(step, began, error):
                        began = _clock()
                        position += 1
                        continue
                    self.position = position
                    return self._quick_failure(step, began, error)
                if value is NOT_QUICK:
                    self.position = position
                    return False
                ended = _clock()
                took = ended - began
                step.note_on_loop(took)
                if took > step.timeout_ns and self._spare(step, began, too_long(step)):
                    began = _clock()
                    position += 1
                    continue
                if took > step.timeout_ns:
                    self.position = position
                    self._fail(step, began, too_long(step))
                    return True
                values[step.slot] = value
                state = "completed" if value is not SKIPPED else "skipped"
                entries.append([step.id, step.kind, state, (began - origin) // 1000, took // 1000, None])
                began = ended
                position += 1
        finally:
            CURRENT.reset(token)
        self.position = position
        return True

    async def join(self) -> bool:
        """Go on where models gather the calls of a turn of the loop; True if the run has ended. Raises CancelledError.

        Without what `finish` needs for steps that take long, which would cost more than such a model.
        """
        while self.position < len(self.plan.steps):
            step = self.plan.steps[self.position]
            began = _clock()
            if step in self.retrying:
                return False
            try:
                work = step.joined(self.values, self.context)
                if work is None:
                    return False
                value = await work
                if _clock() - began > step.timeout_ns:
                    raise too_long(step)
            except _FAILURES as error:
                if not (step.retries and worth_repeating(error)) and self._spare(step, began, error):
                    self.position += 1
                    continue
                return self._quick_failure(step, began, error)
            except asyncio.CancelledError:
                self.state = "cancelled"
                self._skip_rest()
                raise
            self.values[step.slot] = value
            took = _clock() - began
            self.entries.append([step.id, step.kind, "completed", (began - self.origin) // 1000, took // 1000, None])
            self.position += 1
            if self.advance():
                return True
        return True

    def _quick_failure(self, step: Step, began: int, error: BaseException) -> bool:
        if step.retries and worth_repeating(error):
            self.retrying[step] = (began, error)
            return False
        self._fail(step, began, error)
        return True

    # --- awaited ------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Run what `advance` left. Raises CancelledError, after the run is marked as cancelled."""
        limit = self.plan.timeout or self.engine.timeout
        token = CURRENT.set(self.context)
        try:
            async with asyncio.timeout(limit - self.elapsed_us / 1e6) as deadline:
                await (self._in_order() if self.plan.linear else self._in_parallel())
        except _StepFailed:
            pass
        except TimeoutError:
            if not deadline.expired():  # pragma: no cover - a failure of a step is a _StepFailed
                raise
            self.state = "timed-out"
            self.error = TookTooLong(
                f"The worklet {self.plan.name!r} took longer than its {limit:g} seconds; "
                "give it a longer timeout, or start it as a run and ask for the result later."
            )
            self._skip_rest()
        except asyncio.CancelledError:
            self.state = "cancelled"
            self._skip_rest()
            raise
        finally:
            CURRENT.reset(token)
            for entry in self.entries:
                if entry[2] == "running":  # it was broken off
                    entry[2] = "skipped"

    async def _in_order(self) -> None:
        while True:
            if not await self._awaited(self.plan.steps[self.position]):
                self.state = "suspended"
                return
            self.position += 1
            if self.advance():
                break
        if self.error is not None:
            raise _StepFailed

    async def _in_parallel(self) -> None:
        steps = self.plan.steps
        done = set(range(self.position))
        waiting = {index: len(steps[index].needs - done) for index in range(self.position, len(steps))}
        ready = deque(index for index, missing in waiting.items() if not missing)
        running: dict[asyncio.Task[bool], int] = {}
        try:
            while ready or running:
                if not ready:
                    finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in finished:
                        index = running.pop(task)
                        if task.result():
                            self._release(index, waiting, ready)
                        else:
                            self.state = "suspended"  # once nothing else can go on
                    continue
                index = ready.popleft()
                step = steps[index]
                if self._at_once(step):
                    self._release(index, waiting, ready)
                elif ready or running:
                    running[asyncio.create_task(self._awaited(step))] = index
                elif await self._awaited(step):
                    self._release(index, waiting, ready)
                else:
                    self.state = "suspended"
        finally:
            for task in running:
                task.cancel()
            if running:
                await asyncio.gather(*running, return_exceptions=True)

    def _release(self, index: int, waiting: dict[int, int], ready: deque[int]) -> None:
        for later in self.plan.steps[index].feeds:
            waiting[later] -= 1
            if not waiting[later]:
                ready.append(later)

    def _at_once(self, step: Step) -> bool:
        """Run a ready step now if it is quick. Raises _StepFailed."""
        if step in self.retrying:
            return False
        began = _clock()
        try:
            value = step.try_quick(self.values, self.context)
        except _FAILURES as error:
            if step.retries and worth_repeating(error):
                self.retrying[step] = (began, error)
                return False
            if self._spare(step, began, error):
                return True
            self._fail(step, began, error)
            raise _StepFailed from error
        if value is NOT_QUICK:
            return False
        took = _clock() - began
        step.note_on_loop(took)
        if took > step.timeout_ns:
            if self._spare(step, began, too_long(step)):
                return True
            self._fail(step, began, too_long(step))
            raise _StepFailed
        self.values[step.slot] = value
        self._note(step, "completed" if value is not SKIPPED else "skipped", began, None)
        return True

    async def _awaited(self, step: Step) -> bool:
        """Run one step with its retries; False if the run has to wait for it elsewhere. Raises _StepFailed."""
        if self.error is not None:  # another step failed since this one was to begin, and all that is left is noted
            raise _StepFailed
        began, failure = self.retrying.pop(step, None) or (_clock(), None)
        entry = self._note(step, "running", began, None)
        attempt = 0
        while True:
            if failure is None:
                failure = await self._attempt(step)
                if failure is None:
                    skipped = self.values[step.slot] is SKIPPED
                    entry[2], entry[4] = "skipped" if skipped else "completed", (_clock() - began) // 1000
                    return True
            if isinstance(failure, Paused):
                self.entries.remove(entry)
                return False
            if isinstance(failure, Suspended):
                resting = step.kind == "call" and self.context.is_pausing
                entry[2], entry[4] = "paused" if resting else "waiting", (_clock() - began) // 1000
                return False
            if attempt >= step.retries or not worth_repeating(failure):
                self.entries.remove(entry)
                if self._spare(step, began, failure):
                    await step.keep(self.values, self.engine.executor)
                    return True
                self._fail(step, began, failure)
                raise _StepFailed from failure
            logger.info("node %r failed (%r); attempt %d follows", step.id, failure, attempt + 2)
            await asyncio.sleep(pause_before(failure, step.backoff, attempt))
            attempt += 1
            failure = None

    async def _attempt(self, step: Step) -> BaseException | None:
        """One attempt; the failure comes back as a value."""
        work = step.run(self.values, self.context, self.engine.executor)
        try:
            if step.timeout is None:
                self.values[step.slot] = await work
            else:
                async with asyncio.timeout(step.timeout) as deadline:
                    self.values[step.slot] = await work
        except TimeoutError as error:
            return too_long(step) if step.timeout is not None and deadline.expired() else error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return error  # something inside the node was cancelled, not this run
        except _FAILURES as error:
            return error
        return None

    # --- the record ---------------------------------------------------------------------------------

    def _note(self, step: Step, state: str, began: int, error: str | None) -> list[Any]:
        entry = [step.id, step.kind, state, (began - self.origin) // 1000, (_clock() - began) // 1000, error]
        self.entries.append(entry)
        return entry

    def _spare(self, step: Step, began: int, failure: BaseException) -> bool:
        """Give a step that failed the value that stands for it; False if there is none, or the caller is at fault."""
        if step.fallback is None or isinstance(failure, BadInput):
            return False
        said = as_error(step, failure, self.context.services.secrets).detail[:SHORT]
        self.values[step.slot] = step.fallback(said)
        logger.info("run %s of %s: %s; its on_error is taken", self.context.run_id, self.plan.name, said)
        self._note(step, "completed", began, f"on_error was taken: {said}"[:SHORT])
        return True

    def _fail(self, step: Step, began: int, failure: BaseException) -> None:
        error = as_error(step, failure, self.context.services.secrets)
        state = "timed-out" if isinstance(error, TookTooLong) else "failed"
        if self.error is None:  # of several that fail side by side the first is the run's
            self.error, self.state = error, state
        self._note(step, state, began, error.detail[:SHORT])
        self._skip_rest()
        if isinstance(error, NodeFailed):
            logger.warning("run %s of %s: %s", self.context.run_id, self.plan.name, error.detail, exc_info=failure)

    def _skip_rest(self) -> None:
        seen = {entry[0] for entry in self.entries}
        offset = self.elapsed_us
        for step in self.plan.steps:
            if step.id not in seen:
                self.entries.append([step.id, step.kind, "skipped", offset, 0, None])


class _StepFailed(Exception):
    """The failure is noted in the execution; this only unwinds."""
