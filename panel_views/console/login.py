"""Signing in by password, by a one-time link or by an invitation, and out again.

Opening a link only shows a form: programs that fetch links for a preview must not use it up.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ...connectors.access import Principal
from ...connectors.errors import BadInput, NotSignedIn, WorkletsError
from ...connectors.passwords import SHORTEST, Passwords
from ...connectors.web import (
    SESSION_COOKIE,
    check_same_origin,
    clear_session_cookie,
    read_body,
    set_session_cookie,
)
from .links import local_path
from .rendering import HEADERS
from .site import Site

_FORM_LIMIT = 20_000


def login_routes(site: Site, passwords: Passwords) -> list[BaseRoute]:
    """/login, /login/{token}, /invitation/{token} and /logout."""
    pages, invitations = _Login(site, passwords), _Invitations(site, passwords)
    return [
        Route("/login", pages.explain, methods=["GET"]),
        Route("/login", pages.sign_in, methods=["POST"]),
        Route("/login/{token}", pages.offer, methods=["GET"]),
        Route("/login/{token}", pages.redeem, methods=["POST"]),
        Route("/invitation/{token}", invitations.show, methods=["GET"]),
        Route("/invitation/{token}", invitations.accept, methods=["POST"]),
        Route("/logout", pages.sign_out, methods=["POST"]),
    ]


class _Login:
    def __init__(self, site: Site, passwords: Passwords) -> None:
        self._site = site
        self._passwords = passwords

    async def explain(self, request: Request) -> Response:
        target = local_path(request.query_params.get("next"))
        if await self._visitor(request) is not None:
            return RedirectResponse(target, 303, headers=dict(HEADERS))
        return await self._page(target)

    async def sign_in(self, request: Request) -> Response:
        target = local_path(request.query_params.get("next"))
        name = ""
        try:
            # Another site must not sign a browser in either: what is typed then would go to its account.
            check_same_origin(request)
            form = await read_form(request)
            name = form.get("name", "").strip()
            address = request.client.host if request.client else "unknown"
            session = await asyncio.to_thread(self._passwords.sign_in, name, form.get("password", ""), address)
        except WorkletsError as error:
            return await self._page(target, error, name)
        return signed_in(request, session, target)

    async def offer(self, request: Request) -> Response:
        visitor = await self._visitor(request)
        context = {
            "token": request.path_params["token"],
            "target": local_path(request.query_params.get("next")),
            # Someone who is signed in is asked: a link from elsewhere must not change who they are unnoticed.
            "visitor": visitor.name if visitor else None,
        }
        return await run_in_threadpool(self._site.renderer.page, "login_link.html", context)

    async def redeem(self, request: Request) -> Response:
        access = self._site.guard.access
        target = local_path(request.query_params.get("next"))
        try:
            session = await asyncio.to_thread(access.redeem_login_link, request.path_params["token"])
        except NotSignedIn as error:
            return await self._page(target, error)
        return signed_in(request, session, target)

    async def sign_out(self, request: Request) -> Response:
        try:
            await self._site.guard.principal(request)
        except NotSignedIn:
            pass
        except WorkletsError as error:  # another site's page
            return self._site.error_page(error)
        token = request.cookies.get(SESSION_COOKIE)
        if token:
            await asyncio.to_thread(self._site.guard.access.end_session, token)
        answer = RedirectResponse("/login", 303, headers=dict(HEADERS))
        clear_session_cookie(answer)
        return answer

    async def _page(self, target: str, error: WorkletsError | None = None, name: str = "") -> Response:
        context = {"failed": error.detail if error else None, "target": target, "name": name}
        return await run_in_threadpool(self._site.renderer.page, "login.html", context, error.status if error else 200)

    async def _visitor(self, request: Request) -> Principal | None:
        try:
            return await self._site.guard.principal(request)
        except WorkletsError:
            return None


class _Invitations:
    """The page on which somebody sets their password, by a link that an admin gave them."""

    def __init__(self, site: Site, passwords: Passwords) -> None:
        self._site = site
        self._passwords = passwords

    async def show(self, request: Request) -> Response:
        return await self._page(request, None)

    async def accept(self, request: Request) -> Response:
        try:
            check_same_origin(request)
            form = await read_form(request)
            if form.get("password") != form.get("again"):
                raise BadInput("The two passwords are not the same; type them again.")
            token = request.path_params["token"]
            session = await asyncio.to_thread(self._passwords.accept, token, form.get("password", ""))
        except WorkletsError as error:
            return await self._page(request, error)
        return signed_in(request, session, "/console")

    async def _page(self, request: Request, error: WorkletsError | None) -> Response:
        try:
            user = await asyncio.to_thread(self._passwords.invited, request.path_params["token"])
        except NotSignedIn as gone:
            context = {"failed": gone.detail, "target": "/console", "name": ""}
            return await run_in_threadpool(self._site.renderer.page, "login.html", context, gone.status)
        context = {
            "failed": error.detail if error else "",
            "token": request.path_params["token"],
            "name": user.name,
            "shortest": str(SHORTEST),
        }
        status = error.status if error else 200
        return await run_in_threadpool(self._site.renderer.page, "invitation.html", context, status)


def signed_in(request: Request, session: str, target: str) -> Response:
    """The way on, with the session's cookie."""
    answer = RedirectResponse(target, 303, headers=dict(HEADERS))
    set_session_cookie(answer, request, session)
    return answer


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a plain form, the first of each name. Raises TooLarge, BadInput."""
    body = await read_body(request, _FORM_LIMIT)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise BadInput("The form can't be read.") from None
    return {name: values[0] for name, values in fields.items()}
