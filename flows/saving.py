"""Rows that a run writes: gathered by its save nodes, written in one transaction when the run ends well."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from sqlmodel import Session, func

from ..connectors.errors import NodeFailed
from ..connectors.store import Store
from ..connectors.tables import TableRow
from .context import RunContext
from .inputs import Misfit, as_json_data
from .saved_rows import mark_saved, row_key
from .steps import Getter, Step, Values, with_stored_images

if TYPE_CHECKING:
    from .graph import GraphNode

# Letters of a run's id that tell its time, to the millisecond.
_ID_TIME = 12


class SaveStep(Step):
    """Rows into a table, written when the run ends. The same run writes them once, however often it runs."""

    def __init__(self, node: GraphNode, slot: int, row: Getter) -> None:
        super().__init__(node, slot)
        self._row = row
        self.table = str(node.settings["table"])
        key = node.settings.get("key")
        self._key = [str(each) for each in key] if isinstance(key, list) else []

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """Gather the rows and give them back; images in them are kept as files."""
        kept = await with_stored_images(self._row(values), context)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(executor, self.again, kept, context)
        if self.fallback is not None and self.id in context.unsaved:
            # Where a failure is not the end, it has to be known now.
            await loop.run_in_executor(executor, _write, context.store, [context.unsaved.pop(self.id)])
        return kept

    def again(self, value: Any, context: RunContext) -> None:
        """Gather the rows of a value, also of one that an earlier process has kept and ended before it wrote them."""
        rows = value if isinstance(value, list | tuple) else [value]
        prepared = [
            TableRow(
                table_name=self.table,
                run_id=context.run_id,
                node=self.id,
                position=position,
                owner=context.owner,
                data=data,
                key=self._key_of(data),
            )
            for position, data in enumerate(map(self._data, rows))
        ]
        if self._key:  # of several with one key the last counts
            prepared = list({row.key: row for row in prepared}.values())
        _ = context.store  # that there is one is to be known before the run's end
        if prepared:
            context.unsaved[self.id] = (self, prepared)

    def write(self, session: Session, rows: list[TableRow], *, sqlite: bool) -> None:
        """Write rows that were gathered; those of the same run that are there already stay as they are."""
        session.connection().execute(self._statement(sqlite), [row.model_dump() for row in rows])

    def _statement(self, sqlite: bool) -> Any:
        statement = insert_for(sqlite)(TableRow)
        if not self._key:
            return statement.on_conflict_do_nothing(index_elements=["run_id", "node", "position"])
        new = statement.excluded
        return statement.on_conflict_do_update(
            index_elements=["table_name", "key"],
            set_={name: getattr(new, name) for name in ("data", "owner", "run_id", "node", "position")},
            # A run's id begins with its time: a run that is repeated must not undo what a later one has written.
            where=func.substr(TableRow.run_id, 1, _ID_TIME) <= func.substr(new.run_id, 1, _ID_TIME),
        )

    def _key_of(self, data: dict[str, Any]) -> str | None:
        if not self._key:
            return None
        missing = [name for name in self._key if data.get(name) is None]
        if missing:
            raise NodeFailed(
                f"Node {self.id!r} can't save a row without {', '.join(missing)}, which its key names.",
                node=self.id, repeatable=False,
            )  # fmt: skip
        return row_key(data, self._key)

    def _data(self, row: Any) -> dict[str, Any]:
        try:
            data = as_json_data(row)
        except Misfit as error:
            raise NodeFailed(f"Node {self.id!r} can't save a row: {error}.", node=self.id) from None
        return data if isinstance(data, dict) else {"value": data}


async def write_rows(context: RunContext, executor: Executor) -> None:
    """Write what the run's save nodes have gathered, all of it or nothing, and forget it.

    Raises:
        NodeFailed: the store would not take it, after the retries of the nodes whose rows they are.
    """
    gathered, context.unsaved = context.unsaved, {}
    steps = [step for step, _ in gathered.values()]
    for attempt in range(max(step.retries for step in steps) + 1):
        if attempt:
            await asyncio.sleep(max(step.backoff for step in steps) * 2 ** (attempt - 1))
        try:
            await asyncio.get_running_loop().run_in_executor(executor, _write, context.store, gathered.values())
            return
        except Exception as error:  # whatever the database raises
            failure = error
    said = str(failure).strip().partition("\n")[0]
    tables = ", ".join(sorted({step.table for step in steps}))
    raise NodeFailed(
        f"Node {steps[0].id!r} failed: the rows of {tables} could not be written: {type(failure).__name__}: {said}",
        node=steps[0].id,
    ) from failure


def _write(store: Store, gathered: Collection[tuple[SaveStep, list[TableRow]]]) -> None:
    with store.session() as session:
        for step, rows in gathered:
            step.write(session, rows, sqlite=store.is_sqlite)
        writer = next(row.run_id for _, rows in gathered for row in rows)
        mark_saved(session, [step.table for step, _ in gathered], writer, sqlite=store.is_sqlite)


def insert_for(sqlite: bool) -> Any:
    """The dialect's `insert`, which knows `on_conflict_do_nothing`."""
    if sqlite:
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert

    return postgresql_insert
