"""The route by which Prefect's worker hands over a flow run: the queue in the store does it, as any submitted run."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..connectors.access import Principal, Role
from ..connectors.errors import BadInput, Conflict, NotFound
from ..connectors.tables import SubmittedRun
from ..connectors.web import Guard, json_response, read_json
from .checkpoints import Checkpoints
from .endpoints import route
from .engine import new_run_id
from .later import LaterRuns
from .prefect_shape import STARTED_THERE
from .registry import LiveWorklet, Registry
from .submitted import OPEN_STATES, SubmittedRuns


class PrefectRunsApi:
    """The handler, with what it needs."""

    def __init__(
        self, registry: Registry, guard: Guard, queue: SubmittedRuns, later: LaterRuns, checkpoints: Checkpoints
    ) -> None:
        self._registry = registry
        self._guard = guard
        self._queue = queue
        self._later = later
        self._checkpoints = checkpoints

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        return [route("/api/prefect/flow-runs/{id}", self.begin, "PUT")]

    async def begin(self, request: Request) -> Response:
        """`{"worklet", "parameters", "attempt"}` → 202 with the run of this flow run; the same attempt gives the same.

        The first run of a flow run has its id; one that is retried in Prefect is another attempt, and begins with what
        the nodes of the one before have given. With `"start": false` nothing is begun, only told what is.
        """
        principal = await self._guard(request, Role.builder, "start runs for Prefect")
        flow_run_id = _hex(request.path_params["id"], "flow run")
        body = await read_json(request)
        if not isinstance(body, dict) or not isinstance(body.get("parameters"), dict):
            raise BadInput('Send {"worklet": NAME, "parameters": {...}, "attempt": ID}.')
        attempt = _hex(body.get("attempt"), "attempt")
        if body.get("start") is False:
            return _shown(await asyncio.to_thread(self._last, flow_run_id))
        live = self._registry.get(str(body.get("worklet")))
        content = input_of(live, body["parameters"])
        await asyncio.to_thread(live.worklet.input.check, content)
        row = await asyncio.to_thread(self._submit, live, content, principal, flow_run_id, attempt)
        self._later.tell(row.id)
        self._later.rest(row)
        self._later.wake()
        return _shown(row)

    def _last(self, flow_run_id: str) -> SubmittedRun:
        before = self._queue.of_flow_run(flow_run_id)
        if not before:
            raise NotFound(f"The flow run {flow_run_id} was never handed over.")
        return before[-1]

    def _submit(
        self, live: LiveWorklet, content: bytes, principal: Principal, flow_run_id: str, attempt: str
    ) -> SubmittedRun:
        before = self._queue.of_flow_run(flow_run_id)
        last = before[-1] if before else None
        key = f"prefect {flow_run_id} {attempt}"
        if last is not None and last.state in OPEN_STATES:
            # Wanted anew while it is open: Prefect resumes what is paused.
            with contextlib.suppress(Conflict):
                return self._queue.wanted_again(last.id, principal, key)
            return self._submit(live, content, principal, flow_run_id, attempt)
        id = new_run_id() if last else flow_run_id
        if last is not None and (last.version, last.input) == (live.version, content):
            self._checkpoints.copy(last.id, id)
        row, new = self._queue.submit(
            live.name, live.version, content, principal, trigger=STARTED_THERE, id=id,
            idempotency_key=key, retry_of=last.id if last else None,
            flow_run_id=flow_run_id,
        )  # fmt: skip
        if not new and row.id != id:
            self._checkpoints.forget(id)
        return row


def input_of(live: LiveWorklet, parameters: dict[str, Any]) -> bytes:
    """A flow run's parameters as the worklet's input. Where one parameter is the whole body, its value is."""
    body = live.graph.body
    value = parameters.get(body, {}) if body is not None else parameters
    return orjson.dumps(value)


def _shown(row: SubmittedRun) -> Response:
    return json_response({"id": row.id, "state": row.state, "worklet": row.worklet, "version": row.version}, 202)


def _hex(text: Any, what: str) -> str:
    try:
        return UUID(str(text)).hex
    except ValueError:
        raise BadInput(f"{str(text)[:64]!r} is no id of a Prefect {what}; it is a UUID.") from None
