"""Views in the store: publish a document, read the published one. Blocking: call from a thread."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from ..connectors.access import Principal, Role
from ..connectors.errors import NotFound
from ..connectors.store import Store
from ..connectors.tables import View, ViewVersion, now
from .checks import parse
from .document import ViewDocument


def publish(store: Store, document: ViewDocument | dict[str, Any], by: str | None = None) -> ViewVersion:
    """Keep a document as the view's new published version; the one that is published already is left as it is.

    Raises DefinitionError with every fault.
    """
    with store.session() as session:
        return publish_in(session, document, by)


def publish_in(session: Session, document: ViewDocument | dict[str, Any], by: str | None = None) -> ViewVersion:
    """The same inside a transaction that is under way. Raises DefinitionError with every fault."""
    # A document that Python code made is checked as well: it may be faulty in what is more than shape.
    checked = parse(document.to_json() if isinstance(document, ViewDocument) else document)
    content = checked.to_json()
    view = session.get(View, checked.slug, with_for_update=True)
    if view is None:
        view = View(slug=checked.slug)
        session.add(view)
        session.flush()
    versions = select(ViewVersion).where(ViewVersion.view_slug == view.slug)
    live = session.exec(versions.where(ViewVersion.number == view.published)).first()
    if live is not None and live.document == content:
        return live
    newest = session.exec(select(func.max(ViewVersion.number)).where(ViewVersion.view_slug == view.slug)).one()
    version = ViewVersion(view_slug=view.slug, number=(newest or 0) + 1, document=content, created_by=by)
    session.add(version)
    view.title, view.published, view.updated_at = checked.title, version.number, now()
    session.add(view)
    return version


def published(store: Store, slug: str) -> ViewDocument:
    """The published document of a view. Raises NotFound."""
    with store.read() as session:
        query = select(ViewVersion).join(View, col(View.slug) == col(ViewVersion.view_slug))
        version = session.exec(query.where(View.slug == slug, col(View.published) == ViewVersion.number)).first()
    if version is None:
        raise NotFound(f"There is no view {slug[:64]!r}; `worklets views list` shows what there is.")
    return parse(version.document)


def views_for(store: Store, principal: Principal | None) -> list[dict[str, Any]]:
    """The published views that somebody may open, by title: slug, title, description, version, updated_at."""
    with store.read() as session:
        query = select(View, ViewVersion).join(ViewVersion, col(View.slug) == col(ViewVersion.view_slug))
        found = session.exec(query.where(col(View.published) == ViewVersion.number).order_by(View.title)).all()
    return [
        {
            "slug": view.slug,
            "title": view.title,
            "description": str(version.document.get("description", "")),
            "version": version.number,
            "updated_at": view.updated_at,
            "address": f"/views/{view.slug}",
        }
        for view, version in found
        if may_open(ViewDocument.model_validate(version.document), principal)
    ]


def may_open(document: ViewDocument, principal: Principal | None) -> bool:
    """Whether somebody (None: not signed in) may look at a view."""
    if document.access.public:
        return True
    return principal is not None and principal.role >= Role[document.access.role]
