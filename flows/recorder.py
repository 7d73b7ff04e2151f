"""The recorder: runs from the store to Prefect, at the pace that Prefect takes, each at least once and never twice.

Two ways lead there. *In bulk*: up to a hundred flow runs in one request, each already in its last state; Prefect then
shows the time of recording as start and end. *Exactly*: the flow run is created as running and ended after as long as
it really took, so that its duration is right; for runs that took long enough to tell, while there is little to do.
Task runs go as events either way and carry their true times. A flow run that Prefect itself started is there already,
and its worker sets its states: it gets its task runs from here, and nothing else.

Everything may be repeated: a flow run has the run's id as its idempotency key, task runs have ids that follow from it.
So a run is marked only once Prefect has stored all of it, and whatever is cut short is simply done again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..connectors.errors import BadInput, Conflict, NotFound, Unavailable, WorkletsError
from ..connectors.prefect_api import BULK_LIMIT, FlowRun, PrefectApi
from ..connectors.tables import Run
from .deployments import Deployments
from .outbox import BEGUN, REFUSED, Outbox
from .pace import Pace
from .prefect_artifacts import Artifacts
from .prefect_logs import Logs
from .prefect_shape import STARTED_THERE, final_state, flow_run_spec, node_count, node_events
from .started_there import started_there

logger = logging.getLogger(__name__)

_EVENTS_AT_ONCE = 300
_BULK_ATTEMPTS = 8
# What Prefect says where two of its own transactions met on SQLite; trying again helps.
_LOCKED = "database is locked"
# From sending a state to Prefect taking its time.
_SET_STATE_S = 0.003
_MOST_EXACT = 8
# A state takes about as long to set, so that a shorter run can't be shown exactly.
_SHORTEST_EXACT_US = 10_000
_LONGEST_EXACT_US = 60_000_000
_STALLED_S = 12.0
_RESENDS = 2
_REFUSED_AFTER = 5
_HOPELESS_AFTER = 20
# With more that wait, flow runs and task runs come first: their artifacts and log lines are left out.
_MOST_WITH_ALL = 500


@dataclass
class RecorderCounters:
    """What has happened since the start, for the status file and /metrics."""

    recorded: int = 0
    exact: int = 0
    sampled_out: int = 0
    refused: int = 0
    nodes_unconfirmed: int = 0
    failures: int = 0
    outages: int = 0
    prefect_up: bool = False
    last_error: str | None = None


@dataclass
class _Tried:
    """How often a run has failed by itself, and how many were recorded when it first did."""

    times: int = 0
    recorded_at_first: int = 0


class Recorder:
    """Sends what waits in the outbox to Prefect.

    Args:
        outbox: the runs.
        api: Prefect.
        max_runs_per_second: no more runs than this are sent a second; None leaves it to Prefect.
        sample_above: with more runs waiting than this, completed ones are left out at random, failed ones never.
        gather_s: seconds that the first waiting run may wait for others, which then go in one request.
        artifacts: sends the pictures and tables that runs answer, while few runs wait; None sends none.
        logs: sends what nodes logged, while few runs wait; None sends nothing.
    """

    def __init__(
        self,
        outbox: Outbox,
        api: PrefectApi,
        *,
        max_runs_per_second: float | None = None,
        sample_above: int = 50_000,
        gather_s: float = 0.2,
        artifacts: Artifacts | None = None,
        logs: Logs | None = None,
    ) -> None:
        self.outbox = outbox
        self.api = api
        self.counters = RecorderCounters()
        self.backlog = 0
        self._sample_above = sample_above
        self._gather_s = gather_s
        self._attached = [each for each in (artifacts, logs) if each is not None]
        self._pace = Pace(max_runs_per_second)
        self._deployments = Deployments(outbox, api)
        self._woken = asyncio.Event()
        self._in_hand: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._exact_under_way = 0
        self._bulk_under_way = False
        self._failed: defaultdict[str, _Tried] = defaultdict(_Tried)

    def wake(self) -> None:
        """There may be new runs. Call it on the recorder's event loop."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Record until `stop` is set. What is under way then is cut short, and done again at the next start."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                try:
                    taken = await self.step()
                except Exception as error:
                    down = isinstance(error, Unavailable) and not await self.api.healthy()
                    self._note_failure(error, down=down)
                    taken = 0
                if not taken:
                    await self._rest(stopping, self._pace.wait_s())
        finally:
            stopping.cancel()
            await self._cut_short()

    async def step(self) -> int:
        """Look at the outbox once and start on what waits; answers how many runs that were."""
        if self._pace.is_resting():
            return 0
        if not self.counters.prefect_up and not await self._came_up():
            return 0
        await self._deployments.refresh()
        rows = await asyncio.to_thread(self.outbox.next_rows, self._pace.batch(BULK_LIMIT), self._in_hand.copy())
        exact = [row for row in rows if self._goes_exactly(row, len(rows))]
        for row in exact:
            self._start([row], self._record_exactly(row))
        chosen = {row.id for row in exact}
        # A run that was begun waits for its turn to be ended exactly.
        rest = [row for row in rows if row.id not in chosen and row.recorded_us != BEGUN]
        if self._bulk_under_way or not rest:
            return len(exact)
        self._bulk_under_way = True
        self._start(rest, self._record_in_bulk(rest))
        return len(exact) + len(rest)

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def look_at_backlog(self) -> None:
        """Count what waits, and leave some of it out if that is too much. For a call a second."""
        self.backlog = await asyncio.to_thread(self.outbox.backlog)
        excess = self.backlog - self._sample_above
        if excess > 0:
            left_out = await asyncio.to_thread(self.outbox.sample_out, excess)
            if left_out and not self.counters.sampled_out:
                logger.warning(
                    "More than %d runs wait for Prefect; completed ones are left out there. The run table has all.",
                    self._sample_above,
                )
            self.counters.sampled_out += left_out

    def _goes_exactly(self, row: Run, together: int) -> bool:
        if self._exact_under_way >= _MOST_EXACT or row.trigger == STARTED_THERE:
            return False
        if row.recorded_us != BEGUN and not (
            _SHORTEST_EXACT_US <= row.duration_us <= _LONGEST_EXACT_US and self._pace.has_room(together)
        ):
            return False
        self._exact_under_way += 1
        return True

    def _start(self, rows: Sequence[Run], work: Coroutine[Any, Any, None]) -> None:
        ids = [row.id for row in rows]
        self._in_hand.update(ids)

        async def guarded() -> None:
            set_aside_s = 0.0
            try:
                await work
                self._pace.went_well()
            except Exception as error:
                down = isinstance(error, Unavailable) and not await self.api.healthy()
                self._note_failure(error, down=down)
                if not down:
                    set_aside_s = await self._judge(ids, error)
            finally:
                self._release(ids, set_aside_s)

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _release(self, ids: Sequence[str], after_s: float) -> None:
        if after_s:
            asyncio.get_running_loop().call_later(after_s, self._in_hand.difference_update, ids)
            return
        self._in_hand.difference_update(ids)
        self._woken.set()

    async def _record_in_bulk(self, rows: list[Run]) -> None:
        """One bulk request a worklet, then all node runs; on SQLite Prefect can't store both at once."""
        try:
            by_worklet: defaultdict[str, list[Run]] = defaultdict(list)
            for row in rows:
                if row.trigger != STARTED_THERE:
                    by_worklet[row.worklet].append(row)
            sent = await started_there(rows, self.outbox, self.api)
            async with self._pace.turn(len(rows)):
                for worklet, group in by_worklet.items():
                    sent += zip(group, await self._create(worklet, group), strict=True)
                await self._record_nodes(sent)
            await self._finish(sent)
        finally:
            self._bulk_under_way = False

    async def _create(self, worklet: str, rows: Sequence[Run]) -> list[str]:
        """The ids of the flow runs of these runs, created if need be."""
        specs = [flow_run_spec(row, await self._deployments.graph(worklet, row.version)) for row in rows]
        forgotten = False
        for attempt in range(1, _BULK_ATTEMPTS + 1):
            deployment = await self._deployments.id(worklet, rows[0].version)
            try:
                created = await self.api.create_flow_runs(deployment, specs)
            except NotFound:
                if forgotten:
                    raise
                # Somebody deleted the deployment, or Prefect has another database now.
                forgotten = True
                self._deployments.forget(worklet)
                continue
            errors = [result.error for result in created if result.id is None]
            if not errors:
                return [result.id for result in created if result.id is not None]
            # One failure spoils the transaction, so the ids of the others may be gone with it.
            if not any(_LOCKED in str(error) for error in errors):
                break
            await asyncio.sleep(0.05 * attempt)
        else:
            raise Unavailable(f"Prefect at {self.api.url} is busy: its database stays locked.")
        if len(rows) > 1:
            raise WorkletsError(f"Prefect refuses {len(errors)} of {len(rows)} flow runs: {errors[0]}")
        # Sent alone, Prefect says whose fault it is.
        return [(await self.api.create_flow_run(deployment, specs[0])).id]

    async def _record_exactly(self, row: Run) -> None:
        try:
            spec = flow_run_spec(row, await self._deployments.graph(row.worklet, row.version), running=True)
            deployment = await self._deployments.id(row.worklet, row.version)
            # Marked first: were it created and then met again by the bulk way, it would stay running for ever.
            await asyncio.to_thread(self.outbox.mark, [row.id], BEGUN)
            sent_at = datetime.now(UTC)
            try:
                run = await self.api.create_flow_run(deployment, spec)
            except NotFound:
                self._deployments.forget(row.worklet)
                raise
            nodes = asyncio.create_task(self._record_nodes([(row, run.id)]))
            try:
                await self._end(row, run, sent_at)
                await nodes
            finally:
                nodes.cancel()
            await self._finish([(row, run.id)])
            self.counters.exact += 1
        finally:
            self._exact_under_way -= 1

    async def _end(self, row: Run, run: FlowRun, sent_at: datetime) -> None:
        """Let the flow run last as long as the run took, then set its last state."""
        if run.is_final:
            return
        now = datetime.now(UTC)
        start = run.start_time or now
        if row.recorded_us != BEGUN and not sent_at <= start <= now:
            # Prefect's clock is another one; it has begun the run just now.
            start = now
        duration = min(row.duration_us, _LONGEST_EXACT_US) / 1_000_000
        left = duration - (now - start).total_seconds() - _SET_STATE_S
        await asyncio.sleep(max(0.0, min(left, duration)))
        await self.api.set_state(run.id, final_state(row))

    async def _record_nodes(self, sent: Sequence[tuple[Run, str]]) -> None:
        """Send the node runs, and wait until Prefect has stored them: it takes events before it writes them down."""
        expected = sum(node_count(row) for row, _ in sent)
        if not expected:
            return
        for _ in range(1 + _RESENDS):
            await self._send_nodes(sent)
            if await self._nodes_arrive([id for _, id in sent], expected):
                return
        self.counters.nodes_unconfirmed += expected
        logger.warning(
            "Prefect took the node runs of %d run(s) and does not show all; see whether its task run recorder is on "
            "(PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED).",
            len(sent),
        )

    async def _send_nodes(self, sent: Sequence[tuple[Run, str]]) -> None:
        events: list[dict[str, Any]] = []
        for row, flow_run_id in sent:
            graph = await self._deployments.graph(row.worklet, row.version)
            events += node_events(row, flow_run_id, graph)
        for start in range(0, len(events), _EVENTS_AT_ONCE):
            await self.api.send_events(events[start : start + _EVENTS_AT_ONCE])

    async def _nodes_arrive(self, flow_run_ids: Sequence[str], expected: int) -> bool:
        stored, changed_at, wait = -1, time.monotonic(), 0.1
        while time.monotonic() - changed_at < _STALLED_S:
            await asyncio.sleep(wait)
            wait = min(1.0, wait * 1.6)
            count = await self.api.count_task_runs(flow_run_ids)
            if count >= expected:
                return True
            if count != stored:
                stored, changed_at = count, time.monotonic()
        return False

    async def _finish(self, sent: Sequence[tuple[Run, str]]) -> None:
        await self._confirm([id for _, id in sent])
        if self.backlog < _MOST_WITH_ALL:
            for attached in self._attached:
                await attached.send(sent)
        await self._mark([row for row, _ in sent])

    async def _confirm(self, flow_run_ids: Sequence[str]) -> None:
        """Make sure that Prefect has kept what it said it has. Raises Unavailable."""
        kept = await self.api.count_flow_runs(flow_run_ids)
        if kept < len(set(flow_run_ids)):
            raise Unavailable(f"Prefect at {self.api.url} kept {kept} of {len(flow_run_ids)} flow runs.")

    async def _mark(self, rows: Sequence[Run]) -> None:
        ids = [row.id for row in rows]
        await asyncio.to_thread(self.outbox.mark, ids)
        self.counters.recorded += len(ids)
        for id in ids:
            self._failed.pop(id, None)

    async def _judge(self, ids: Sequence[str], error: Exception) -> float:
        """After a failure: find the run that fails alone, and refuse one that does so while others get through.

        Answers for how many seconds to leave the runs aside; one that always fails must not hold up all others.
        """
        if len(ids) > 1:
            if not isinstance(error, Unavailable):
                self._pace.try_singly()
            return 0.0
        tried = self._failed[ids[0]]
        tried.times += 1
        tried.recorded_at_first = self.counters.recorded if tried.times == 1 else tried.recorded_at_first
        others_got_through = self.counters.recorded > tried.recorded_at_first
        at_most = _REFUSED_AFTER if isinstance(error, BadInput | Conflict) else _HOPELESS_AFTER
        if tried.times >= at_most and (others_got_through or isinstance(error, BadInput | Conflict)):
            logger.error("Prefect does not take run %s (%s); it stays in the run table alone.", ids[0], error)
            await asyncio.to_thread(self.outbox.mark, ids, REFUSED)
            self.counters.refused += 1
            del self._failed[ids[0]]
            return 0.0
        return float(min(30, 2 ** min(tried.times, 5) / 4))

    async def _came_up(self) -> bool:
        if not await self.api.healthy():
            self._note_failure(Unavailable(f"Prefect at {self.api.url} does not answer."), down=True)
            return False
        # It may have another database than before.
        self._deployments.forget_all()
        self.counters.prefect_up = True
        self._pace.went_well()
        logger.info("Prefect at %s answers; runs are recorded there.", self.api.url)
        return True

    def _note_failure(self, error: Exception, *, down: bool = False) -> None:
        self.counters.failures += 1
        self.counters.last_error = f"{type(error).__name__}: {error}"[:500]
        self._pace.rest()
        if down:
            if self.counters.prefect_up or not self.counters.outages:
                self.counters.outages += 1
                logger.warning("%s Runs wait until it answers again.", error)
            self.counters.prefect_up = False
        elif isinstance(error, Unavailable):
            logger.info("Prefect is busy, runs are tried again: %s", error)
        elif isinstance(error, WorkletsError):
            logger.error("A run could not be recorded in Prefect: %s", error)
        else:
            logger.error("Recording failed.", exc_info=error)

    async def _rest(self, stopping: asyncio.Task[bool], longest_s: float) -> None:
        woken = asyncio.create_task(self._woken.wait())
        await asyncio.wait({stopping, woken}, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
        if self._woken.is_set():
            self._woken.clear()
            await asyncio.wait({stopping}, timeout=self._gather_s)

    async def _cut_short(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
