"""Answers and bodies of HTTP: problem documents, JSON, and reading within a limit.

Errors have one shape, `application/problem+json` (RFC 9457).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Scope

from .errors import BadInput, NotSignedIn, TooLarge, TooMany, WorkletsError

Handler = Callable[[Request], Awaitable[Response]]


def problem(error: WorkletsError, instance: str | None = None) -> dict[str, Any]:
    """The problem document of an error."""
    document: dict[str, Any] = {
        "type": f"urn:worklets:problem:{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "errors": [fault.as_dict() for fault in error.faults],
    }
    if instance is not None:
        document["instance"] = instance
    return document


def problem_response(error: WorkletsError, headers: dict[str, str] | None = None) -> Response:
    """The answer for an error."""
    headers = dict(headers or {})
    if isinstance(error, NotSignedIn):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooMany):
        headers["retry-after"] = str(math.ceil(error.wait))
    return Response(
        orjson.dumps(problem(error), default=str),
        status_code=error.status,
        headers=headers,
        media_type="application/problem+json",
    )


def answering(handler: Handler) -> Handler:
    """The handler, with its errors as problem documents."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except WorkletsError as error:
            return problem_response(error)

    return answer


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer by orjson; dates, numpy arrays and pydantic models are understood."""
    body = orjson.dumps(value, default=_jsonable, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def _jsonable(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    raise TypeError(f"a {type(value).__name__} is not JSON")


def with_body(scope: Scope, body: bytes) -> Request:
    """A request whose body has been read already, for what wants to read it itself."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


async def read_body(request: Request, limit: int) -> bytes:
    """The request's body. Raises TooLarge as soon as more than `limit` bytes are announced or arrive."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"The body has {announced} bytes and may have {limit}.")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"The body has more than the {limit} bytes allowed.")
        parts.append(part)
    return b"".join(parts)


async def read_json(request: Request, limit: int = 1_000_000) -> Any:
    """The request's JSON body. Raises TooLarge, BadInput."""
    body = await read_body(request, limit)
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError as error:
        raise BadInput(f"The body is not valid JSON: {error}.") from None
