"""Prefect's states for a run that its worker handed over: they follow the run, which the server's queue decides on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.results import ResultStore
from prefect.serializers import JSONSerializer
from prefect.states import Cancelled, Completed, Failed, Paused, Running, State, return_value_to_state

from .connectors.errors import NotFound, TookTooLong, Unavailable, WorkletsError
from .worker_server import WorkerServer

logger = logging.getLogger(__name__)

_OPEN = ("queued", "running", "waiting")
_PAUSED = "paused"
# By these messages a state is known as one that a worker gave.
RUNNING_HERE = "Runs on the worklets server."
PAUSED_HERE = "Paused on the worklets server; resumed here or there it goes on with the nodes that have not ended."
_TROUBLE_SECONDS = 0.5
_LONGEST_TROUBLE_SECONDS = 10.0


async def mirror(
    client: PrefectClient, server: WorkerServer, flow_run_id: UUID, run_id: str, *, shown_running: bool = False
) -> bool:
    """Give a flow run the states of its run, until that has ended or is paused; True if it has ended.

    Whatever is down meanwhile is waited for.

    Args:
        client: Prefect.
        server: has the run.
        flow_run_id: the flow run.
        run_id: the run.
        shown_running: whether Prefect shows it as running by now.
    """
    seen, pause = "queued", _TROUBLE_SECONDS
    while True:
        try:
            run = await server.look(run_id, seen)
        except (Unavailable, TookTooLong) as error:
            logger.info("run %s is looked for again: %s", run_id, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_TROUBLE_SECONDS)
            continue
        except NotFound as error:
            await set_state(client, flow_run_id, Failed(message=f"The worklets server has lost it: {error}"))
            return True
        pause = _TROUBLE_SECONDS
        if run["state"] == _PAUSED:
            await show_paused(client, flow_run_id)
            return False
        if run["state"] != "queued" and not shown_running:
            # Prefect counts a flow run's time from here.
            shown_running = await set_state(client, flow_run_id, Running(message=RUNNING_HERE), force=False)
        if run["state"] not in _OPEN:
            await set_state(client, flow_run_id, await last_state(run))
            return True
        seen = run["state"]


async def show_paused(client: PrefectClient, flow_run_id: UUID) -> None:
    """Let a flow run be paused until somebody resumes it; where Prefect's own pause has a limit, it stays."""
    shown = await shown_state(client, flow_run_id)
    # Ended, or resumed meanwhile: it comes to a worker again.
    if shown is None or shown.is_final() or shown.is_cancelling() or shown.is_scheduled() or is_paused_here(shown):
        return
    limit = shown.state_details.pause_timeout if shown.is_paused() else None
    # To be scheduled anew when it is resumed, as no process waits for that.
    state = Paused(reschedule=True, pause_expiration_time=limit, message=PAUSED_HERE)
    await set_state(client, flow_run_id, state)


def is_paused_here(state: State[Any]) -> bool:
    """Whether a worker has shown it as paused, and not somebody in Prefect."""
    return bool(state.is_paused()) and state.message == PAUSED_HERE


async def shown_state(client: PrefectClient, flow_run_id: UUID) -> State[Any] | None:
    """A flow run's state, however long Prefect is down; None if it has no such run."""
    pause = _TROUBLE_SECONDS
    while True:
        try:
            found: State[Any] | None = (await client.read_flow_run(flow_run_id)).state
        except ObjectNotFound:
            return None
        except httpx.HTTPError as error:
            logger.info("flow run %s waits for Prefect: %s", flow_run_id, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_TROUBLE_SECONDS)
        else:
            return found


async def set_state(client: PrefectClient, flow_run_id: UUID, state: State[Any], *, force: bool = True) -> bool:
    """Set a flow run's state, however often it takes; True even where Prefect does not want it or has no such run."""
    pause = _TROUBLE_SECONDS
    while True:
        try:
            await client.set_flow_run_state(flow_run_id, state, force=force)
        except ObjectNotFound:
            logger.warning("Prefect has no flow run %s any more; its run goes on", flow_run_id)
        except httpx.HTTPStatusError as error:
            if error.response.status_code < 500:
                logger.error("Prefect refuses the state %s of flow run %s: %s", state.name, flow_run_id, error)
                return True
            await asyncio.sleep(pause)
        except httpx.HTTPError as error:
            logger.info("flow run %s waits for Prefect: %s", flow_run_id, error)
            await asyncio.sleep(pause)
        else:
            return True
        pause = min(pause * 2, _LONGEST_TROUBLE_SECONDS)


async def last_state(run: Mapping[str, Any]) -> State[Any]:
    """The state that an ended run has in Prefect, with its output as the result."""
    took = f"Took {run['duration_us'] / 1000:.4g} ms as run {run['id']}."
    if run["state"] == "completed":
        return await _completed(run["output"], took)
    error = run.get("error") or {}
    reason = str(error.get("detail") or f"It was {run['state']}.")
    if run["state"] == "cancelled":
        return Cancelled(message=f"Cancelled. {took}")
    name = "TimedOut" if run["state"] == "timed-out" else None
    return Failed(name=name, message=f"{reason} {took}")


def failed(error: WorkletsError) -> State[Any]:
    """The state of a flow run that could not be begun."""
    places = "; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in error.faults)
    return Failed(message=f"{error.detail}{f' ({places})' if places else ''}")


async def _completed(output: Any, message: str) -> State[Any]:
    try:
        state = await return_value_to_state(output, ResultStore(serializer=JSONSerializer()), write_result=True)
    except Exception as error:  # whatever the configured storage raises
        logger.warning("the result can't be kept where Prefect looks for it: %s", error)
        return Completed(message=f"{message} The output can't be kept for Prefect: {error}")
    state.message = message
    return state
