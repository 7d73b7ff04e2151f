"""What the sessions of a Panel server that is not ours share: the way to our server, states, and authors' scripts.

There is no store: states are in memory, and what a view declares (queries, tables, APIs) is asked for over HTTP.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from ..connectors.egress import Egress
from ..connectors.errors import NotFound, SetupError, TooLarge
from .custom import CustomDefinition
from .document import ViewDocument
from .gateway import HttpGateway
from .open_view import OpenView
from .state import MAX_VALUE_BYTES
from .view_tables import names

# What so many tabs of browsers held is kept; of older ones it is forgotten.
_TABS = 500


class Desk:
    """What all sessions of one process share.

    Args:
        url, key: the server that has the worklets, and by which key it is asked. Both empty: there is none.
        missing: why there is none.
    """

    def __init__(self, url: str, key: str, missing: str = "") -> None:
        self.missing = missing
        self._ending: set[asyncio.Task[None]] = set()  # nothing else holds them
        # The authors' scripts of the views that were shown, by the hash of their text.
        self.scripts: dict[str, str] = {}
        self.client = httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {key}"} if key else {})
        self._states: dict[tuple[str, str], dict[str, Any]] = {}
        self._tabs: OrderedDict[tuple[str, str, str], dict[str, Any]] = OrderedDict()
        self._open: dict[OpenView, States] = {}

    def follow(self, view: OpenView, states: States) -> None:
        """Tell a view of what the others keep and save, until it ends."""
        self._open[view] = states

    def end(self, view: OpenView) -> None:
        """End what a view has under way whose page is gone."""
        self._open.pop(view, None)
        task = asyncio.get_running_loop().create_task(view.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def check(self) -> None:
        """Raises SetupError if no server is known."""
        if self.missing:
            raise SetupError(self.missing)

    def take(self, definitions: Mapping[str, CustomDefinition]) -> None:
        """Have the scripts of these components at hand."""
        self.scripts.update({each.hash: each.script for each in definitions.values()})

    def kept(self, slug: str, owner: str) -> dict[str, Any]:
        """What is kept of a view for one user, or (of nobody) for all."""
        return self._states.setdefault((slug, owner), {})

    def tab(self, slug: str, user: str, tab: str) -> dict[str, Any]:
        """What a tab of one user's browser holds of a view."""
        held = self._tabs.pop((slug, user, tab), {})
        self._tabs[slug, user, tab] = held
        if len(self._tabs) > _TABS:
            self._tabs.popitem(last=False)
        return held

    def tell(self, slug: str, user: str | None, key: str, value: Any, by: States) -> None:
        """Tell the other pages of a view (of one user, or of all) of a state."""
        for view, states in list(self._open.items()):
            if states is not by and states.slug == slug and user in (None, states.user):
                view.adopt_state(key, value)

    def row_saved(self, slug: str, table: str, by: States) -> None:
        """Have the other pages of a view read a table again."""
        for view, states in list(self._open.items()):
            if states is not by and states.slug == slug:
                view.rows_saved(table)


class States:
    """The states of a view for one open page.

    Args:
        desk: keeps them.
        slug: the view.
        user: who has signed in to Panel's server; empty where nobody has to.
    """

    def __init__(self, desk: Desk, slug: str, user: str) -> None:
        self._desk = desk
        self.slug = slug
        self.user = user
        self._tab: dict[str, Any] = {}

    def load(self, document: ViewDocument) -> dict[str, Any]:
        """The first values by `scope.name`."""
        kept = {**self._desk.kept(self.slug, f"user:{self.user}"), **self._desk.kept(self.slug, "")}
        return {one.key: kept.get(one.key, one.default) for one in document.state}

    async def of_tab(self, tab: str) -> dict[str, Any]:
        """The `session` states that this tab of the browser had on the page before."""
        self._tab = self._desk.tab(self.slug, self.user, tab)
        return dict(self._tab)

    async def save(self, key: str, value: Any) -> None:
        """Keep a state, and show it on the other pages. Raises TooLarge."""
        size = len(orjson.dumps(value))
        if size > MAX_VALUE_BYTES:
            raise TooLarge(f"The state {key} would take {size} bytes and may take {MAX_VALUE_BYTES}.")
        scope = key.partition(".")[0]
        if scope == "session":
            self._tab[key] = value
            return
        owner = f"user:{self.user}" if scope == "user" else ""
        self._desk.kept(self.slug, owner)[key] = value
        self._desk.tell(self.slug, self.user if scope == "user" else None, key, value, self)


class KeyGateway(HttpGateway):
    """The gateway of whoever has the desk's key.

    Args:
        desk: knows the server.
        document: declares what the view asks.
        states: of the page that asks.
    """

    def __init__(self, desk: Desk, document: ViewDocument, states: States) -> None:
        async def identity() -> str:
            desk.check()
            return ""

        super().__init__(desk.client, "", identity, Egress())
        self._desk = desk
        self._document = document
        self._states = states

    async def query(self, name: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        """Ask a query of the view. Raises WorkletsError."""
        query = self._document.query(name)
        if query is None:
            raise NotFound(f"The view {self._document.slug!r} has no query {name!r}.")
        tables = [_plain(table) for table in self._document.tables if names(query.sql, table.name)]
        rows: list[dict[str, Any]] = await self._ask("query", name, params, queries=[_plain(query)], tables=tables)
        return rows

    async def ask_api(self, name: str, params: dict[str, Any]) -> Any:
        """Ask an HTTP API of the view; the server asks it, which has the secrets. Raises WorkletsError."""
        api = self._document.api(name)
        if api is None:
            raise NotFound(f"The view {self._document.slug!r} has no API {name!r}.")
        return await self._ask("api", name, params, apis=[_plain(api)])

    async def save(self, table: str, values: dict[str, Any]) -> dict[str, Any]:
        """Write a row. Raises WorkletsError."""
        row: dict[str, Any] = await self._written("save", table, values)
        return row

    async def remove(self, table: str, row: dict[str, Any]) -> None:
        """Delete a row. Raises WorkletsError."""
        await self._written("remove", table, row)

    async def _written(self, what: str, table: str, given: dict[str, Any]) -> Any:
        declared = self._document.table(table)
        if declared is None:
            raise NotFound(f"The view {self._document.slug!r} has no table {table!r}.")
        answer = await self._ask(what, table, given, tables=[_plain(declared)])
        self._desk.row_saved(self._document.slug, table, self._states)
        return answer

    async def _ask(self, what: str, name: str, given: dict[str, Any], **declared: Any) -> Any:
        path = f"/api/views/{quote(self._document.slug)}/ask"
        answer = await self._call("POST", path, json={"what": what, "name": name, "given": given, **declared})
        return answer["answer"]

    async def _credentials(self) -> dict[str, str]:
        await self._identity()
        return {}  # the client sends the key


def _plain(part: Any) -> dict[str, Any]:
    plain: dict[str, Any] = part.model_dump(mode="json", exclude_defaults=True)
    return plain
