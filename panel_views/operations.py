"""Changes to a view document, as values: the builder, the API and the tests share them.

`apply(document, operation)` is pure and returns a new, checked document; `differences.difference` gives the operations
that lead from one document to another, and so what undoes a change.
`apply_all` makes several changes at once and checks the outcome only, so that the order in between does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from ..connectors.errors import BadInput, Fault, NotFound
from .checks import parse
from .document import (
    VISIBLE,
    Action,
    Binding,
    Component,
    Name,
    Page,
    Part,
    Place,
    StateDeclaration,
    StateName,
    ViewDocument,
)
from .renaming import renamed


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
    """Bind a property, or `visible_if`; None takes the binding away."""

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


class Rename(Part):
    """Give a component another id; whatever reads it follows."""

    op: Literal["rename"] = "rename"
    id: Name
    to: Name


class AddPage(Part):
    """Add a page, at the end or at `index`."""

    op: Literal["add_page"] = "add_page"
    page: Page
    index: int | None = Field(default=None, ge=0)


class SetPage(Part):
    """Set a field of a page, such as its title; its components are changed by the operations above."""

    op: Literal["set_page"] = "set_page"
    page: Name
    name: str
    value: JsonValue = None


class OrderPages(Part):
    """Put the pages into this order."""

    op: Literal["order_pages"] = "order_pages"
    pages: list[Name]


class RemovePage(Part):
    """Take a page away, with its components."""

    op: Literal["remove_page"] = "remove_page"
    page: Name


class SetView(Part):
    """Set a field of the view itself: title, description, theme, access."""

    op: Literal["set_view"] = "set_view"
    name: str
    value: JsonValue = None


class Declare(Part):
    """Declare a state, or declare it anew, in the place that it had."""

    op: Literal["declare"] = "declare"
    state: StateDeclaration
    index: int | None = Field(default=None, ge=0)


class Undeclare(Part):
    """Take a state away."""

    op: Literal["undeclare"] = "undeclare"
    state: StateName


ComponentOperation = Move | SetProperty | Bind | SetActions
ViewOperation = AddPage | SetPage | OrderPages | RemovePage | SetView | Declare | Undeclare
Operation = Annotated[
    Add
    | Move
    | SetProperty
    | Bind
    | SetActions
    | Remove
    | Rename
    | AddPage
    | SetPage
    | OrderPages
    | RemovePage
    | SetView
    | Declare
    | Undeclare,
    Field(discriminator="op"),
]
# Parts of a view that other operations change, or that nothing may change.
_NOT_SET = frozenset({"version", "slug", "state", "pages"})
_OPERATION: TypeAdapter[Operation] = TypeAdapter(Operation)


def read_operation(value: Any) -> Operation:
    """An operation from plain JSON. Raises BadInput with every fault."""
    try:
        return _OPERATION.validate_python(value)
    except ValidationError as error:
        raise BadInput("That is not a change to a view.", faults=_faults(error)) from None


def read_operations(value: Any) -> list[Operation]:
    """Operations from a list of plain JSON. Raises BadInput with every fault."""
    if not isinstance(value, list):
        raise BadInput("`operations` is a list of changes.")
    return [read_operation(one) for one in value]


def apply(document: ViewDocument, operation: Operation) -> ViewDocument:
    """The document after the operation. Raises NotFound, BadInput, DefinitionError (the result would be faulty)."""
    return apply_all(document, [operation])


def apply_all(document: ViewDocument, operations: Iterable[Operation]) -> ViewDocument:
    """The document after the operations; what is faulty in between may be. Raises as `apply` does."""
    return parse(changed(document, operations).to_json())


def changed(document: ViewDocument, operations: Iterable[Operation]) -> ViewDocument:
    """The document after the operations, not checked. Raises NotFound, BadInput."""
    for operation in operations:
        document = _changed_once(document, operation)
    return document


def _changed_once(document: ViewDocument, operation: Operation) -> ViewDocument:
    if isinstance(operation, Add):
        return _on_page(document, operation.page, lambda parts: _inserted(parts, operation))
    if isinstance(operation, Remove):
        page = _page_of(document, operation.id)
        gone = {operation.id, *page.within(operation.id)}
        return _on_page(document, page.id, lambda parts: [part for part in parts if part.id not in gone])
    if isinstance(operation, Rename):
        _component(document, operation.id)
        return renamed(document, operation.id, operation.to)
    if isinstance(operation, ViewOperation):
        return _view_changed(document, operation)
    page = _page_of(document, operation.id)
    return _on_page(document, page.id, lambda parts: _replaced(parts, operation))


def _view_changed(document: ViewDocument, operation: ViewOperation) -> ViewDocument:
    if isinstance(operation, Declare):
        others = [state for state in document.state if state.key != operation.state.key]
        before = next((n for n, state in enumerate(document.state) if state.key == operation.state.key), len(others))
        index = before if operation.index is None else min(operation.index, len(others))
        return document.model_copy(update={"state": [*others[:index], operation.state, *others[index:]]})
    if isinstance(operation, Undeclare):
        kept = [state for state in document.state if state.key != operation.state]
        return document.model_copy(update={"state": kept})
    if isinstance(operation, SetView):
        if operation.name in _NOT_SET or operation.name not in ViewDocument.model_fields:
            allowed = ", ".join(sorted(set(ViewDocument.model_fields) - _NOT_SET))
            raise BadInput(f"A view has no field {operation.name!r} that can be set; set one of {allowed}.")
        return _read({**document.to_json(), operation.name: operation.value})
    return document.model_copy(update={"pages": _pages_changed(document, operation)})


def _pages_changed(document: ViewDocument, operation: AddPage | SetPage | OrderPages | RemovePage) -> list[Page]:
    pages = list(document.pages)
    if isinstance(operation, AddPage):
        pages.insert(len(pages) if operation.index is None else operation.index, operation.page)
    elif isinstance(operation, OrderPages):
        if sorted(operation.pages) != sorted(page.id for page in pages):
            raise BadInput(f"The order names other pages than the view has: {', '.join(page.id for page in pages)}.")
        pages.sort(key=lambda page: operation.pages.index(page.id))
    else:
        _page(document, operation.page)
        if isinstance(operation, RemovePage):
            return [page for page in pages if page.id != operation.page]
        if operation.name == "components" or operation.name not in Page.model_fields:
            raise BadInput(f"A page has no field {operation.name!r} that can be set.")
        return [_page_with(page, operation) if page.id == operation.page else page for page in pages]
    return pages


def _page_with(page: Page, operation: SetPage) -> Page:
    fields = page.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    try:
        return Page.model_validate({**fields, operation.name: operation.value})
    except ValidationError as error:
        raise BadInput("That does not fit the page.", faults=_faults(error)) from None


def _read(value: dict[str, Any]) -> ViewDocument:
    try:
        return ViewDocument.model_validate(value)
    except ValidationError as error:
        raise BadInput("That does not fit the view.", faults=_faults(error)) from None


def _faults(error: ValidationError) -> list[Fault]:
    entries = error.errors(include_url=False, include_input=False)
    return [Fault(entry["loc"], entry["msg"], entry["type"]) for entry in entries]


def _inserted(parts: list[Component], operation: Add) -> list[Component]:
    index = len(parts) if operation.index is None else min(operation.index, len(parts))
    return [*parts[:index], operation.component, *parts[index:]]


def _replaced(parts: list[Component], operation: ComponentOperation) -> list[Component]:
    return [_component_with(part, operation) if part.id == operation.id else part for part in parts]


def _component_with(component: Component, operation: ComponentOperation) -> Component:
    if isinstance(operation, Move):
        return component.model_copy(update={"at": operation.at, "parent": operation.parent})
    if isinstance(operation, SetProperty):
        kept = {name: value for name, value in component.properties.items() if name != operation.name}
        new = {} if operation.unset else {operation.name: operation.value}
        return component.model_copy(update={"properties": {**kept, **new}})
    if isinstance(operation, Bind) and operation.name == VISIBLE:
        return component.model_copy(update={VISIBLE: operation.binding})
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
    _page(document, id)
    pages = [
        page.model_copy(update={"components": list(change(page.components))}) if page.id == id else page
        for page in document.pages
    ]
    return document.model_copy(update={"pages": pages})


def _page(document: ViewDocument, id: str) -> Page:
    for page in document.pages:
        if page.id == id:
            return page
    known = ", ".join(page.id for page in document.pages)
    raise NotFound(f"The view {document.slug!r} has no page {id!r}; it has {known}.")


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
