"""Documents that a new view begins with: empty, from a worklet, or from a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..connectors.errors import BadInput
from ..connectors.store import Store
from ..flows.worklet import Worklet
from .automatic import Names, slug_of, table_parts, worklet_parts
from .checks import parse
from .document import ViewDocument
from .review_parts import inbox_document
from .sources import fields_of, live_worklet, sources, tables_of

TEMPLATES = {
    "empty": "An empty page.",
    "try-a-model": "Inputs, a button and the answer of a worklet, with what was asked before.",
    "table": "The rows of a table.",
    "review-inbox": "What a worklet asks people, each with what is to be judged and the fields of the decision.",
    "dashboard": "The rows of every table on a page each, and a page to run each worklet.",
}


def new_document(
    store: Store, title: str, *, slug: str = "", template: str = "empty", worklet: str = "", table: str = ""
) -> dict[str, Any]:
    """The document of a new view. Blocking. Raises BadInput, NotFound."""
    if template not in TEMPLATES:
        raise BadInput(f"There is no template {template[:40]!r}; use one of {', '.join(TEMPLATES)}.")
    base = {"slug": slug or slug_of(title), "title": title}
    if template == "review-inbox":
        if not worklet:
            raise BadInput("The template review-inbox begins with a worklet that has a review; say which one.")
        _, version = live_worklet(store, worklet)
        return {**base, **inbox_document(worklet, version.graph)}
    if worklet or template == "try-a-model":
        if not worklet:
            raise BadInput("The template try-a-model begins with a worklet; say which one.")
        return {**base, **worklet_page(store, worklet)}
    if template == "table":
        if not table:
            raise BadInput("The template table begins with a table; say which one.")
        return {**base, "pages": [{"id": "main", "components": _table(store, table)}]}
    if template == "dashboard":
        return {**base, **_dashboard(store)}
    return {**base, "pages": [{"id": "main", "components": []}]}


def worklet_page(store: Store, worklet: str) -> dict[str, Any]:
    """Description, states and the one page of a worklet's automatic view. Blocking. Raises NotFound."""
    row, version = live_worklet(store, worklet)
    return _page_of(worklet, row.description, version.graph)


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
    parts = worklet_parts(
        worklet,
        fields_of(graph.get("input_schema")),
        fields_of(graph.get("output_schema")),
        tables_of(graph),
        output_schema=graph.get("output_schema"),
    )
    return {
        # A docstring's marks for code mean nothing on a page.
        "description": description[:2000].replace("`", ""),
        "state": parts.state,
        "pages": [{"id": "main", "components": parts.components}],
    }


def worklet_operations(store: Store, document: ViewDocument, page: str, worklet: str, y: int) -> list[dict[str, Any]]:
    """The operations that put a worklet's parts on a page of a document, from row `y`. Blocking. Raises NotFound."""
    _, version = live_worklet(store, worklet)
    graph = version.graph
    parts = worklet_parts(
        worklet,
        fields_of(graph.get("input_schema")),
        fields_of(graph.get("output_schema")),
        tables_of(graph),
        output_schema=graph.get("output_schema"),
        taken=[part.id for part in document.components()],
        states=[state.name for state in document.state if state.scope == "user"],
        y=y,
    )
    declared = [{"op": "declare", "state": state} for state in parts.state]
    return [*declared, *({"op": "add", "page": page, "component": part} for part in parts.components)]


def table_operations(store: Store, document: ViewDocument, page: str, table: str, y: int) -> list[dict[str, Any]]:
    """The operations that put a table's rows on a page of a document, from row `y`. Blocking."""
    names = Names(part.id for part in document.components())
    picture, columns = _fields(store, table)
    parts = table_parts(table, picture, names=names, y=y, columns=columns)
    return [{"op": "add", "page": page, "component": part} for part in parts.components]


def _table(store: Store, table: str) -> list[dict[str, Any]]:
    picture, columns = _fields(store, table)
    return table_parts(table, picture, names=Names(), columns=columns).components


def _fields(store: Store, table: str) -> tuple[str | None, list[str]]:
    """The field of a table's rows that holds a picture, if one does, and their fields: of its rows, or of the worklet
    that writes them."""
    known = sources(store)
    columns: list[str] = next((one["columns"] for one in known["tables"] if one["name"] == table), [])
    for worklet in known["worklets"]:
        if table in worklet["tables"]:
            pictures = [str(one["name"]) for one in worklet["output"] if one["schema"].get("format") == "image"]
            columns = columns or [str(one["name"]) for one in worklet["output"]]
            if pictures:
                return pictures[0], columns
    return None, columns


def _dashboard(store: Store) -> dict[str, Any]:
    known = sources(store)
    names, rows, y = Names(), [], 0
    for table in known["tables"][:6]:
        picture, columns = _fields(store, table["name"])
        parts = table_parts(table["name"], picture, names=names, y=y, columns=columns)
        rows += parts.components
        y += parts.height
    pages: list[dict[str, Any]] = [{"id": "main", "title": "Overview", "components": rows}]
    state: list[dict[str, Any]] = []
    for worklet in known["worklets"][:6]:
        taken = [part["id"] for page in pages for part in page["components"]]
        parts = worklet_parts(
            worklet["name"], worklet["input"], worklet["output"], [], taken=taken, states=[one["name"] for one in state]
        )
        state += parts.state
        pages.append(
            {
                "id": Names(page["id"] for page in pages).fresh(worklet["name"]),
                "title": worklet["name"],
                "components": parts.components,
            }
        )
    return {"state": state, "pages": pages}
