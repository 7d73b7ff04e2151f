"""What an open view asked of queries, worklets, models, APIs and the inbox: an answer for each question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Literal, NamedTuple

import orjson

from ..connectors.errors import BadInput, WorkletsError
from ..connectors.web import problem
from .cells import Cell
from .document import (
    WHOLE,
    ApiBinding,
    ModelBinding,
    QueryBinding,
    ReviewBinding,
    ReviewsBinding,
    ViewDocument,
    WorkletBinding,
)
from .gateway import Gateway
from .view_tables import names

# What changes faster than this is asked with once, with the last of its values.
PAUSE_SECONDS = {"query": 0.12, "worklet": 0.25, "model": 0.25, "api": 0.25, "reviews": 0.12, "review": 0.12}
# Runs ask, and other people decide, at any time.
LOOK_SECONDS = 5.0
_KEPT = 40


class Source(NamedTuple):
    """Who is asked."""

    kind: Literal["query", "worklet", "model", "api", "reviews", "review"]
    name: str
    # Whether a model is given one value instead of inputs by name.
    whole: bool = False


Key = tuple[Source, bytes]


Asking = QueryBinding | WorkletBinding | ModelBinding | ApiBinding | ReviewsBinding | ReviewBinding


def source_of(binding: Asking) -> Source:
    """Who is asked for a binding, or by an action."""
    if isinstance(binding, QueryBinding):
        return Source("query", binding.query)
    if isinstance(binding, WorkletBinding):
        return Source("worklet", binding.worklet)
    if isinstance(binding, ApiBinding):
        return Source("api", binding.api)
    if isinstance(binding, ReviewsBinding):
        return Source("reviews", binding.reviews)
    if isinstance(binding, ReviewBinding):
        return Source("review", "review")
    return Source("model", binding.model, whole=binding.value is not None)


async def asked(gateway: Gateway, source: Source, given: dict[str, Any]) -> Any:
    """What the source answers. Raises WorkletsError."""
    if source.kind == "query":
        return await gateway.query(source.name, given)
    if source.kind == "worklet":
        return await gateway.run_worklet(source.name, given)
    if source.kind == "api":
        return await gateway.ask_api(source.name, given)
    if source.kind == "reviews":
        return await gateway.reviews(source.name, given)
    if source.kind == "review":
        return await gateway.review(str(given["review"]))
    return await gateway.predict(source.name, given.get(WHOLE) if source.whole else given)


def said_of(error: WorkletsError) -> dict[str, Any]:
    """The problem, with the first of its faults in its text: here is one place for all of them."""
    said = problem(error)
    if error.faults:
        fault = error.faults[0]
        where = ".".join(map(str, fault.loc))
        said["detail"] = f"{error.detail} {where}: {fault.msg}" if where else f"{error.detail} {fault.msg}"
    return said


class Questions:
    """The answers, and what is on its way.

    Args:
        changed: told of a source one of whose answers is another one now.
        spawn: begins a task that ends with the view.
    """

    def __init__(
        self,
        document: ViewDocument,
        gateway: Gateway,
        changed: Callable[[Source], None],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._document = document
        self._gateway = gateway
        self._changed = changed
        self._spawn = spawn
        self._cells: dict[Key, Cell] = {}
        self._latest: dict[tuple[str, str], Key] = {}
        self._turns: dict[Key, int] = {}
        self._asking: dict[Key, asyncio.Task[None]] = {}
        self._looks: dict[Key, asyncio.TimerHandle] = {}

    def ask(self, asker: tuple[str, str], source: Source, given: dict[str, Any]) -> Cell:
        """What the source answers, for a property of a component; asked if that is not known."""
        try:
            key = (source, orjson.dumps(given, option=orjson.OPT_SORT_KEYS))
        except TypeError as error:
            return Cell(None, "error", problem(BadInput(f"{source.name} can't be asked with this: {error}.")))
        earlier = self._latest.get(asker)
        self._latest[asker] = key
        if earlier is not None and earlier != key:
            self._outdate(earlier)
        if key not in self._cells:
            before = self._cells.get(earlier, Cell()) if earlier is not None else Cell()
            self._cells[key] = Cell(before.value, "loading")
            self._begin(key, PAUSE_SECONDS[source.kind] if earlier is not None else 0)
        return self._cells[key]

    def forget(self, asker: tuple[str, str]) -> None:
        """The property asks for nothing now."""
        earlier = self._latest.pop(asker, None)
        if earlier is not None:
            self._outdate(earlier)

    def row_changed(self, table: str, keep: Collection[tuple[str, str]] = ()) -> None:
        """Ask again whatever reads the table and is shown, but for what the properties `keep` show; forget the rest."""
        shown = set(self._latest.values())
        kept = {key for asker, key in self._latest.items() if asker in keep}
        for key in [key for key in self._cells if self._reads(key[0], table)]:
            if key not in shown:
                del self._cells[key]
                continue
            if key in kept:
                continue
            self._cells[key] = self._cells[key].loading()
            self._begin(key, 0)

    async def answered(self, table: str) -> None:
        """Wait for what is being asked of a table."""
        asking = [task for key, task in self._asking.items() if self._reads(key[0], table)]
        await asyncio.gather(*asking, return_exceptions=True)

    def reviews_changed(self) -> None:
        """Ask again for what the inbox shows: somebody has decided."""
        for key in set(self._latest.values()):
            if key[0].kind in ("reviews", "review"):
                self._begin(key, 0)

    def close(self) -> None:
        """Look no more."""
        for timer in self._looks.values():
            timer.cancel()

    def _look_later(self, key: Key) -> None:
        def look() -> None:
            del self._looks[key]
            if key in self._latest.values():
                self._begin(key, 0)

        if key not in self._looks:
            self._looks[key] = asyncio.get_running_loop().call_later(LOOK_SECONDS, look)

    def _begin(self, key: Key, pause: float) -> None:
        self._asking[key] = self._spawn(self._answer(key, pause))

    def _outdate(self, key: Key) -> None:
        """Break off what nobody waits for any more; a run that it began is cancelled with its request."""
        if key in self._latest.values():
            return
        if key in self._cells and self._cells[key].status == "error":
            # Whoever asks for it again does not want to read of the fault of then.
            del self._cells[key]
        task = self._asking.pop(key, None)
        if task is not None and not task.done():
            task.cancel()
            self._cells.pop(key, None)

    def _reads(self, source: Source, table: str) -> bool:
        found = self._document.query(source.name) if source.kind == "query" else None
        return found is not None and names(found.sql, table)

    async def _answer(self, key: Key, pause: float) -> None:
        turn = self._turns[key] = self._turns.get(key, 0) + 1
        if pause:
            await asyncio.sleep(pause)
        try:
            cell = Cell.of(await asked(self._gateway, key[0], orjson.loads(key[1])))
        except WorkletsError as error:
            cell = Cell(None, "error", said_of(error))
        if self._turns.get(key) != turn:
            return
        if key[0].kind == "reviews":
            self._look_later(key)
        self._cells[key] = cell
        self._forget()
        self._changed(key[0])

    def _forget(self) -> None:
        shown = set(self._latest.values())
        for key in [key for key in self._cells if key not in shown][: max(0, len(self._cells) - _KEPT)]:
            del self._cells[key]
            self._turns.pop(key, None)
