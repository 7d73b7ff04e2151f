"""Drafts of views in the store: changed by operations, each with a revision, and published when they are ready.

Nothing is overwritten silently: whoever changes a draft says which revision they saw, and is told who changed what
since. Blocking: call from a thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from ..connectors.access import Principal
from ..connectors.errors import BadInput, Conflict, Fault, NotFound
from ..connectors.store import Store
from ..connectors.tables import View, ViewChange, ViewDraft, ViewVersion, now
from .checks import parse
from .clearing import cleared, takes_away
from .differences import difference
from .document import ViewDocument
from .operations import Operation, apply_all, changed
from .previews import version_of
from .publishing import no_view, note_change, publish_in
from .wording import Line, diff, lines


@dataclass(frozen=True)
class Draft:
    """A view as its builders see it. `base` is the version that it began from, `published` the one people see."""

    slug: str
    document: ViewDocument
    revision: int = 0
    base: int | None = None
    published: int | None = None
    unpublished: bool = False
    updated_by: str = ""
    updated_at: Any = None

    def to_json(self) -> dict[str, Any]:
        """As the API answers it."""
        return {
            "slug": self.slug,
            "revision": self.revision,
            "base": self.base,
            "published": self.published,
            "unpublished": self.unpublished,
            "updated_by": self.updated_by,
            "updated_at": self.updated_at,
            "document": self.document.to_json(),
        }


@dataclass(frozen=True)
class Changed:
    """The outcome of a change: the draft, what undoes it, what else went with it, and what it did in words."""

    draft: Draft
    undo: list[Operation] = field(default_factory=list)
    also: list[Line] = field(default_factory=list)
    summary: list[Line] = field(default_factory=list)


class Drafts:
    """The drafts of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- read -----------------------------------------------------------------------------------------------

    def read(self, slug: str) -> Draft:
        """The draft of a view; without one, what is published, with revision 0. Raises NotFound."""
        with self._store.read() as session:
            return _draft(session, slug)

    def changes(self, slug: str, since: int) -> list[dict[str, Any]]:
        """What has been done to a draft after a revision, oldest first."""
        with self._store.read() as session:
            query = select(ViewChange).where(ViewChange.view_slug == slug, col(ViewChange.revision) > since)
            rows = session.exec(query.order_by(col(ViewChange.revision))).all()
        return [
            {
                "revision": row.revision,
                "by": row.created_by_name,
                "client": row.client,
                "at": row.created_at,
                "operations": row.operations,
                "summary": row.summary,
            }
            for row in rows
        ]

    def listed(self) -> list[dict[str, Any]]:
        """Every draft that holds something unpublished, by title."""
        with self._store.read() as session:
            rows = session.exec(select(ViewDraft, View).join(View).order_by(View.title)).all()
            live = {
                version.view_slug: version.document
                for version in session.exec(
                    select(ViewVersion).join(View).where(col(View.published) == ViewVersion.number)
                )
            }
        return [
            {
                "slug": row.view_slug,
                "title": str(row.document.get("title", row.view_slug)),
                "revision": row.revision,
                "published": view.published,
                "updated_at": row.updated_at,
                "updated_by": row.updated_by_name,
                "edit": edit_address(row.view_slug),
            }
            for row, view in rows
            if live.get(row.view_slug) != row.document
        ]

    # --- change ---------------------------------------------------------------------------------------------

    def create(self, document: dict[str, Any] | ViewDocument, by: Principal) -> Draft:
        """A new view that has only a draft. Raises DefinitionError, Conflict (the slug is taken)."""
        checked = parse(document.to_json() if isinstance(document, ViewDocument) else document)
        with self._store.session() as session:
            if session.get(View, checked.slug) is not None:
                raise Conflict(f"There is a view {checked.slug!r} already; choose another name, or edit that one.")
            session.add(View(slug=checked.slug, title=checked.title))
            session.flush()
            draft = ViewDraft(view_slug=checked.slug, document=checked.to_json())
            self._keep(session, draft, [], [_note("created", "created the view")], by, "")
            session.flush()
            return _draft(session, checked.slug)

    def change(
        self,
        slug: str,
        base: int,
        operations: list[Operation],
        by: Principal,
        *,
        client: str = "",
        clear: bool = False,
    ) -> Changed:
        """Apply operations to the draft as it was at revision `base`.

        What reads something that they take away goes with it; with `clear`, whatever names something that is not there
        does, as for components that are pasted from another view.

        Raises Conflict with what others changed since, NotFound, BadInput, DefinitionError.
        """
        if not operations:
            raise BadInput("There is no operation to apply.")
        with self._store.session() as session:
            row = self._row(session, slug, base)
            before = parse(row.document)
            after = changed(before, operations)
            also: list[Line] = []
            if clear or takes_away(operations):
                clean = cleared(after)
                also = diff(after, clean)
                after = clean
            after = parse(after.to_json())
            summary = [*lines(before, operations, after), *also]
            kept = [one.model_dump(mode="json", exclude_defaults=True, by_alias=True) | {"op": one.op}
                    for one in (operations if not also else difference(before, after))]  # fmt: skip
            row.document = after.to_json()
            self._keep(session, row, kept, summary, by, client)
            return Changed(_draft(session, slug), difference(after, before), also, summary)

    def replace(self, document: dict[str, Any], base: int, by: Principal, *, client: str = "") -> Changed:
        """Put a whole document in the draft's place. Raises as `change` does."""
        checked = parse(document)
        with self._store.session() as session:
            row = self._row(session, checked.slug, base)
            before = parse(row.document)
            steps = difference(before, checked)
            if not steps:
                return Changed(_draft(session, checked.slug))
            summary = lines(before, steps, checked)
            row.document = apply_all(before, steps).to_json()
            kept = [{"op": one.op, **one.model_dump(mode="json", exclude_defaults=True)} for one in steps]
            self._keep(session, row, kept, summary, by, client)
            return Changed(_draft(session, checked.slug), difference(checked, before), [], summary)

    def discard(self, slug: str, base: int, by: Principal) -> Draft | None:
        """Go back to what is published; a view that never was is gone (None). Raises Conflict, NotFound."""
        with self._store.session() as session:
            row = self._row(session, slug, base)
            view = session.get_one(View, slug)
            live = version_of(session, slug, view.published)
            if live is None:
                session.delete(row)
                session.flush()
                session.delete(view)
                return None
            row.document, row.base = dict(live.document), live.number
            self._keep(session, row, [], [_note("discarded", f"went back to version {live.number}")], by, "")
            return _draft(session, slug)

    # --- publish --------------------------------------------------------------------------------------------

    def publish(self, slug: str, base: int, by: Principal, *, note: str = "", over: int | None = None) -> ViewVersion:
        """Make the draft the version that people see.

        Raises Conflict: the draft has changed since revision `base`, or another version than the one that it began
        from was published meanwhile (`over` names that version if it shall be replaced).
        """
        with self._store.session() as session:
            row = self._row(session, slug, base)
            view = session.get_one(View, slug)
            if view.published is not None and view.published not in (row.base, over):
                newer = version_of(session, slug, view.published)
                who = (newer.created_by_name or "somebody") if newer is not None else "somebody"
                since = f"after version {row.base}" if row.base is not None else "before it"
                raise Conflict(
                    f"Version {view.published} was published by {who} while this draft was made ({since}); compare "
                    f"them, and publish with over={view.published} to replace it."
                )
            version = publish_in(session, dict(row.document), by.id, by_name=by.name, source="builder", note=note)
            row.base = version.number
            session.add(row)
            return version

    def roll_back(self, slug: str, number: int, by: Principal) -> ViewVersion:
        """Publish an older version again, as a new one. A draft with changes of its own stays. Raises NotFound."""
        with self._store.session() as session:
            version = version_of(session, slug, number)
            if version is None:
                raise NotFound(f"The view {slug[:64]!r} has no version {number}; see `worklets views versions {slug}`.")
            document = dict(version.document)
            note = f"Back to version {number}"
            return publish_in(session, document, by.id, by_name=by.name, source="builder", note=note)

    # --- inside a transaction -------------------------------------------------------------------------------

    def _row(self, session: Session, slug: str, base: int) -> ViewDraft:
        """The draft's row, made from the published version if there is none. Raises Conflict, NotFound."""
        view = session.get(View, slug, with_for_update=True)
        if view is None:
            raise no_view(slug)
        row = session.get(ViewDraft, slug)
        if row is None:
            live = version_of(session, slug, view.published)
            if live is None:
                raise NotFound(f"The view {slug[:64]!r} has neither a draft nor a published version.")
            row = ViewDraft(view_slug=slug, document=dict(live.document), base=live.number)
        if row.revision != base:
            raise _conflict(session, row, base)
        return row

    def _keep(
        self,
        session: Session,
        row: ViewDraft,
        operations: list[dict[str, Any]],
        summary: list[Line],
        by: Principal,
        client: str,
    ) -> None:
        note_change(session, row, operations, summary, by_id=by.id, by_name=by.name, client=client)
        view = session.get_one(View, row.view_slug)
        if view.published is None:
            view.title = str(row.document.get("title", row.view_slug))
        view.updated_at = now()
        session.add(view)
        session.flush()


def edit_address(slug: str) -> str:
    """Where a view is edited."""
    return f"/console/views/{slug}/edit"


def _draft(session: Session, slug: str) -> Draft:
    view = session.get(View, slug)
    row = session.get(ViewDraft, slug)
    live = version_of(session, slug, view.published) if view is not None else None
    if view is None or (row is None and live is None):
        raise no_view(slug)
    if row is None:
        assert live is not None
        return Draft(slug, parse(live.document), 0, live.number, live.number, False, "", live.created_at)
    return Draft(
        slug,
        parse(row.document),
        row.revision,
        row.base,
        view.published,
        live is None or live.document != row.document,
        row.updated_by_name,
        row.updated_at,
    )


def _conflict(session: Session, row: ViewDraft, base: int) -> Conflict:
    query = select(ViewChange).where(ViewChange.view_slug == row.view_slug, col(ViewChange.revision) > base)
    faults = [
        Fault(tuple(str(line["where"]).split(":")), f"{change.created_by_name} {line['text']}", "changed")
        for change in session.exec(query.order_by(col(ViewChange.revision)))
        for line in change.summary
    ]
    return Conflict(
        f"The draft is at revision {row.revision} and the change was made to revision {base}; "
        f"{row.updated_by_name or 'somebody'} changed it since. Load it again, and change what is there now.",
        faults=faults,
    )


def _note(kind: str, text: str) -> Line:
    return Line(kind=kind, where="view", text=text, before=None, after=None)
