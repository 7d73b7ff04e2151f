"""A draft as its builders see it, at an address of its own: `/views/~SLUG`.

It is a view like any other, so that a preview shows what people will see; only its state is apart from theirs.
"""

from __future__ import annotations

from sqlmodel import Session, select

from ..connectors.tables import View, ViewDraft, ViewVersion
from .checks import parse
from .document import ViewAccess, ViewDocument

MARK = "~"


def is_preview(name: str) -> bool:
    """Whether the last part of a view's address names a draft."""
    return name.startswith(MARK)


def preview(session: Session, name: str) -> ViewDocument | None:
    """The draft that `~SLUG` names, open to builders only; None if there is none.

    A view without a draft of its own is shown as it is published.
    """
    slug = name[len(MARK) :]
    view = session.get(View, slug)
    if view is None:
        return None
    draft = session.get(ViewDraft, slug)
    live = version_of(session, slug, view.published) if draft is None else None
    source = draft if draft is not None else live
    if source is None:
        return None
    return parse(source.document).model_copy(update={"slug": name, "access": ViewAccess(role="builder")})


def version_of(session: Session, slug: str, number: int | None) -> ViewVersion | None:
    """A version of a view, if there is one of that number."""
    query = select(ViewVersion).where(ViewVersion.view_slug == slug, ViewVersion.number == number)
    return session.exec(query).first()
