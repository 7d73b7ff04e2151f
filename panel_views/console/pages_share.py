"""The page by which a builder shares a view: who may look, links for anyone, and how to put it into another page."""

from __future__ import annotations

from starlette.responses import Response

from ...connectors.access import Role, require
from ...connectors.errors import NotFound
from ..publishing import may_open, published
from ..shares_api import share_told
from .site import Page, Site, Visit


def share_pages() -> dict[str, Page]:
    """The page by its address."""
    return {"/console/views/{slug}/share": share_view}


def share_view(site: Site, visit: Visit) -> Response:
    """/console/views/{slug}/share"""
    require(visit.principal, Role.builder, "share views")
    slug = visit.path("slug")
    document = published(site.store, slug)
    if not may_open(document, visit.principal):
        raise NotFound(f"There is no view {slug[:64]!r}.")
    base = site.base_url(visit)
    told = [share_told(share, site.shares, base) for share in site.shares.of_view(slug)]
    access = document.access
    return site.render(
        visit,
        "share.html",
        section="views",
        slug=slug,
        title=document.title,
        access=access,
        who="public" if access.public else "private" if access.private else access.role,
        links=[share for share in told if share["url"]],
        ended=[share for share in told if not share["url"]],
        makers=site.queries.caller_names(share["created_by"] for share in told),
        base=base,
    )
