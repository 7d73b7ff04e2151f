"""/share/{token} and /embed/{slug}: the doors by which visitors without an account come to a view.

Behind a door stands the views process: a request goes on to it as one for /views/{slug}, with the visitor's ticket.
Nothing of it needs a cookie, which in a frame of another site no browser sends: the page's signed token has the ticket,
so that its websocket is known, and so have the addresses of its files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..connectors.access import Access
from ..connectors.errors import NotAllowed, WorkletsError
from ..connectors.limits import RateLimit
from ..connectors.shares import Shares
from ..connectors.store import Store
from ..connectors.tables import Share
from ..connectors.web import EMBED_HEADER, SESSION_COOKIE, TICKET_HEADER
from .branding import OUR_BRAND, Brand
from .console.assets import Assets
from .console.login import read_form
from .console.rendering import HEADERS, Renderer
from .publishing import may_open, published

COOKIE = "worklets_ticket"
# What Panel's pages name relative to themselves; the same for every view.
_RELATIVE = ("static", "components")
# Of the query, not for the view.
_OURS = frozenset({"token", "visitor"})
_COOKIE_SECONDS = 180 * 86_400


def share_routes(
    store: Store, access: Access, shares: Shares, views: ASGIApp, brand: Brand = OUR_BRAND
) -> list[BaseRoute]:
    """The routes, open to all: the link decides.

    Args:
        store: where views are.
        access: knows those who are signed in, for a frame on the same site.
        shares: the links.
        views: passes requests below /views on to the views process.
        brand: name, colour and logo of the small pages before a view.
    """
    doors = _Doors(store, access, shares, views, brand)
    return [
        Mount("/share", app=_below("/share/", doors.by_link, doors)),
        Route("/embed.js", doors.script, methods=["GET"]),
        Mount("/embed", app=_below("/embed/", doors.in_frame, doors)),
    ]


Enter = Callable[[Request, str, str], Awaitable[ASGIApp]]


def _below(prefix: str, enter: Enter, doors: _Doors) -> ASGIApp:
    """An ASGI app for every address below a prefix: what comes first there names the link or the view."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        first, _, rest = scope["path"].removeprefix(prefix).partition("/")
        try:
            if scope["type"] == "websocket":
                # The token in its head says whose it is: it is the page's own, and signed.
                slug = first if prefix == "/embed/" else await doors.slug_of(first)
                app = doors.views_at(f"/views/{slug}/{rest}")
            elif first in _RELATIVE:
                app = doors.views_at(f"/views/{first}/{rest}")
            else:
                app = await enter(Request(scope, receive), first, rest)
        except WorkletsError as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": error.title})
                return
            app = await doors.refusal(error)
        await app(scope, receive, send)

    return answer


class _Doors:
    def __init__(self, store: Store, access: Access, shares: Shares, views: ASGIApp, brand: Brand) -> None:
        self._store = store
        self._access = access
        self._shares = shares
        self._views = views
        self._renderer = Renderer(Assets(brand), brand)
        self._script = (Path(__file__).parent / "components" / "embed.js").read_bytes()
        self._of_address = RateLimit(60, 60, "visits from your address")
        self._of_link = RateLimit(600, 300, "visits by this link")

    async def slug_of(self, token: str) -> str:
        """The view that a link leads to. Raises NotFound."""
        return (await asyncio.to_thread(self._shares.find, token)).view_slug

    # --- /share/{token} ---------------------------------------------------------------------------------

    async def by_link(self, request: Request, token: str, rest: str) -> ASGIApp:
        """The view itself, or the page that asks for the link's password."""
        share = await asyncio.to_thread(self._shares.find, token)
        earlier = request.cookies.get(COOKIE, "")
        if request.method == "POST":
            wrong = await self._wrong_password(request, share)
            if wrong is not None:
                return await self._password_page(request.url.path, wrong=wrong)
            answer = RedirectResponse(request.url.path, 303, headers=dict(HEADERS))
            self._give_cookie(answer.headers, request, token, self._shares.ticket(share.view_slug, share, earlier))
            return answer
        if share.password_hash is not None and not self._shares.opened_by(share, earlier):
            return await self._password_page(request.url.path)
        self._count(request, share.id)
        ticket = self._shares.ticket(share.view_slug, share, earlier)

        def keep(headers: MutableHeaders) -> None:
            self._give_cookie(headers, request, token, ticket)

        path = "/views/" + "/".join(part for part in (share.view_slug, rest) if part)
        return self.views_at(path, {TICKET_HEADER: ticket}, keep)

    def _give_cookie(self, headers: MutableHeaders, request: Request, token: str, ticket: str) -> None:
        # For this link's own address alone: it opens nothing else, and two links are two visitors.
        response = Response()
        response.set_cookie(
            COOKIE,
            ticket,
            max_age=_COOKIE_SECONDS,
            path=f"/share/{token}",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        headers.append("set-cookie", response.headers["set-cookie"])

    async def script(self, _request: Request) -> Response:
        """The script by which another site's page shows a view; it is the same for all, and secret to nobody."""
        headers = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
        headers["cross-origin-resource-policy"] = "cross-origin"
        return Response(self._script, headers=headers, media_type="text/javascript")

    # --- /embed/{slug} ----------------------------------------------------------------------------------

    async def in_frame(self, request: Request, slug: str, rest: str) -> ASGIApp:
        """The view for a frame: by a link's token, or by itself where the visitor may open it anyway."""
        document = await asyncio.to_thread(published, self._store, slug)
        frame = {"content-security-policy": _framed(document.access.origins)}
        path = "/views/" + "/".join(part for part in (slug, rest) if part)
        token, earlier = request.query_params.get("token", ""), request.query_params.get("visitor", "")
        try:
            if not token:
                return await self._without_link(request, slug, path, earlier)
            share = await asyncio.to_thread(self._shares.find, token, slug)
            if request.method == "POST":
                wrong = await self._wrong_password(request, share)
                if wrong is not None:
                    return await self._password_page(f"{request.url.path}?{request.url.query}", frame, wrong)
                ticket = self._shares.ticket(slug, share, earlier)
                query = request.url.remove_query_params("visitor").include_query_params(visitor=ticket)
                return RedirectResponse(f"{query.path}?{query.query}", 303, headers={**HEADERS, **frame})
            if share.password_hash is not None and not self._shares.opened_by(share, earlier):
                return await self._password_page(f"{request.url.path}?{request.url.query}", frame)
            self._count(request, share.id)
            return self._framed_view(path, self._shares.ticket(slug, share, earlier))
        except WorkletsError as error:
            return await self.refusal(error, frame)

    async def _without_link(self, request: Request, slug: str, path: str, earlier: str) -> ASGIApp:
        document = await asyncio.to_thread(published, self._store, slug)
        if document.access.public:
            self._count(request, f"public {slug}")
            return self._framed_view(path, self._shares.ticket(slug, None, earlier))
        session = request.cookies.get(SESSION_COOKIE, "")
        principal = await asyncio.to_thread(self._access.by_session, session) if session else None
        if not may_open(document, principal):
            raise NotAllowed("This page needs a link to be shown here: `worklets views share` makes one.")
        return self.views_at(path, {EMBED_HEADER: "1"})

    def _framed_view(self, path: str, ticket: str) -> ASGIApp:
        return self.views_at(path, {TICKET_HEADER: ticket, EMBED_HEADER: "1"})

    # --- both -------------------------------------------------------------------------------------------

    def views_at(
        self,
        path: str,
        more: Mapping[str, str] | None = None,
        change: Callable[[MutableHeaders], None] | None = None,
    ) -> ASGIApp:
        """The views process at a path, with more headers on the way there and others on the way back."""

        async def go_on(scope: Scope, receive: Receive, send: Send) -> None:
            named = {name.encode() for name in (TICKET_HEADER, EMBED_HEADER)}
            headers = [pair for pair in scope["headers"] if pair[0] not in named]
            headers += [(name.encode(), value.encode()) for name, value in (more or {}).items()]
            asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            query = urlencode([pair for pair in asked if pair[0] not in _OURS]).encode()

            async def back(message: Message) -> None:
                if change is not None and message["type"] == "http.response.start":
                    change(MutableHeaders(scope=message))
                await send(message)

            onward = {"path": path, "raw_path": quote(path).encode(), "headers": headers, "query_string": query}
            await self._views({**scope, **onward}, receive, back)

        return go_on

    async def _wrong_password(self, request: Request, share: Share) -> WorkletsError | None:
        """What is wrong with the password that was sent; None if it is the link's."""
        address = request.client.host if request.client else "unknown"
        try:
            password = (await read_form(request)).get("password", "")
            await asyncio.to_thread(self._shares.check_password, share, password, address)
        except WorkletsError as error:
            return error
        return None

    def _count(self, request: Request, link: str) -> None:
        self._of_address.take(request.client.host if request.client else "unknown")
        self._of_link.take(link)

    async def _password_page(
        self, action: str, headers: Mapping[str, str] | None = None, wrong: WorkletsError | None = None
    ) -> Response:
        context = {"action": action, "failed": wrong.detail if wrong else ""}
        return await self._page("share_password.html", context, wrong.status if wrong else 200, headers)

    async def refusal(self, error: WorkletsError, headers: Mapping[str, str] | None = None) -> Response:
        """The page that says why not."""
        context = {"title": error.title, "detail": error.detail}
        return await self._page("share_refused.html", context, error.status, headers)

    async def _page(
        self, template: str, context: Mapping[str, str], status: int, headers: Mapping[str, str] | None
    ) -> Response:
        page = await run_in_threadpool(self._renderer.page, template, context, status)
        if headers is not None:  # in a frame
            del page.headers["x-frame-options"]
            page.headers.update(headers)
        return page


def _framed(origins: list[str]) -> str:
    """The policy of our own small pages in a frame."""
    policy = str(HEADERS["content-security-policy"])
    return policy.replace("frame-ancestors 'none'", " ".join(["frame-ancestors 'self'", *origins]))
