"""State of a view: `session` in memory, `user` and `view` in the store, where they outlive reloads and restarts."""

from __future__ import annotations

from typing import Any

import orjson
from sqlmodel import col, select

from ..connectors.errors import TooLarge
from ..connectors.store import Store
from ..connectors.tables import ViewState, now
from .document import ViewDocument

MAX_VALUE_BYTES = 1_000_000
# A row of the whole view has no owner.
VIEW_OWNER = ""


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

    def save(self, key: str, value: Any) -> None:
        """Keep a value of the scope `user` or `view`; of `session` nothing is kept. Raises TooLarge."""
        scope, _, name = key.partition(".")
        owner = {"view": VIEW_OWNER, "user": self._user_id}.get(scope)
        if owner is None:
            return
        size = len(orjson.dumps(value))
        if size > MAX_VALUE_BYTES:
            raise TooLarge(f"The state {key} would take {size} bytes and may take {MAX_VALUE_BYTES}.")
        row = ViewState(view_slug=self._slug, owner=owner, key=name, value=value, updated_at=now())
        with self._store.session() as session:
            session.merge(row)


def key_of(owner: str, name: str) -> str:
    """How a document names a kept state: `view.NAME` or `user.NAME`."""
    return f"{'view' if owner == VIEW_OWNER else 'user'}.{name}"
