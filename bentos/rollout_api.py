"""`/api/models/{name}/traffic`: who answers besides the live version."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..connectors.access import Role
from ..connectors.errors import BadInput
from ..connectors.responses import Handler, answering
from ..connectors.web import Guard, json_response, read_json
from .rollout import Rollouts


def routes(rollouts: Rollouts, guard: Guard) -> list[BaseRoute]:
    """The routes of traffic."""

    async def show(request: Request) -> Response:
        """The rule, each version's share and count, and what the shadow has seen."""
        await guard(request, Role.viewer, "see models")
        return json_response(await rollouts.show(request.path_params["name"]))

    async def put(request: Request) -> Response:
        """`{"split"?: {version: percent}, "shadow"?: {"version", "sample"?, "tolerance"?} or null}`."""
        await guard(request, Role.builder, "share out the requests of models")
        return json_response(await rollouts.set(request.path_params["name"], await read_json(request)))

    async def clear(request: Request) -> Response:
        """Give all requests back to the live version."""
        await guard(request, Role.builder, "share out the requests of models")
        return json_response(await rollouts.clear(request.path_params["name"]))

    async def differences(request: Request) -> Response:
        """What the shadow answered otherwise, newest first; `?limit=`. With the inputs, so for builders."""
        await guard(request, Role.builder, "see what callers sent to models")
        given = request.query_params.get("limit", "50")
        if not given.isdigit() or not 1 <= int(given) <= 200:
            raise BadInput(f"limit is {given[:20]!r}; it is a number from 1 to 200.")
        found = await asyncio.to_thread(rollouts.differences, request.path_params["name"], int(given))
        return json_response({"differences": found})

    path = "/api/models/{name}/traffic"
    table: list[tuple[str, str, Handler]] = [
        ("GET", path, show),
        ("PUT", path, put),
        ("DELETE", path, clear),
        ("GET", path + "/differences", differences),
    ]
    return [Route(path, answering(handler), methods=[method]) for method, path, handler in table]
