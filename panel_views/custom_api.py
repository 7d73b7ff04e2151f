"""The HTTP routes of the components that authors write."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..connectors.access import Role
from ..connectors.store import Store
from ..connectors.web import Guard, json_response, read_json
from . import custom

# The script and the schema, with room for the escapes of JSON.
MAX_BODY = 2_000_000


def routes(store: Store, guard: Guard) -> list[BaseRoute]:
    """The routes below /api/views/custom. They raise WorkletsError."""
    handlers = _Custom(store, guard)
    return [
        Route("/api/views/custom", handlers.list, methods=["GET"]),
        Route("/api/views/custom", handlers.push, methods=["POST"]),
        Route("/api/views/custom/{name}", handlers.read, methods=["GET"]),
        Route("/api/views/custom/{name}", handlers.remove, methods=["DELETE"]),
    ]


class _Custom:
    def __init__(self, store: Store, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    async def list(self, request: Request) -> Response:
        await self._guard(request, Role.viewer, "list components")
        return json_response({"components": await asyncio.to_thread(custom.listed, self._store)})

    async def push(self, request: Request) -> Response:
        principal = await self._guard(request, Role.builder, "push a component")
        value = await read_json(request, MAX_BODY)
        definition, number = await asyncio.to_thread(custom.push, self._store, value, principal)
        return json_response({"name": definition.name, "version": number, "hash": definition.hash}, status=201)

    async def read(self, request: Request) -> Response:
        await self._guard(request, Role.viewer, "read components")
        found = await asyncio.to_thread(custom.definition_of, self._store, request.path_params["name"])
        return json_response(found.to_json())

    async def remove(self, request: Request) -> Response:
        await self._guard(request, Role.builder, "remove a component")
        name = request.path_params["name"]
        await asyncio.to_thread(custom.remove, self._store, name)
        return json_response({})
