"""`POST /api/worklets/{name}/invoke`: the hot path. A plain ASGI function before the router.

What is quick runs without a task, a thread, a query or a copy of the input. Everything that may take long (a large
body, a picture, a slow node) leaves that path.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from pydantic_core import from_json, to_json
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from ..connectors.access import Principal, Role, require
from ..connectors.errors import BadInput, Conflict, NodeFailed, NotSignedIn, TooLarge, WorkletsError
from ..connectors.forms import read_form
from ..connectors.meters import Meters
from ..connectors.web import Guard, check_scope, problem
from .engine import Engine
from .execution import Execution
from .failures import error_record
from .forms import as_input
from .journal import Journal, RunRecord
from .node_details import Sampling, details_of
from .recent import RecentRuns
from .registry import LiveWorklet, Registry
from .reviewing import NEEDS_A_RUN
from .steps import images_in

logger = logging.getLogger(__name__)

BODY_LIMIT = 20_000_000
_PREFIX, _SUFFIX = "/api/worklets/", "/invoke"
# Larger bodies are parsed, and larger records written, in a thread.
_LARGE = 65_536
# An over-long body up to so many times the limit is read and dropped, so that the client gets to see the answer.
_TOLERATED = 8

_JSON_TYPE = (b"content-type", b"application/json")
_PROBLEM_TYPE = (b"content-type", b"application/problem+json")
_PNG_TYPE = (b"content-type", b"image/png")
_CLOSE = (b"connection", b"close")
_BEARER = (b"Bearer ", b"bearer ")


class _Head(NamedTuple):
    """The headers that this path reads."""

    authorization: bytes
    content_type: bytes
    accept: bytes
    length: int


class _TooLarge(TooLarge):
    """Carries whether the connection is to be closed."""

    title = TooLarge.title
    close = False

    @property
    def slug(self) -> str:
        return "too-large"


class InvokeApp:
    """Answers `invoke` itself and hands everything else to `app`.

    Args:
        app: the rest of the HTTP app.
        registry: the live worklets.
        engine: runs them.
        guard: knows the callers.
        journal: takes the run's record, before the answer leaves.
        recent: remembers the last runs, until the store has them.
        body_limit: bytes of a request's body.
        meters: counts runs by worklet and state.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        registry: Registry,
        engine: Engine,
        guard: Guard,
        journal: Journal,
        recent: RecentRuns | None = None,
        body_limit: int = BODY_LIMIT,
        meters: Meters[tuple[str, str]] | None = None,
    ) -> None:
        self.app = app
        self.registry = registry
        self.engine = engine
        self.guard = guard
        self.journal = journal
        self.recent = recent if recent is not None else RecentRuns()
        self.body_limit = body_limit
        # By worklet and state, from the first node's start to the last one's end.
        self.meters: Meters[tuple[str, str]] = meters if meters is not None else Meters()
        self._sampling = Sampling()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "http" and scope["method"] == "POST":
            path: str = scope["path"]
            if path.endswith(_SUFFIX) and path.startswith(_PREFIX):
                name = path[len(_PREFIX) : -len(_SUFFIX)]
                if "/" not in name:
                    await self._answer(name, scope, receive, send)
                    return
        await self.app(scope, receive, send)

    # --- the request --------------------------------------------------------------------------------

    async def _answer(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        execution: Execution | None = None
        recorded: bytes | None
        try:
            head = _head(scope["headers"])
            known = self.guard.access.cached("k:" + head.authorization[7:].decode("latin-1"))
            if known is None or head.authorization[:7] not in _BEARER:
                known = await self.guard.principal(HTTPConnection(scope))
            principal: Principal = known
            # A viewer runs worklets through views alone: that process checks that the view uses the worklet.
            if principal.role < Role.operator and not self._is_from_views(head):
                require(principal, Role.operator, "invoke worklets")
            if principal.scopes is not None:
                check_scope(principal, scope["path"])
            live = self.registry.live.get(name) or await self._pinned(name)
            if live.waits_for_people:
                raise Conflict(f"The worklet {name!r} can't be invoked. {NEEDS_A_RUN.format(name=name)}")
            body = await self._body(receive, head.length)
            if head.content_type.startswith(b"multipart/form-data"):
                inputs, recorded = await _from_form(live, scope, body)
            else:
                reader = live.worklet.input.from_json
                inputs = reader(body) if len(body) < _LARGE else await asyncio.to_thread(reader, body)
                recorded = _recordable(body)
            started_us = time.time_ns() // 1000
            context = self.engine.context(live.name, live.version, principal)
            execution = live.worklet.execution(self.engine, inputs, context)
            if not (execution.advance() or await execution.join() or await _finish(execution, receive)):
                await self._record(execution, live, principal, started_us, recorded, None, None)
                return  # the client has gone: nobody to answer
            await self._respond(execution, live, principal, started_us, recorded, head, send)
        except WorkletsError as error:
            await _send_problem(send, error, execution)
        except asyncio.CancelledError:
            if execution is not None and execution.state == "cancelled":
                await self._record(execution, live, principal, started_us, recorded, None, None)
            raise
        except Exception:
            run = execution.context.run_id if execution is not None else "none"
            logger.exception("invoke of %r failed inside the server (run %s)", name, run)
            failure = WorkletsError("The server failed to answer; its log says why. Name the run when you report it.")
            await _send_problem(send, failure, execution)

    async def _pinned(self, name: str) -> LiveWorklet:
        if "@" not in name:
            return self.registry.get(name)
        return await asyncio.to_thread(self.registry.pinned, name)

    def _is_from_views(self, head: _Head) -> bool:
        return self.guard.access.is_internal(head.authorization[7:].decode("latin-1"))

    async def _body(self, receive: Receive, announced: int) -> bytes:
        limit = self.body_limit
        if announced > limit:
            refusal = _TooLarge(f"The body has {announced} bytes and may have {limit}.")
            refusal.close = announced > _TOLERATED * limit
            raise refusal
        message = await receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            if message["type"] == "http.disconnect":
                raise BadInput("The request was broken off.")
            return body
        parts, size = [body], len(body)
        while message.get("more_body", False):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BadInput("The request was broken off.")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                refusal = _TooLarge(f"The body has more than the {limit} bytes allowed.")
                refusal.close = True
                raise refusal
        return b"".join(parts)

    # --- the answer ---------------------------------------------------------------------------------

    async def _respond(
        self,
        execution: Execution,
        live: LiveWorklet,
        principal: Principal,
        started_us: int,
        recorded: bytes | None,
        head: _Head,
        send: Send,
    ) -> None:
        error = execution.error
        output: bytes | None = None
        if error is None:
            result = execution.plan.output(execution.values)
            dump = live.worklet.fitted_output
            try:
                output = await asyncio.to_thread(dump, result) if live.worklet.output.has_images else dump(result)
                await execution.commit()
            except NodeFailed as failure:
                execution.state, execution.error = "failed", failure
                output, error = None, failure
                logger.warning("run %s of %s: %s", execution.context.run_id, live.name, failure.detail)
        await self._record(execution, live, principal, started_us, recorded, output, error)
        if output is None:
            assert error is not None
            await _send_problem(send, error, execution)
            return
        kind = _JSON_TYPE
        if b"image/png" in head.accept and _wants_png(head.accept):
            images = images_in(result)
            if len(images) == 1:
                output, kind = await asyncio.to_thread(images[0].png), _PNG_TYPE
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    kind,
                    (b"content-length", b"%d" % len(output)),
                    (b"x-run-id", execution.context.run_id.encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": output})

    async def _record(
        self,
        execution: Execution,
        live: LiveWorklet,
        principal: Principal,
        started_us: int,
        recorded: bytes | None,
        output: bytes | None,
        error: WorkletsError | None,
    ) -> None:
        context = execution.context
        self.meters.add((live.name, execution.state), execution.elapsed_us * 1e-6)
        record = RunRecord(
            context.run_id,
            live.name,
            live.version,
            "api",
            principal.id,
            execution.state,
            started_us,
            execution.elapsed_us,
            recorded,
            output,
            error_record(error, _failed_node(execution.entries)) if error is not None else None,
            execution.entries,
            None,
            details_of(execution) if self._sampling.wants(live.name, execution.state, started_us) else None,
        )
        if (recorded is not None and len(recorded) > _LARGE) or (output is not None and len(output) > _LARGE):
            await asyncio.to_thread(self.journal.append, record)
        else:
            self.journal.append(record)
            self.recent.add(record)


def _head(headers: Sequence[tuple[bytes, bytes]]) -> _Head:
    authorization = content_type = accept = b""
    length = 0
    for name, value in headers:
        if name == b"authorization":
            authorization = value
        elif name == b"content-length":
            length = int(value) if value.isdigit() else 0
        elif name == b"content-type":
            content_type = value
        elif name == b"accept":
            accept = value
    return _Head(authorization, content_type, accept, length)


def _wants_png(accept: bytes) -> bool:
    return b"application/json" not in accept and b"*/*" not in accept


def _recordable(body: bytes) -> bytes | None:
    """The body as the record takes it: strict JSON. Our input may also be NaN, 1e999 or a lone surrogate."""
    if not body:
        return None
    if len(body) > _LARGE:
        return body  # the journal shortens it, whatever it is
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return to_json(from_json(body), inf_nan_mode="null")
        except ValueError:
            return None
    return body


async def _from_form(live: LiveWorklet, scope: Scope, body: bytes) -> tuple[list[Any], bytes]:
    fields, shown = await read_form(scope, body)
    contract = live.worklet.input
    given = as_input(fields, contract.schema)
    inputs = await asyncio.to_thread(contract.from_object, given)
    # Recorded as it was understood (a number as a number), but with what stands for a file instead of its content.
    return inputs, orjson.dumps({name: shown[name] if _has_bytes(value) else value for name, value in given.items()})


def _has_bytes(value: Any) -> bool:
    return isinstance(value, bytes) or (isinstance(value, list) and any(isinstance(part, bytes) for part in value))


async def _finish(execution: Execution, receive: Receive) -> bool:
    """Run to the end, and break off when the client goes; False if it went."""
    work = asyncio.ensure_future(execution.finish())
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
            return True
        return False
    finally:
        gone.cancel()
        if not work.done():
            execution.state = "cancelled"
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


def _failed_node(entries: list[list[Any]]) -> str | None:
    return next((entry[0] for entry in entries if entry[2] in ("failed", "timed-out")), None)


async def _send_problem(send: Send, error: WorkletsError, execution: Execution | None) -> None:
    body = orjson.dumps(problem(error), default=str)
    headers = [_PROBLEM_TYPE, (b"content-length", b"%d" % len(body))]
    if execution is not None:
        headers.append((b"x-run-id", execution.context.run_id.encode()))
    if isinstance(error, NotSignedIn):
        headers.append((b"www-authenticate", b"Bearer"))
    if getattr(error, "close", False):
        headers.append(_CLOSE)
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
