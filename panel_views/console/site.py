"""What every page of the console shares: who visits, how a page is made in a thread, and the pages for errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ...connectors.access import Principal, Role
from ...connectors.errors import NotFound, NotSignedIn, WorkletsError
from ...connectors.passwords import Passwords
from ...connectors.shares import Shares
from ...connectors.store import Store
from ...connectors.web import Guard
from ...flows.journal import RunRecord
from ...flows.run_nodes import RunNodes
from .links import ConsoleLinks
from .queries import ConsoleQueries
from .rendering import HEADERS, Renderer

logger = logging.getLogger(__name__)
_HINTS = {
    401: "Sign in to go on.",
    403: "Ask an admin of this instance if you should be able to.",
    404: "It may have been renamed or deleted, or the address has a slip.",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One request by somebody who may see the console."""

    request: Request
    principal: Principal

    def path(self, name: str) -> str:
        """A part of the address."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str:
        """A parameter of the query, empty if missing."""
        return self.request.query_params.get(name, "").strip()

    @property
    def sees_only(self) -> str | None:
        """Whose runs the visitor sees: None is everybody's, which whoever may push code sees. As in /api/runs."""
        return None if self.principal.role >= Role.builder else self.principal.id

    def may(self, role: Role) -> bool:
        """Whether the visitor has at least that role."""
        return self.principal.role >= role


Page = Callable[["Site", Visit], Response]


@dataclass(frozen=True)
class Site:
    """The parts that pages are made of."""

    guard: Guard
    queries: ConsoleQueries
    renderer: Renderer
    passwords: Passwords
    shares: Shares
    store: Store
    links: ConsoleLinks
    recorder_file: Path
    recent_run: Callable[[str], RunRecord | None]
    worklet_problem: Callable[[str], str | None]
    model_lock: Callable[[Sequence[str]], Sequence[str]]
    nodes_of: Callable[[str], list[list[Any]] | None]
    run_nodes: RunNodes

    def render(self, visit: Visit, template: str, *, section: str = "", status: int = 200, **context: Any) -> Response:
        """A page with the frame around it."""
        return self.renderer.page(template, self._frame(visit, section) | context, status)

    def base_url(self, visit: Visit) -> str:
        """The address of this instance, for snippets."""
        return (self.links.public_url or str(visit.request.base_url)).rstrip("/")

    def _frame(self, visit: Visit, section: str) -> dict[str, Any]:
        return {
            "principal": visit.principal,
            "role": visit.principal.role.name,
            "section": section,
            "prefect": self.links.prefect,
            "path": visit.request.url.path,
        }

    def page(self, make: Page) -> Callable[[Request], Awaitable[Response]]:
        """A blocking function of (site, visit) as an endpoint: it runs in a thread, for signed-in viewers only."""

        async def answer(request: Request) -> Response:
            try:
                principal = await self.guard(request, Role.viewer, "see the console")
            except NotSignedIn:
                return RedirectResponse(login_address(request), 303, headers=dict(HEADERS))
            except WorkletsError as error:
                return self.error_page(error)
            visit = Visit(request, principal)
            try:
                return await asyncio.to_thread(make, self, visit)
            except WorkletsError as error:
                return self.error_page(error, visit)
            except Exception:
                logger.exception("The page %s failed", request.url.path)
                failure = WorkletsError("This page could not be made; the server's log says why.")
                return self.error_page(failure, visit)

        return answer

    def error_page(self, error: WorkletsError, visit: Visit | None = None) -> Response:
        """An error for people. Tells what the error says of itself and never a traceback."""
        frame = self._frame(visit, "") if visit else {"principal": None, "section": "", "prefect": None}
        hint = _HINTS.get(error.status, "")
        context = {"status": error.status, "title": error.title, "detail": error.detail, "hint": hint}
        return self.renderer.page("error.html", frame | context, error.status)


def nothing_here(_site: Site, visit: Visit) -> Response:
    """The answer for every other address below /console."""
    path = visit.request.url.path
    if path.endswith("/") and len(path) > 1:
        return RedirectResponse(path.rstrip("/") or "/console", 307)
    raise NotFound(f"There is no page {path}.")


def login_address(request: Request) -> str:
    """The login page that leads back to the page asked for."""
    path = request.url.path
    if request.url.query:
        path += "?" + request.url.query
    return "/login?" + urlencode({"next": path})
