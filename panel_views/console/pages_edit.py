"""The page on which a worklet is edited: its graph is drawn here again after each change, its faults told with it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ...connectors.access import Role
from ...connectors.errors import NotAllowed
from ...connectors.web import json_response, read_json
from ...flows.editing import Edits
from ...flows.edits_api import BODY_LIMIT, draft_of
from ...flows.endpoints import route
from .formats import url_part
from .graph_canvas import canvas_svg
from .rendering import HEADERS
from .site import Site, Visit


def edit_pages(site: Site, edits: Edits) -> list[BaseRoute]:
    """The page, and what draws a draft for it."""

    async def drawn(request: Request) -> Response:
        """A draft → its drawing, every fault that its text tells, and what each node may be given."""
        await site.guard(request, Role.builder, "edit worklets")
        body = await read_json(request, limit=BODY_LIMIT)
        return json_response(await asyncio.to_thread(_drawn, edits, body))

    page = site.page(partial(_edit, edits))
    return [
        Route("/console/worklets/{name}/edit", page, methods=["GET"]),
        route("/console/worklets/{name}/edit/drawn", drawn, "POST"),
    ]


def _edit(edits: Edits, site: Site, visit: Visit) -> Response:
    """/console/worklets/{name}/edit"""
    if not visit.may(Role.builder):
        raise NotAllowed("Editing a worklet needs the role builder.")
    name = visit.path("name")
    if (wanted := visit.query("name")) and wanted != name:  # of the form that makes a new one
        return RedirectResponse(f"/console/worklets/{url_part(wanted)}/edit", 303, headers=dict(HEADERS))
    version = visit.query("version")
    number = int(version) if version.isdecimal() and len(version) < 10 else None
    begun = edits.begin(name, number)
    return site.render(
        visit,
        "edit.html",
        section="worklets",
        name=name,
        base=begun["base"],
        live=begun["live"],
        version=number,
        kinds=begun["kinds"],
        models=[line.model.name for line in site.queries.models()],
        worklets=[each for each in site.queries.worklet_names() if each != name],
    )


def _drawn(edits: Edits, body: Any) -> dict[str, Any]:
    draft = draft_of(body)
    checked = edits.check(draft)
    # As far as it goes: a document that can't be read whole is drawn from what it has.
    drawings = {way: str(canvas_svg(draft.document, way) or "") for way in ("right", "down")}
    return {**checked.as_dict(), "drawn": drawings}
