"""What follows the kept states of views: everybody is told what is theirs, once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from prefect_worklets.connectors.access import Principal, Role
from prefect_worklets.connectors.store import Store
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.engine import Engine
from prefect_worklets.panel_views import state_feed
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.runtime import Runtime
from prefect_worklets.panel_views.state import PersistentState
from prefect_worklets.panel_views.state_feed import Rows, StateFeed
from prefect_worklets.panel_views.view_tables import ViewTables, read_by

import prefect_worklets as pw

ADA = Principal("ada", "Ada", Role.operator)


class Tab:
    """What an open view was told."""

    def __init__(
        self, feed: StateFeed, user_id: str | None, slug: str = "twin", rows: Any = (frozenset(), ""), pace: float = 0
    ) -> None:
        self.told: dict[str, Any] = {}
        self.times = 0
        self.saved: list[str] = []
        tables, writer = rows
        self.rows = Rows(tables, self.saved.append, writer, pace)
        self.leave = feed.follow(slug, user_id, self._tell, self.rows)

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


async def add(store: Store, name: str, table: str) -> None:
    """Save a row as a run of a worklet does."""

    @pw.worklet(name=name)
    def adding(row: dict) -> Any:
        return pw.save(table)(row)

    engine = Engine(services=Services(store=store))
    assert (await engine.run(adding.plan, [{"number": 1}], engine.context(name))).state == "completed"
    engine.close()


async def look(*feeds: StateFeed) -> None:
    """Twice: nothing is told of again."""
    for feed in feeds:
        await feed.look()
        await feed.look()


PLANTS = parse({
    "slug": "twin", "title": "Twin",
    "tables": [{"name": name, "columns": [{"name": "number", "type": "number"}]} for name in ("plants", "other")],
    "queries": [{"name": "all", "sql": "SELECT * FROM plants"}, {"name": "rest", "sql": "SELECT * FROM other"}],
    "pages": [{"components": [
        {"id": "a", "type": "table", "bindings": {"rows": {"query": "all"}}},
        {"id": "b", "type": "table", "bindings": {"rows": {"table": "visits"}}},
    ]}],
})  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def kept(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "sqlite":
        yield request.getfixturevalue("store")
    else:
        opened = Store(request.getfixturevalue("postgres_store_url"))
        yield opened
        opened.close()


async def test_saved_rows_are_told_of_to_the_pages_that_show_them(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_feed, "LEEWAY", timedelta(0))
    here, there = StateFeed(kept), StateFeed(kept)
    await add(kept, "early", "plants")
    mine = ViewTables(kept, PLANTS, ADA)
    shown = read_by(PLANTS.pages[0], PLANTS)
    assert shown == {"plants", "visits"}
    saving = Tab(here, "bob", rows=(shown, mine.writer))
    tab, elsewhere = Tab(there, None, rows=(shown, "")), Tab(there, "bob", "another", rows=(frozenset(["other"]), ""))
    await look(here, there)
    assert saving.saved == tab.saved == []  # they have read these rows themselves
    await add(kept, "by_run", "plants")
    await add(kept, "by_run", "visits")
    await look(here, there)
    assert saving.saved == tab.saved == ["plants", "visits"]
    mine.save("plants", {"number": 2})
    await look(here, there)
    assert (saving.saved, tab.saved) == (["plants", "visits"], ["plants", "visits", "plants"])
    mine.save("other", {"number": 3})
    await look(here, there)
    assert (tab.saved[3:], elsewhere.saved) == ([], ["other"])


async def test_what_is_saved_all_the_time_is_told_of_at_a_pace(store: Store) -> None:
    feed = StateFeed(store)
    tab = Tab(feed, "bob", rows=(frozenset(["plants"]), ""), pace=3_600)
    for _ in range(3):
        await add(store, "busy", "plants")
        await look(feed)
    assert tab.saved == ["plants"]
    tab.rows.pace = 0
    await look(feed)
    assert tab.saved == ["plants", "plants"]


async def test_nothing_is_asked_while_no_page_is_open(store: Store) -> None:
    feed = StateFeed(store)
    tab = Tab(feed, "bob", rows=(frozenset(["plants"]), ""))
    tab.leave()
    store.read = None  # type: ignore[method-assign,assignment]
    await feed.look()


async def test_who_is_told_faster_than_the_store_answers_shows_its_answers() -> None:
    asked: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()

    class Slow:
        async def query(self, name: str, params: dict[str, Any]) -> Any:
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            asked.put_nowait(answer)
            return await answer

        async def rows(self, table: str, limit: int) -> list[dict[str, Any]]:
            return []

    runtime = Runtime(PLANTS, Slow(), None, {}, lambda *_: None)  # type: ignore[arg-type]
    runtime.start()
    (await asked.get()).set_result([{"number": 1}])
    await runtime.idle()
    runtime.rows_saved("plants")
    second = await asked.get()
    for _ in range(5):
        runtime.rows_saved("plants")
    second.set_result([{"number": 2}])
    third = await asked.get()
    shown = runtime.cell("a", "rows")
    assert shown is not None
    assert (shown.value, asked.qsize()) == ([{"number": 2}], 0)
    third.set_result([{"number": 3}])
    await runtime.idle()
    assert asked.qsize() == 0
    await runtime.close()
