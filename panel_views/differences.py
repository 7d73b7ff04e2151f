"""From one view document to another: the operations that lead there, which is also what undoes a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from .document import VISIBLE, Component, Page, ViewDocument
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
    SetActions,
    SetPage,
    SetProperty,
    SetView,
    Undeclare,
    apply,
)

_OF_COMPONENTS = frozenset({"id", "type", "at", "parent", "properties", "bindings", "actions", VISIBLE})
_OF_VIEWS = frozenset({"version", "slug", "state", "pages"})


def difference(before: ViewDocument, after: ViewDocument) -> list[Operation]:
    """The operations that make `after` of `before`, when applied together (`apply_all`)."""
    return [
        *_view_fields(before, after),
        *_declared(before, after),
        *_pages_added(before, after),
        *_components(before, after),
        *_pages_removed(before, after),
    ]


def inverse(document: ViewDocument, operation: Operation) -> list[Operation]:
    """The operations that, applied together to the result of `operation`, give `document` again. Raises as `apply`."""
    return difference(apply(document, operation), document)


def _view_fields(before: ViewDocument, after: ViewDocument) -> Iterator[Operation]:
    for name in ViewDocument.model_fields:
        if name not in _OF_VIEWS and getattr(before, name) != getattr(after, name):
            yield SetView(name=name, value=_json(after, name))


def _declared(before: ViewDocument, after: ViewDocument) -> Iterator[Operation]:
    had = {state.key: state for state in before.state}
    wanted = [state.key for state in after.state]
    moved = [key for key in had if key in wanted] != [key for key in wanted if key in had]
    yield from (Undeclare(state=key) for key in had if moved or key not in wanted)
    for index, state in enumerate(after.state):
        if moved or had.get(state.key) != state:
            yield Declare(state=state, index=index)


def _pages_added(before: ViewDocument, after: ViewDocument) -> Iterator[Operation]:
    had = {page.id: page for page in before.pages}
    for page in after.pages:
        if page.id not in had:
            yield AddPage(page=page.model_copy(update={"components": []}))
            continue
        for name in Page.model_fields:
            if name not in ("id", "components") and getattr(had[page.id], name) != getattr(page, name):
                yield SetPage(page=page.id, name=name, value=_json(page, name))


def _pages_removed(before: ViewDocument, after: ViewDocument) -> Iterator[Operation]:
    wanted = [page.id for page in after.pages]
    yield from (RemovePage(page=page.id) for page in before.pages if page.id not in wanted)
    kept = [page.id for page in before.pages if page.id in wanted]
    present = [*kept, *(id for id in wanted if id not in kept)]
    if present != wanted:
        yield OrderPages(pages=wanted)


def _components(before: ViewDocument, after: ViewDocument) -> Iterator[Operation]:
    had = {part.id: (page.id, part) for page in before.pages for part in page.components}
    have = {part.id: (page.id, part) for page in after.pages for part in page.components}
    kept = {id for id in had if id in have and _stays(had[id], have[id])}
    for page in after.pages:
        kept -= _out_of_order([id for id, (where, _) in had.items() if where == page.id and id in kept],
                              [part.id for part in page.components if part.id in kept])  # fmt: skip
    # Removing a container removes what it holds.
    for page in before.pages:
        for container in {part.id for part in page.components} - kept:
            kept -= page.within(container)
    gone = set(had) - kept
    yield from (Remove(id=id) for id in had if id in gone and had[id][1].parent not in gone)
    for page in after.pages:
        present = [id for id, (where, _) in had.items() if where == page.id and id in kept]
        for index, part in enumerate(page.components):
            if part.id not in kept:
                present.insert(index, part.id)
                yield Add(page=page.id, component=part, index=index)
    for id in had:
        if id in kept:
            yield from _component(had[id][1], have[id][1])


def _stays(had: tuple[str, Component], have: tuple[str, Component]) -> bool:
    """Whether a component can be changed where it is; else it is taken away and added anew."""
    (page, before), (other_page, after) = had, have
    rest = set(Component.model_fields) - _OF_COMPONENTS
    return (
        page == other_page
        and before.type == after.type
        and all(getattr(before, name) == getattr(after, name) for name in rest)
    )


def _out_of_order(before: list[str], after: list[str]) -> set[str]:
    place = {id: number for number, id in enumerate(before)}
    highest = -1
    found = set()
    for id in after:
        if place[id] < highest:
            found.add(id)
        else:
            highest = place[id]
    return found


def _component(before: Component, after: Component) -> Iterator[Operation]:
    if (before.at, before.parent) != (after.at, after.parent):
        yield Move(id=after.id, at=after.at, parent=after.parent)
    for name in _keys(before.properties, after.properties):
        if name not in after.properties:
            yield SetProperty(id=after.id, name=name, unset=True)
        elif name not in before.properties or not _same(before.properties[name], after.properties[name]):
            yield SetProperty(id=after.id, name=name, value=after.properties[name])
    had, have = before.bound(), after.bound()
    for name in _keys(had, have):
        if had.get(name) != have.get(name):
            yield Bind(id=after.id, name=name, binding=have.get(name))
    for event in _keys(before.actions, after.actions):
        if before.actions.get(event, []) != after.actions.get(event, []):
            yield SetActions(id=after.id, event=event, actions=after.actions.get(event, []))


def _same(one: Any, other: Any) -> bool:
    # Python takes True and 1 for the same.
    return orjson.dumps(one) == orjson.dumps(other)


def _keys(before: Iterable[str], after: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*before, *after]))


def _json(holder: Any, name: str) -> Any:
    return holder.model_dump(mode="json", by_alias=True).get(name)
