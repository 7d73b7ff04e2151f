"""The routes by which builders share a view: who may look, and links for anyone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..connectors.access import Principal, Role
from ..connectors.errors import BadInput, Fault, NotFound
from ..connectors.shares import Shares
from ..connectors.store import Store
from ..connectors.tables import Share, now
from ..connectors.web import Guard, json_response, read_json
from .document import ViewAccess, ViewDocument
from .publishing import change_access, may_open, published


class NewShare(BaseModel):
    """The body of POST /api/views/{slug}/shares."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[float, Field(gt=0, le=366)] | None = None
    password: str | None = None
    label: str = ""


def shares_routes(store: Store, guard: Guard, shares: Shares, origin: str) -> list[BaseRoute]:
    """The routes below /api/views/{slug}. They raise WorkletsError, which the app answers as problem documents."""
    handlers = _Shares(store, guard, shares, origin.rstrip("/"))
    return [
        Route("/api/views/{slug}/access", handlers.read_access, methods=["GET"]),
        Route("/api/views/{slug}/access", handlers.change_access, methods=["PUT"]),
        Route("/api/views/{slug}/shares", handlers.list, methods=["GET"]),
        Route("/api/views/{slug}/shares", handlers.create, methods=["POST"]),
        Route("/api/views/{slug}/shares/{id}", handlers.revoke, methods=["DELETE"]),
    ]


class _Shares:
    def __init__(self, store: Store, guard: Guard, shares: Shares, origin: str) -> None:
        self._store = store
        self._guard = guard
        self._shares = shares
        self._origin = origin

    async def read_access(self, request: Request) -> Response:
        _, document = await self._builder(request, "see how views are shared")
        return json_response(document.access.model_dump(mode="json"))

    async def change_access(self, request: Request) -> Response:
        principal, document = await self._builder(request, "share views")
        try:
            access = ViewAccess.model_validate(await read_json(request, 100_000))
        except ValidationError as error:
            faults = [Fault(tuple(each["loc"]), each["msg"], each["type"]) for each in error.errors()]
            raise BadInput("This does not say who may look.", faults=faults) from None
        if access.private and principal.role < Role.admin and principal.name not in access.users:
            # Whoever makes a view private must not shut themselves out.
            access = access.model_copy(update={"users": [*access.users, principal.name]})
        version = await asyncio.to_thread(
            lambda: change_access(self._store, document.slug, access, principal.id, by_name=principal.name)
        )
        return json_response({**access.model_dump(mode="json"), "version": version.number})

    async def list(self, request: Request) -> Response:
        _, document = await self._builder(request, "see how views are shared")
        found = await asyncio.to_thread(self._shares.of_view, document.slug)
        return json_response({"shares": [self._told(share) for share in found]})

    async def create(self, request: Request) -> Response:
        principal, document = await self._builder(request, "share views")
        try:
            body = NewShare.model_validate(await read_json(request, 10_000) or {})
        except ValidationError as error:
            faults = [Fault(tuple(each["loc"]), each["msg"], each["type"]) for each in error.errors()]
            raise BadInput("The body does not fit.", faults=faults) from None
        life = timedelta(days=body.days) if body.days is not None else None
        share, _ = await asyncio.to_thread(
            lambda: self._shares.create(
                document.slug, life=life, password=body.password or None, label=body.label, by=principal.id
            )
        )
        return json_response(self._told(share), 201)

    async def revoke(self, request: Request) -> Response:
        _, document = await self._builder(request, "end links")
        await asyncio.to_thread(self._shares.revoke, document.slug, request.path_params["id"])
        return Response(status_code=204)

    async def _builder(self, request: Request, doing: str) -> tuple[Principal, ViewDocument]:
        """The caller, who may share the view, and the view. Raises NotAllowed, NotFound."""
        principal = await self._guard(request, Role.builder, doing)
        slug = request.path_params["slug"]
        document = await asyncio.to_thread(published, self._store, slug)
        if not may_open(document, principal):
            raise NotFound(f"There is no view {slug[:64]!r}.")
        return principal, document

    def _told(self, share: Share) -> dict[str, Any]:
        return share_told(share, self._shares, self._origin)


def share_told(share: Share, shares: Shares, origin: str) -> dict[str, Any]:
    """A link as the API, the console and the command line tell of it. One that has ended is told without address."""
    ended = share.revoked_at is not None or (share.expires_at is not None and share.expires_at <= now())
    token = None if ended else shares.token(share.id)
    return {
        "id": share.id,
        "view": share.view_slug,
        "label": share.label,
        "password": share.password_hash is not None,
        "created_at": share.created_at,
        "created_by": share.created_by,
        "expires_at": share.expires_at,
        "revoked_at": share.revoked_at,
        "token": token,
        "url": f"{origin}/share/{token}" if token else None,
    }
