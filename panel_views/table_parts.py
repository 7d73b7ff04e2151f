"""Parts of a view that show and edit the rows of its own tables and queries.

A declared table brings a list of its rows and a window with a field for each column, in which a row that has a key can
be deleted, too; a query brings its rows, with a field for each parameter that nothing gives yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..connectors.errors import BadInput, Fault
from ..flows.queries import parameters_of
from .automatic import Names, Parts, place, words
from .document import Column, DataTable, Page, Query, ViewDocument

# As many of a table's rows are listed, the newest first.
MOST_ROWS = 5_000
_ROLES = ("viewer", "operator", "builder", "admin")
_COLUMN = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]{0,62})\s*(?:[:\s]\s*([a-z]+)\s*)?")
_COMPARED = r'"?([A-Za-z]\w*)"?\s*(?:=|<>|!=|<=?|>=?|LIKE)\s*:{name}\b'


def columns_of(given: Any) -> list[dict[str, Any]]:
    """The columns of a table from a text such as `number: number, species`; a list of columns stays as it is.

    Raises:
        BadInput: with a fault for each part that is no column.
    """
    if isinstance(given, list):
        return [dict(one) if isinstance(one, dict) else {"name": str(one)} for one in given]
    columns, faults = [], []
    for part in filter(None, (each.strip() for each in str(given or "").split(","))):
        found = _COLUMN.fullmatch(part)
        if found is None:
            faults.append(Fault(("columns",), f"{part[:60]!r} is no column", fix="write NAME or NAME: TYPE"))
        elif found[2] not in (None, "text", "number", "boolean", "json"):
            faults.append(Fault(("columns",), f"{found[2]!r} is no type", fix="use text, number, boolean or json"))
        else:
            columns.append({"name": found[1], **({"type": found[2]} if found[2] else {})})
    if faults:
        raise BadInput(
            "Write columns as `number: number, species`: each with its type, if it is no text.", faults=faults
        )
    return columns


def editor_parts(
    table: DataTable,
    *,
    names: Names,
    queries: Iterable[Query] = (),
    states: Iterable[str] = (),
    y: int = 0,
    pictures: Iterable[str] = (),
) -> tuple[Parts, list[dict[str, Any]]]:
    """The rows of a declared table, and a window in which one is added, changed or deleted; with the queries that it
    needs.

    Args:
        queries: those that the view has: one that reads the same is used again.
        states: names of session states that are there already.
        pictures: columns that hold the addresses of pictures.
    """
    sql = _listing(table)
    listed, added = _query_for(f"{table.name}_rows", sql, MOST_ROWS, queries)
    free = Names(states)
    chosen = f"session.{(state := free.fresh(f'{table.name}_row'))}"
    sure = free.fresh(f"{table.name}_sure") if _told_apart(table) else None
    asked = f"session.{sure}" if sure else None
    card = names.fresh(f"{table.name}_card")
    modal = names.fresh(f"{table.name}_window")
    may = {"expr": f"user.role in [{', '.join(repr(role) for role in _ROLES[_ROLES.index(table.write) :])}]"}

    def opened(value: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"do": "set_state", "state": chosen, "value": value, "when": may},
            *([{"do": "set_state", "state": asked, "value": {"constant": False}, "when": may}] if asked else []),
            {"do": "open_modal", "modal": modal, "when": may},
        ]

    rows = {
        "id": names.fresh(f"{table.name}_rows"),
        "type": "table",
        "parent": card,
        "at": place(0, 1, 12, 9),
        "properties": {"columns": _shown_columns(table, set(pictures)), "empty": "No rows yet"},
        "bindings": {"rows": {"query": listed}},
        "actions": {"row": opened({"event": "row"})},
    }
    add = {
        "id": names.fresh(f"add_{table.name}"),
        "type": "button",
        "parent": card,
        "at": place(0, 0, 2, 1),
        "properties": {"label": "Add a row"},
        "actions": {"click": opened({"constant": None})},
        "visible_if": may,
    }
    window = _window(table, modal, chosen, names, y + 11)
    if asked is not None:
        window += _deleting(table, modal, chosen, asked, names, window[1]["at"]["h"])
    surface = {"id": card, "type": "card", "at": place(0, y, 12, 11), "properties": {"title": words(table.name)[:200]}}
    held: list[dict[str, Any]] = [{"name": state}]
    if sure is not None:
        held.append({"name": sure, "default": False})
    return Parts([surface, add, rows, *window], held, 12), added


def _window(table: DataTable, modal: str, chosen: str, names: Names, y: int) -> list[dict[str, Any]]:
    form = names.fresh(f"{table.name}_form")
    fields, row = [], {}
    at = 0
    for column in table.columns:
        part = _column_field(table, column, chosen, names)
        part |= {"parent": form, "at": place(0, at, 12, part["at"]["h"])}
        at += part["at"]["h"]
        fields.append(part)
        read = f"components.{part['id']}.value"
        # A box that nobody has touched is no.
        written = {"json": {"expr": f"json({read})"}, "boolean": {"expr": f"{read} == True"}}
        row[column.name] = written.get(column.type, {"component": part["id"]})
    submit = [
        {"do": "save", "table": table.name, "row": row},
        {"do": "close_modal", "modal": modal},
        {"do": "notify", "text": {"constant": "Saved."}, "style": "success"},
    ]
    title = f"A row of {words(table.name)}"[:200]
    return [
        {"id": modal, "type": "modal", "at": place(0, y, 12, 1), "properties": {"title": title}},
        {
            "id": form,
            "type": "form",
            "parent": modal,
            "at": place(0, 0, 12, at + 1),
            "properties": {"style": "plain", "submit_label": "Save"},
            "actions": {"submit": submit},
        },
        *fields,
    ]


def _told_apart(table: DataTable) -> bool:
    """Whether a row that the list shows can be named by its key: of JSON a database may give the text alone."""
    types = {column.name: column.type for column in table.columns}
    return bool(table.key) and all(types[name] != "json" for name in table.key)


def _deleting(table: DataTable, modal: str, chosen: str, asked: str, names: Names, y: int) -> list[dict[str, Any]]:
    """A button that asks whether to delete the row that is being changed, and beside it one that does."""
    row = {name: {"state": chosen, "path": name} for name in table.key}
    ask = {
        "id": names.fresh(f"delete_{table.name}"),
        "type": "button",
        "parent": modal,
        "at": place(0, y, 4, 1),
        "properties": {"label": "Delete", "style": "danger"},
        "bindings": {"disabled": {"state": asked}},
        "actions": {"click": [{"do": "set_state", "state": asked, "value": {"constant": True}}]},
        "visible_if": {"expr": f"{chosen} != None"},
    }
    done = [
        {"do": "remove", "table": table.name, "row": row},
        {"do": "close_modal", "modal": modal},
        {"do": "notify", "text": {"constant": "Deleted."}, "style": "success"},
    ]
    do = {
        "id": names.fresh(f"really_delete_{table.name}"),
        "type": "button",
        "parent": modal,
        "at": place(4, y, 4, 1),
        "properties": {"label": "Really delete", "style": "danger"},
        "actions": {"click": done},
        # Beside the other: a second press on the same place is no answer.
        "visible_if": {"expr": f"{chosen} != None and {asked}"},
    }
    return [ask, do]


def _column_field(table: DataTable, column: Column, chosen: str, names: Names) -> dict[str, Any]:
    """The field of a column, with the value of the row that was pressed."""
    must = column.required or column.name in table.key
    properties: dict[str, Any] = {"label": words(column.name)}
    bound: dict[str, Any] = {"state": chosen, "path": column.name}
    kind, height = "text_input", 1
    if column.name in table.key:
        properties["help"] = "Saving changes the row that has this, or adds one."
    if must and column.type != "boolean":
        properties["required"] = True
    if column.type == "number":
        kind = "number"
        properties |= {"value": None, "blank": not must, "min": -1e12, "max": 1e12}
    elif column.type == "boolean":
        kind = "checkbox"
    elif column.type == "json":
        kind, height = "text_area", 2
        properties["help"] = "As JSON: a list, an object, a number, or a text in quotes."
        read = f"{chosen}.{column.name}"
        bound = {"expr": f"str({read}) if {chosen} and {read} != None else None"}
    return {
        "id": names.fresh(column.name),
        "type": kind,
        "at": place(0, 0, 12, height),
        "properties": properties,
        "bindings": {"value": bound},
    }


def _listing(table: DataTable) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    # The names are checked by the document's patterns: they hold no quotes.
    return f'SELECT {columns} FROM "{table.name}" ORDER BY saved_at DESC LIMIT {MOST_ROWS}'  # noqa: S608


def _query_for(wanted: str, sql: str, limit: int, queries: Iterable[Query]) -> tuple[str, list[dict[str, Any]]]:
    """The name of a query that reads this, and the query if the view has none yet."""
    known = list(queries)
    found = next((query.name for query in known if query.sql == sql), None)
    if found is not None:
        return found, []
    name = Names(query.name for query in known).fresh(wanted)
    return name, [{"name": name, "sql": sql, "limit": limit}]


def _shown_columns(table: DataTable, pictures: set[str]) -> list[dict[str, Any]]:
    formats = {"number": "number", "boolean": "boolean"}
    shown = []
    for column in table.columns[:60]:
        said = "image" if column.name in pictures else formats.get(column.type)
        shown.append({"name": column.name, "title": words(column.name)[:200], **({"format": said} if said else {})})
    return shown


# --- queries ---------------------------------------------------------------------------------------------


def query_parts(document: ViewDocument, query: Query, page: Page, *, y: int = 0) -> Parts:
    """The rows of a query. Each parameter comes from the page's parameter or the input of that name, else from a field
    that is made for it."""
    names = Names(part.id for part in document.components())
    card = names.fresh(f"{query.name}_card")
    params: dict[str, Any] = {}
    fields: list[dict[str, Any]] = []
    for name in parameters_of(query.sql):
        given = _there(page, name)
        if given is None:
            field = _parameter_field(document, query, name, names)
            at = place(4 * (len(fields) % 3), len(fields) // 3, 4, 1)
            fields.append({**field, "parent": card, "at": at})
            given = {"component": field["id"]}
        params[name] = given
    above = -(-len(fields) // 3)
    rows = {
        "id": names.fresh(f"{query.name}_rows"),
        "type": "table",
        "parent": card,
        "at": place(0, above, 12, 8),
        "bindings": {"rows": {"query": query.name, **({"params": params} if params else {})}},
    }
    height = above + 9
    surface = {
        "id": card, "type": "card", "at": place(0, y, 12, height), "properties": {"title": words(query.name)[:200]}
    }  # fmt: skip
    return Parts([surface, *fields, rows], [], height)


_GIVES = frozenset({"text_input", "text_area", "number", "slider", "dropdown", "radio", "checkbox", "date"})


def _there(page: Page, name: str) -> dict[str, Any] | None:
    """What gives a parameter already: a parameter of the page, or a field on it."""
    if any(parameter.name == name for parameter in page.params):
        return {"param": name}
    if any(part.id == name and part.type in _GIVES for part in page.components):
        return {"component": name}
    return None


def _parameter_field(document: ViewDocument, query: Query, name: str, names: Names) -> dict[str, Any]:
    """A field of the type of the column that the parameter is compared with."""
    compared = re.search(_COMPARED.replace("{name}", re.escape(name)), query.sql, re.IGNORECASE)
    column = compared[1] if compared else name
    known = {each.name: each.type for table in document.tables for each in table.columns}
    kind = {"number": "number", "boolean": "checkbox"}.get(known.get(column, "text"), "text_input")
    properties: dict[str, Any] = {"label": words(name)[:200]}
    if kind == "number":
        properties |= {"value": None, "blank": True, "min": -1e12, "max": 1e12}
    return {"id": names.fresh(name), "type": kind, "properties": properties}
