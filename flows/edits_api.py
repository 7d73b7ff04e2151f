"""The routes of editing worklets: begin, check, try a node, save as a draft, publish."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..connectors.access import Role
from ..connectors.errors import BadInput
from ..connectors.web import Guard, json_response, read_json
from .editing import Draft, Edits
from .endpoints import number, route
from .trying import NodeTrial

BODY_LIMIT = 15_000_000


class EditsApi:
    """The routes below `/api/worklets/{name}/edit`. All of them are for who may push code."""

    def __init__(self, guard: Guard, edits: Edits, trial: NodeTrial) -> None:
        self._guard = guard
        self._edits = edits
        self._trial = trial

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        return [
            route("/api/worklets/{name}/edit", self.begin, "GET"),
            route("/api/worklets/{name}/edit", self.save, "POST"),
            route("/api/worklets/{name}/edit/check", self.check, "POST"),
            route("/api/worklets/{name}/edit/try", self.try_node, "POST"),
        ]

    async def begin(self, request: Request) -> Response:
        """What an editor begins with: document, files, the kinds of nodes, and what is wrong."""
        await self._guard(request, Role.builder, "edit worklets")
        version = number(request, "version", 0, low=0, high=1 << 31) or None
        return json_response(await asyncio.to_thread(self._edits.begin, request.path_params["name"], version))

    async def check(self, request: Request) -> Response:
        """Every fault of a draft that its text tells; its code does not run."""
        await self._guard(request, Role.builder, "edit worklets")
        draft = draft_of(await read_json(request, limit=BODY_LIMIT))
        checked = await asyncio.to_thread(self._edits.check, draft)
        return json_response(checked.as_dict())

    async def save(self, request: Request) -> Response:
        """Push a draft: live at once, or with `?draft=true` as a version that only its number reaches."""
        principal = await self._guard(request, Role.builder, "push code")
        publish = _flag(request, "draft") is False
        draft = draft_of(await read_json(request, limit=BODY_LIMIT))
        name = request.path_params["name"]
        pushed = await asyncio.to_thread(lambda: self._edits.save(name, draft, principal.id, publish=publish))
        return json_response(asdict(pushed), 201)

    async def try_node(self, request: Request) -> Response:
        """`{"draft": ..., "node": ID, "input": {...}}`: runs one node of a draft. It is not recorded."""
        principal = await self._guard(request, Role.builder, "push code")
        body = await read_json(request, limit=BODY_LIMIT)
        if not isinstance(body, dict) or not isinstance(body.get("input"), dict):
            raise BadInput('Send {"draft": {...}, "node": ID, "input": {ARGUMENT: VALUE}}.')
        draft, node = draft_of(body.get("draft")), str(body.get("node"))
        name = request.path_params["name"]
        return json_response(await self._trial.run(name, draft, node, body["input"], principal))


def draft_of(body: Any) -> Draft:
    """The draft in a request's body. Raises BadInput."""
    try:
        return Draft.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise BadInput(f"This is no draft: {place}: {first['msg']}.") from None


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false")
    if text not in ("true", "false"):
        raise BadInput(f"{name} is true or false.")
    return text == "true"
