"""What follows the kept states of views: everybody is told what is theirs, once."""

from __future__ import annotations

from typing import Any

from prefect_worklets.connectors.store import Store
from prefect_worklets.panel_views.state import PersistentState, mark_saved
from prefect_worklets.panel_views.state_feed import StateFeed


class Tab:
    """What an open view was told."""

    def __init__(self, feed: StateFeed, user_id: str | None, slug: str = "twin") -> None:
        self.told: dict[str, Any] = {}
        self.times = 0
        self.saved: list[tuple[str, str]] = []
        self.leave = feed.follow(slug, user_id, self._tell, lambda *save: self.saved.append(save))

    def _tell(self, key: str, value: Any) -> None:
        self.told[key] = value
        self.times += 1


async def test_everybody_is_told_what_is_theirs(store: Store) -> None:
    here, there = StateFeed(store), StateFeed(store)
    mine, other_tab, ada_there = Tab(here, "bob"), Tab(here, "bob"), Tab(there, "ada")
    guest, elsewhere = Tab(there, None), Tab(there, "bob", "another")
    PersistentState(store, "twin", "bob").save("user.note", {"text": "mine"})
    PersistentState(store, "twin", "bob").save("view.board", [1, 2])
    await here.look()
    await there.look()
    assert mine.told == other_tab.told == {"user.note": {"text": "mine"}, "view.board": [1, 2]}
    assert ada_there.told == guest.told == {"view.board": [1, 2]}
    assert elsewhere.told == {}


async def test_told_once_and_again_after_a_change(store: Store) -> None:
    feed = StateFeed(store)
    tab, gone = Tab(feed, "bob"), Tab(feed, "bob")
    gone.leave()
    for value in ("one", "two"):
        PersistentState(store, "twin", "bob").save("user.note", value)
        await feed.look()
        await feed.look()
    assert (tab.told, tab.times) == ({"user.note": "two"}, 2)
    assert gone.times == 0


async def test_saved_rows_are_told_of_to_the_pages_of_the_view_that_were_open(store: Store) -> None:
    here, there = StateFeed(store), StateFeed(store)
    mark_saved(store, "twin", "plants", "first")
    tab, guest, elsewhere = Tab(here, "bob"), Tab(there, None), Tab(there, "bob", "another")
    for _ in range(2):
        await here.look()
        await there.look()
    assert tab.saved == guest.saved == []  # they have read these rows themselves
    for writer in ("second", "third"):
        mark_saved(store, "twin", "plants", writer)
        await here.look()
        await there.look()
        await here.look()
    assert tab.saved == guest.saved == [("plants", "second"), ("plants", "third")]
    assert (tab.told, elsewhere.saved) == ({}, [])
