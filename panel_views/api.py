"""The HTTP routes of views: list, read, publish, and the document's schema."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..connectors.access import Principal, Role
from ..connectors.errors import NotFound
from ..connectors.outgoing import Outgoing
from ..connectors.secrets import Secrets
from ..connectors.store import Store
from ..connectors.tables import ViewVersion
from ..connectors.web import Guard, json_response, read_json
from . import asked_api, custom_api, drafts_api
from .checks import parse
from .components.kinds import KINDS
from .document import BINDING_TAGS, json_schema
from .frames import FrameOrigins
from .publishing import may_open, publish, published, views_for

MAX_DOCUMENT_BYTES = 2_000_000


def routes(
    store: Store,
    guard: Guard,
    frames: FrameOrigins | None = None,
    outgoing: Outgoing | None = None,
    secrets: Secrets | None = None,
) -> list[BaseRoute]:
    """The routes below /api/views. They raise WorkletsError, which the app answers as problem documents.

    Args:
        store, guard: where views are, and who may ask.
        frames: the sites that frames of views may show; by default none.
        outgoing, secrets: for the APIs of views that other programs serve.
    """
    frames = frames or FrameOrigins()
    handlers = _Views(store, guard, frames)
    return [
        Route("/api/views", handlers.list, methods=["GET"]),
        Route("/api/views", handlers.publish, methods=["POST"]),
        Route("/api/views/schema", handlers.schema, methods=["GET"]),
        Route("/api/views/components", handlers.components, methods=["GET"]),
        *custom_api.routes(store, guard),
        *drafts_api.routes(store, guard, frames),
        *asked_api.routes(store, guard, outgoing, secrets),
        Route("/api/views/{slug}", handlers.read, methods=["GET"]),
    ]


class _Views:
    def __init__(self, store: Store, guard: Guard, frames: FrameOrigins) -> None:
        self._frames = frames
        self._store = store
        self._guard = guard

    async def list(self, request: Request) -> Response:
        principal = await self._guard(request, Role.viewer, "list views")
        return json_response({"views": await asyncio.to_thread(views_for, self._store, principal)})

    async def read(self, request: Request) -> Response:
        principal = await self._guard(request, Role.viewer, "read views")
        slug = request.path_params["slug"]
        document = await asyncio.to_thread(published, self._store, slug)
        if not may_open(document, principal):
            raise NotFound(f"There is no view {slug[:64]!r}.")
        return json_response(document.to_json())

    async def publish(self, request: Request) -> Response:
        principal = await self._guard(request, Role.builder, "publish a view")
        value = await read_json(request, MAX_DOCUMENT_BYTES)
        version = await asyncio.to_thread(self._publish, value, principal)
        answer = {"slug": version.view_slug, "version": version.number, "address": f"/views/{version.view_slug}"}
        return json_response(answer, status=201)

    def _publish(self, value: Any, principal: Principal) -> ViewVersion:
        document = parse(value)
        self._frames.check(document)
        return publish(self._store, document, principal.id, by_name=principal.name)

    async def schema(self, request: Request) -> Response:
        await self._guard(request, Role.viewer, "read the schema")
        # The builder tells bindings apart as documents do.
        return json_response({**json_schema(), "x-binding-tags": BINDING_TAGS})

    async def components(self, request: Request) -> Response:
        await self._guard(request, Role.viewer, "list components")
        return json_response({"components": [_described(name) for name in sorted(KINDS)]})


def _described(name: str) -> dict[str, object]:
    kind = KINDS[name]
    return {
        "type": kind.name,
        "title": kind.title,
        "category": kind.category,
        "about": kind.about,
        "properties": kind.properties.model_json_schema(),
        "values": sorted(kind.values),
        "events": sorted(kind.events),
        "size": list(kind.size),
        "container": kind.container,
        "holds": kind.holds,
        "thumbnail": kind.thumbnail,
    }
