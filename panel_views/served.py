"""A view in a Panel server that is not ours: `panel serve FILE`, where FILE holds `view.servable()`.

There is no console, no store and no session of ours: the sessions share a desk (desk.py).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import panel as pn
from panel.io import document as panel_document
from panel.io.server import ComponentResourceHandler
from tornado.web import HTTPError

from ..connectors.access import Principal, Role
from ..connectors.errors import WorkletsError
from .auth import PAGE, Visit
from .branding import OUR_BRAND
from .checks import parse
from .components.base import FOLDER, PDFJS, SCRIPTS_VERSION, Drawn
from .components.bridge import checked_parameters
from .components.custom import Custom
from .custom import CustomDefinition, read_definition
from .desk import Desk, KeyGateway, States
from .document import ViewDocument
from .frames import FrameOrigins
from .handlers import dispatch_all, send_script, templates
from .open_view import OpenView
from .page import page_variables

# Below it Panel serves what components bring along; the name of this module after it makes an address ours.
_COMPONENTS = "components"
# What Panel keeps for the whole process: the states of each view, and by which key its files are asked for.
_CACHE = "prefect_worklets"
_SCRIPT = re.compile(rf"ui/{SCRIPTS_VERSION}/([a-z_]+\.(js|svg)|pdf(\.worker)?\.min\.mjs)")
_AUTHORED = re.compile(r"custom/([0-9a-f]{64})\.js")
# Files of the key's own, and those of reviews that it may decide.
_FILE = re.compile(r"(reviews/[A-Za-z0-9_-]{1,64}/)?files/[A-Za-z0-9._-]{1,200}")
_PASSED_ON = ("content-type", "content-disposition", "content-range", "accept-ranges", "content-security-policy")
_MISSING = "give its class, or its definition, to `pw.view(..., components=[...])`"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml"}


def is_served() -> bool:
    """Whether this is a session of a Panel server."""
    return pn.state.curdoc is not None and pn.state.curdoc.session_context is not None


def serve(
    document: dict[str, Any],
    url: str,
    key: str,
    missing: str = "",
    frames: FrameOrigins | None = None,
    components: Sequence[dict[str, Any]] = (),
) -> None:
    """Put a view into the session that is being made.

    Args:
        document: the view's.
        url, key, missing: as Desk has them.
        frames: the sites that its frames may show.
        components: the definitions of authors' components that it has.

    Raises:
        DefinitionError: the view or a component is faulty.
    """
    doc, parsed = pn.state.curdoc, _without_examples(parse(document))
    known = {each.name: each for each in map(read_definition, components)}
    desk: Desk = pn.state.cache.setdefault(_CACHE, None) or Desk(url, key, missing)
    pn.state.cache[_CACHE] = desk
    desk.take(known)
    base = f"{pn.state.base_url}{_COMPONENTS}/{__name__}"
    _join_panel()
    Drawn.address, Custom.scripts, Custom.missing = f"{base}/ui/{SCRIPTS_VERSION}", f"{base}/custom", _MISSING
    states = States(desk, parsed.slug, pn.state.user or "")
    visit = _visit(parsed, states, known)
    view = OpenView(
        visit,
        KeyGateway(desk, parsed, states),
        states.save,
        lambda change: doc.add_next_tick_callback(change),
        states.of_tab,
        frames,
    )
    desk.follow(view, states)
    doc.on_session_destroyed(lambda context: desk.end(view))
    view.root.server_doc(doc, title=parsed.title, location=False)
    doc.config.update(reconnect_session=False, notify_connection_status=False)
    doc.template = templates.get_template("page.html")
    more = {"ui": Drawn.address, "files": f"{base}/files", "home": "./", "user": states.user}
    doc.template_variables.update({**page_variables(visit, OUR_BRAND), **more})


def _visit(document: ViewDocument, states: States, known: Mapping[str, CustomDefinition]) -> Visit:
    arguments = pn.state.curdoc.session_context.request.arguments
    given = {name: values[-1].decode("utf-8", "replace") for name, values in arguments.items() if values}
    # Panel's server knows a name at most; what anybody may do is up to the key.
    principal = Principal(states.user, states.user, Role.operator)
    page, params = given.get(PAGE, ""), checked_parameters(given)
    return Visit(document, principal, state=states.load(document), params=params, page=page, custom=known)


def _without_examples(document: ViewDocument) -> ViewDocument:
    """Example pictures of the demo are our server's alone."""
    plain = document.to_json()
    for page in plain["pages"]:
        for part in page.get("components", []):
            examples = part.get("properties", {}).get("examples")
            if examples:
                kept = [one for one in examples if not str(one.get("url", "")).startswith("/views/")]
                part["properties"]["examples"] = kept
    return parse(plain)


# --- what the pages ask for -----------------------------------------------------------------------------------


def _join_panel() -> None:
    """Answer for our scripts and files below the address at which Panel serves those of components.

    A program that Panel serves begins when its server is there already, and can add no address to it.
    """
    panel_document._dispatch_msgs = dispatch_all
    if getattr(ComponentResourceHandler, "serves_worklets", False):
        return
    get = ComponentResourceHandler.get

    async def get_ours(self: Any, path: str, include_body: bool = True) -> None:
        own = path.removeprefix(f"{__name__}/")
        if own == path:
            await get(self, path, include_body)
            return
        self.compute_etag = lambda: None  # Panel's would be that of a file below its own folder
        if script := _SCRIPT.fullmatch(own):
            await _send_script(self, script[1])
        elif authored := _AUTHORED.fullmatch(own):
            _send_authored(self, authored[1])
        elif _FILE.fullmatch(own):
            await _send_file(self, own)
        else:
            raise HTTPError(404)

    async def post_ours(self: Any, path: str) -> None:
        if path != f"{__name__}/files":
            raise HTTPError(405)
        self.compute_etag = lambda: None
        await _take_file(self)

    ComponentResourceHandler.get, ComponentResourceHandler.post = get_ours, post_ours
    ComponentResourceHandler.serves_worklets = True


async def _send_script(handler: Any, name: str) -> None:
    file = (PDFJS if name.endswith(".mjs") else FOLDER) / name
    if not file.is_file():
        raise HTTPError(404)
    handler.set_header("content-type", _TYPES[Path(name).suffix])
    handler.set_header("cache-control", "public, max-age=31536000, immutable")
    handler.finish(await asyncio.to_thread(file.read_bytes))


def _send_authored(handler: Any, hash: str) -> None:
    desk: Desk | None = pn.state.cache.get(_CACHE)
    send_script(handler, desk.scripts.get(hash) if desk is not None else None)


async def _send_file(handler: Any, path: str) -> None:
    """Hand a file of our server on, as it comes."""
    asked = {"range": handler.request.headers["Range"]} if "Range" in handler.request.headers else {}
    query = handler.request.query
    address = f"/api/{path}?{query}" if query else f"/api/{path}"
    try:
        async with _desk().client.stream("GET", address, headers=asked) as answer:
            handler.set_status(answer.status_code)
            for name in _PASSED_ON:
                if name in answer.headers:
                    handler.set_header(name, answer.headers[name])
            handler.set_header("x-content-type-options", "nosniff")
            async for part in answer.aiter_bytes():
                handler.write(part)
                await handler.flush()
    except httpx.HTTPError:
        raise HTTPError(502) from None
    handler.finish()


async def _take_file(handler: Any) -> None:
    """Hand an upload on to our server; from a page of this server only."""
    origin = handler.request.headers.get("Origin")
    if origin is None or urlsplit(origin).netloc != handler.request.host:
        raise HTTPError(403)
    headers = {"content-type": handler.request.headers.get("Content-Type", "application/octet-stream")}
    name = handler.get_query_argument("name", "file")
    try:
        content, params = handler.request.body, {"name": name}
        answer = await _desk().client.post("/api/files", content=content, headers=headers, params=params)
    except httpx.HTTPError:
        raise HTTPError(502) from None
    handler.set_status(answer.status_code)
    handler.set_header("content-type", "application/json")
    handler.finish(answer.content)


def _desk() -> Desk:
    desk: Desk | None = pn.state.cache.get(_CACHE)
    if desk is None:
        raise HTTPError(404)
    try:
        desk.check()
    except WorkletsError:
        raise HTTPError(503) from None
    return desk
