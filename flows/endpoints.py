"""From a plain coroutine to a route: errors of ours become problem documents, others are logged and told in general."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..connectors.errors import BadInput, WorkletsError
from ..connectors.web import problem_response

logger = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


def route(path: str, endpoint: Endpoint, *methods: str) -> Route:
    """A route whose failures are problem documents."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except WorkletsError as error:
            return problem_response(error)
        except Exception:
            logger.exception("%s %s failed inside the server", request.method, request.url.path)
            return problem_response(WorkletsError("The server failed to answer; its log says why."))

    return Route(path, answer, methods=list(methods), name=getattr(endpoint, "__name__", path))


def number(request: Request, name: str, default: int, *, low: int, high: int) -> int:
    """A whole number among the query's parameters. Raises BadInput."""
    text = request.query_params.get(name)
    if text is None:
        return default
    value: Any = int(text) if text.lstrip("-").isdecimal() and len(text) < 20 else None
    if value is None or not low <= value <= high:
        raise BadInput(f"{name}={text[:40]!r} is no whole number from {low} to {high}.")
    return int(value)
