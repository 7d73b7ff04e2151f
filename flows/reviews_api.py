"""The routes of reviews: what waits for a person, and the person's decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..connectors.access import Role
from ..connectors.errors import BadInput, NotFound
from ..connectors.file_addresses import file_url
from ..connectors.files import FileStore
from ..connectors.tables import Review
from ..connectors.web import Guard, json_response, read_json
from .endpoints import number, route
from .files_api import file_response
from .registry import Registry
from .reviewing import fitted_decision
from .reviews import STATES, Reviews

SHORT_VALUE = 20_000  # bytes of JSON


class ReviewsApi:
    """The handlers, with what they need. `wake` is called when a run may go on."""

    def __init__(
        self, reviews: Reviews, registry: Registry, guard: Guard, files: FileStore, wake: Callable[[], None]
    ) -> None:
        self._reviews = reviews
        self._registry = registry
        self._guard = guard
        self._files = files
        self._wake = wake

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        return [
            route("/api/reviews", self.list_reviews, "GET"),
            route("/api/reviews/{id}", self.show, "GET"),
            route("/api/reviews/{id}/decide", self.decide, "POST"),
            route("/api/reviews/{id}/files/{file}", self.file, "GET"),
        ]

    async def list_reviews(self, request: Request) -> Response:
        """What the caller may decide, those due first first: `state` (open), `worklet`, `node` and `limit` choose.

        With `values=true` each comes with the value to be judged, if that is short.
        """
        principal = await self._guard(request, Role.operator, "see reviews")
        state = request.query_params.get("state", "open")
        if state not in (*STATES, "all"):
            raise BadInput(f"There is no state {state[:40]!r}; use one of {', '.join(STATES)} or all.")
        limit = number(request, "limit", 100, low=1, high=500)
        wanted = None if state == "all" else state
        named = {name: request.query_params.get(name) for name in ("worklet", "node")}
        found = await asyncio.to_thread(lambda: self._reviews.waiting(principal, wanted, limit=limit, **named))
        shown = with_value if request.query_params.get("values") == "true" else summary
        return json_response({"reviews": [shown(row) for row in found]})

    async def show(self, request: Request) -> Response:
        """One review: the value to be judged, the decision's schema, and what was decided."""
        principal = await self._guard(request, Role.operator, "see reviews")
        row = await asyncio.to_thread(self._reviews.get, request.path_params["id"], principal)
        return json_response(described(row))

    async def decide(self, request: Request) -> Response:
        """Decide, once: the decision as the body. A 409 says who was quicker."""
        principal = await self._guard(request, Role.operator, "decide reviews")
        id = request.path_params["id"]
        body = await read_json(request)
        row = await asyncio.to_thread(self._reviews.get, id, principal)
        decision = await asyncio.to_thread(self._fitted, row, body)
        row = await asyncio.to_thread(self._reviews.decide, id, principal, decision)
        self._wake()
        return json_response(described(row))

    def _fitted(self, row: Review, body: Any) -> Any:
        definitions = getattr(self._registry.version(row.worklet, row.version).worklet, "definitions", {})
        definition = definitions.get(row.node)
        return body if definition is None else fitted_decision(definition.shape.returns, body)

    async def file(self, request: Request) -> Response:
        """A file that the value to be judged names: whoever may decide may see it."""
        principal = await self._guard(request, Role.operator, "see reviews")
        row = await asyncio.to_thread(self._reviews.get, request.path_params["id"], principal)
        file = request.path_params["file"]
        if f'"{file_url(file)}"'.encode() not in row.value:
            raise NotFound(f"The review names no file {file[:64]!r}.")
        return await file_response(self._files, file)


def summary(row: Review) -> dict[str, Any]:
    """A review as JSON, without its value."""
    return {
        "id": row.id,
        "title": row.title,
        "worklet": row.worklet,
        "version": row.version,
        "node": row.node,
        "run": row.run_id,
        "role": row.role,
        "state": row.state,
        "created_us": row.created_us,
        "due_us": row.due_us,
        "decision": row.decision,
        "decided_us": row.decided_us,
        "decided_by": row.decided_name or None,
    }


def with_value(row: Review) -> dict[str, Any]:
    """A review as JSON, with a value that is short enough for a list, or null."""
    return {**summary(row), "value": orjson.loads(row.value) if len(row.value) <= SHORT_VALUE else None}


def described(row: Review) -> dict[str, Any]:
    """A review as JSON."""
    return {**summary(row), "on_due": row.on_due, "value": orjson.loads(row.value), "schema": row.schema_}
