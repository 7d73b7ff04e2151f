"""Keeps open views in step: what one tab keeps or saves, or a run saves, all show, of this process or another.

The store is the only truth. A process that keeps a value looks at once, the others within `PAUSE`; each open view is
told what it has not seen, so neither the order of the writes nor a clock decides what is shown in the end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select

from ..connectors.store import Store
from ..connectors.tables import TableMark, ViewState, now
from .state import TAB_OWNER, VIEW_OWNER, key_of

logger = logging.getLogger(__name__)

# How late another process may show a new value, in seconds.
PAUSE = 0.7

# How often a view is told of rows of one table that are saved all the time.
ROWS_PACE = 1.0
# Marks are a little older than when others see them, and clocks differ.
LEEWAY = timedelta(seconds=2)

# (view, owner, name)
Place = tuple[str, str, str]


@dataclass
class Rows:
    """What an open view is to hear of saved rows.

    Args:
        tables: those whose rows it shows.
        saved: told of a table whose rows somebody else has saved.
        writer: by which name the view itself saves.
        pace: seconds between what it is told of one table.
    """

    tables: frozenset[str] = frozenset()
    saved: Callable[[str], None] = lambda table: None
    writer: str = ""
    pace: float = ROWS_PACE


# (writer, when): that rows of a table were saved, by its slots
Marks = Mapping[int, tuple[str, datetime]]


class Follower:
    """One open view: whose it is, and what it has been told."""

    def __init__(self, slug: str, user_id: str | None, tell: Callable[[str, Any], None], rows: Rows) -> None:
        self.slug = slug
        self.owners = {VIEW_OWNER} if user_id is None else {VIEW_OWNER, user_id}
        self.tables = rows.tables
        self._tell = tell
        self._rows = rows
        self._since = now() - LEEWAY
        self._seen: dict[Place, datetime] = {}
        self._marks: dict[str, Marks] = {}
        self._told: dict[str, float] = {}

    def lacks(self, place: Place, at: datetime) -> bool:
        """Whether that state is this view's, and new to it."""
        slug, owner, _ = place
        return slug == self.slug and owner in self.owners and self._seen.get(place) != at

    def take(self, place: Place, at: datetime, value: Any) -> None:
        """Tell the view what is new to it."""
        self._seen[place] = at
        _, owner, name = place
        self._tell(key_of(owner, name), value)

    def take_marks(self, table: str, marks: Marks) -> None:
        """Tell the view that others have saved rows. Those that were there before it was open it has read itself."""
        seen = self._marks.get(table, {})
        new = [(slot, *mark) for slot, mark in marks.items() if seen.get(slot) != mark]
        if any(writer != self._rows.writer and (slot in seen or at >= self._since) for slot, writer, at in new):
            at = time.monotonic()
            if table in self._told and at - self._told[table] < self._rows.pace:
                return  # it is told later, of all at once
            self._told[table] = at
            self._rows.saved(table)
        self._marks[table] = marks


class StateFeed:
    """Tells the open views of a process what others have kept and saved. On the event loop, but for the store.

    Args:
        store: where the states are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: set[Follower] = set()
        self._poked = asyncio.Event()

    def follow(
        self, slug: str, user_id: str | None, tell: Callable[[str, Any], None], rows: Rows | None = None
    ) -> Callable[[], None]:
        """Call `tell(key, value)` for what is kept, and `rows.saved` for rows that are saved, from now on.

        Returns what ends it.
        """
        follower = Follower(slug, user_id, tell, rows or Rows())
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
        tables = {table for follower in self._followers for table in follower.tables}
        times, marks = await asyncio.to_thread(self._news, slugs, tables)
        for follower in self._followers.copy():
            for table in sorted(follower.tables & marks.keys()):
                follower.take_marks(table, marks[table])
        wanted = {place for place, at in times.items() if any(one.lacks(place, at) for one in self._followers)}
        if not wanted:
            return
        for place, (at, value) in (await asyncio.to_thread(self._values, wanted)).items():
            for follower in [one for one in self._followers if one.lacks(place, at)]:
                follower.take(place, at, value)

    def _news(self, slugs: Iterable[str], tables: Iterable[str]) -> tuple[dict[Place, datetime], dict[str, Marks]]:
        # Without the values: they may be large, and mostly nothing has changed.
        query = select(ViewState.view_slug, ViewState.owner, ViewState.key, ViewState.updated_at)
        query = query.where(col(ViewState.view_slug).in_(slugs), ~col(ViewState.owner).startswith(TAB_OWNER))
        marks: dict[str, dict[int, tuple[str, datetime]]] = {}
        with self._store.read() as session:
            rows = session.exec(query).all()
            for mark in session.exec(select(TableMark).where(col(TableMark.table_name).in_(tables))) if tables else ():
                marks.setdefault(mark.table_name, {})[mark.slot] = (mark.writer, mark.saved_at)
        owners = {owner for one in self._followers.copy() for owner in one.owners}
        return {(slug, owner, key): at for slug, owner, key, at in rows if owner in owners}, dict(marks)

    def _values(self, places: set[Place]) -> dict[Place, tuple[datetime, Any]]:
        found: dict[Place, tuple[datetime, Any]] = {}
        with self._store.read() as session:
            for place in places:
                row = session.get(ViewState, place)
                if row is not None:
                    found[place] = (row.updated_at, row.value)
        return found
