"""A dashboard of what there is: figures, a chart and the newest rows of each table, and a page to run each worklet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .automatic import Names, place, words, worklet_parts

MOST_TABLES, MOST_WORKLETS = 6, 6
_ROWS, _POINTS, _COLUMNS = 200, 1_000, 12


def dashboard(tables: Sequence[Mapping[str, Any]], worklets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The document without its title and address.

    Args:
        tables: each with `name`, `columns` (name and type), and the field `picture` of its rows, if they have one.
        worklets: as `sources.sources` lists them.
    """
    names, queries = Names(), Names()
    declared: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []
    overview: list[dict[str, Any]] = []
    y = 0
    for table in [one for one in tables if one["columns"]][:MOST_TABLES]:
        parts, found, height = _section(table, names, queries, y)
        declared.append(
            {"name": table["name"], "columns": [_declared(one) for one in table["columns"]], "write": "admin"}
        )
        overview += parts
        asked += found
        y += height
    if not overview:
        hint = "No table has rows yet. They appear here once a worklet saves some: make the dashboard anew then."
        overview = [
            {"id": names.fresh("hint"), "type": "alert", "at": place(0, 0, 12, 1), "properties": {"text": hint}}
        ]
    pages: list[dict[str, Any]] = [{"id": "main", "title": "Overview", "components": overview}]
    state: list[dict[str, Any]] = []
    for worklet in worklets[:MOST_WORKLETS]:
        taken = [part["id"] for page in pages for part in page["components"]]
        made = worklet_parts(
            worklet["name"], worklet["input"], worklet["output"], [], taken=taken,
            states=[one["name"] for one in state], output_schema=worklet.get("output_schema"),
        )  # fmt: skip
        state += made.state
        id = Names(page["id"] for page in pages).fresh(worklet["name"])
        pages.append({"id": id, "title": words(worklet["name"])[:200], "components": made.components})
    return {"state": state, "tables": declared, "queries": asked, "pages": pages}


def _is_measure(column: Mapping[str, Any]) -> bool:
    """Whether a column holds numbers that say something as a curve."""
    name = str(column["name"]).lower()
    counts = name in ("id", "key", "number", "code", "version", "year", "saved_at") or name.endswith(("_id", "_number"))
    return column["type"] == "number" and column.get("varies", True) and not counts


def _declared(column: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": column["name"], "type": column["type"]}


def _section(
    table: Mapping[str, Any], names: Names, queries: Names, y: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """The card of one table, the queries that it reads, and its height."""
    name, columns = str(table["name"]), list(table["columns"])
    read = ", ".join(f'"{one["name"]}"' for one in columns)
    figures, listed = queries.fresh(f"{name}_figures"), queries.fresh(f"{name}_newest")
    # The names are checked by the document's patterns: they hold no quotes.
    latest, saved = [f"substr(CAST({one} AS TEXT), 1, 16)" for one in ("max(saved_at)", "saved_at")]
    newest = f'"{name}" ORDER BY saved_at DESC LIMIT {_ROWS}'
    found = [
        {"name": figures, "sql": f'SELECT count(*) AS found, {latest} AS latest FROM "{name}"'},  # noqa: S608
        {"name": listed, "sql": f"SELECT {read}, {saved} AS saved_minute FROM {newest}"},  # noqa: S608
    ]
    number = None if table.get("picture") else next((one["name"] for one in columns if _is_measure(one)), None)
    card = {"id": names.fresh(f"{name}_card"), "type": "card", "properties": {"title": words(name)[:200]}}
    rest = place(4, 0, 8 if number is None else 4, 1)
    parts: list[dict[str, Any]] = [
        _metric(names.fresh(f"{name}_found"), "Rows", figures, "0.found", place(0, 0, 4, 1)),
        _metric(names.fresh(f"{name}_latest"), "Latest (UTC)", figures, "0.latest", rest),
    ]
    row = 1
    if number is not None:
        parts[2:], more = _numbers(name, number, names, queries)
        found += more
        row = 5
    parts.append(_rows(table, names.fresh(f"{name}_rows"), listed, row))
    row += parts[-1]["at"]["h"]
    for part in parts:
        part["parent"] = card["id"]
    return [{**card, "at": place(0, y, 12, row + 1)}, *parts], found, row + 1


def _numbers(name: str, number: str, names: Names, queries: Names) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The average of a column of numbers, and its course."""
    average, course = queries.fresh(f"{name}_average"), queries.fresh(f"{name}_course")
    newest = f'SELECT "{number}", saved_at FROM "{name}" ORDER BY saved_at DESC LIMIT {_POINTS}'  # noqa: S608
    found = [
        {"name": average, "sql": f'SELECT avg("{number}") AS average FROM "{name}"'},  # noqa: S608
        {"name": course, "sql": f"SELECT * FROM ({newest}) AS newest ORDER BY saved_at"},  # noqa: S608
    ]
    label = f"{words(number)}, on average"[:200]
    parts = [
        _metric(names.fresh(f"{name}_average"), label, average, "0.average", place(8, 0, 4, 1)),
        {
            "id": names.fresh(f"{name}_course"),
            "type": "chart",
            "at": place(0, 1, 12, 4),
            "properties": {"label": words(number)[:200], "kind": "line", "x": "saved_at", "y": [number]},
            "bindings": {"rows": {"query": course}},
        },
    ]
    return parts, found


def _metric(id: str, label: str, query: str, path: str, at: dict[str, int]) -> dict[str, Any]:
    bound = {"value": {"query": query, "path": path}}
    return {"id": id, "type": "metric", "at": at, "properties": {"label": label}, "bindings": bound}


def _rows(table: Mapping[str, Any], id: str, query: str, row: int) -> dict[str, Any]:
    """The newest rows: as pictures if they have one, else as a table."""
    picture = table.get("picture")
    if picture:
        properties: dict[str, Any] = {"image": picture, "caption": "saved_minute"}
        return {
            "id": id, "type": "gallery", "at": place(0, row, 12, 4), "properties": properties,
            "bindings": {"items": {"query": query}},
        }  # fmt: skip
    columns = [{"name": one["name"], "title": words(one["name"])[:200]} for one in table["columns"][:_COLUMNS]]
    saved = {"name": "saved_minute", "title": "Saved (UTC)", "format": "text"}
    return {
        "id": id, "type": "table", "at": place(0, row, 12, 6), "properties": {"columns": [*columns, saved]},
        "bindings": {"rows": {"query": query}},
    }  # fmt: skip
