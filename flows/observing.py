"""What is seen of a run's nodes while it goes on: what their code logs, and which attempts failed.

A step is wrapped only where there is something to see: code, and whatever may be repeated. The engine's own loop
knows nothing of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from .context import CURRENT, NODE, RunContext
from .plan import Plan
from .steps import Step, Suspended, Values

# The newest are kept.
MOST_LINES = 2_000
_LONGEST = 500
_MOST_FAILURES = 20
# What this package logs of a run is not the node's.
_OWN = "prefect_worklets."


def observed(plan: Plan) -> Plan:
    """The same plan, whose steps note what they do in the run's context."""
    steps = tuple(_Observed(step) if step.kind in ("node", "map") or step.retries else step for step in plan.steps)
    return replace(plan, steps=steps)


class _Observed(Step):
    def __init__(self, step: Step) -> None:
        self.__dict__.update(vars(step))
        self.__dict__["note_on_loop"] = step.note_on_loop
        self._step = step
        self._quick = step.try_quick

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """What the step gives here and now."""
        context.node = self.id  # nothing else of the run goes on meanwhile, and it is cheaper than a context variable
        try:
            return self._quick(values, context)
        except BaseException as error:
            self._note(error, context)
            raise

    def joined(self, values: Values, context: RunContext) -> Awaitable[Any] | None:
        """What the step gives with other runs."""
        return self._step.joined(values, context)

    def again(self, value: Any, context: RunContext) -> None:
        """As the step does."""
        self._step.again(value, context)

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """What the step gives."""
        token = NODE.set(self.id)
        try:
            return await self._step.run(values, context, executor)
        except BaseException as error:
            self._note(error, context)
            raise
        finally:
            NODE.reset(token)

    def _note(self, error: BaseException, context: RunContext) -> None:
        if not self.retries or isinstance(error, Suspended):
            return
        if context.failures is None:
            context.failures = {}
        failed = context.failures.setdefault(self.id, [])
        if len(failed) < _MOST_FAILURES:
            said = str(error).strip().partition("\n")[0]
            if isinstance(error, asyncio.CancelledError):
                said = "it took too long, or the run was broken off"
            failed.append((f"{type(error).__name__}: {said}" if said else type(error).__name__)[:_LONGEST])


class RunLines(logging.Handler):
    """Keeps what the code of nodes logs, by the logger of the run or any other, with its run."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Note the line, if it comes of a node's code. Never raises."""
        context = CURRENT.get()
        if context is None or record.name.startswith(_OWN):
            return
        node = NODE.get() or context.node
        if node is None:
            return
        try:
            text = record.getMessage().removeprefix(f"[run {context.run_id}] ")[:_LONGEST]
        except Exception:  # a message that doesn't fit its arguments
            text = str(record.msg)[:_LONGEST]
        if context.lines is None:
            context.lines = deque(maxlen=MOST_LINES)
        # A handler takes one record at a time. No two lines of a run are of one moment, so that whoever has read up to
        # a moment can ask for what came after it.
        at_us = int(context.elapsed * 1e6)
        if context.lines:
            at_us = max(at_us, context.lines[-1][0] + 1)
        context.lines.append((at_us, node, record.levelname, text))


@contextmanager
def kept_lines() -> Iterator[None]:
    """Inside the block runs keep what their nodes log."""
    handler = RunLines()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
