"""What a document says of components that authors write, checked by what these declare: every fault with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlmodel import Session

from ..connectors.errors import BadInput, DefinitionError, Fault
from .components.kinds import KINDS
from .custom import TYPE, CustomDefinition, definitions, used
from .declarations import BINDABLE
from .document import VISIBLE, Component, ViewDocument
from .expressions import parse as parse_expression
from .faults import Loc, unknown

# Below these are values as they stand, which read nothing.
_VALUES = frozenset({"constant", "default"})


def check(session: Session, document: ViewDocument) -> None:
    """Raises DefinitionError with all that is wrong with a document's components of this kind, and what reads them."""
    if not any(part.type == TYPE for part in document.components()):
        return
    faults = list(faults_of(document, definitions(session, used(document))))
    if faults:
        count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
        raise DefinitionError(f"The view {document.slug!r} has {count}.", faults=faults)


def faults_of(document: ViewDocument, known: Mapping[str, CustomDefinition]) -> Iterator[Fault]:
    """The same faults, by definitions that are at hand."""
    for page_number, page in enumerate(document.pages):
        for number, part in enumerate(page.components):
            at: Loc = ("pages", page_number, "components", number)
            if part.type == TYPE:
                for fault in _use_faults(known.get(str(part.properties.get("component", ""))), part):
                    yield Fault((*at, *fault.loc), fault.msg, fault.type, fault.fix)
            written = part.model_dump(mode="json", exclude_none=True)
            for field in ("bindings", "actions", VISIBLE):
                for loc, id, value in _reads((*at, field), written.get(field)):
                    yield from _read_faults(document, known, loc, id, value)


def _use_faults(definition: CustomDefinition | None, part: Component) -> Iterator[Fault]:
    properties, bindings = part.properties, part.bindings
    name = str(properties.get("component", ""))
    if "component" in bindings:
        yield Fault(("bindings", "component"), "which component it is can't be bound", "binding", "write its name")
    if definition is None:
        what = f"there is no component named {name!r}" if name else "it says not which component it is"
        yield Fault(("properties", "component"), what, "unknown", "push it: `pw.Client().push_component(THE_CLASS)`")
        return
    given = {name: properties[name] for name in sorted(BINDABLE & properties.keys()) if properties[name] is not None}
    for fault in definition.faults(given):
        yield Fault(("properties", *fault.loc), fault.msg, fault.type, fault.fix)
    fixed = properties.get("props")
    for fault in definition.faults(fixed if isinstance(fixed, dict) else {}):
        yield Fault(("properties", "props", *fault.loc), fault.msg, fault.type, fault.fix)
    common = set(KINDS[TYPE].names()) - BINDABLE
    for name in bindings.keys() - common - definition.own.keys():
        what = f"property of the component {definition.name!r}"
        yield unknown(("bindings", name), what, name, sorted(definition.own))
    for event in part.actions.keys() - KINDS[TYPE].events - definition.events.keys():
        what = f"event of the component {definition.name!r}"
        yield unknown(("actions", event), what, event, sorted(KINDS[TYPE].events | definition.events.keys()))


def _reads(loc: Loc, value: Any) -> Iterator[tuple[Loc, str, str]]:
    """The components' values that bindings and actions read, as plain JSON has them: place, id and value."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _reads((*loc, number), one)
    if not isinstance(value, dict):
        return
    if isinstance(value.get("component"), str) and "do" not in value:
        yield loc, value["component"], str(value.get("value", "value"))
    if isinstance(value.get("expr"), str):
        try:
            paths = parse_expression(value["expr"]).reads
        except BadInput:  # the document's own check says so
            paths = frozenset()
        for path in sorted(path for path in paths if path[0] == "components" and len(path) > 2):
            yield (*loc, "expr"), path[1], path[2]
    for name, one in value.items():
        if name not in _VALUES:
            yield from _reads((*loc, name), one)


def _read_faults(
    document: ViewDocument, known: Mapping[str, CustomDefinition], loc: Loc, id: str, value: str
) -> Iterator[Fault]:
    read = document.component(id)
    definition = known.get(str(read.properties.get("component"))) if read is not None and read.type == TYPE else None
    if definition is not None and value not in definition.readable:
        yield unknown(loc, f"value of {id!r} (a {definition.name})", value, definition.readable)
