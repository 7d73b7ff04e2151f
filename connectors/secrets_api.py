"""The HTTP routes of secrets: below /api/secrets. A value goes in and never comes out."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .access import Role
from .errors import BadInput
from .secrets import SecretInfo, Secrets
from .web import Guard, json_response, read_json


def secrets_routes(guard: Guard, secrets: Secrets) -> list[BaseRoute]:
    """The routes. Builders may use them: the code that they push can read every secret anyway."""

    async def list_secrets(request: Request) -> Response:
        await guard(request, Role.builder, "see which secrets there are")
        return json_response({"secrets": [_shown(each) for each in await asyncio.to_thread(secrets.all)]})

    async def set_secret(request: Request) -> Response:
        principal = await guard(request, Role.builder, "set secrets")
        body = await read_json(request)
        if not isinstance(body, dict) or set(body) != {"value"} or not isinstance(body["value"], str):
            raise BadInput('Send {"value": "..."}.')
        name = request.path_params["name"]
        await asyncio.to_thread(secrets.set, name, body["value"], principal.name)
        return Response(status_code=204)

    async def remove_secret(request: Request) -> Response:
        await guard(request, Role.builder, "remove secrets")
        await asyncio.to_thread(secrets.remove, request.path_params["name"])
        return Response(status_code=204)

    return [
        Route("/api/secrets", list_secrets, methods=["GET"]),
        Route("/api/secrets/{name}", set_secret, methods=["PUT"]),
        Route("/api/secrets/{name}", remove_secret, methods=["DELETE"]),
    ]


def _shown(secret: SecretInfo) -> dict[str, Any]:
    return secret._asdict()
