"""The views process: `python -m prefect_worklets.panel_views.server --data DIR --port P --api URL --origin URL`.

It listens on this machine only and everything of it is below `/views`; the HTTP app proxies that prefix to it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# Before Panel is imported: pages made over a websocket take their style sheets from here, not from its CDN.
os.environ["PANEL_CDN_ROOT"] = "/views/cdn/"
os.environ.setdefault("BOKEH_LOG_LEVEL", "warn")

import httpx
import panel as pn
from bokeh.application import Application
from bokeh.application.handlers.handler import Handler
from panel.io.application import Application as PanelApplication
from panel.io.handlers import FunctionHandler
from tornado.ioloop import IOLoop

from ..connectors.access import Access
from ..connectors.egress import Egress
from ..connectors.errors import SetupError, WorkletsError
from ..connectors.layout import DataDirectory
from ..connectors.outgoing import Outgoing
from ..connectors.passwords import Passwords
from ..connectors.secret import derived_key
from ..connectors.secrets import Secrets, secrets_cipher
from ..connectors.shares import Shares
from ..connectors.store import Store
from .auth import Doorkeeper, Visit, signing_key
from .branding import OUR_BRAND, Brand
from .frames import FrameOrigins
from .gateway import HttpGateway
from .handlers import extra_patterns, templates, use_own_handlers, visitor
from .open_view import OpenView
from .page import page_variables
from .state import PersistentState, forget_tabs
from .state_feed import ROWS_PACE, Rows, StateFeed
from .view_apis import ViewApis
from .view_tables import ViewTables, read_by

logger = logging.getLogger(__name__)

PREFIX = "/views"
# Below the data directory: pictures that image inputs offer to try, at /views/examples/NAME.jpg.
EXAMPLES = "demo"
MAX_IMPORT_BYTES = 25_000_000
# How long somebody may go on who has been signed out, or whose link was revoked.
SWEEP_SECONDS = 3_600.0
WATCH_SECONDS = 3.0
# Of visitors by a link, who may ask for a number of things a minute only, each reading of new rows is one.
VISITOR_PACE = 5.0
# What the browser sends over the websocket is numbers, addresses and short texts; files go to /api/files.
MAX_MESSAGE_BYTES = 1_000_000


class Visitors(Handler):  # type: ignore[misc]
    """Writes into each session's signed token whose session it is, and which process has it."""

    def __init__(self, process: int) -> None:
        super().__init__()
        self._process = process

    def modify_document(self, doc: Any) -> None:
        """Nothing to add."""

    def process_request(self, request: Any) -> dict[str, Any]:
        """Goes into the token."""
        visit = getattr(request, "worklets_visit", None)
        ticket = visit.ticket if isinstance(visit, Visit) else ""
        return {"visitor": visitor(request), "ticket": ticket, "process": self._process}


class ViewsServer:
    """Serves the published views.

    Args:
        store: where views, sessions and states are.
        data: for the signing key.
        api: the HTTP app's address, as this process reaches it.
        internal_key: by which the HTTP app knows this process.
        origins: the public addresses, `http://host:port`, from which websockets are let in.
        allow_private: hosts of private networks that pictures may come from.
        brand: name, colour and logo, where a view has none of its own.
        number: which of several views processes this is, from 0.
        http_hosts: hosts that the views' APIs may be at; empty for any.
        frames: the sites that frames may show.
    """

    def __init__(
        self,
        store: Store,
        data: DataDirectory,
        api: str,
        internal_key: str,
        origins: list[str],
        allow_private: tuple[str, ...] = (),
        brand: Brand = OUR_BRAND,
        number: int = 0,
        http_hosts: Sequence[str] = (),
        frames: FrameOrigins | None = None,
    ) -> None:
        self._frames = frames or FrameOrigins()
        self._brand = brand
        self._number = number
        self._store = store
        self._data = data
        self._internal_key = internal_key
        self._hosts = [host_of(origin) for origin in origins]
        access = Access(store, internal_key)
        shares = Shares(store, derived_key(data, "shares"), Passwords(store, access))
        self._doorkeeper = Doorkeeper(store, access, shares)
        self._client = httpx.AsyncClient(base_url=api, trust_env=False)
        self._egress = Egress(max_bytes=MAX_IMPORT_BYTES, timeout=20.0, allow_private=allow_private)
        self._outgoing = Outgoing(self._egress, http_hosts)
        self._secrets = Secrets(store, secrets_cipher(data, os.environ.get("WORKLETS_SECRETS_KEY")))
        self._feed = StateFeed(store)
        self._open: dict[OpenView, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def read_secrets(self) -> None:
        """Know the secrets before the first view is opened; blocking."""
        self._secrets.refresh()

    def start(self, port: int) -> Any:
        """Listen on 127.0.0.1 and return Bokeh's server. Call it on the event loop."""
        use_own_handlers()
        key = signing_key(self._data)
        server = pn.io.server.get_server(
            {"/{slug}": self._application()},
            port=port,
            address="127.0.0.1",
            prefix=PREFIX,
            loop=IOLoop.current(),
            websocket_origin=self._hosts,
            auth_provider=self._doorkeeper,
            extra_patterns=extra_patterns(self._store, self._doorkeeper, self._data.root / EXAMPLES),
            secret_key=key,
            sign_sessions=True,
            # The token is in the page, where scripts can read it: no cookie, no header goes into it.
            include_cookies=[],
            include_headers=["User-Agent"],
            use_index=False,
            websocket_max_message_size=MAX_MESSAGE_BYTES,
            keep_alive_milliseconds=20_000,
            unused_session_lifetime_milliseconds=30_000,
            xheaders=True,
        )
        server._tornado.settings["worklets_brand"] = self._brand
        server._tornado.settings["worklets_frames"] = self._frames
        server.start()
        self._keep(self._watch(server._tornado))
        self._keep(self._feed.run())
        self._keep(self._secrets.watch())
        if self._number == 0:
            self._keep(self._sweep())
        return server

    async def _watch(self, tornado: Any) -> None:
        """Close the connections of those whose session or link has ended while their page was open."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            sockets = dict(tornado.settings.get("worklets_sockets", {}))
            try:
                ended = await asyncio.to_thread(self._doorkeeper.ended, sockets.values())
            except Exception:
                logger.exception("Who is still allowed in could not be asked.")
                continue
            for socket, visit in sockets.items():
                if any(visit is each for each in ended):
                    socket.close(1008, "the session or the link has ended")

    async def _sweep(self) -> None:
        while True:
            try:
                await asyncio.to_thread(forget_tabs, self._store)
            except Exception:
                logger.exception("What tabs held of old could not be deleted.")
            await asyncio.sleep(SWEEP_SECONDS)

    async def close(self) -> None:
        """End every open view and the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(view.close() for view in self._open), return_exceptions=True)
        await self._client.aclose()
        await self._outgoing.close()
        self._store.close()

    def _application(self) -> Application:
        application = PanelApplication(FunctionHandler(self._fill))
        application.add(Visitors(self._number))
        return application

    def _fill(self, doc: Any) -> None:
        """Put the view of this request into a new session's document, or why there is none."""
        try:
            self._fill_view(doc)
        except Exception:
            # Panel would show the visitor the traceback.
            logger.exception("A view can't be shown.")
            doc.clear()
            doc.template = templates.get_template("message.html")
            said = "This page can't be shown; its server's log says why. Whoever runs the server can help."
            doc.title = "Something went wrong"
            doc.template_variables.update(detail=said, user="", brand=self._brand)

    def _fill_view(self, doc: Any) -> None:
        request = doc.session_context.request
        visit = getattr(request, "worklets_visit", None)
        if not isinstance(visit, Visit):
            # The handlers have refused such a request; a session without a visitor shows nothing.
            logger.warning("A session was asked for without a visit.")
            return
        tables = ViewTables(self._store, visit.document, visit.principal)
        view = self._view(visit, doc, tables)

        page = visit.document.page_at(visit.page)
        pace = VISITOR_PACE if visit.ticket else ROWS_PACE
        rows = Rows(read_by(page, visit.document), view.rows_saved, tables.writer, pace)
        self._open[view] = self._feed.follow(visit.document.slug, visit.principal.id, view.adopt_state, rows)
        doc.on_session_destroyed(lambda context: self._forget(view))
        view.root.server_doc(doc, title=visit.document.title, location=False)
        if view.bridge is not None:
            view.bridge.server_doc(doc, location=False)
        # Bokeh's own way back into a session that the server no longer has leaves a page that does nothing; shell.js
        # loads the page again instead, and what matters is in the store.
        doc.config.update(reconnect_session=False, notify_connection_status=False)
        doc.template = templates.get_template("page.html")
        doc.template_variables.update(page_variables(visit, self._brand))

    def _view(self, visit: Visit, doc: Any, tables: ViewTables) -> OpenView:
        async def identity() -> str:
            return await self._doorkeeper.still_here(visit)

        persistent = PersistentState(self._store, visit.document.slug, visit.principal.id)

        async def save(key: str, value: Any) -> None:
            await identity()
            await asyncio.to_thread(persistent.save, key, value)
            self._feed.poke()

        apis = ViewApis(visit.document, self._outgoing, self._secrets)
        gateway = HttpGateway(self._client, self._internal_key, identity, self._egress, tables, apis)

        async def session_of(tab: str) -> dict[str, Any]:
            await identity()
            return await asyncio.to_thread(persistent.session_of, tab)

        schedule = doc.add_next_tick_callback
        return OpenView(visit, gateway, save, lambda change: schedule(change), session_of, self._frames)

    def _forget(self, view: OpenView) -> None:
        stop_following = self._open.pop(view, None)
        if stop_following is not None:
            stop_following()
        self._keep(view.close())

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def host_of(origin: str) -> str:
    """`host:port` of an address. Raises SetupError."""
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SetupError(f"{origin!r} is no origin; write it as http://host:port.")
    default = 443 if parts.scheme == "https" else 80
    # Browsers leave a default port out of the Origin header.
    return parts.hostname if parts.port in (None, default) else f"{parts.hostname}:{parts.port}"


async def serve(arguments: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT."""
    internal_key = os.environ.get("WORKLETS_INTERNAL_KEY", "")
    if not internal_key:
        raise SetupError("WORKLETS_INTERNAL_KEY is not set; `worklets up` sets it for the processes that it starts.")
    data = DataDirectory(arguments.data)
    store = Store(arguments.database_url or os.environ.get("WORKLETS_DATABASE_URL") or data.database_url)
    brand = Brand.read(arguments.brand_name, arguments.brand_colour, arguments.brand_logo)
    views = ViewsServer(
        store,
        data,
        arguments.api,
        internal_key,
        arguments.origin,
        tuple(arguments.allow_private),
        brand,
        arguments.number,
        arguments.http_host,
        FrameOrigins(arguments.frame_origin),
    )
    await asyncio.to_thread(views.read_secrets)
    server = views.start(arguments.port)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print(f"views listen on http://127.0.0.1:{server.port}{PREFIX}", flush=True)
    await stopped.wait()
    server.stop(wait=False)
    await views.close()


def read_arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(prog="prefect_worklets.panel_views.server", description="Serve the views.")
    parser.add_argument("--data", type=Path, required=True, help="the data directory")
    parser.add_argument("--database-url", help="the store; the data directory's SQLite by default")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--api", required=True, help="the HTTP app's address")
    parser.add_argument("--origin", action="append", required=True, help="a public address; may be repeated")
    parser.add_argument("--allow-private", action="append", default=[], help="a private host pictures may come from")
    parser.add_argument("--http-host", action="append", default=[], help="a host that the views' APIs may be at")
    parser.add_argument("--frame-origin", action="append", default=[], help="a site that frames may show")
    parser.add_argument("--number", type=int, default=0, help="which of several views processes this is")
    parser.add_argument("--brand-name", default="", help="the name on every page")
    parser.add_argument("--brand-colour", default="", help="the colour of buttons and links, #rrggbb")
    parser.add_argument("--brand-logo", type=Path, help="a file with the logo")
    return parser.parse_args(given)


def main() -> int:
    """Start, and say in one line what is wrong if that fails."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for noisy in ("bokeh", "tornado.access", "httpx", "panel"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        asyncio.run(serve(read_arguments()))
    except WorkletsError as error:
        print(f"views: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
