"""What can be wrong with a view's tables and queries, and with what reads and writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..connectors.errors import Fault
from ..flows.queries import faults_of, parameters_of
from .document import QueryBinding, Remove, Save, ViewDocument
from .faults import Loc, unknown


def declarations(document: ViewDocument) -> Iterator[Fault]:
    """Of the tables and queries that a document declares."""
    tables = Counter(table.name for table in document.tables)
    for number, table in enumerate(document.tables):
        if tables[table.name] > 1:
            yield Fault(("tables", number, "name"), f"{table.name!r} is declared more than once", "duplicate")
        columns = Counter(column.name for column in table.columns)
        for index, column in enumerate(table.columns):
            if columns[column.name] > 1:
                at: Loc = ("tables", number, "columns", index, "name")
                yield Fault(at, f"{column.name!r} is declared more than once", "duplicate")
        for index, name in enumerate(table.key):
            if name not in columns:
                yield unknown(("tables", number, "key", index), "column", name, list(columns))
    queries = Counter(query.name for query in document.queries)
    for number, query in enumerate(document.queries):
        if queries[query.name] > 1:
            yield Fault(("queries", number, "name"), f"{query.name!r} is declared more than once", "duplicate")
        for said, fix in faults_of(query.sql):
            yield Fault(("queries", number, "sql"), said.rstrip("."), "query", fix)


def of_query(document: ViewDocument, loc: Loc, binding: QueryBinding) -> Iterator[Fault]:
    """Of a binding to a query, or an action that asks it."""
    query = document.query(binding.query)
    if query is None:
        yield unknown((*loc, "query"), "declared query", binding.query, [each.name for each in document.queries])
        return
    known = list(parameters_of(query.sql))
    for name in binding.params:
        if name not in known:
            yield unknown((*loc, "params", name), f"parameter of the query {query.name!r}", name, known)


def of_save(document: ViewDocument, loc: Loc, action: Save) -> Iterator[Fault]:
    """Of an action that writes a row."""
    table = document.table(action.table)
    if table is None:
        yield unknown((*loc, "table"), "declared table", action.table, [each.name for each in document.tables])
        return
    known = [column.name for column in table.columns]
    for name in action.row:
        if name not in known:
            yield unknown((*loc, "row", name), f"column of {table.name!r}", name, known)
    if not action.row and action.values is None:
        yield Fault(loc, "saves nothing", "action", "give `row`, or the `values` of a form")


def of_remove(document: ViewDocument, loc: Loc, action: Remove) -> Iterator[Fault]:
    """Of an action that deletes a row: it names all of the table's key, and nothing else."""
    table = document.table(action.table)
    if table is None:
        yield unknown((*loc, "table"), "declared table", action.table, [each.name for each in document.tables])
        return
    if not table.key:
        said = f"{table.name!r} has no key, by which a row could be told from others"
        yield Fault((*loc, "table"), said, "action", f"declare the `key` of {table.name!r}")
        return
    columns, key = {column.name for column in table.columns}, ", ".join(table.key)
    for name in action.row:
        if name not in columns:
            yield unknown((*loc, "row", name), f"column of the key of {table.name!r}", name, table.key)
        elif name not in table.key:
            said = f"{name!r} is not of the key of {table.name!r}"
            yield Fault((*loc, "row", name), said, "action", f"leave it out: the key is {key}")
    for name in table.key:
        if name not in action.row:
            said = f"lacks {name!r}, which is of the key of {table.name!r}"
            yield Fault((*loc, "row"), said, "missing", f"add {name!r}: the key is {key}")
