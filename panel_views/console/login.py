"""Signing in by a one-time link, and out again.

Opening the link only shows a form: programs that fetch links for a preview must not use it up.
"""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ...connectors.access import SESSION_LIFE, Principal
from ...connectors.errors import NotSignedIn, WorkletsError
from ...connectors.web import SESSION_COOKIE
from .links import local_path
from .rendering import HEADERS
from .site import Site


def login_routes(site: Site) -> list[BaseRoute]:
    """/login, /login/{token} and /logout."""
    pages = _Login(site)
    return [
        Route("/login", pages.explain, methods=["GET"]),
        Route("/login/{token}", pages.offer, methods=["GET"]),
        Route("/login/{token}", pages.redeem, methods=["POST"]),
        Route("/logout", pages.sign_out, methods=["POST"]),
    ]


class _Login:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def explain(self, request: Request) -> Response:
        target = local_path(request.query_params.get("next"))
        if await self._visitor(request) is not None:
            return RedirectResponse(target, 303, headers=dict(HEADERS))
        return await run_in_threadpool(self._site.renderer.page, "login.html", {"failed": None, "target": target})

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
            context = {"failed": error.detail, "target": target}
            return await run_in_threadpool(self._site.renderer.page, "login.html", context, 401)
        answer = RedirectResponse(target, 303, headers=dict(HEADERS))
        answer.set_cookie(
            SESSION_COOKIE,
            session,
            max_age=int(SESSION_LIFE.total_seconds()),
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return answer

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
        answer.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
        return answer

    async def _visitor(self, request: Request) -> Principal | None:
        try:
            return await self._site.guard.principal(request)
        except WorkletsError:
            return None
