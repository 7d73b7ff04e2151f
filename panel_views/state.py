"""State of a view, in the store, where it outlives reloads and restarts: `session` by the tab, `user`, and `view`."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import orjson
from sqlmodel import col, delete, select

from ..connectors.errors import TooLarge
from ..connectors.store import Store
from ..connectors.tables import ViewState, now
from .document import ViewDocument

MAX_VALUE_BYTES = 1_000_000
# A row of the whole view has no owner.
VIEW_OWNER = ""
# One of a tab of the browser has a name of its own.
TAB_OWNER = "tab:"
# What a tab holds is forgotten so long after its last change.
TAB_DAYS = 2


class PersistentState:
    """The persistent values of one view for one user. Blocking: call it from a thread.

    Args:
        store: where the values are.
        slug: the view.
        user_id: whose; None (not signed in) keeps nothing of a user.
    """

    def __init__(self, store: Store, slug: str, user_id: str | None) -> None:
        self._store = store
        self._slug = slug
        self._user_id = user_id
        self._tab: str | None = None

    def load(self, document: ViewDocument) -> dict[str, Any]:
        """Every declared state with its stored value, or its default, by `scope.name`."""
        values = {state.key: state.default for state in document.state}
        owners = [owner for owner in (VIEW_OWNER, self._user_id) if owner is not None]
        with self._store.read() as session:
            query = select(ViewState).where(ViewState.view_slug == self._slug, col(ViewState.owner).in_(owners))
            for row in session.exec(query):
                key = key_of(row.owner, row.key)
                if key in values:
                    values[key] = row.value
        return values

    def session_of(self, tab: str) -> dict[str, Any]:
        """The `session` values that this tab has kept, by `session.NAME`; it keeps them from now on."""
        # Bound to whom they are of: a tab's name alone opens nothing.
        digest = hashlib.sha256(f"{tab} {self._user_id or ''}".encode()).hexdigest()
        self._tab = f"{TAB_OWNER}{digest[:40]}"
        query = select(ViewState).where(ViewState.view_slug == self._slug, ViewState.owner == self._tab)
        with self._store.read() as session:
            return {f"session.{row.key}": row.value for row in session.exec(query)}

    def save(self, key: str, value: Any) -> None:
        """Keep a value; one of `session` only once the tab is known. Raises TooLarge."""
        scope, _, name = key.partition(".")
        owner = {"view": VIEW_OWNER, "user": self._user_id, "session": self._tab}.get(scope)
        if owner is None:
            return
        size = len(orjson.dumps(value))
        if size > MAX_VALUE_BYTES:
            raise TooLarge(f"The state {key} would take {size} bytes and may take {MAX_VALUE_BYTES}.")
        row = ViewState(view_slug=self._slug, owner=owner, key=name, value=value, updated_at=now())
        with self._store.session() as session:
            session.merge(row)


def forget_tabs(store: Store) -> None:
    """Delete what tabs held that nobody uses any more. Blocking."""
    old = now() - timedelta(days=TAB_DAYS)
    with store.session() as session:
        session.exec(
            delete(ViewState).where(col(ViewState.owner).startswith(TAB_OWNER), col(ViewState.updated_at) < old)
        )


def key_of(owner: str, name: str) -> str:
    """How a document names a kept state: `view.NAME` or `user.NAME`."""
    return f"{'view' if owner == VIEW_OWNER else 'user'}.{name}"
