"""What an open view has asked its queries: an answer for each with its parameters, asked anew when rows change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import orjson

from ..connectors.errors import WorkletsError
from ..connectors.web import problem
from .cells import Cell
from .document import ViewDocument
from .gateway import Gateway
from .view_tables import names

Key = tuple[str, bytes]
# Parameters that change faster than this are asked for once, with the last of their values.
PAUSE_SECONDS = 0.12
_KEPT = 40


class Questions:
    """The answers, and what is on its way.

    Args:
        changed: told of a query whose answer is another one now.
        spawn: begins a task that ends with the view.
    """

    def __init__(
        self,
        document: ViewDocument,
        gateway: Gateway,
        changed: Callable[[str], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._document = document
        self._gateway = gateway
        self._changed = changed
        self._spawn = spawn
        self._cells: dict[Key, Cell] = {}
        self._latest: dict[tuple[str, str], Key] = {}
        self._turns: dict[Key, int] = {}

    def ask(self, asker: tuple[str, str], query: str, params: dict[str, Any]) -> Cell:
        """What the query answers, for a property of a component; asked if that is not known."""
        key = (query, orjson.dumps(params, option=orjson.OPT_SORT_KEYS))
        earlier = self._latest.get(asker)
        self._latest[asker] = key
        if key not in self._cells:
            before = self._cells.get(earlier, Cell()) if earlier is not None else Cell()
            self._cells[key] = Cell(before.value, "loading")
            self._spawn(self._answer(key, params, PAUSE_SECONDS if earlier is not None else 0))
        return self._cells[key]

    def row_changed(self, table: str) -> None:
        """Ask again whatever reads the table and is shown; forget the rest."""
        shown = set(self._latest.values())
        for key in [key for key in self._cells if self._reads(key[0], table)]:
            if key not in shown:
                del self._cells[key]
                continue
            self._cells[key] = self._cells[key].loading()
            self._spawn(self._answer(key, orjson.loads(key[1]), 0))

    def _reads(self, query: str, table: str) -> bool:
        found = self._document.query(query)
        return found is not None and names(found.sql, table)

    async def _answer(self, key: Key, params: dict[str, Any], pause: float) -> None:
        turn = self._turns[key] = self._turns.get(key, 0) + 1
        if pause:
            await asyncio.sleep(pause)
            if key not in self._latest.values():  # outdated before it was asked
                self._cells.pop(key, None)
                return
        try:
            cell = Cell.of(await self._gateway.query(key[0], params))
        except WorkletsError as error:
            cell = Cell(None, "error", problem(error))
        if self._turns[key] != turn:
            return
        self._cells[key] = cell
        self._forget()
        self._changed(key[0])

    def _forget(self) -> None:
        shown = set(self._latest.values())
        for key in [key for key in self._cells if key not in shown][: max(0, len(self._cells) - _KEPT)]:
            del self._cells[key]
