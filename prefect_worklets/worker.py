"""The Prefect worker of the type `worklets`: flow runs that Prefect starts are done by the worklets server.

`prefect worker start --type worklets --pool worklets` starts one; `worklets up` runs one by itself. The queue in the
server's store is what counts: a flow run is handed over to it under its own id, and gets the states that its run has.
So a worker may be killed at any time: the run goes on, and the next worker takes up what the flow run shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
import httpx
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import StateType
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter
from prefect.exceptions import InfrastructureNotFound, ObjectNotFound
from prefect.settings import PREFECT_WORKER_QUERY_SECONDS
from prefect.settings.context import temporary_settings
from prefect.states import Cancelled
from prefect.workers.base import BaseJobConfiguration, BaseWorker, BaseWorkerResult

from .connectors.errors import Conflict, NotFound, TookTooLong, Unavailable, WorkletsError
from .flows.prefect_shape import JOB_TEMPLATE, WORKER_TYPE
from .worker_server import WorkerServer
from .worker_states import PAUSED_HERE, RUNNING_HERE, failed, is_paused_here, mirror, set_state, shown_state

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import WorkerFlowRunResponse
    from prefect.events import Event

# Prefect's events say when there is something to do; this is for what is due by the clock, and for lost events.
QUERY_SECONDS = 2.0
_ADOPT_EVERY_SECONDS = 15.0
# A flow run that nobody has touched for so long may have lost its worker.
_LEFT_ALONE = timedelta(seconds=30)
_TROUBLE_SECONDS = 2.0
_SCHEDULED = ("prefect.flow-run.Scheduled", "prefect.flow-run.Resuming")
_UNWANTED = ("prefect.flow-run.Cancelling", "prefect.flow-run.Cancelled")
_PAUSED = ("prefect.flow-run.Paused", "prefect.flow-run.Suspended")
_RUNNING = "prefect.flow-run.Running"
_ENDED = ("prefect.flow-run.Failed", "prefect.flow-run.Crashed")


class WorkletsWorkerResult(BaseWorkerResult):  # type: ignore[misc]  # Prefect counts as untyped here
    """What a worker says of a flow run that it has handed over."""


class WorkletsWorker(BaseWorker[BaseJobConfiguration, Any, WorkletsWorkerResult]):  # type: ignore[misc]
    """Hands flow runs over to the worklets server, and keeps their states as those of its runs."""

    type = WORKER_TYPE
    job_configuration = BaseJobConfiguration
    _description = "Runs worklets on a worklets server, which has them loaded: a run begins within milliseconds."
    _display_name = "Worklets"
    _documentation_url = "https://docs.prefect.io/v3/concepts/workers"
    _logo_url = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        # A run is begun when it is due, so that none is asked for before.
        super().__init__(*args, **{**options, "prefetch_seconds": 0})
        self._server = WorkerServer()
        self._runs: dict[UUID, str] = {}
        # Who follows which flow run, and those whose runs are paused.
        self._followed: dict[UUID, anyio.CancelScope] = {}
        self._resting: set[UUID] = set()
        self._flow_names: dict[UUID, str] = {}
        self._one_query = asyncio.Lock()

    @classmethod
    def get_default_base_job_template(cls) -> dict[str, Any]:
        """The template of a work pool: there is nothing to set."""
        return dict(JOB_TEMPLATE)

    async def start(
        self, run_once: bool = False, with_healthcheck: bool = False, printer: Callable[..., None] = print
    ) -> None:
        """Work until cancelled, or with `run_once` until what is due now is done."""
        seconds = min(QUERY_SECONDS, PREFECT_WORKER_QUERY_SECONDS.value())
        with temporary_settings({PREFECT_WORKER_QUERY_SECONDS: seconds}):
            beside = [] if run_once else [self._listen(), self._adopt()]
            tasks = [asyncio.create_task(each) for each in beside]
            try:
                await super().start(run_once, with_healthcheck, printer)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._server.close()

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Take what is due; one look at a time, so that no run is met twice."""
        async with self._one_query:
            taken: list[FlowRun] = await super().get_and_submit_flow_runs()
            return taken

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[str] | None = None,
    ) -> WorkletsWorkerResult:
        """Hand a flow run over, and follow it to its end."""

        told: list[str] = []

        def handed_over(run_id: str) -> None:
            if task_status is not None and not told:
                task_status.started(run_id)
            told.append(run_id)

        await self._carry_out(flow_run, handed_over)
        handed_over("none")
        return WorkletsWorkerResult(identifier=told[0], status_code=0)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: BaseJobConfiguration, grace_seconds: int = 30
    ) -> None:
        """Cancel the run of a flow run. Raises InfrastructureNotFound where there is none."""
        try:
            await self._server.cancel(infrastructure_pid)
        except (NotFound, Conflict) as error:
            raise InfrastructureNotFound(str(error)) from None

    # --- what Prefect's worker writes beside the run ----------------------------------------------------

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        try:
            await super()._give_worker_labels_to_flow_run(flow_run_id)
        except httpx.HTTPError as error:  # a busy database; who took the run is good to know, and no more
            self._logger.info("flow run %s does not show its worker: %s", flow_run_id, error)

    async def _propose_submitting_state(self, flow_run: FlowRun) -> None:
        """Nothing: the run begins at once, and a state between would be one more write for each."""

    async def _submit_scheduled_flow_runs(self, flow_run_response: list[WorkerFlowRunResponse]) -> list[FlowRun]:
        for entry in flow_run_response:
            # Resumed before its run was asleep: it must not stand in its own way.
            if entry.flow_run.id in self._followed and entry.flow_run.id not in self._submitting_flow_run_ids:
                self._release_limit_slot(entry.flow_run.id)
        submitted: list[FlowRun] = await super()._submit_scheduled_flow_runs(flow_run_response)
        return submitted

    # --- one flow run ---------------------------------------------------------------------------------

    async def _carry_out(
        self, flow_run: FlowRun, handed_over: Callable[[str], None] = lambda _: None, *, start: bool = True
    ) -> None:
        """From the hand-over until the run has ended or is paused, or somebody else follows the flow run."""
        with self._following(flow_run.id):
            try:
                run_id = await self._begin(flow_run, start=start)
            except NotFound as error:
                if start or flow_run.state_type != StateType.PAUSED:
                    state = failed(error) if start else Cancelled(message="Cancelled before it began.")
                    await set_state(self.client, flow_run.id, state)
                return
            except WorkletsError as error:
                await set_state(self.client, flow_run.id, failed(error))
                return
            self._runs[flow_run.id] = run_id
            handed_over(run_id)
            if flow_run.state_type == StateType.CANCELLING:
                await self._ask(flow_run.id, self._server.cancel)
            elif flow_run.state_type == StateType.PAUSED and not is_paused_here(flow_run.state):
                await self._ask(flow_run.id, self._server.pause)
            begun = flow_run.state_type == StateType.RUNNING
            if not await mirror(self.client, self._server, flow_run.id, run_id, shown_running=begun):
                # Beside those that count against the worker's limit.
                self._runs_task_group.start_soon(self._rest, flow_run.id, run_id)

    @contextmanager
    def _following(self, flow_run_id: UUID) -> Iterator[None]:
        """Whoever follows the flow run so far stops, and so does the block once another one begins to."""
        if flow_run_id in self._followed:
            self._followed[flow_run_id].cancel()
        with anyio.CancelScope() as scope:
            self._followed[flow_run_id] = scope
            try:
                yield
            finally:
                if self._followed.get(flow_run_id) is scope:
                    del self._followed[flow_run_id]
                    self._runs.pop(flow_run_id, None)

    async def _rest(self, flow_run_id: UUID, run_id: str) -> None:
        """Follow a flow run whose run is paused until it has ended, on whichever side it is resumed."""
        with self._following(flow_run_id):
            self._runs[flow_run_id] = run_id
            while True:
                self._resting.add(flow_run_id)
                try:
                    if not await self._goes_on(flow_run_id, run_id):
                        return
                finally:
                    self._resting.discard(flow_run_id)
                if await mirror(self.client, self._server, flow_run_id, run_id):
                    return

    async def _goes_on(self, flow_run_id: UUID, run_id: str) -> bool:
        """Wait while a run is paused; False if its flow run is no more. What Prefect's events say is looked at too."""
        while True:
            shown = await shown_state(self.client, flow_run_id)
            if shown is None:
                return False
            if shown.is_final():
                self._runs_task_group.start_soon(self._give_up, flow_run_id, run_id)
                return False
            if shown.is_running() and shown.message != RUNNING_HERE:
                await self._ask(flow_run_id, self._server.resume)
            try:
                if (await self._server.look(run_id, "paused"))["state"] != "paused":
                    return True
            except (Unavailable, TookTooLong):
                await asyncio.sleep(_TROUBLE_SECONDS)
            except NotFound:
                return True  # the mirror says so

    async def _give_up(self, flow_run_id: UUID, run_id: str) -> None:
        """End a paused run whose flow run has ended in Prefect, as its pause had a limit; the state there stays."""
        with self._following(flow_run_id):
            self._runs[flow_run_id] = run_id
            while True:
                if await self._ask(flow_run_id, self._server.cancel):
                    return
                await asyncio.sleep(_TROUBLE_SECONDS)

    async def _begin(self, flow_run: FlowRun, *, start: bool) -> str:
        worklet = await self._worklet(flow_run)
        attempt = await self._attempt(flow_run)
        while True:
            try:
                run = await self._server.begin(flow_run.id, worklet, flow_run.parameters, attempt, start=start)
                return str(run["id"])
            except (Unavailable, TookTooLong) as error:
                self._logger.info("flow run %s waits: %s", flow_run.id, error)
                await asyncio.sleep(_TROUBLE_SECONDS)

    async def _worklet(self, flow_run: FlowRun) -> str:
        name = self._flow_names.get(flow_run.flow_id)
        if name is None:
            flow = await self.client.read_flow(flow_run.flow_id)
            name = self._flow_names[flow_run.flow_id] = str(flow.name)
        return name

    async def _attempt(self, flow_run: FlowRun) -> UUID:
        """What tells this attempt from an earlier one: the state in which Prefect last wanted it run."""
        states = await self.client.read_flow_run_states(flow_run.id)
        wanted = [state for state in states if state.type == StateType.SCHEDULED]
        newest: UUID = max(wanted, key=lambda state: state.timestamp).id if wanted else flow_run.id
        return newest

    async def _ask(self, flow_run_id: UUID, what: Callable[[str], Awaitable[None]]) -> bool:
        """Ask something of the run of a flow run, where there is one; False if the server can't be reached now."""
        run_id = self._runs.get(flow_run_id)
        if run_id is None:
            return True
        try:
            await what(run_id)
        except (Conflict, NotFound):
            return True  # it has ended, or is so already
        except WorkletsError as error:
            self._logger.warning("run %s can't be reached now: %s", run_id, error)
            return False
        return True

    # --- beside the flow runs -------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Look at once when Prefect says that a flow run of the pool is due, or unwanted."""
        while True:
            try:
                await self._hear()
            except Exception as error:  # the connection, or what an event holds
                self._logger.info("Prefect's events are subscribed to again: %s", error)
            await asyncio.sleep(_TROUBLE_SECONDS)

    async def _hear(self) -> None:
        if self._work_pool is None:
            return
        names = [*_SCHEDULED, *_UNWANTED, *_PAUSED, _RUNNING, *_ENDED]
        pool = f"prefect.work-pool.{self.work_pool.id}"
        wanted = EventFilter(event=EventNameFilter(name=names), any_resource=EventAnyResourceFilter(id=[pool]))
        async with get_events_subscriber(filter=wanted) as events:
            async for event in events:
                if event.event in _SCHEDULED:
                    await self.get_and_submit_flow_runs()
                else:
                    await self._heard(event, UUID(event.resource.id.rpartition(".")[2]))

    async def _heard(self, event: Event, flow_run_id: UUID) -> None:
        said = event.resource.get("prefect.state-message")
        if event.event in _UNWANTED:
            await self._ask(flow_run_id, self._server.cancel)
        elif event.event in _PAUSED:
            if said != PAUSED_HERE:
                await self._ask(flow_run_id, self._server.pause)
        elif event.event == _RUNNING:
            # Prefect's pause that keeps a process; ours may be on its way still.
            before = event.payload.get("initial_state") or {}
            if said != RUNNING_HERE and before.get("type") == StateType.PAUSED.value:
                await self._ask(flow_run_id, self._server.resume)
        elif flow_run_id in self._resting:
            self._runs_task_group.start_soon(self._give_up, flow_run_id, self._runs[flow_run_id])

    async def _adopt(self) -> None:
        """Take up flow runs whose worker has ended, at the start and then now and again."""
        left_alone = timedelta(0)
        while True:
            try:
                if self._has_successfully_synced:
                    await self._take_up(left_alone)
                    left_alone = _LEFT_ALONE
            except (httpx.HTTPError, ObjectNotFound) as error:
                self._logger.info("flow runs without a worker are looked for again: %s", error)
            await asyncio.sleep(_ADOPT_EVERY_SECONDS if left_alone else 0.2)

    async def _take_up(self, left_alone: timedelta) -> None:
        under_way = await self._in_state(StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
        for flow_run in [*under_way, *await self._in_state(StateType.PAUSED)]:
            recorded = "worklets.run-id" in (flow_run.labels or {})
            if recorded or flow_run.id in self._submitting_flow_run_ids:
                continue
            if flow_run.id in self._followed:
                if flow_run.state_type == StateType.PAUSED and not is_paused_here(flow_run.state):
                    await self._ask(flow_run.id, self._server.pause)  # the event was lost
                continue
            cancelling = flow_run.state_type == StateType.CANCELLING
            if cancelling or datetime.now(UTC) - flow_run.state.timestamp >= left_alone:
                start = flow_run.state_type in (StateType.PENDING, StateType.RUNNING)
                self._runs_task_group.start_soon(self._carry_out_again, flow_run, start)

    async def _in_state(self, *types: StateType) -> list[FlowRun]:
        found: list[FlowRun] = await self.client.read_flow_runs(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[self._work_pool_name])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))),
            limit=200,
        )
        return found

    async def _carry_out_again(self, flow_run: FlowRun, start: bool) -> None:
        self._logger.info("Taking up flow run %r, which has no worker any more", flow_run.name)
        try:
            await self._carry_out(flow_run, start=start)
        except (httpx.HTTPError, ObjectNotFound) as error:
            self._logger.warning("flow run %s is taken up later: %s", flow_run.id, error)
