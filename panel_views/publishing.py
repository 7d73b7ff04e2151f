"""Views in the store: publish a document, read the published one and the versions. Blocking: call from a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from ..connectors.access import Principal, Role
from ..connectors.errors import NotFound
from ..connectors.shares import is_guest
from ..connectors.store import Store
from ..connectors.tables import View, ViewChange, ViewDraft, ViewVersion, now
from . import custom_checks
from .checks import parse
from .document import ViewAccess, ViewDocument
from .previews import is_preview, preview, version_of

# Changes kept of each draft; whoever saw none of these loads the draft anew.
CHANGES_KEPT = 500


def publish(
    store: Store,
    document: ViewDocument | dict[str, Any],
    by: str | None = None,
    *,
    by_name: str = "",
    source: str = "api",
    note: str = "",
) -> ViewVersion:
    """Keep a document as the view's new published version; the one that is published already is left as it is.

    Raises DefinitionError with every fault.
    """
    with store.session() as session:
        return publish_in(session, document, by, by_name=by_name, source=source, note=note)


def publish_in(
    session: Session,
    document: ViewDocument | dict[str, Any],
    by: str | None = None,
    *,
    by_name: str = "",
    source: str = "api",
    note: str = "",
) -> ViewVersion:
    """The same inside a transaction that is under way. Raises DefinitionError with every fault.

    A draft without changes of its own follows. `source` says where the document comes from: `project`, `builder` or
    `api`. A project's file that is the same as at its last push leaves alone what was published since.
    """
    # A document that Python code made is checked as well: it may be faulty in what is more than shape.
    checked = parse(document.to_json() if isinstance(document, ViewDocument) else document)
    custom_checks.check(session, checked)
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
    if live is not None and source == "project":
        pushed = versions.where(ViewVersion.source == "project").order_by(col(ViewVersion.number).desc())
        last = session.exec(pushed).first()
        if last is not None and last.document == content:
            return live
    newest = session.exec(select(func.max(ViewVersion.number)).where(ViewVersion.view_slug == view.slug)).one()
    version = ViewVersion(
        view_slug=view.slug,
        number=(newest or 0) + 1,
        document=content,
        source=source,
        note=note[:1000],
        created_by=by,
        created_by_name=by_name,
    )
    session.add(version)
    draft = session.get(ViewDraft, view.slug)
    if draft is not None and live is not None and draft.document == live.document:
        draft.document, draft.base = content, version.number
        text = f"published version {version.number}"
        note_change(session, draft, [], [{"where": "view", "text": text}], by_id=by, by_name=by_name or "Somebody")
    view.title, view.published, view.updated_at = checked.title, version.number, now()
    session.add(view)
    return version


def note_change(
    session: Session,
    draft: ViewDraft,
    operations: list[dict[str, Any]],
    summary: Sequence[Mapping[str, Any]],
    *,
    by_id: str | None,
    by_name: str,
    client: str = "",
) -> None:
    """Count a draft's revision up, and write down who did what."""
    draft.revision += 1
    draft.updated_by, draft.updated_by_name, draft.updated_at = by_id, by_name, now()
    session.add(draft)
    session.flush()
    session.add(
        ViewChange(
            view_slug=draft.view_slug,
            revision=draft.revision,
            operations=operations,
            summary=[dict(line) for line in summary],
            client=client[:64],
            created_by=by_id,
            created_by_name=by_name,
        )
    )
    old = col(ViewChange.revision) <= draft.revision - CHANGES_KEPT
    session.exec(delete(ViewChange).where(col(ViewChange.view_slug) == draft.view_slug, old))


def versions_of(store: Store, slug: str) -> list[dict[str, Any]]:
    """The versions of a view, newest first. Raises NotFound."""
    with store.read() as session:
        view = session.get(View, slug)
        if view is None:
            raise no_view(slug)
        query = select(ViewVersion).where(ViewVersion.view_slug == slug)
        rows = session.exec(query.order_by(col(ViewVersion.number).desc())).all()
    return [
        {
            "number": row.number,
            "live": row.number == view.published,
            "note": row.note,
            "source": row.source,
            "by": row.created_by_name,
            "at": row.created_at,
            "title": str(row.document.get("title", slug)),
        }
        for row in rows
    ]


def version_document(store: Store, slug: str, number: int) -> ViewDocument:
    """The document of one version. Raises NotFound."""
    with store.read() as session:
        version = version_of(session, slug, number)
    if version is None:
        raise NotFound(f"The view {slug[:64]!r} has no version {number}; see `worklets views versions {slug[:64]}`.")
    return parse(version.document)


def no_view(slug: str) -> NotFound:
    """The error for a view that is not there."""
    return NotFound(f"There is no view {slug[:64]!r}; `worklets views list` shows what there is.")


def published(store: Store, slug: str) -> ViewDocument:
    """The published document of a view, or the draft that `~SLUG` names (previews.py). Raises NotFound."""
    with store.read() as session:
        if is_preview(slug):
            found = preview(session, slug)
            if found is None:
                raise no_view(slug[1:])
            return found
        query = select(ViewVersion).join(View, col(View.slug) == col(ViewVersion.view_slug))
        version = session.exec(query.where(View.slug == slug, col(View.published) == ViewVersion.number)).first()
    if version is None:
        raise no_view(slug)
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
    """Whether somebody (None: not signed in) may look at a view. Of visitors by a link their ticket decides."""
    access = document.access
    if access.public:
        return True
    if principal is None or is_guest(principal):
        return False
    if access.private:
        return principal.role >= Role.admin or principal.name in access.users
    return principal.role >= Role[access.role]


def change_access(
    store: Store, slug: str, access: ViewAccess, by: str | None = None, *, by_name: str = "", source: str = "api"
) -> ViewVersion:
    """Publish the view as it is, with another answer to who may look; a draft of it gets the same. Raises NotFound."""
    with store.session() as session:
        view = session.get(View, slug, with_for_update=True)
        live = version_of(session, slug, view.published) if view is not None else None
        if live is None:
            raise no_view(slug)
        draft = session.get(ViewDraft, slug)
        if draft is not None and draft.document != live.document:
            # Else publishing the draft would open again, or close, what was changed here.
            changed = ViewDocument.model_validate(draft.document).model_copy(update={"access": access})
            draft.document = changed.to_json()
            summary = [{"where": "view", "text": "changed who may look"}]
            note_change(session, draft, [], summary, by_id=by, by_name=by_name or "Somebody")
        document = parse(live.document).model_copy(update={"access": access})
        return publish_in(session, document, by, by_name=by_name, source=source, note="Changed who may look.")
