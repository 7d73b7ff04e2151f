"""The Prefect worker of the type `worklets`: flow runs that Prefect starts are done by the worklets server.

`prefect worker start --type worklets --pool worklets` starts one; `worklets up` runs one by itself. The queue in the
server's store is what counts: a flow run is handed over to it under its own id, and gets the states that its run has.
So a worker may be killed at any time: the run goes on, and the next worker takes up what the flow run shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
from .worker_states import failed, mirror, set_state

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

# Prefect's events say when there is something to do; this is for what is due by the clock, and for lost events.
QUERY_SECONDS = 2.0
_ADOPT_EVERY_SECONDS = 15.0
# A flow run that nobody has touched for so long may have lost its worker.
_LEFT_ALONE = timedelta(seconds=30)
_TROUBLE_SECONDS = 2.0
_SCHEDULED = "prefect.flow-run.Scheduled"
_UNWANTED = ("prefect.flow-run.Cancelling", "prefect.flow-run.Cancelled")


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
        self._in_hand: set[UUID] = set()
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

        def handed_over(run_id: str) -> None:
            if task_status is not None:
                task_status.started(run_id)

        run_id = await self._carry_out(flow_run, handed_over)
        if run_id is None:
            handed_over("none")
        return WorkletsWorkerResult(identifier=run_id or "none", status_code=0)

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

    # --- one flow run ---------------------------------------------------------------------------------

    async def _carry_out(
        self, flow_run: FlowRun, handed_over: Callable[[str], None] = lambda _: None, *, start: bool = True
    ) -> str | None:
        """From the hand-over to the last state; the run's id, None if it could not be begun."""
        self._in_hand.add(flow_run.id)
        try:
            try:
                run_id = await self._begin(flow_run, start=start)
            except NotFound as error:
                state = failed(error) if start else Cancelled(message="Cancelled before it began.")
                await set_state(self.client, flow_run.id, state)
                return None
            except WorkletsError as error:
                await set_state(self.client, flow_run.id, failed(error))
                return None
            self._runs[flow_run.id] = run_id
            handed_over(run_id)
            if not start:
                await self._cancel(flow_run.id)
            begun = flow_run.state_type == StateType.RUNNING
            await mirror(self.client, self._server, flow_run.id, run_id, shown_running=begun)
            return run_id
        finally:
            self._in_hand.discard(flow_run.id)
            self._runs.pop(flow_run.id, None)

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

    async def _cancel(self, flow_run_id: UUID) -> None:
        run_id = self._runs.get(flow_run_id)
        if run_id is None:
            return
        try:
            await self._server.cancel(run_id)
        except (Conflict, NotFound):
            return  # it has ended
        except WorkletsError as error:
            self._logger.warning("run %s can't be cancelled now: %s", run_id, error)

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
        names = [_SCHEDULED, *_UNWANTED]
        pool = f"prefect.work-pool.{self.work_pool.id}"
        wanted = EventFilter(event=EventNameFilter(name=names), any_resource=EventAnyResourceFilter(id=[pool]))
        async with get_events_subscriber(filter=wanted) as events:
            async for event in events:
                if event.event == _SCHEDULED:
                    await self.get_and_submit_flow_runs()
                else:
                    await self._cancel(UUID(event.resource.id.rpartition(".")[2]))

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
        types = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
        found = await self.client.read_flow_runs(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[self._work_pool_name])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types))),
            limit=200,
        )
        for flow_run in found:
            recorded = "worklets.run-id" in (flow_run.labels or {})
            if recorded or flow_run.id in self._in_hand or flow_run.id in self._submitting_flow_run_ids:
                continue
            cancelling = flow_run.state_type == StateType.CANCELLING
            if cancelling or datetime.now(UTC) - flow_run.state.timestamp >= left_alone:
                self._in_hand.add(flow_run.id)
                self._runs_task_group.start_soon(self._carry_out_again, flow_run, not cancelling)

    async def _carry_out_again(self, flow_run: FlowRun, start: bool) -> None:
        self._logger.info("Taking up flow run %r, which has no worker any more", flow_run.name)
        try:
            await self._carry_out(flow_run, start=start)
        except (httpx.HTTPError, ObjectNotFound) as error:
            self._logger.warning("flow run %s is taken up later: %s", flow_run.id, error)
