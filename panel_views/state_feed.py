"""Keeps open views in step: what one tab keeps or saves, every other one shows, of this process or another.

The store is the only truth. A process that keeps a value looks at once, the others within `PAUSE`; each open view is
told what it has not seen, so neither the order of the writes nor a clock decides what is shown in the end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlmodel import col, select

from ..connectors.store import Store
from ..connectors.tables import ViewState, now
from .state import ROWS_OWNER, TAB_OWNER, VIEW_OWNER, key_of

logger = logging.getLogger(__name__)

# How late another process may show a new value, in seconds.
PAUSE = 0.7

# (view, owner, name)
Place = tuple[str, str, str]


class Follower:
    """One open view: whose it is, and what it has been told."""

    def __init__(
        self, slug: str, user_id: str | None, tell: Callable[[str, Any], None], saved: Callable[[str, str], None]
    ) -> None:
        self.slug = slug
        self.owners = {VIEW_OWNER, ROWS_OWNER} if user_id is None else {VIEW_OWNER, ROWS_OWNER, user_id}
        self._tell = tell
        self._saved = saved
        self._since = now()
        self.seen: dict[Place, datetime] = {}

    def lacks(self, place: Place, at: datetime) -> bool:
        """Whether that state is this view's, and new to it."""
        slug, owner, _ = place
        return slug == self.slug and owner in self.owners and self.seen.get(place) != at

    def take(self, place: Place, at: datetime, value: Any) -> None:
        """Tell the view what is new to it. Rows that were saved before it was open it has read itself."""
        self.seen[place] = at
        _, owner, name = place
        if owner != ROWS_OWNER:
            self._tell(key_of(owner, name), value)
        elif at >= self._since:
            self._saved(name, value)


class StateFeed:
    """Tells the open views of a process what others have kept. On the event loop, but for the store.

    Args:
        store: where the states are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: set[Follower] = set()
        self._poked = asyncio.Event()

    def follow(
        self,
        slug: str,
        user_id: str | None,
        tell: Callable[[str, Any], None],
        saved: Callable[[str, str], None] = lambda table, writer: None,
    ) -> Callable[[], None]:
        """Call `tell(key, value)` for what is kept, and `saved(table, writer)` for rows that are saved, from now on.

        Returns what ends it.
        """
        follower = Follower(slug, user_id, tell, saved)
        self._followers.add(follower)
        return lambda: self._followers.discard(follower)

    def poke(self) -> None:
        """Something was kept here: look at once."""
        self._poked.set()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                async with asyncio.timeout(PAUSE):
                    await self._poked.wait()
            except TimeoutError:
                pass
            self._poked.clear()
            try:
                await self.look()
            except Exception:
                logger.exception("The states of the open views could not be read; trying again.")
                await asyncio.sleep(PAUSE)

    async def look(self) -> None:
        """Tell each open view what is new to it."""
        slugs = {follower.slug for follower in self._followers}
        if not slugs:
            return
        times = await asyncio.to_thread(self._times, slugs)
        wanted = {place for place, at in times.items() if any(one.lacks(place, at) for one in self._followers)}
        if not wanted:
            return
        for place, (at, value) in (await asyncio.to_thread(self._values, wanted)).items():
            for follower in [one for one in self._followers if one.lacks(place, at)]:
                follower.take(place, at, value)

    def _times(self, slugs: Iterable[str]) -> dict[Place, datetime]:
        # Without the values: they may be large, and mostly nothing has changed.
        query = select(ViewState.view_slug, ViewState.owner, ViewState.key, ViewState.updated_at)
        with self._store.read() as session:
            rows = session.exec(
                query.where(col(ViewState.view_slug).in_(slugs), ~col(ViewState.owner).startswith(TAB_OWNER))
            ).all()
        owners = {owner for one in self._followers.copy() for owner in one.owners}
        return {(slug, owner, key): at for slug, owner, key, at in rows if owner in owners}

    def _values(self, places: set[Place]) -> dict[Place, tuple[datetime, Any]]:
        found: dict[Place, tuple[datetime, Any]] = {}
        with self._store.read() as session:
            for place in places:
                row = session.get(ViewState, place)
                if row is not None:
                    found[place] = (row.updated_at, row.value)
        return found
