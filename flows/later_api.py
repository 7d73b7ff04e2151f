"""The routes of runs that are done later: submit, follow, pause, cancel, retry, replay; and of schedules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from ..connectors.access import Principal, Role
from ..connectors.errors import BadInput, Conflict, NotFound
from ..connectors.store import Store
from ..connectors.tables import Run, SubmittedRun
from ..connectors.web import Guard, check_scope, json_response, read_body, read_json
from .checkpoints import Checkpoints
from .endpoints import route
from .later import LaterRuns
from .recent import RecentRuns
from .registry import Registry
from .replaying import run_differences
from .schedules import Schedules
from .shortening import is_shortened
from .submitted import ENDED_STATES, OPEN_STATES, SubmittedRuns

BODY_LIMIT = 20_000_000
_LOOK_SECONDS = 0.1
_PING_SECONDS = 15.0
_MAX_KEY = 255


# Looks at the queue for the end of a run that is shown as ended.
_LOOKS = 100


class LaterApi:
    """The handlers, with what they need."""

    def __init__(
        self,
        registry: Registry,
        guard: Guard,
        store: Store,
        queue: SubmittedRuns,
        later: LaterRuns,
        schedules: Schedules,
        checkpoints: Checkpoints,
        recent: RecentRuns,
        *,
        body_limit: int = BODY_LIMIT,
        check_url: Callable[[str], None] = lambda _: None,
        callback_key: str = "",
    ) -> None:
        self._check_url = check_url
        self._callback_key = callback_key
        self._registry = registry
        self._guard = guard
        self._store = store
        self._queue = queue
        self._later = later
        self._schedules = schedules
        self._checkpoints = checkpoints
        self._recent = recent
        self._body_limit = body_limit

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        return [
            route("/api/worklets/{name}/runs", self.submit, "POST"),
            route("/api/runs/{id}/cancel", self.cancel, "POST"),
            route("/api/runs/{id}/pause", self.pause, "POST"),
            route("/api/runs/{id}/resume", self.resume, "POST"),
            route("/api/runs/{id}/retry", self.retry, "POST"),
            route("/api/runs/{id}/replay", self.replay, "POST"),
            route("/api/runs/{id}/differences", self.differences, "GET"),
            route("/api/runs/{id}/events", self.events, "GET"),
            route("/api/callbacks/key", self.callback_key, "GET"),
            route("/api/schedules", self.list_schedules, "GET"),
            route("/api/schedules/{worklet}/{number}", self.change_schedule, "PATCH"),
        ]

    # --- submitting -----------------------------------------------------------------------------------

    async def submit(self, request: Request) -> Response:
        """The worklet's input as the body → 202 with the run's id. `Idempotency-Key` makes a repeat harmless.

        The address `callback_url` of the query is told of the run's end.
        """
        principal = await self._guard(request, Role.operator, "start runs")
        if principal.scopes is not None:
            check_scope(principal, request.url.path)
        live = await asyncio.to_thread(self._registry.pinned, request.path_params["name"])
        if not request.headers.get("content-type", "application/json").startswith("application/json"):
            raise BadInput(
                "Send the input as JSON; a file goes to POST /api/files first, and its address into the input."
            )
        body = await read_body(request, self._body_limit) or b"{}"
        await asyncio.to_thread(live.worklet.input.check, body)  # refused now rather than failed later
        key, callback_url = _key_of(request), request.query_params.get("callback_url")
        if callback_url is not None:
            self._check_url(callback_url)
        row, new = await asyncio.to_thread(
            lambda: self._queue.submit(
                live.name, live.version, body, principal, idempotency_key=key, callback_url=callback_url
            )
        )
        self._later.wake()
        return _accepted(row, new)

    async def retry(self, request: Request) -> Response:
        """Do a run again that did not complete, from the node that failed → 202 with the new run's id."""
        principal = await self._guard(request, Role.operator, "retry runs")
        id = request.path_params["id"]
        ended = await asyncio.to_thread(self._ended, id, principal)
        if ended.state == "completed":
            raise Conflict("The run has completed; submit a new one to do it again.")
        _check_whole(ended)
        live = self._registry.get(ended.worklet)
        if principal.scopes is not None:
            check_scope(principal, f"/api/worklets/{ended.worklet}/runs")
        row = await asyncio.to_thread(self._submit_again, ended, live.version, principal, _key_of(request))
        self._later.wake()
        return _accepted(row, True)

    async def replay(self, request: Request) -> Response:
        """Do the input of a run again, on the live version or `?version=N`, as a new run that says so → 202.

        What the worklet does to others, it does again. `GET /api/runs/{id}/differences` then compares the two.
        """
        principal = await self._guard(request, Role.operator, "replay runs")
        ended = await asyncio.to_thread(self._ended, request.path_params["id"], principal)
        _check_whole(ended)
        if principal.scopes is not None:
            check_scope(principal, f"/api/worklets/{ended.worklet}/runs")
        number = request.query_params.get("version", "")
        pinned = f"{ended.worklet}@{number}" if number else ended.worklet
        live = await asyncio.to_thread(self._registry.pinned, pinned)
        body = ended.input or b"{}"
        try:
            await asyncio.to_thread(live.worklet.input.check, body)
        except BadInput as error:
            raise Conflict(
                f"The input of this run does not fit version {live.version} of {live.name!r}.", faults=error.faults
            ) from None
        row, new = await asyncio.to_thread(
            lambda: self._queue.submit(
                live.name, live.version, body, principal, trigger="replay", retry_of=ended.id,
                idempotency_key=_key_of(request),
            )
        )  # fmt: skip
        self._later.wake()
        return _accepted(row, new)

    async def differences(self, request: Request) -> Response:
        """How an ended run went other than `?before=ID`, by default the run whose input it did again."""
        principal = await self._guard(request, Role.viewer, "see runs")
        id = request.path_params["id"]
        row = await asyncio.to_thread(self._queue.get, id)
        before = request.query_params.get("before") or (row.retry_of if row is not None else None)
        if before is None:
            raise BadInput("It repeats no other run; name the one to compare it with: ?before=ID.")
        first, second = await asyncio.to_thread(lambda: [self._record(each, principal) for each in (before, id)])
        return json_response(await asyncio.to_thread(run_differences, first, second))

    def _record(self, id: str, principal: Principal) -> Any:
        """What an ended run left, for a caller who may see it. Raises NotFound, Conflict."""
        self._ended(id, principal)  # says who may, and that it has ended
        with self._store.read() as session:
            found: Any = self._recent.get(id) or session.get(Run, id)
        if found is None:
            raise NotFound(f"The run {id[:64]!r} is not recorded yet; ask again in a moment.")
        if found.output is not None and is_shortened(found.output):
            raise Conflict(f"The output of the run {id} was too large to be kept whole, so it can't be compared.")
        return found

    def _submit_again(self, ended: Any, version: int, principal: Principal, key: str | None) -> SubmittedRun:
        row, new = self._queue.submit(
            ended.worklet, version, ended.input or b"{}", principal, trigger="retry", idempotency_key=key,
            retry_of=ended.id,
        )  # fmt: skip
        if new and ended.version == version:  # another version's nodes may mean something else by their names
            self._checkpoints.copy(ended.id, row.id)
        return row

    def _ended(self, id: str, principal: Principal) -> Any:
        """The record of an ended run that this caller may see. Raises NotFound, Conflict."""
        submitted = self._queue.get(id)
        for _ in range(_LOOKS):
            if submitted is None or submitted.state not in OPEN_STATES or self._recent.get(id) is None:
                break
            time.sleep(0.02)  # its end is shown a moment before the queue has noted it
            submitted = self._queue.get(id)
        if submitted is not None and submitted.state in OPEN_STATES:
            _check_seen(submitted, principal)
            raise Conflict(f"The run is still {submitted.state}; cancel it first, or wait for its end.")
        if submitted is not None:
            _check_seen(submitted, principal)
            return submitted
        with self._store.read() as session:
            found: Any = session.get(Run, id) or self._recent.get(id)
        if found is None or (found.principal != principal.id and principal.role < Role.builder):
            raise NotFound(f"There is no run {id[:64]!r}; GET /api/runs lists yours.")
        return found

    async def cancel(self, request: Request) -> Response:
        """Stop a run that has not ended."""
        row = await self._asked(request, "cancel runs", self._queue.ask_to_cancel)
        self._later.cancel(row.id)
        self._later.wake()
        return json_response({"id": row.id, "state": row.state, "cancel_asked": True}, 202)

    async def pause(self, request: Request) -> Response:
        """Let a run that has not ended rest; nodes that are under way end first."""
        row = await self._asked(request, "pause runs", self._queue.ask_to_pause)
        self._later.rest(row)
        return json_response({"id": row.id, "state": row.state, "pause_asked": row.pause_asked}, 202)

    async def resume(self, request: Request) -> Response:
        """Let a paused run go on, with the nodes that have not ended."""
        row = await self._asked(request, "resume runs", self._queue.resume)
        self._later.rest(row)
        self._later.wake()
        return json_response({"id": row.id, "state": row.state, "pause_asked": row.pause_asked}, 202)

    async def _asked(self, request: Request, what: str, ask: Callable[[str], SubmittedRun]) -> SubmittedRun:
        """The run of the address, after something was asked of it that an operator may."""
        principal = await self._guard(request, Role.operator, what)
        id = request.path_params["id"]
        found = await asyncio.to_thread(self._queue.get, id)
        if found is not None:
            _check_seen(found, principal)
        row = await asyncio.to_thread(ask, id)
        self._later.tell(row.id)
        return row

    # --- following ------------------------------------------------------------------------------------

    async def events(self, request: Request) -> Response:
        """Server-sent events: `run` with the state and the nodes whenever they change, until the run has ended."""
        principal = await self._guard(request, Role.viewer, "see runs")
        id = request.path_params["id"]
        row = await asyncio.to_thread(self._queue.get, id)
        if row is None:
            raise NotFound(f"There is no submitted run {id[:64]!r}; what was invoked ends with its answer.")
        _check_seen(row, principal)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._changes(id), media_type="text/event-stream", headers=headers)

    async def _changes(self, id: str) -> AsyncIterator[bytes]:
        before, said_at = b"", time.monotonic()
        while True:
            row = await asyncio.to_thread(self._queue.get, id)
            if row is None:
                return
            shown = orjson.dumps(show_submitted(row, await asyncio.to_thread(self._nodes, id)))
            if shown != before:
                before, said_at = shown, time.monotonic()
                yield b"event: run\ndata: " + shown + b"\n\n"
            elif time.monotonic() - said_at > _PING_SECONDS:
                said_at = time.monotonic()
                yield b": still here\n\n"
            if row.state in ENDED_STATES:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def _nodes(self, id: str) -> list[list[Any]] | None:
        ended = self._recent.get(id)
        return ended.nodes if ended is not None else self._later.nodes(id)

    async def callback_key(self, request: Request) -> Response:
        """The key with which receivers of callbacks check their signatures."""
        await self._guard(request, Role.builder, "see the key of callbacks")
        return json_response({"key": self._callback_key}, headers={"cache-control": "no-store"})

    # --- schedules ------------------------------------------------------------------------------------

    async def list_schedules(self, request: Request) -> Response:
        """Every schedule with when it is due next."""
        await self._guard(request, Role.viewer, "see schedules")
        return json_response({"schedules": await asyncio.to_thread(self._schedules.all)})

    async def change_schedule(self, request: Request) -> Response:
        """`{"paused": true}`."""
        await self._guard(request, Role.builder, "change schedules")
        body = await read_json(request)
        paused = body.get("paused") if isinstance(body, dict) else None
        if not isinstance(paused, bool):
            raise BadInput('Send {"paused": true} or {"paused": false}.')
        worklet, text = request.path_params["worklet"], request.path_params["number"]
        number = int(text) if text.isdecimal() and len(text) < 6 else -1
        return json_response(await asyncio.to_thread(lambda: self._schedules.pause(worklet, number, paused=paused)))


def show_submitted(row: SubmittedRun, nodes: list[list[Any]] | None) -> dict[str, Any]:
    """A submitted run as JSON, in the shape of an ended one."""
    names = ("id", "kind", "state", "offset_us", "duration_us", "error")
    return {
        "id": row.id,
        "worklet": row.worklet,
        "version": row.version,
        "trigger": row.trigger,
        "parent": None,
        "principal": (row.principal or {}).get("id"),
        "state": row.state,
        "started_us": row.started_us or row.created_us,
        "duration_us": 0 if row.ended_us is None else row.ended_us - (row.started_us or row.created_us),
        "attempts": row.attempts,
        "pause_asked": row.pause_asked,
        "retry_of": row.retry_of,
        "nodes": [dict(zip(names, entry, strict=False)) for entry in nodes or []],
    }


def _check_whole(ended: Any) -> None:
    if ended.input is not None and is_shortened(ended.input):
        raise Conflict("The run's input was too large to be kept whole; submit it again with its input.")


def _accepted(row: SubmittedRun, new: bool) -> Response:
    headers = {"location": f"/api/runs/{row.id}", "x-run-id": row.id}
    body = {"id": row.id, "state": row.state, "worklet": row.worklet, "version": row.version, "new": new}
    return json_response(body, 202, headers=headers)


def _check_seen(row: SubmittedRun, principal: Principal) -> None:
    owner = (row.principal or {}).get("id")
    if owner != principal.id and principal.role < Role.builder:
        raise NotFound(f"There is no run {row.id}; GET /api/runs lists yours.")


def _key_of(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= _MAX_KEY:
        raise BadInput(f"An Idempotency-Key has 1 to {_MAX_KEY} characters.")
    return key
