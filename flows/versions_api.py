"""The routes of worklets' versions: list, look at, compare, promote, roll back."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..connectors.access import Role
from ..connectors.errors import BadInput
from ..connectors.web import Guard, json_response, read_json
from .endpoints import number, route
from .registry import Registry
from .versions import WorkletVersions


class VersionsApi:
    """The routes below `/api/worklets/{name}` that are about versions."""

    def __init__(self, registry: Registry, guard: Guard, versions: WorkletVersions) -> None:
        self._registry = registry
        self._guard = guard
        self._versions = versions

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        return [
            route("/api/worklets/{name}/versions", self.list, "GET"),
            route("/api/worklets/{name}/versions/{version}", self.show, "GET"),
            route("/api/worklets/{name}/diff", self.diff, "GET"),
            route("/api/worklets/{name}/promote", self.promote, "POST"),
            route("/api/worklets/{name}/rollback", self.rollback, "POST"),
        ]

    async def list(self, request: Request) -> Response:
        """Every version, newest first."""
        await self._guard(request, Role.viewer, "see worklets")
        found = await asyncio.to_thread(self._versions.all, request.path_params["name"])
        return json_response({"versions": found})

    async def show(self, request: Request) -> Response:
        """One version with its graph."""
        await self._guard(request, Role.viewer, "see worklets")
        name, text = request.path_params["name"], request.path_params["version"]
        wanted = int(text) if text.isdecimal() and len(text) < 10 else 0
        row = await asyncio.to_thread(self._versions.one, name, wanted)
        known = {"created_by": row.created_by, "created_at": row.created_at, "draft": row.draft}
        return json_response({"name": name, "version": row.number, "graph": row.graph, **known})

    async def diff(self, request: Request) -> Response:
        """What differs from the version `before` to the version `after`, in the graph and in the source."""
        await self._guard(request, Role.builder, "read worklets' source")
        before = number(request, "before", 0, low=0, high=1 << 31)
        after = number(request, "after", 0, low=0, high=1 << 31)
        if not before or not after:
            raise BadInput("Say which two versions to compare, as ?before=1&after=2.")
        found = await asyncio.to_thread(self._versions.differences, request.path_params["name"], before, after)
        return json_response(found.as_dict())

    async def promote(self, request: Request) -> Response:
        """Let the version of the body's `version` answer."""
        await self._guard(request, Role.builder, "promote worklets")
        body = await read_json(request)
        version = body.get("version") if isinstance(body, dict) else None
        if not isinstance(version, int) or isinstance(version, bool):
            raise BadInput('Send the version to promote as {"version": 3}.')
        live = await asyncio.to_thread(self._registry.promote, request.path_params["name"], version)
        return json_response({"name": live.name, "version": live.version})

    async def rollback(self, request: Request) -> Response:
        """Let the version before the live one answer; drafts that never answered are passed over."""
        await self._guard(request, Role.builder, "roll worklets back")
        live = await asyncio.to_thread(self._registry.rollback, request.path_params["name"])
        return json_response({"name": live.name, "version": live.version})
