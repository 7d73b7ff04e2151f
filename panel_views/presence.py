"""Who has a view open in the builder. In the store, so that every process of the app sees the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlmodel import col, select

from ..connectors.access import Principal
from ..connectors.store import Store
from ..connectors.tables import View, ViewDraft, ViewEditor, now
from .publishing import no_view

# A tab says that it is there every few seconds; one that has missed several is gone.
GONE_AFTER = timedelta(seconds=20)


def here(store: Store, slug: str, client: str, by: Principal, selected: str = "") -> dict[str, Any]:
    """Say that a tab is there, and learn of the others and of the draft's revision. Blocking. Raises NotFound."""
    with store.session() as session:
        draft = session.get(ViewDraft, slug)
        if session.get(View, slug) is None:
            raise no_view(slug)
        gone = col(ViewEditor.seen_at) < now() - GONE_AFTER
        session.exec(delete(ViewEditor).where(col(ViewEditor.view_slug) == slug, gone))
        session.merge(
            ViewEditor(
                view_slug=slug, client=client, user_id=by.id, name=by.name, selected=selected[:64], seen_at=now()
            )
        )
        session.flush()
        query = select(ViewEditor).where(ViewEditor.view_slug == slug, ViewEditor.client != client)
        others = session.exec(query.order_by(ViewEditor.name)).all()
        people = [{"client": one.client, "name": one.name, "selected": one.selected} for one in others]
    return {"revision": draft.revision if draft is not None else 0, "people": people}


def leave(store: Store, slug: str, client: str) -> None:
    """Say that a tab was closed. Blocking."""
    with store.session() as session:
        query = delete(ViewEditor).where(col(ViewEditor.view_slug) == slug, col(ViewEditor.client) == client)
        session.exec(query)
