"""What the HTTP routes of every room share: who is calling, and, from `responses`, bodies and answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from .access import SESSION_LIFE, Access, Principal, Role, require
from .errors import NotAllowed, NotSignedIn
from .limits import RateLimit
from .responses import json_response as json_response
from .responses import problem as problem
from .responses import problem_response as problem_response
from .responses import read_body as read_body
from .responses import read_json as read_json
from .shares import Shares

SESSION_COOKIE = "worklets_session"
# Set by this instance's own processes, with the internal key: the user they act for, or a visitor's ticket.
ON_BEHALF_HEADER = "x-worklets-user"
# From the app to the views: the ticket of a visitor by a link, and that the page stands in another site's frame. The
# ticket is signed, and the other changes only by whom a page may be framed, so neither is worth anything forged.
TICKET_HEADER = "x-worklets-ticket"
EMBED_HEADER = "x-worklets-embed"
_SCOPED_PATH = re.compile(r"/api/(worklet|model)s/([^/]+)(?:/|$)")
_OWN_PATH = re.compile(r"/api/(files|runs)(/|$)")
_TICKET_PATHS = ("/api/files", "/views/examples/")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Says who calls, and refuses whom a route does not admit.

    A caller is known by `Authorization: Bearer KEY`, by the session cookie, or by the instance's internal key
    together with the user it acts for. A cookie alone may change nothing from another site's page. Visitors by a
    link are known, for files only, by the ticket in the query: they have no account and, in a frame, no cookie.

    Args:
        access: users, sessions and keys.
        shares: knows visitors by their tickets; None knows none.
    """

    def __init__(self, access: Access, shares: Shares | None = None) -> None:
        self.access = access
        self.shares = shares
        self._guest_requests = RateLimit(600, 300, "requests for files")
        self._guest_uploads = RateLimit(30, 20, "uploads")

    async def __call__(self, request: HTTPConnection, role: Role, doing: str = "do this") -> Principal:
        """The caller. Raises NotSignedIn, NotAllowed."""
        principal = await self.principal(request)
        if principal.role < role:
            require(principal, role, doing)
        if principal.scopes is not None:
            check_scope(principal, request.scope["path"])
        return principal

    def is_from_views(self, request: HTTPConnection) -> bool:
        """Whether another process of this instance asks, on behalf of somebody."""
        return self.access.is_internal(request.headers.get("authorization", "")[7:].strip())

    async def principal(self, request: HTTPConnection) -> Principal:
        """Whoever calls. Raises NotSignedIn, NotAllowed (a cookie from another site's page)."""
        header = request.headers.get("authorization", "")
        if header[:7].lower() == "bearer ":
            return await self._by_bearer(header[7:].strip(), request)
        if self.shares is not None and request.scope["path"].startswith(_TICKET_PATHS):
            ticket = request.query_params.get("ticket")
            if ticket:
                return await self._by_ticket(self.shares, ticket, request.scope.get("method"))
        token = request.cookies.get(SESSION_COOKIE)
        if token:
            # A websocket has no method, and may be opened by any site's page with the cookie.
            if request.scope.get("method") not in _SAFE_METHODS:
                check_same_origin(request)
            found = self.access.cached("s:" + token)
            return found if found is not None else await asyncio.to_thread(self.access.by_session, token)
        raise NotSignedIn("Sign in, or send a key as `Authorization: Bearer KEY`.")

    async def _by_bearer(self, key: str, request: HTTPConnection) -> Principal:
        found = self.access.cached("k:" + key)
        if found is not None:
            return found
        if self.access.is_internal(key):
            user = request.headers.get(ON_BEHALF_HEADER)
            if user and "." in user and self.shares is not None:
                guest = await asyncio.to_thread(self.shares.guest, user)
                return replace(guest.principal, scopes=None)
            if user:
                return await asyncio.to_thread(self.access.by_user, user)
            return Principal("internal", "internal", Role.admin)
        return await asyncio.to_thread(self.access.by_key, key)

    async def _by_ticket(self, shares: Shares, ticket: str, method: str | None) -> Principal:
        guest = await asyncio.to_thread(shares.guest, ticket)
        self._guest_requests.take(guest.principal.id)
        if method not in _SAFE_METHODS:
            self._guest_uploads.take(guest.principal.id)
            self._guest_uploads.take(guest.share)
        return guest.principal


def check_scope(principal: Principal, path: str) -> None:
    """Raise NotAllowed unless a caller who may reach some worklets or models only may ask for this path.

    Beside the routes of what its scopes name it may keep and read files of its own, and read its own runs.
    """
    scopes = principal.scopes or frozenset()
    found = _SCOPED_PATH.match(path)
    if found is None:
        allowed = _OWN_PATH.match(path) is not None
    else:
        allowed = f"{found[1]}:{found[2].partition('@')[0]}" in scopes
    if not allowed:
        raise NotAllowed(f"{principal.name} may reach {', '.join(sorted(scopes)) or 'nothing'} alone.")


def check_same_origin(request: HTTPConnection) -> None:
    """Raise NotAllowed when another site's page sent this request. A program, which says no site, passes."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site in ("same-origin", "none"):
            return
    else:
        origin = request.headers.get("origin")
        if origin is None:
            return
        host = urlsplit(origin).netloc
        if host and host == request.headers.get("host"):
            return
    raise NotAllowed("A page of another site may not do this with your session.")


def set_session_cookie(response: Response, request: HTTPConnection, token: str) -> None:
    """Sign the browser in with a session's token (`Access.redeem_login_link`)."""
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(SESSION_LIFE.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def clear_session_cookie(response: Response) -> None:
    """Make the browser forget its session; end it in the store as well."""
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")


Handler = Callable[[Request], Awaitable[Response]]
