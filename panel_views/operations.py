"""Changes to a view document, as values: the builder, the API and the tests share them.

`apply(document, operation)` is pure and returns a new, checked document; `inverse` gives what undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from ..connectors.errors import BadInput, Fault, NotFound
from .checks import parse
from .document import Action, Binding, Component, Name, Page, Part, Place, ViewDocument


class Add(Part):
    """Put a component on a page, at the end or at `index` of the page's list."""

    op: Literal["add"] = "add"
    page: Name
    component: Component
    index: int | None = Field(default=None, ge=0)


class Move(Part):
    """Move or resize a component, and put it into (or out of) a container."""

    op: Literal["move"] = "move"
    id: Name
    at: Place
    parent: Name | None = None


class SetProperty(Part):
    """Set a property, or (without `value`) put it back to its default."""

    op: Literal["set"] = "set"
    id: Name
    name: str
    value: JsonValue = None
    unset: bool = False


class Bind(Part):
    """Bind a property; None takes the binding away."""

    op: Literal["bind"] = "bind"
    id: Name
    name: str
    binding: Binding | None = None


class SetActions(Part):
    """Set what an event does; an empty list takes it away."""

    op: Literal["actions"] = "actions"
    id: Name
    event: str
    actions: list[Action] = Field(default=[])


class Remove(Part):
    """Take a component away, and what it contains."""

    op: Literal["remove"] = "remove"
    id: Name


Operation = Annotated[Add | Move | SetProperty | Bind | SetActions | Remove, Field(discriminator="op")]
_OPERATION: TypeAdapter[Operation] = TypeAdapter(Operation)


def read_operation(value: Any) -> Operation:
    """An operation from plain JSON. Raises BadInput with every fault."""
    try:
        return _OPERATION.validate_python(value)
    except ValidationError as error:
        faults = [Fault(entry["loc"], entry["msg"], entry["type"]) for entry in error.errors(include_url=False)]
        raise BadInput("That is not a change to a view.", faults=faults) from None


def apply(document: ViewDocument, operation: Operation) -> ViewDocument:
    """The document after the operation. Raises NotFound, DefinitionError (the result would be faulty)."""
    if isinstance(operation, Add):
        changed = _on_page(document, operation.page, lambda parts: _inserted(parts, operation))
    elif isinstance(operation, Remove):
        gone = {operation.id, *(part.id for part in document.components() if part.parent == operation.id)}
        page = _page_of(document, operation.id)
        changed = _on_page(document, page.id, lambda parts: [part for part in parts if part.id not in gone])
    else:
        page = _page_of(document, operation.id)
        changed = _on_page(document, page.id, lambda parts: _replaced(parts, operation))
    return parse(changed.to_json())


def inverse(document: ViewDocument, operation: Operation) -> list[Operation]:
    """The operations that, applied in order to the result of `operation`, give `document` again."""
    if isinstance(operation, Add):
        return [Remove(id=operation.component.id)]
    page = _page_of(document, operation.id)
    component = _component(document, operation.id)
    if isinstance(operation, Move):
        return [Move(id=component.id, at=component.at, parent=component.parent)]
    if isinstance(operation, SetProperty):
        had = operation.name in component.properties
        value = component.properties.get(operation.name)
        return [SetProperty(id=component.id, name=operation.name, value=value, unset=not had)]
    if isinstance(operation, Bind):
        return [Bind(id=component.id, name=operation.name, binding=component.bindings.get(operation.name))]
    if isinstance(operation, SetActions):
        before = component.actions.get(operation.event, [])
        return [SetActions(id=component.id, event=operation.event, actions=before)]
    gone = [(n, part) for n, part in enumerate(page.components) if component.id in (part.id, part.parent)]
    # A container comes before what it holds, whatever their order in the list was.
    ordered = sorted(gone, key=lambda entry: entry[1].parent is not None)
    adds = {part.id: Add(page=page.id, component=part, index=n) for n, part in ordered}
    if len(gone) > 1:
        return _restore_in_order(page, [adds[part.id] for _, part in ordered])
    return list(adds.values())


def _restore_in_order(page: Page, adds: list[Add]) -> list[Operation]:
    """Give each add the index at which it stands among the components that are there at its turn."""
    order = [part.id for part in page.components]
    present = [id for id in order if id not in {add.component.id for add in adds}]
    restored: list[Operation] = []
    for add in adds:
        index = sum(1 for id in order[: order.index(add.component.id)] if id in present)
        present.append(add.component.id)
        restored.append(add.model_copy(update={"index": index}))
    return restored


def _inserted(parts: list[Component], operation: Add) -> list[Component]:
    index = len(parts) if operation.index is None else min(operation.index, len(parts))
    return [*parts[:index], operation.component, *parts[index:]]


def _replaced(parts: list[Component], operation: Move | SetProperty | Bind | SetActions) -> list[Component]:
    return [_changed(part, operation) if part.id == operation.id else part for part in parts]


def _changed(component: Component, operation: Move | SetProperty | Bind | SetActions) -> Component:
    if isinstance(operation, Move):
        return component.model_copy(update={"at": operation.at, "parent": operation.parent})
    if isinstance(operation, SetProperty):
        kept = {name: value for name, value in component.properties.items() if name != operation.name}
        new = {} if operation.unset else {operation.name: operation.value}
        return component.model_copy(update={"properties": {**kept, **new}})
    if isinstance(operation, Bind):
        bound = {name: value for name, value in component.bindings.items() if name != operation.name}
        if operation.binding is not None:
            bound[operation.name] = operation.binding
        return component.model_copy(update={"bindings": bound})
    actions = {event: value for event, value in component.actions.items() if event != operation.event}
    if operation.actions:
        actions[operation.event] = operation.actions
    return component.model_copy(update={"actions": actions})


def _on_page(document: ViewDocument, id: str, change: Callable[[list[Component]], Iterable[Component]]) -> ViewDocument:
    if all(page.id != id for page in document.pages):
        known = ", ".join(page.id for page in document.pages)
        raise NotFound(f"The view {document.slug!r} has no page {id!r}; it has {known}.")
    pages = [
        page.model_copy(update={"components": list(change(page.components))}) if page.id == id else page
        for page in document.pages
    ]
    return document.model_copy(update={"pages": pages})


def _page_of(document: ViewDocument, id: str) -> Page:
    for page in document.pages:
        if any(component.id == id for component in page.components):
            return page
    raise _missing(document, id)


def _component(document: ViewDocument, id: str) -> Component:
    component = document.component(id)
    if component is None:
        raise _missing(document, id)
    return component


def _missing(document: ViewDocument, id: str) -> NotFound:
    known = ", ".join(component.id for component in document.components()) or "none"
    return NotFound(f"The view {document.slug!r} has no component {id!r}; it has {known}.")
