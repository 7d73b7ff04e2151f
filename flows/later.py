"""Doing submitted runs: takes them from the queue, runs them by the engine of `invoke`, and records how they end."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from typing import Any

from ..connectors.errors import WorkletsError
from ..connectors.meters import Meters
from ..connectors.tables import SubmittedRun
from .changes import Changes
from .checkpoints import Checkpoints
from .engine import Engine
from .execution import Execution
from .failures import error_record
from .journal import Journal, RunRecord
from .node_details import details_of
from .recent import RecentRuns
from .registry import LiveWorklet, Registry
from .reviews import has_open
from .submitted import LEASE_SECONDS, SubmittedRuns, principal_of

logger = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_TROUBLE_SECONDS = 2.0
# A run that brought its process down this often is not tried again.
MAX_ATTEMPTS = 5


class LaterRuns:
    """Does what the queue holds, several runs at a time, on one event loop.

    Args:
        queue: the submitted runs.
        registry: loads the version that a run was submitted for.
        engine: runs them; of its own, so that they take no thread from those who wait for an answer.
        checkpoints: keeps what nodes give.
        journal, recent: where the record of an ended run goes.
        at_once: how many runs may be under way.
        meters: counts ended runs by worklet and state.
        changes: told when a run begins or ends.
    """

    def __init__(
        self,
        queue: SubmittedRuns,
        registry: Registry,
        engine: Engine,
        checkpoints: Checkpoints,
        journal: Journal,
        recent: RecentRuns,
        *,
        at_once: int = 16,
        meters: Meters[tuple[str, str]] | None = None,
        changes: Changes | None = None,
    ) -> None:
        self._queue = queue
        self._registry = registry
        self._engine = engine
        self._checkpoints = checkpoints
        self._journal = journal
        self._recent = recent
        self._at_once = at_once
        self._meters = meters if meters is not None else Meters()
        self._changes = changes if changes is not None else Changes()
        self._pauses = engine.services.pauses
        self._holder = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
        self._wake = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._executions: dict[str, Execution] = {}

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    def tell(self, run_id: str) -> None:
        """Let those who watch a run look at it."""
        self._changes.tell(run_id)

    def nodes(self, run_id: str) -> list[list[Any]] | None:
        """The node entries of a run that goes on here, waits or is paused, as far as it is."""
        execution = self._executions.get(run_id)
        if execution is not None:
            return list(execution.entries)
        noted = self._checkpoints.noted(run_id)
        return None if noted is None else noted[0]

    def details(self, run_id: str) -> bytes | None:
        """What is kept of the nodes of a run that goes on here or waits (flows/node_details.py), as far as it is."""
        execution = self._executions.get(run_id)
        if execution is not None:
            return details_of(execution)
        noted = self._checkpoints.noted(run_id)
        return None if noted is None else noted[1]

    def cancel(self, run_id: str) -> None:
        """Stop a run that is under way here; the queue has been asked already."""
        task = self._tasks.get(run_id)
        if task is not None:
            task.cancel()

    def rest(self, row: SubmittedRun) -> None:
        """Let a run that is under way here begin no more nodes, or again; the queue has been asked already."""
        if row.holder == self._holder:
            self._pauses.ask(row.id, wanted=row.pause_asked)

    async def run(self) -> None:
        """Work until cancelled; then runs under way are given back, for the next process."""
        renewing = asyncio.create_task(self._renew(), name="renew leases")
        try:
            while True:
                try:
                    await self._take()
                except WorkletsError as error:
                    logger.warning("the queue of runs cannot be read: %s", error)
                    await asyncio.sleep(_TROUBLE_SECONDS)
                except Exception:
                    logger.exception("taking runs from the queue failed; it goes on")
                    await asyncio.sleep(_TROUBLE_SECONDS)
                self._wake.clear()
                try:
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            renewing.cancel()
            await self._give_back()

    async def _give_back(self) -> None:
        tasks = list(self._tasks.values())
        self._tasks.clear()  # a cancelled run with no entry here is not over: it goes on in the next process
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._queue.release, self._holder)

    async def _take(self) -> None:
        while (free := self._at_once - len(self._tasks)) > 0:
            rows = await asyncio.to_thread(self._queue.claim, self._holder, free, self._limits())
            for row in rows:
                task = asyncio.create_task(self._do(row), name=f"run {row.id}")
                self._tasks[row.id] = task
                self._changes.tell(row.id)
                task.add_done_callback(lambda _, id=row.id: self._done(id))  # type: ignore[misc]
            if len(rows) < free:
                return

    def _limits(self) -> dict[str, int]:
        live = self._registry.live.values()
        return {each.name: each.graph.concurrency for each in live if each.graph.concurrency is not None}

    def _done(self, run_id: str) -> None:
        self._tasks.pop(run_id, None)
        self._executions.pop(run_id, None)
        self._pauses.forget(run_id)
        self._wake.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 5)
            held = list(self._tasks)
            if not held:
                continue
            try:
                still, unwanted, resting = await asyncio.to_thread(self._queue.renew, self._holder, held)
            except Exception as error:
                logger.warning("the leases of %d runs cannot be renewed: %s", len(held), error)
                continue
            for run_id in set(held) - still | unwanted:
                self.cancel(run_id)
            # One that was resumed meanwhile goes to sleep and is taken again at once.
            for run_id in resting:
                self._pauses.ask(run_id)

    # --- one run --------------------------------------------------------------------------------------

    async def _do(self, row: SubmittedRun) -> None:
        execution: Execution | None = None
        state, error, output = "failed", None, None
        started_us = row.started_us or time.time_ns() // 1000
        try:
            if row.cancel_asked:
                raise asyncio.CancelledError
            if row.attempts > MAX_ATTEMPTS:
                raise WorkletsError(
                    f"Its process ended each of the {row.attempts - 1} times that it was begun; it is not tried again."
                )
            if row.pause_asked:
                self._pauses.ask(row.id)
            live = await asyncio.to_thread(self._registry.version, row.worklet, row.version)
            execution = await self._execution(row, live)
            if not execution.advance():
                await execution.finish()
            state, error = execution.state, execution.error
            if state == "suspended":
                await self._suspend(row, execution)
                return
            if error is None:
                fitted = await asyncio.to_thread(live.worklet.fitted_output, execution.plan.output(execution.values))
                await execution.commit()
                output = fitted
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if row.id not in self._tasks or task is None:
                raise  # the process stops
            task.uncancel()
            state = "cancelled"
        except WorkletsError as failure:
            state, error = "failed", failure
        except Exception as failure:
            logger.exception("run %s of %s failed inside the server", row.id, row.worklet)
            error = WorkletsError(f"The server failed on this run ({type(failure).__name__}); its log says why.")
        await self._end(row, started_us, state, error, output, execution)

    async def _suspend(self, row: SubmittedRun, execution: Execution) -> None:
        await execution.commit()
        details = await asyncio.to_thread(details_of, execution)
        await asyncio.to_thread(self._checkpoints.note, row.id, execution.entries, details)
        # Where nodes were held back, something may go on beside an open question.
        held_back = self._pauses.disturbed(row.id)
        sleeps = await asyncio.to_thread(
            self._queue.suspend, self._holder, row.id, lambda session: not held_back and has_open(session, row.id)
        )
        self._changes.tell(row.id)
        if not sleeps:
            self.wake()

    async def _execution(self, row: SubmittedRun, live: LiveWorklet) -> Execution:
        inputs = await asyncio.to_thread(live.worklet.input.from_json, row.input)
        context = self._engine.context(row.worklet, row.version, principal_of(row), run_id=row.id)
        execution = await asyncio.to_thread(
            live.worklet.kept_execution, self._engine, inputs, context, self._checkpoints
        )
        self._executions[row.id] = execution
        return execution

    async def _end(
        self,
        row: SubmittedRun,
        started_us: int,
        state: str,
        error: WorkletsError | None,
        output: bytes | None,
        execution: Execution | None,
    ) -> None:
        if execution is not None:
            entries, took_us = execution.entries, execution.elapsed_us
            details = await asyncio.to_thread(details_of, execution)
        else:  # it slept, and is not begun again
            noted = await asyncio.to_thread(self._checkpoints.noted, row.id)
            (entries, details), took_us = noted or ([], None), 0
        failed = next((entry[0] for entry in entries if entry[2] in ("failed", "timed-out")), None)
        record = RunRecord(
            row.id, row.worklet, row.version, row.trigger, (row.principal or {}).get("id"), state, started_us, took_us,
            row.input or None, output, error_record(error, failed) if error is not None else None, entries,
            details=details,
        )  # fmt: skip
        # The record first: if this process dies in between, the run is taken up again and ends the same way.
        await asyncio.to_thread(self._journal.append, record)
        self._recent.add(record)
        mine = await asyncio.to_thread(self._queue.end, self._holder, row.id, state)
        self._changes.tell(row.id)
        if mine:
            if self._engine.services.reviews is not None:
                await asyncio.to_thread(self._engine.services.reviews.withdraw, row.id)
            self._meters.add((row.worklet, state), took_us * 1e-6)
            if state == "completed":  # those of another run are for a retry
                await asyncio.to_thread(self._checkpoints.forget, row.id)
