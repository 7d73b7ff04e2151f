"""The builder's page: a frame that the scripts of `panel_views/builder` fill."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from ...connectors.access import Role, require
from ...connectors.store import Store
from ..builder import BuilderFiles
from ..drafts import Drafts
from .site import Site, Visit


def view_builder(store: Store, files: BuilderFiles) -> Callable[[Site, Visit], Response]:
    """/console/views/{slug}/edit"""
    drafts = Drafts(store)

    def page(site: Site, visit: Visit) -> Response:
        require(visit.principal, Role.builder, "edit views")
        draft = drafts.read(visit.path("slug"))
        return site.render(
            visit,
            "builder.html",
            section="views",
            slug=draft.slug,
            title=draft.document.title,
            modules=files.address,
            scripts=files.scripts,
        )

    return page
