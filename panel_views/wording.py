"""Changes to a view in words, for the list of versions, for whoever edits the same view, and for the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict

from .components.kinds import KINDS
from .differences import difference
from .document import VISIBLE, Component, ViewDocument
from .operations import (
    Add,
    AddPage,
    Bind,
    Declare,
    Move,
    Operation,
    OrderPages,
    Remove,
    RemovePage,
    Rename,
    SetActions,
    SetPage,
    SetProperty,
    SetView,
    Undeclare,
)


class Line(TypedDict):
    """One change: `kind` is the operation's name, `where` what it is about (`component:run`, `page:main`,
    `state:user.size` or `view`), `text` the sentence; `before` and `after` are the values, where there are any."""

    kind: str
    where: str
    text: str
    before: Any
    after: Any


def diff(before: ViewDocument, after: ViewDocument) -> list[Line]:
    """What is different in `after`, one line a change."""
    return lines(before, difference(before, after), after)


def lines(before: ViewDocument, operations: Iterable[Operation], after: ViewDocument) -> list[Line]:
    """The operations that led from `before` to `after`, in words."""
    return [_line(before, operation, after) for operation in operations]


def _line(before: ViewDocument, operation: Operation, after: ViewDocument) -> Line:
    if isinstance(operation, AddPage | SetPage | RemovePage | OrderPages):
        return _page_line(before, operation)
    if isinstance(operation, Declare):
        state = operation.state
        old = next((one.default for one in before.state if one.key == state.key), None)
        return _made(operation, f"state:{state.key}", f"declared {state.key}", old, state.default)
    if isinstance(operation, Undeclare):
        return _made(operation, f"state:{operation.state}", f"removed the state {operation.state}")
    if isinstance(operation, SetView):
        old = before.model_dump(mode="json").get(operation.name)
        return _made(operation, "view", f"set the view's {operation.name}", old, operation.value)
    return _component_line(before, operation, after)


def _page_line(before: ViewDocument, operation: AddPage | SetPage | RemovePage | OrderPages) -> Line:
    titles = {page.id: page.title or page.id for page in before.pages}
    if isinstance(operation, AddPage):
        name = operation.page.title or operation.page.id
        return _made(operation, f"page:{operation.page.id}", f"added the page “{name}”")
    if isinstance(operation, OrderPages):
        return _made(operation, "view", "put the pages into another order", list(titles), operation.pages)
    title = titles.get(operation.page, operation.page)
    if isinstance(operation, RemovePage):
        return _made(operation, f"page:{operation.page}", f"removed the page “{title}”")
    page = next((page for page in before.pages if page.id == operation.page), None)
    old = page.model_dump(mode="json").get(operation.name) if page is not None else None
    return _made(operation, f"page:{operation.page}", f"set {operation.name} of “{title}”", old, operation.value)


def _component_line(
    before: ViewDocument,
    operation: Add | Move | SetProperty | Bind | SetActions | Remove | Rename,
    after: ViewDocument,
) -> Line:
    if isinstance(operation, Add):
        part = operation.component
        return _made(operation, f"component:{part.id}", f"added {named(part)}", None, _json(part))
    had = before.component(operation.id) or after.component(operation.id)
    name = named(had) if had is not None else operation.id
    where = f"component:{operation.id}"
    if isinstance(operation, Remove):
        return _made(operation, where, f"removed {name}", _json(had))
    if isinstance(operation, Rename):
        return _made(operation, where, f"renamed {name} to {operation.to}", operation.id, operation.to)
    if isinstance(operation, Move):
        place = had.at.model_dump() if had is not None else None
        resized = had is not None and (had.at.w, had.at.h) != (operation.at.w, operation.at.h)
        verb = "resized" if resized else "moved"
        return _made(operation, where, f"{verb} {name}", place, operation.at.model_dump())
    if isinstance(operation, SetProperty):
        old = had.properties.get(operation.name) if had is not None else None
        return _made(operation, where, f"set {operation.name} of {name}", old, operation.value)
    if isinstance(operation, Bind):
        if operation.name == VISIBLE:
            verb = "set when to show" if operation.binding is not None else "always show"
            old = _json(had.visible_if) if had is not None else None
            return _made(operation, where, f"{verb} {name}", old, _json(operation.binding))
        verb = "bound" if operation.binding is not None else "unbound"
        old = _json(had.bound().get(operation.name)) if had is not None else None
        return _made(operation, where, f"{verb} {operation.name} of {name}", old, _json(operation.binding))
    old = [_json(action) for action in had.actions.get(operation.event, [])] if had is not None else []
    new = [_json(action) for action in operation.actions]
    return _made(operation, where, f"set what {operation.event} of {name} does", old, new)


def named(component: Component) -> str:
    """A component as people know it: its label or title and its sort."""
    kind = KINDS.get(component.type)
    sort = kind.title.lower() if kind is not None else component.type
    label = component.properties.get("label") or component.properties.get("title")
    return f"{sort} “{label}”" if isinstance(label, str) and label else f"{sort} {component.id}"


def _json(part: Any) -> Any:
    return None if part is None else part.model_dump(mode="json", exclude_defaults=True, by_alias=True)


def _made(operation: Operation, where: str, text: str, before: Any = None, after: Any = None) -> Line:
    return Line(kind=operation.op, where=where, text=text, before=before, after=after)
