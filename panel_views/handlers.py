"""The requests that the views process answers: pages, websockets, scripts, and no module of a stranger's choice."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import panel
from bokeh.server.urls import per_app_patterns
from bokeh.util.token import get_token_payload
from jinja2 import Environment, FileSystemLoader, select_autoescape
from panel.io import document as panel_document
from panel.io.document import _dispatch_msgs
from panel.io.server import (
    AuthenticatedStaticFileHandler,
    AutoloadJsHandler,
    ComponentResourceHandler,
    DocHandler,
    WSHandler,
)
from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from ..connectors.access import Principal
from ..connectors.errors import WorkletsError
from ..connectors.shares import is_guest
from ..connectors.store import Store
from ..connectors.web import TICKET_HEADER
from .auth import VISITOR_COOKIE, Doorkeeper, Visit, login_address
from .components.base import FOLDER, PDFJS, SCRIPTS_VERSION, UI_PATH
from .custom import script_of
from .document import ViewDocument
from .frames import FrameOrigins
from .publishing import views_for

HERE = Path(__file__).parent
PANEL_DIST = Path(panel.__file__).parent / "dist"
MODE_SCRIPT = (HERE / "console" / "static" / "mode.js").read_text(encoding="utf-8")
CSS = (HERE / "theme.css").read_text(encoding="utf-8")
# Pages may load nothing but from our own origin. Bokeh starts by inline scripts and makes functions.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors "
)
SECURITY_HEADERS = {
    "content-security-policy": POLICY + "'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
_COMPONENT = re.compile(r"panel(\.[a-z_0-9]+)+")
templates = Environment(loader=FileSystemLoader(HERE), autoescape=select_autoescape(["html"]), trim_blocks=True)
templates.globals.update(css=CSS, ui=UI_PATH, mode_script=MODE_SCRIPT, mode="auto")


def user_name(principal: Principal | None) -> str:
    """The name for the page's bar; empty when nobody has signed in."""
    return principal.name if principal is not None and not is_guest(principal) else ""


def _say(handler: RequestHandler, error: WorkletsError) -> None:
    handler.set_status(error.status)
    user = user_name(getattr(handler.request, "worklets_principal", None))
    page = templates.get_template("message.html")
    brand = handler.application.settings["worklets_brand"]
    handler.finish(page.render(title=error.title, detail=error.detail, user=user, brand=brand))


def _set_headers(handler: RequestHandler) -> None:
    for name, value in SECURITY_HEADERS.items():
        handler.set_header(name, value)


def page_policy(document: ViewDocument, embedded: bool, frames: FrameOrigins) -> str:
    """The policy of a view's page: what it may show in frames, and, `embedded`, which sites may have it in one."""
    around = document.access.origins if embedded else []
    shown = f"{frames.policy}; " if any(part.type == "iframe" for part in document.components()) else ""
    return shown + POLICY + " ".join(["'self'", *around])


class ViewPage(DocHandler):  # type: ignore[misc]
    """The page of a view."""

    def get_login_url(self) -> str:
        """Where to sign in."""
        return login_address(self.request.uri)

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """The page, or why not."""
        _set_headers(self)
        visit = getattr(self.request, "worklets_visit", None)
        known = self.request.worklets_principal is not None or self.request.worklets_ticket
        if isinstance(visit, WorkletsError) and known:
            _say(self, visit)
            return
        if isinstance(visit, Visit):
            self._settle(visit)
        page = super().get(*args, **kwargs)
        if page is not None:  # None: sent to the login
            await page

    def _settle(self, visit: Visit) -> None:
        """Let the sites of the view's list have it in a frame, and those of the server's be in one; know a visitor."""
        frames = self.application.settings["worklets_frames"]
        self.set_header("content-security-policy", page_policy(visit.document, visit.embedded, frames))
        if not visit.embedded and visit.ticket and not self.request.headers.get(TICKET_HEADER):
            secure = self.request.protocol == "https"
            path = f"/views/{visit.document.slug}"
            self.set_cookie(
                VISITOR_COOKIE, visit.ticket, path=path, httponly=True, samesite="lax", secure=secure, expires_days=180
            )


class ViewAutoload(AutoloadJsHandler):  # type: ignore[misc]
    """The script that puts a view into another page; for whoever may open the view itself."""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """The script. 403 otherwise."""
        if not isinstance(getattr(self.request, "worklets_visit", None), Visit):
            raise HTTPError(403)
        await super().get(*args, **kwargs)

    async def options(self, *args: Any, **kwargs: Any) -> None:
        """No other origin may read it."""
        raise HTTPError(403)

    def set_default_headers(self) -> None:
        """Bokeh would allow every origin here."""
        _set_headers(self)


class ViewSocket(WSHandler):  # type: ignore[misc]
    """The websocket of a view: open to the visitor whose page began the session, to nobody else."""

    async def prepare(self) -> None:
        """Refuse before the handshake."""
        await super().prepare()
        if self._finished:
            return
        if not isinstance(getattr(self.request, "worklets_visit", None), Visit):
            self.set_status(403)
            self.finish()

    async def _async_open(self, token: str) -> None:
        if get_token_payload(token).get("visitor") != visitor(self.request):
            self.close(1008, "the page belongs to another session")
            return
        await super()._async_open(token)
        open_sockets(self)[self] = self.request.worklets_visit

    def on_close(self) -> None:
        """Forget it."""
        open_sockets(self).pop(self, None)
        super().on_close()


def open_sockets(handler: Any) -> dict[ViewSocket, Visit]:
    """Every open websocket of the server with whose it is."""
    found: dict[ViewSocket, Visit] = handler.application.settings.setdefault("worklets_sockets", {})
    return found


def visitor(request: Any) -> str:
    """Who a request is from, for the session's signed token."""
    principal: Principal | None = getattr(request, "worklets_principal", None)
    return principal.id if principal is not None else ""


class PanelResources(ComponentResourceHandler):  # type: ignore[misc]
    """Resources of Panel's own components. The original imports whatever module the address names."""

    def parse_url_path(self, path: str) -> str:
        """The file behind an address. 404 for modules that are not Panel's or not loaded."""
        module = path.split("/", 1)[0]
        if not _COMPONENT.fullmatch(module) or module not in sys.modules:
            raise HTTPError(404)
        return str(super().parse_url_path(path))


class Scripts(StaticFileHandler):  # type: ignore[misc]
    """The scripts of our components. Their address has their hash, so that browsers keep them."""

    def parse_url_path(self, url_path: str) -> str:
        """Only scripts and drawings, never the Python beside them."""
        name = url_path.rpartition("/")[2]
        if re.fullmatch(r"pdf(\.worker)?\.min\.mjs", name):
            return f"{PDFJS.name}/{name}"
        if not re.fullmatch(r"[a-z_]+\.(js|svg)", name):
            raise HTTPError(404)
        return name

    def set_extra_headers(self, path: str) -> None:
        """Kept for a year if the address is of this version."""
        current = f"/{SCRIPTS_VERSION}/" in self.request.path
        self.set_header("cache-control", "public, max-age=31536000, immutable" if current else "no-cache")


class CustomScripts(RequestHandler):  # type: ignore[misc]
    """The scripts of authors' components, each under the hash of its text: who has a page knows the hash."""

    def initialize(self, store: Store) -> None:
        """Take what the pattern gives."""
        self._store = store

    async def get(self, hash: str) -> None:
        """The script, for ever the same. 404 if there is none."""
        send_script(self, await asyncio.to_thread(script_of, self._store, hash))


def send_script(handler: RequestHandler, script: str | None) -> None:
    """Answer with an author's script, which its hash names for ever. Raises HTTPError where there is none."""
    if script is None:
        raise HTTPError(404)
    handler.set_header("content-type", "text/javascript; charset=utf-8")
    handler.set_header("cache-control", "public, max-age=31536000, immutable")
    handler.set_header("x-content-type-options", "nosniff")
    handler.finish(script)


class Examples(AuthenticatedStaticFileHandler):  # type: ignore[misc]
    """Example pictures, for whoever has signed in."""

    def parse_url_path(self, url_path: str) -> str:
        """Pictures only."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}\.(jpg|png|webp)", url_path):
            raise HTTPError(404)
        return url_path

    def set_extra_headers(self, path: str) -> None:
        """Kept for an hour."""
        self.set_header("cache-control", "private, max-age=3600")
        self.set_header("x-content-type-options", "nosniff")


class Health(RequestHandler):  # type: ignore[misc]
    """Says that the process answers."""

    def get(self) -> None:
        """`ok`."""
        self.write("ok")


class ViewList(RequestHandler):  # type: ignore[misc]
    """The views that the visitor may open."""

    def initialize(self, store: Store, doorkeeper: Doorkeeper) -> None:
        """Take what the pattern gives."""
        self._store = store
        self._doorkeeper = doorkeeper

    async def get(self) -> None:
        """The list, or the way to the login."""
        await self._doorkeeper.get_user_async(self)
        if self.request.worklets_principal is None or is_guest(self.request.worklets_principal):
            self.redirect(login_address(self.request.uri or "/views/"))
            return
        _set_headers(self)
        principal = self.request.worklets_principal
        found = await asyncio.to_thread(views_for, self._store, principal)
        page = templates.get_template("list.html")
        brand = self.application.settings["worklets_brand"]
        self.finish(page.render(views=found, user=user_name(principal), brand=brand))


async def dispatch_all(doc: Any) -> None:
    """Panel's own writing of messages, and once more for those that came while the last ones were being written.

    Panel 1.9 forgets these: it takes its mark that something waits away, and whoever finds no mark writes nothing. The
    page would lack the answer until the next change.
    """
    await _dispatch_msgs(doc)
    if doc in panel_document._WRITE_MSGS and doc not in panel_document._WRITE_BLOCK:
        panel_document._WRITE_BLOCK[doc] = True
        panel_document._dispatch_write_task(doc, dispatch_all, doc)


def use_own_handlers() -> None:
    """Put our page, websocket and autoload in the place of Panel's, for servers made from now on."""
    panel_document._dispatch_msgs = dispatch_all
    per_app_patterns[:] = [(r"/ws", ViewSocket), (r"/autoload.js", ViewAutoload), (r"/?", ViewPage)]
    panel.io.server.ComponentResourceHandler = PanelResources


def extra_patterns(store: Store, doorkeeper: Doorkeeper, examples: Path) -> list[tuple[Any, ...]]:
    """Our own addresses below /views."""
    return [
        (r"/?", ViewList, {"store": store, "doorkeeper": doorkeeper}),
        (r"/-/health", Health),
        (r"/ui/(.*)", Scripts, {"path": str(FOLDER)}),
        (r"/custom/([0-9a-f]{64})\.js", CustomScripts, {"store": store}),
        (r"/examples/(.*)", Examples, {"path": str(examples)}),
        (r"/cdn/[^/]+/dist/(.*)", StaticFileHandler, {"path": str(PANEL_DIST)}),
    ]
