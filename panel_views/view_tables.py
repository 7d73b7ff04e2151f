"""The tables of a view: asked by its own queries, changed by its `save` and `remove` actions.

The statements come from the document.

Rows lie in the store as `pw.save` leaves them. A query sees each declared table by its name, as columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session, col, select

from ..connectors.access import Principal, Role, require
from ..connectors.errors import BadInput, Conflict, Fault, NotFound
from ..connectors.store import Store
from ..connectors.tables import TableRow, new_id
from ..flows.engine import new_run_id
from ..flows.queries import parameters_of
from ..flows.saved_rows import mark_saved, row_key
from .document import Column, DataTable, Page, QueryBinding, TableBinding, ViewDocument

_WITH = re.compile(r"\s*with\s+(recursive\s+)?", re.IGNORECASE)
# So many of a table's newest rows without a key are looked at for the one that is changed.
_KEYLESS = 5_000
# What every row has beside its columns, unless a column is called so.
_OF_ROWS = {"row_id": "id", "row_owner": "owner", "saved_at": "created_at"}


class ViewTables:
    """The tables of one view, for whoever looks at it. Blocking: call it from a thread.

    Args:
        store: where the rows are.
        document: what the view declares.
        principal: who looks.
    """

    def __init__(self, store: Store, document: ViewDocument, principal: Principal) -> None:
        self._store = store
        self._document = document
        self._principal = principal
        # Which of the open pages writes: it needs not be told what it has saved.
        self.writer = new_id()

    def query(self, name: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows that a declared query finds. Raises NotFound, BadInput (the database refuses, too many rows)."""
        query = self._document.query(name)
        if query is None:
            raise NotFound(f"The view {self._document.slug!r} has no query {name!r}.")
        statement = text(with_tables(query.sql, self._document.tables, sqlite=self._store.is_sqlite))
        given = {each: params.get(each) for each in parameters_of(query.sql)}
        try:
            with self._store.read() as session:
                found = session.connection().execute(statement, given)
                rows = [dict(row) for row in found.mappings().fetchmany(query.limit + 1)]
        except OverflowError:
            raise BadInput(f"The query {name!r} can't be asked with so large a number.") from None
        except DBAPIError as error:
            # The driver's own words: SQLAlchemy's would repeat the values.
            raise BadInput(f"The query {name!r} fails: {error.orig}.") from None
        if len(rows) > query.limit:
            raise BadInput(f"The query {name!r} finds more than {query.limit:,} rows; narrow it or raise its limit.")
        plain: list[dict[str, Any]] = orjson.loads(orjson.dumps(rows, default=str))
        return self._with_truths(plain)

    def save(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Write a row, and give it as it is now. One with the same key gets the new values; without a key it is new.

        Raises NotFound, NotAllowed (the table's `write` asks for a higher role), BadInput with every fault,
        Conflict (another one has made a row of that key at this moment).
        """
        table = self._writable(name, "write into")
        checked = checked_row(table, values)
        try:
            row = self._write(table, checked)
        except IntegrityError:
            raise Conflict(
                f"Somebody else has just written this row of {name!r}; save again to change theirs."
            ) from None
        return row

    def remove(self, name: str, key: Mapping[str, Any]) -> None:
        """Delete the row that has this key, whoever has saved it.

        Raises NotFound (no such table, or no such row), NotAllowed (the table's `write` asks for a higher role),
        BadInput with every fault: what is given is not the table's key.
        """
        table = self._writable(name, "delete rows of")
        checked = checked_key(table, key)
        with self._store.session() as session:
            row = _keyed(session, table, checked)
            if row is None:
                said = ", ".join(f"{column} {value!r:.40}" for column, value in checked.items())
                raise NotFound(f"The table {name!r} has no row of {said}: somebody may have deleted it already.")
            session.delete(row)
            session.flush()
            mark_saved(session, [name], self.writer, sqlite=self._store.is_sqlite)

    def _writable(self, name: str, do: str) -> DataTable:
        """The declared table, which this principal may change. Raises NotFound, NotAllowed."""
        table = self._document.table(name)
        if table is None:
            raise NotFound(f"The view {self._document.slug!r} has no table {name!r}.")
        require(self._principal, Role[table.write], f"{do} the table {name!r}")
        return table

    def _write(self, table: DataTable, checked: dict[str, Any]) -> dict[str, Any]:
        name, node = table.name, f"view:{self._document.slug}"
        key = row_key(checked, table.key) if table.key else None
        with self._store.session() as session:
            row = _keyed(session, table, checked) if table.key else None
            if row is None:
                missing = [
                    column.name for column in table.columns if column.required and checked.get(column.name) is None
                ]
                if missing:
                    raise _misfit(name, [Fault((each,), "Fill this in.", "missing") for each in missing])
                row = TableRow(
                    table_name=name, run_id=new_run_id(), node=node, owner=self._principal.id,
                    key=key, data=checked,
                )  # fmt: skip
            else:
                # A worklet that saves the same row puts its own there if its run began later.
                row.data, row.run_id, row.node, row.position = {**row.data, **checked}, new_run_id(), node, 0
                row.key = key
            session.add(row)
            session.flush()
            mark_saved(session, [name], self.writer, sqlite=self._store.is_sqlite)
            return dict(row.data)

    def _with_truths(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """SQLite says 1 and 0 for what a table declares as boolean."""
        truths = {
            column.name for table in self._document.tables for column in table.columns if column.type == "boolean"
        }
        return [
            {name: bool(value) if name in truths and value in (0, 1) else value for name, value in row.items()}
            for row in rows
        ]


def _keyed(session: Session, table: DataTable, checked: Mapping[str, Any]) -> TableRow | None:
    """The row with this key, until the end of the transaction nobody else's to change."""
    key = row_key(checked, table.key)
    query = select(TableRow).where(TableRow.table_name == table.name, TableRow.key == key).with_for_update()
    return session.exec(query).first() or _keyless(session, table, checked)


def _keyless(session: Session, table: DataTable, checked: Mapping[str, Any]) -> TableRow | None:
    """The newest row with this key that was written without one: by a worklet that only adds rows."""
    query = select(TableRow.id, TableRow.data).where(TableRow.table_name == table.name, col(TableRow.key).is_(None))
    # Compared here: a database would fail at the first row whose values have other types than the table says.
    for id, data in session.exec(query.order_by(col(TableRow.created_at).desc()).limit(_KEYLESS)):
        if all(name in data and data[name] == checked[name] for name in table.key):
            return session.get(TableRow, id, with_for_update=True)
    return None


def with_tables(sql: str, tables: list[DataTable], *, sqlite: bool) -> str:
    """The statement, with the declared tables that it names in front of it."""
    used = [table for table in tables if names(sql, table.name)]
    if not used:
        return sql.strip().rstrip(";")
    views = ", ".join(f'"{table.name}" AS ({_selected(table, sqlite)})' for table in used)
    begun = _WITH.match(sql)
    recursive = "RECURSIVE " if begun and begun[1] else ""
    rest = f", {sql[begun.end() :]}" if begun else f" {sql}"
    return f"WITH {recursive}{views}{rest}".strip().rstrip(";")


def names(sql: str, table: str) -> bool:
    """Whether a statement names a table."""
    return re.search(rf"(?<![\w.-]){re.escape(table)}(?![\w-])", sql, re.IGNORECASE) is not None


def read_by(page: Page, document: ViewDocument) -> frozenset[str]:
    """The tables whose rows a page shows, by themselves or by a query."""
    bindings = [binding for part in page.components for binding in part.bound().values()]
    shown = {binding.table for binding in bindings if isinstance(binding, TableBinding)}
    asked = {binding.query for binding in bindings if isinstance(binding, QueryBinding)}
    queries = [query for query in document.queries if query.name in asked]
    return frozenset(
        shown | {table.name for table in document.tables for query in queries if names(query.sql, table.name)}
    )


def _selected(table: DataTable, sqlite: bool) -> str:
    # The names are checked by the document's patterns: they hold neither quotes nor colons.
    columns = [f'{_read(column, sqlite)} AS "{column.name}"' for column in table.columns]
    own = {column.name for column in table.columns}
    columns += [f'{field} AS "{name}"' for name, field in _OF_ROWS.items() if name not in own]
    return f"SELECT {', '.join(columns)} FROM table_row WHERE table_name = '{table.name}'"  # noqa: S608


def _read(column: Column, sqlite: bool) -> str:
    if sqlite:
        return f"json_extract(data, '$.\"{column.name}\"')"
    plain = f"(data ->> '{column.name}')"
    # A cast is written out: a colon would be a parameter.
    kinds = {"number": "double precision", "boolean": "boolean"}
    return f"CAST({plain} AS {kinds[column.type]})" if column.type in kinds else plain


def checked_row(table: DataTable, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the columns want them. Raises BadInput with every fault, each at its column."""
    columns = {column.name: column for column in table.columns}
    faults = [
        Fault((name,), f"{table.name!r} has no such column.", "unknown") for name in values if name not in columns
    ]
    kept: dict[str, Any] = {}
    for name, value in values.items():
        column = columns.get(name)
        if column is None:
            continue
        empty = value is None or value == ""
        if empty and (column.required or name in table.key):
            faults.append(Fault((name,), "Fill this in.", "missing"))
        elif not empty and not _fits(column, value):
            faults.append(Fault((name,), f"{str(value)[:40]!r} is no {column.type}.", "value"))
        else:
            # 2 and 2.0 are one number, and would be two keys.
            whole = isinstance(value, float) and value.is_integer()
            kept[name] = None if empty else int(value) if whole else value
    faults += [Fault((name,), "Fill this in.", "missing") for name in table.key if name not in values]
    if faults:
        raise _misfit(table.name, faults)
    return kept


def checked_key(table: DataTable, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the columns of the table's key want them. Raises BadInput with every fault, each at its column."""
    if not table.key:
        raise BadInput(f"The table {table.name!r} has no key, by which a row could be told: declare its `key`.")
    of_key = table.model_copy(update={"columns": [column for column in table.columns if column.name in table.key]})
    said = f"This is not of the key of {table.name!r}; leave it out."
    faults = [Fault((name,), said, "unknown") for name in values if name not in table.key]
    kept: dict[str, Any] = {}
    try:
        kept = checked_row(of_key, {name: value for name, value in values.items() if name in table.key})
    except BadInput as error:
        faults += error.faults
    if faults:
        raise _misfit(table.name, faults)
    return kept


def _fits(column: Column, value: Any) -> bool:
    if column.type == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if column.type == "boolean":
        return isinstance(value, bool)
    return column.type == "json" or (isinstance(value, str) and len(value) <= 100_000)


def _misfit(table: str, faults: list[Fault]) -> BadInput:
    said = "; ".join(f"{fault.loc[0]}: {fault.msg}" for fault in faults[:3])
    return BadInput(f"The row does not fit the table {table!r}. {said}", faults=faults)
