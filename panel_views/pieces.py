"""What is dropped onto a page in the builder: the operations that put a worklet, table, query or model there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..connectors.errors import BadInput, NotFound
from ..connectors.store import Store
from .automatic import Names, Parts, table_parts, worklet_parts
from .document import ViewDocument
from .model_parts import model_parts
from .sources import fields_of, live_model, live_worklet, rows_of, tables_of
from .table_parts import editor_parts, query_parts


def piece_operations(
    store: Store, document: ViewDocument, page: str, y: int, *, kind: str, name: str
) -> list[dict[str, Any]]:
    """The operations that put something on a page of a document, from row `y`; the caller makes them as one change.

    Blocking.

    Raises:
        BadInput: there is no such kind.
        NotFound: there is no such worklet, model, query or declared table.
    """
    if kind not in PIECES:
        raise BadInput(f"{kind[:40]!r} can't be put on a page; name one of {', '.join(PIECES)}.")
    if page not in [one.id for one in document.pages]:
        raise NotFound(f"The view {document.slug!r} has no page {page[:40]!r}.")
    return PIECES[kind](store, document, page, name, y)


def worklet_operations(store: Store, document: ViewDocument, page: str, worklet: str, y: int) -> list[dict[str, Any]]:
    """Those of a worklet: its inputs, a button, its answer and its earlier answers. Blocking. Raises NotFound."""
    _, version = live_worklet(store, worklet)
    parts = graph_parts(worklet, version.graph, taken=_ids(document), states=_states(document, "user"), y=y)
    return _operations(parts, page)


def graph_parts(worklet: str, graph: Mapping[str, Any], **where: Any) -> Parts:
    """`worklet_parts` by what the worklet's graph document says; `where` goes on to it."""
    return worklet_parts(
        worklet,
        fields_of(graph.get("input_schema")),
        fields_of(graph.get("output_schema")),
        tables_of(graph),
        output_schema=graph.get("output_schema"),
        **where,
    )


def model_operations(store: Store, document: ViewDocument, page: str, model: str, y: int) -> list[dict[str, Any]]:
    """Those of a model: a field for each of its inputs, and its answer. Blocking. Raises NotFound, BadInput."""
    found = live_model(store, model)
    parts = model_parts(
        model, found.signature, found.sample, quick=found.quick, taken=_ids(document),
        states=_states(document, "session"), y=y,
    )  # fmt: skip
    return _operations(parts, page)


def table_operations(store: Store, document: ViewDocument, page: str, table: str, y: int) -> list[dict[str, Any]]:
    """Those of the rows that worklets save for whoever looks. Blocking."""
    picture, columns = rows_of(store, table)
    parts = table_parts(table, picture, names=Names(_ids(document)), y=y, columns=[one["name"] for one in columns])
    return _operations(parts, page)


def declared_operations(store: Store, document: ViewDocument, page: str, table: str, y: int) -> list[dict[str, Any]]:
    """Those of a table that the view declares: its rows, and a window to change them. Blocking. Raises NotFound."""
    declared = document.table(table)
    if declared is None:
        raise NotFound(f"The view {document.slug!r} declares no table {table[:64]!r}.")
    picture, _ = rows_of(store, table)
    parts, queries = editor_parts(
        declared, names=Names(_ids(document)), queries=document.queries, states=_states(document, "session"), y=y,
        pictures=[picture] if picture else [],
    )  # fmt: skip
    added = []
    if queries:
        known = document.to_json().get("queries", [])
        added = [{"op": "set_view", "name": "queries", "value": [*known, *queries]}]
    return [*added, *_operations(parts, page)]


def query_operations(store: Store, document: ViewDocument, page: str, query: str, y: int) -> list[dict[str, Any]]:
    """Those of a query of the view: its rows, and fields for its parameters. Raises NotFound."""
    declared = document.query(query)
    if declared is None:
        raise NotFound(f"The view {document.slug!r} has no query {query[:64]!r}.")
    return _operations(query_parts(document, declared, document.page_at(page), y=y), page)


Maker = Callable[[Store, ViewDocument, str, str, int], list[dict[str, Any]]]
PIECES: dict[str, Maker] = {
    "worklet": worklet_operations,
    "model": model_operations,
    "table": table_operations,
    "declared": declared_operations,
    "query": query_operations,
}


def _ids(document: ViewDocument) -> list[str]:
    return [part.id for part in document.components()]


def _states(document: ViewDocument, scope: str) -> list[str]:
    return [state.name for state in document.state if state.scope == scope]


def _operations(parts: Parts, page: str) -> list[dict[str, Any]]:
    declared = [{"op": "declare", "state": state} for state in parts.state]
    return [*declared, *({"op": "add", "page": page, "component": part} for part in parts.components)]
