"""The HTTP routes of drafts and versions of views. Only builders may call them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..connectors.access import Principal, Role
from ..connectors.errors import BadInput, Fault
from ..connectors.store import Store
from ..connectors.web import Guard, json_response, read_json
from .drafts import Changed, Drafts, edit_address
from .frames import FrameOrigins
from .operations import read_operations
from .pieces import PIECES, piece_operations
from .presence import here, leave
from .publishing import version_document, versions_of
from .sources import sources
from .templates import new_document
from .wording import diff

MAX_BODY = 2_000_000
MAX_OPERATIONS = 500


def routes(store: Store, guard: Guard, frames: FrameOrigins) -> list[BaseRoute]:
    """The routes of drafts below /api/views/{slug}. They raise WorkletsError."""
    drafts = _DraftRoutes(store, guard, frames)
    return [
        Route("/api/views/drafts", drafts.unpublished, methods=["GET"]),
        Route("/api/views/drafts", drafts.create, methods=["POST"]),
        Route("/api/views/sources", drafts.sources, methods=["GET"]),
        Route("/api/views/{slug}/draft", drafts.read, methods=["GET"]),
        Route("/api/views/{slug}/draft", drafts.replace, methods=["PUT"]),
        Route("/api/views/{slug}/draft", drafts.discard, methods=["DELETE"]),
        Route("/api/views/{slug}/draft/operations", drafts.change, methods=["POST"]),
        Route("/api/views/{slug}/draft/changes", drafts.changes, methods=["GET"]),
        Route("/api/views/{slug}/draft/pieces", drafts.pieces, methods=["POST"]),
        Route("/api/views/{slug}/draft/publish", drafts.publish, methods=["POST"]),
        Route("/api/views/{slug}/draft/presence", drafts.presence, methods=["POST", "DELETE"]),
        Route("/api/views/{slug}/versions", drafts.versions, methods=["GET"]),
        Route("/api/views/{slug}/versions/{number}", drafts.version, methods=["GET"]),
        Route("/api/views/{slug}/diff", drafts.diff, methods=["GET"]),
        Route("/api/views/{slug}/rollback", drafts.roll_back, methods=["POST"]),
    ]


class _DraftRoutes:
    def __init__(self, store: Store, guard: Guard, frames: FrameOrigins) -> None:
        self._frames = frames
        self._store = store
        self._guard = guard
        self._drafts = Drafts(store)

    async def unpublished(self, request: Request) -> Response:
        await self._guard(request, Role.builder, "list drafts")
        return json_response({"drafts": await asyncio.to_thread(self._drafts.listed)})

    async def create(self, request: Request) -> Response:
        principal, body = await self._body(request, "make a view")
        document = body.get("document")
        if document is None:
            document = await asyncio.to_thread(self._new, body)
        if not isinstance(document, dict):
            raise BadInput("`document` is the new view's document.", faults=[Fault(("document",), "is an object")])
        draft = await asyncio.to_thread(self._drafts.create, document, principal)
        return json_response({**draft.to_json(), "edit": edit_address(draft.slug)}, status=201)

    def _new(self, body: dict[str, Any]) -> dict[str, Any]:
        given = {name: str(body.get(name) or "") for name in ("slug", "worklet", "model", "table", "key", "write")}
        title = str(body.get("title") or given["worklet"] or given["model"] or "").strip()
        if not title:
            raise BadInput("A view needs a title.", faults=[Fault(("title",), "is needed")])
        return new_document(
            self._store,
            title,
            template=str(body.get("template") or "empty"),
            columns=body.get("columns") or "",
            **given,
        )

    async def sources(self, request: Request) -> Response:
        await self._guard(request, Role.builder, "list what views can show")
        return json_response(await asyncio.to_thread(sources, self._store))

    async def pieces(self, request: Request) -> Response:
        """The operations that connect something to the draft; the caller sends them as its own change."""
        _, body = await self._body(request, "change a view")
        return json_response({"operations": await asyncio.to_thread(self._pieces, _slug(request), body)})

    def _pieces(self, slug: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        document, page = self._drafts.read(slug).document, str(body.get("page"))
        y = _number(body, "y")
        named = [kind for kind in PIECES if body.get(kind)]
        if len(named) != 1:
            raise BadInput(f"Name one of {', '.join(f'`{kind}`' for kind in PIECES)}.")
        return piece_operations(self._store, document, page, y, kind=named[0], name=str(body[named[0]]))

    async def read(self, request: Request) -> Response:
        await self._guard(request, Role.builder, "read drafts")
        draft = await asyncio.to_thread(self._drafts.read, _slug(request))
        return json_response(draft.to_json())

    async def replace(self, request: Request) -> Response:
        principal, body = await self._body(request, "change a view")
        document = body.get("document")
        if not isinstance(document, dict) or document.get("slug") != _slug(request):
            raise BadInput(f"`document` is a view document with the slug {_slug(request)!r}.")
        base = _number(body, "base")
        made = await asyncio.to_thread(
            self._drafts.replace, document, base, principal, client=str(body.get("client", ""))
        )
        return json_response(_changed(made))

    async def discard(self, request: Request) -> Response:
        principal = await self._guard(request, Role.builder, "discard a draft")
        base = _number(request.query_params, "base")
        draft = await asyncio.to_thread(self._drafts.discard, _slug(request), base, principal)
        return json_response({"draft": draft.to_json() if draft is not None else None})

    async def change(self, request: Request) -> Response:
        principal, body = await self._body(request, "change a view")
        given = body.get("operations")
        if isinstance(given, list) and len(given) > MAX_OPERATIONS:
            raise BadInput(f"A request may make {MAX_OPERATIONS} changes and this one has {len(given)}.")
        operations = read_operations(given)
        base = _number(body, "base")
        client, clear = str(body.get("client", "")), body.get("clear") is True
        change = partial(self._drafts.change, client=client, clear=clear)
        made = await asyncio.to_thread(change, _slug(request), base, operations, principal)
        return json_response(_changed(made))

    async def changes(self, request: Request) -> Response:
        await self._guard(request, Role.builder, "read drafts")
        since = _number(request.query_params, "since")
        return json_response({"changes": await asyncio.to_thread(self._drafts.changes, _slug(request), since)})

    async def publish(self, request: Request) -> Response:
        principal, body = await self._body(request, "publish a view")
        over = _number(body, "over") if body.get("over") is not None else None
        note = str(body.get("note") or "")
        base = _number(body, "base")
        slug = _slug(request)
        self._frames.check((await asyncio.to_thread(self._drafts.read, slug)).document)
        version = await asyncio.to_thread(self._drafts.publish, slug, base, principal, note=note, over=over)
        return json_response(_published(version), status=201)

    async def presence(self, request: Request) -> Response:
        principal, body = await self._body(request, "edit views")
        client = body.get("client")
        if not isinstance(client, str) or not 8 <= len(client) <= 64:
            raise BadInput("`client` names the browser tab, in 8 to 64 letters.")
        if request.method == "DELETE":
            await asyncio.to_thread(leave, self._store, _slug(request), client)
            return json_response({})
        selected = str(body.get("selected") or "")
        return json_response(await asyncio.to_thread(here, self._store, _slug(request), client, principal, selected))

    async def versions(self, request: Request) -> Response:
        await self._guard(request, Role.builder, "list versions")
        return json_response({"versions": await asyncio.to_thread(versions_of, self._store, _slug(request))})

    async def version(self, request: Request) -> Response:
        await self._guard(request, Role.builder, "read versions")
        number = _number(request.path_params, "number")
        document = await asyncio.to_thread(version_document, self._store, _slug(request), number)
        return json_response(document.to_json())

    async def diff(self, request: Request) -> Response:
        await self._guard(request, Role.builder, "compare versions")
        slug, query = _slug(request), request.query_params
        sides = [query.get("from", "published"), query.get("to", "draft")]
        before, after = [await asyncio.to_thread(self._side, slug, side) for side in sides]
        return json_response({"from": sides[0], "to": sides[1], "changes": diff(before, after)})

    def _side(self, slug: str, side: str) -> Any:
        if side == "draft":
            return self._drafts.read(slug).document
        if side == "published":
            draft = self._drafts.read(slug)
            if draft.published is None:
                raise BadInput(f"The view {slug!r} has not been published yet, so there is nothing to compare with.")
            return version_document(self._store, slug, draft.published)
        if not side.isdecimal():
            raise BadInput(f"{side[:40]!r} is no version; write a number, `draft` or `published`.")
        return version_document(self._store, slug, int(side))

    async def roll_back(self, request: Request) -> Response:
        principal, body = await self._body(request, "roll a view back")
        number = _number(body, "to")
        version = await asyncio.to_thread(self._drafts.roll_back, _slug(request), number, principal)
        return json_response(_published(version), status=201)

    async def _body(self, request: Request, doing: str) -> tuple[Principal, dict[str, Any]]:
        principal = await self._guard(request, Role.builder, doing)
        body = await read_json(request, MAX_BODY)
        if not isinstance(body, dict):
            raise BadInput("The body is a JSON object.")
        return principal, body


def _slug(request: Request) -> str:
    return str(request.path_params["slug"])


def _number(holder: Any, name: str) -> int:
    value = holder.get(name)
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if type(value) is not int or value < 0:
        fault = Fault((name,), f"is a whole number, not {str(value)[:40]!r}")
        raise BadInput(f"`{name}` is needed: a whole number.", faults=[fault])
    return value


def _changed(made: Changed) -> dict[str, Any]:
    undo = [{**one.model_dump(mode="json", exclude_defaults=True, by_alias=True), "op": one.op} for one in made.undo]
    return {**made.draft.to_json(), "undo": undo, "also": made.also, "summary": made.summary}


def _published(version: Any) -> dict[str, Any]:
    return {"slug": version.view_slug, "version": version.number, "address": f"/views/{version.view_slug}"}
