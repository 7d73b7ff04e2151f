"""Documents that a new view begins with: empty, from a worklet, a model or a table, or from a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..connectors.errors import BadInput, DefinitionError
from ..connectors.store import Store
from ..flows.worklet import Worklet
from .automatic import Names, slug_of, table_parts
from .checks import parse
from .dashboards import dashboard
from .declarations import DataTable
from .model_parts import model_parts
from .pieces import graph_parts
from .review_parts import inbox_document
from .sources import key_of, live_model, live_worklet, rows_of, sources
from .table_parts import columns_of, editor_parts

TEMPLATES = {
    "empty": "An empty page.",
    "try-a-model": "Inputs and the answer of a model, or of a worklet with what was asked before.",
    "table": "The rows of a table.",
    "table-editor": "The rows of a table, and a window in which they are added, changed and deleted.",
    "review-inbox": "What a worklet asks people, each with what is to be judged and the fields of the decision.",
    "dashboard": "Figures, a chart and the rows of every table, and a page to run each worklet.",
}
# What a template may begin with; one of them has to be said.
BEGINS_WITH = {
    "try-a-model": ("model", "worklet"),
    "table": ("table",),
    "table-editor": ("table",),
    "review-inbox": ("worklet",),
}
_WRITERS = ("viewer", "operator", "builder", "admin")


def new_document(
    store: Store,
    title: str,
    *,
    slug: str = "",
    template: str = "empty",
    worklet: str = "",
    model: str = "",
    table: str = "",
    columns: Any = "",
    key: str = "",
    write: str = "",
) -> dict[str, Any]:
    """The document of a new view. Blocking.

    Args:
        template: one of TEMPLATES; where it is `empty`, what is named below chooses it.
        worklet, model, table: what it begins with.
        columns: of the table editor's table, as `number: number, species` or as in documents; by default its rows'.
        key: the column that tells the rows of that table apart.
        write: the role that writing into it takes; by default operator.

    Raises:
        BadInput: there is no such template, or it begins with something else.
        NotFound: there is no such live worklet or model.
    """
    if template not in TEMPLATES:
        raise BadInput(f"There is no template {template[:40]!r}; use one of {', '.join(TEMPLATES)}.")
    if template == "empty":
        template = "try-a-model" if worklet or model else "table" if table else "empty"
    given = {"worklet": worklet, "model": model, "table": table}
    _check_beginning(template, given)
    base = {"slug": slug or slug_of(title), "title": title}
    if template == "review-inbox":
        _, version = live_worklet(store, worklet)
        return {**base, **inbox_document(worklet, version.graph)}
    if template == "try-a-model":
        return {**base, **(worklet_page(store, worklet) if worklet else model_page(store, model))}
    if template == "table":
        return {**base, "pages": [{"id": "main", "components": _table(store, table)}]}
    if template == "table-editor":
        return {**base, **_editor(store, table, columns_of(columns), key, write or "operator")}
    if template == "dashboard":
        return {**base, **_dashboard(store)}
    return {**base, "pages": [{"id": "main", "components": []}]}


def _check_beginning(template: str, given: Mapping[str, str]) -> None:
    wanted = BEGINS_WITH.get(template, ())
    found = [name for name, value in given.items() if value]
    if not wanted:
        return
    choice = " or ".join(f"a {name}" for name in wanted)
    if not any(name in wanted for name in found):
        more = " that has a review" if template == "review-inbox" else ""
        raise BadInput(f"The template {template} begins with {choice}{more}; say which one.")
    if len(found) > 1:
        raise BadInput(f"The template {template} begins with {choice}, and {' and '.join(found)} are given; give one.")


def worklet_page(store: Store, worklet: str) -> dict[str, Any]:
    """Description, states and the one page of a worklet's automatic view. Blocking. Raises NotFound."""
    row, version = live_worklet(store, worklet)
    return _page_of(worklet, row.description, version.graph)


def model_page(store: Store, model: str) -> dict[str, Any]:
    """Description, states and the one page of a model's automatic view. Blocking. Raises NotFound, BadInput."""
    found = live_model(store, model)
    parts = model_parts(model, found.signature, found.sample, quick=found.quick)
    return {
        "description": found.description[:2000].replace("`", ""),
        "state": parts.state,
        "pages": [{"id": "main", "components": parts.components}],
    }


def view_for(worklet: Worklet[Any, Any], *, slug: str = "", title: str = "") -> dict[str, Any]:
    """The automatic view of a worklet, as a document: a form from its input, a button, what it answers, its history.

    Args:
        worklet: what `@pw.worklet` made.
        slug: the view's part of the address; made from the title if empty.
        title: the worklet's name in words if empty.

    Returns:
        A document that is checked, for `Client().publish_view(...)` or a file in a project's `views/`.

    Raises:
        DefinitionError: slug or title don't fit.
    """
    title = title or worklet.name.replace("_", " ").replace("-", " ").strip().capitalize()
    graph = worklet.graph.model_dump(mode="json")
    page = _page_of(worklet.name, worklet.graph.description.partition("\n\n")[0], graph)
    document = {"slug": slug or slug_of(title), "title": title, **page}
    parse(document)
    return document


def _page_of(worklet: str, description: str, graph: Mapping[str, Any]) -> dict[str, Any]:
    parts = graph_parts(worklet, graph)
    return {
        # A docstring's marks for code mean nothing on a page.
        "description": description[:2000].replace("`", ""),
        "state": parts.state,
        "pages": [{"id": "main", "components": parts.components}],
    }


def _table(store: Store, table: str) -> list[dict[str, Any]]:
    picture, columns = rows_of(store, table)
    return table_parts(table, picture, names=Names(), columns=[one["name"] for one in columns]).components


def _editor(store: Store, table: str, columns: list[dict[str, Any]], key: str, write: str) -> dict[str, Any]:
    if write not in _WRITERS:
        raise BadInput(f"{write[:40]!r} is no role; let {', '.join(_WRITERS[:-1])} or {_WRITERS[-1]} write.")
    picture, found = rows_of(store, table)
    columns = columns or [{"name": one["name"], "type": one["type"]} for one in found]
    if not columns:
        raise BadInput(
            f"The table {table[:64]!r} has no rows to take the columns from; "
            "say them, such as `number: number, species`."
        )
    names = [str(one.get("name")) for one in columns]
    keys = [key] if key else key_of(store, table, names)
    if key and key not in names:
        raise BadInput(f"The table has no column {key[:64]!r} to be its key; it has {', '.join(names)}.")
    declared = {"name": table, "columns": columns, "key": keys, "write": write}
    try:
        parse({"slug": "new", "title": table, "tables": [declared], "pages": [{"id": "main"}]})
    except DefinitionError as error:
        raise BadInput("Such a table can't be declared.", faults=error.faults) from None
    read = DataTable.model_validate(declared)
    parts, queries = editor_parts(read, names=Names(), pictures=[picture] if picture in names else [])
    return {
        "state": parts.state,
        "tables": [declared],
        "queries": queries,
        "pages": [{"id": "main", "components": parts.components}],
    }


def _dashboard(store: Store) -> dict[str, Any]:
    known = sources(store)
    tables = []
    for one in known["tables"]:
        picture, columns = rows_of(store, one["name"])
        tables.append({"name": one["name"], "columns": columns, "picture": picture})
    return dashboard(tables, known["worklets"])
