"""The engine: runs plans in this process, with what their nodes may ask for."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..connectors.access import Principal
from ..connectors.errors import NodeFailed
from .caching import ResultCache
from .context import Models, RunContext, Services
from .execution import Execution, RunResult
from .plan import Plan

# A submitted run whose worklet sets no limit of its own; nobody waits for its answer.
LATER_SECONDS = 86_400.0


def new_run_id() -> str:
    """32 hexadecimal digits that sort by time (to the millisecond); the last 20 are random."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


class Engine:
    """Runs plans.

    Args:
        models: where model nodes get their answers.
        services: all that nodes may ask for; by default `models` alone.
        threads: how many plain functions that aren't quick may run at the same time.
        timeout: seconds that a run may take whose worklet says nothing else.
    """

    def __init__(
        self,
        models: Models | None = None,
        *,
        services: Services | None = None,
        threads: int = 32,
        timeout: float = 300.0,
    ) -> None:
        self.services = services or Services(models=models)
        self.timeout = timeout
        self.cache = ResultCache()
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="worklet-node")

    def context(
        self, worklet: str, version: int = 0, principal: Principal | None = None, run_id: str | None = None
    ) -> RunContext:
        """The context of a new run."""
        context = RunContext(run_id or new_run_id(), worklet, version, principal, self.services)
        context.engine = self
        return context

    async def run(self, plan: Plan, inputs: Sequence[Any], context: RunContext) -> RunResult:
        """Run a plan to its end. `inputs` are the parameters' values in order. A failure is in the result.

        Raises:
            CancelledError: the caller was cancelled.
        """
        execution = Execution(self, plan, inputs, context)
        if not execution.advance() and not await execution.join():
            await execution.finish()
        if execution.state == "completed":
            with contextlib.suppress(NodeFailed):  # the result says it
                await execution.commit()
        return execution.result()

    def close(self) -> None:
        """Give the threads back; nodes that still run are not waited for."""
        self.executor.shutdown(wait=False, cancel_futures=True)
