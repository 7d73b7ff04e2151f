"""From what Python code wrote to the view document: ids, places and states are worked out, and every fault is told."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from ...connectors.errors import DefinitionError, Fault
from ...flows.faults import DefinitionFault, Place, definition_fault
from ...flows.view_definition import ComponentDefinition
from .. import document as model
from ..automatic import Names
from ..checks import parse
from ..components.kinds import KINDS
from .base import Action, Children, Component, Otherwise, Reads, State, here
from .layout import places, rows_of

# Fields of a component in the document that every kind has, beside those that are made here.
COMMON_FIELDS = tuple(
    name
    for name in model.Component.model_fields
    if name not in {"id", "type", "at", "parent", "properties", "bindings", "actions"}
)


# Functions of actions that are not named as the document names what they do.
FUNCTIONS = {"run_worklet": "run"}
# What a component is called that is read and stands on no page.
_ABSENT = "on_no_page"


@dataclass(frozen=True, eq=False)
class Page:
    """A page: its title, and the components on it."""

    title: str
    children: Children
    id: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    place: Place = field(default_factory=here, init=False, repr=False)


def assemble(head: Mapping[str, Any], pages: Sequence[Page], states: Sequence[State], place: Place) -> dict[str, Any]:
    """The document as plain JSON. Raises DefinitionError with every fault and the line of code that it is in."""
    assembly = _Assembly(pages, states, place)
    written = assembly.document(head)
    faults: list[DefinitionFault] = list(assembly.faults)
    try:
        checked = parse(written)
        if not faults:
            return checked.to_json()
    except DefinitionError as error:
        # Where a line has a fault already, what follows from it is no news.
        told = {(fault.file, fault.line) for fault in assembly.faults}
        found = [assembly.located(fault) for fault in error.faults if _ABSENT not in fault.msg]
        faults += [fault for fault in found if (fault.file, fault.line) not in told]
    slug, count = head.get("slug"), len(faults)
    raise DefinitionError(f"The view {slug!r} has {count} fault{'s' if count != 1 else ''}.", faults=faults)


class _Assembly:
    """One view on the way from code to document; the `Writer` of what the code wrote."""

    def __init__(self, pages: Sequence[Page], states: Sequence[State], place: Place) -> None:
        self.faults: list[DefinitionFault] = []
        self._place = place
        self._pages = pages
        self._states: dict[str, State] = {}
        self._inside: list[list[tuple[Component, Component | None]]] = [list(_walk(page.children)) for page in pages]
        self._ids = _ids([part for page in self._inside for part, _ in page])
        self._actions: dict[tuple[int, str, int], Place] = {}
        for state in states:
            self.key_of(state)

    def document(self, head: Mapping[str, Any]) -> dict[str, Any]:
        """The whole. States come last: which ones there are is known once everything was written."""
        taken = Names(page.id for page in self._pages if page.id)
        pages = [self._page(number, page, taken) for number, page in enumerate(self._pages)]
        head = {name: self.plain(value, self._place) for name, value in head.items()}
        declared = [self._state(state) for state in self._states.values()]
        return {**head, **({"state": declared} if declared else {}), "pages": pages}

    def _page(self, number: int, page: Page, taken: Names) -> dict[str, Any]:
        at = {key: place for group in self._groups(page) for key, place in places(group).items()}
        title = {"title": page.title} if page.title else {}
        more = self.fields(model.Page, page.more, page.place)
        parts = [self._component(part, parent, at) for part, parent in self._inside[number]]
        return {"id": page.id or taken.fresh(natural_id(page.title) or "main"), **title, **more, "components": parts}

    def _groups(self, page: Page) -> Iterator[Children]:
        yield page.children
        for part, _ in _walk(page.children):
            yield getattr(part, "children", ())

    def _component(self, part: Component, parent: Component | None, at: Mapping[int, Any]) -> dict[str, Any]:
        kind, place = KINDS[part.type], at[id(part)]
        written: dict[str, Any] = {"id": self.id_of(part), "type": part.type}
        written["at"] = {"x": place.x, "y": place.y, "w": place.w, "h": place.h}
        if parent is not None:
            written["parent"] = self.id_of(parent)
        properties: dict[str, Any] = {}
        bindings: dict[str, Any] = {}
        for name in kind.names():
            value = getattr(part, name)
            if name == kind.holds:
                value = self._held(value, part.place, bindings)
            if isinstance(value, Otherwise):
                properties[name] = self.plain(value.value, part.place)
            if isinstance(value, Reads):
                bindings[name] = self._binding(value, part.place)
            elif (said := self.plain(value, part.place)) != self.plain(kind.default(name), part.place):
                properties[name] = said
        own = sorted((getattr(part, "on", None) or {}).keys() - kind.events)
        actions = {event: self._does(part, event) for event in [*sorted(kind.events), *own]}
        filled = {"properties": properties, "bindings": bindings, "actions": {k: v for k, v in actions.items() if v}}
        common = {name: getattr(part, name) for name in COMMON_FIELDS}
        return {**written, **{k: v for k, v in filled.items() if v}, **self.fields(model.Component, common, part.place)}

    def _held(self, value: Any, place: Place, bindings: dict[str, Any]) -> Any:
        """The fixed ones of the properties that an author declared; what is read becomes a binding of its own."""
        bound = value if isinstance(value, Otherwise) else None
        held = bound.value if bound is not None else value
        if not isinstance(held, Mapping):
            return value
        single = {name: one for name, one in held.items() if isinstance(one, Reads)}
        bindings |= {name: self._binding(one, place) for name, one in single.items()}
        kept = {name: one.value if isinstance(one, Otherwise) else one for name, one in held.items()
                if not isinstance(one, Reads) or isinstance(one, Otherwise)}  # fmt: skip
        if not kept and single:
            return bound.reads if bound is not None else None
        return Otherwise(bound.reads, kept) if bound is not None else kept

    def _does(self, part: Component, event: str) -> list[dict[str, Any]]:
        does = getattr(part, f"on_{event}", None)
        if does is None:
            does = part.on[event]  # type: ignore[attr-defined]  # one that an author declared
        written = []
        for number, action in enumerate([does] if isinstance(does, Action) else does):
            if not isinstance(action, Action):
                said = f"{part.type} {self.id_of(part)!r}: on_{event} holds {action!r}, which is no action."
                self._fault(said, part.place, 'write pw.ui.run("worklet", into=state), or another action')
                continue
            self._actions[id(part), event, number] = action.place
            written.append(self._action(action))
        return written

    def _action(self, action: Action) -> dict[str, Any]:
        do = get_args(action.model.model_fields["do"].annotation)[0]
        return {"do": do, **self.fields(action.model, action.values, action.place)}

    def _state(self, state: State) -> dict[str, Any]:
        values = {each.name: getattr(state, each.name) for each in fields(state) if each.init}
        return self.fields(model.StateDeclaration, values, state.place)

    # --- the Writer -----------------------------------------------------------------------------------------

    def id_of(self, component: Component) -> str:
        """The id of a component of the view; a fault if it is not on one of the pages."""
        found = self._ids.get(id(component))
        if found is None:
            said = f"the {component.type} that is made here is read, and stands on no page of the view."
            self._fault(said, component.place, "put it on a page, or into a container on one")
        return found or _ABSENT

    def key_of(self, state: State) -> str:
        """The state's key; it is declared from here on."""
        key = f"{state.scope}.{state.name}"
        other = self._states.setdefault(key, state)
        if other is not state and other.default != state.default:
            self._fault(f"the state {key} is declared here and at {other.place}.", state.place, "keep one of them")
        return key

    def fields(self, model: type[BaseModel], values: Mapping[str, Any], place: Place) -> dict[str, Any]:
        """The fields that are not at their defaults."""
        hints = get_type_hints(model, include_extras=True)
        written = {}
        for name, value in values.items():
            said = self._written(hints[name], value, place)
            info = model.model_fields[name]
            if info.is_required() or said != self.plain(info.get_default(call_default_factory=True), place):
                written[name] = said
        return written

    def _written(self, annotation: Any, value: Any, place: Place) -> Any:
        """A value as its field's type wants it: where a binding stands, a plain value is a constant."""
        if annotation == model.Binding:
            return self._binding(value, place) if isinstance(value, Reads) else {"constant": self.plain(value, place)}
        if annotation == model.Condition and isinstance(value, str):
            return {"expr": value}
        if annotation == model.Condition:
            return self._written(model.Binding, value, place)
        arguments = get_args(annotation)
        if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
            inner = next((one for one in arguments if _holds_binding(one)), None)
            if value is not None and inner is not None:
                return self._written(inner, value, place)
        elif get_origin(annotation) is dict and isinstance(value, Mapping):
            return {str(key): self._written(arguments[1], one, place) for key, one in value.items()}
        elif get_origin(annotation) is list and isinstance(value, list | tuple):
            return [self._written(arguments[0], one, place) for one in value]
        elif get_origin(annotation) is list and isinstance(value, Action):
            return [self._action(value)]
        return self.plain(value, place)

    def _binding(self, reads: Reads, place: Place) -> dict[str, Any]:
        try:
            return reads.binding(self)
        except TypeError as error:
            self._fault(f"{error}.", place)
            return {"constant": None}

    def plain(self, value: Any, place: Place) -> Any:
        """A value as JSON; what stands for something of the view becomes its name."""
        if isinstance(value, Component):
            return self.id_of(value)
        if isinstance(value, State):
            return self.key_of(value)
        if isinstance(value, Action):
            return self._action(value)
        if isinstance(value, Page):
            return value.id or natural_id(value.title)
        if isinstance(value, Reads):
            self._fault("what is read stands inside a value; only a whole property can be bound.", place)
            return None
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json", exclude_unset=True)
        if isinstance(value, Mapping):
            return {str(key): self.plain(one, place) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(one, place) for one in value]
        if isinstance(value, datetime.date | datetime.time):
            return value.isoformat()
        if value is None or isinstance(value, str | int | float):
            return value
        self._fault(f"{value!r:.80} is no JSON value.", place, "write text, numbers, true or false, lists and mappings")
        return None

    # --- faults ---------------------------------------------------------------------------------------------

    def _fault(self, msg: str, place: Place, fix: str | None = None) -> None:
        found = definition_fault(msg, fix=fix, place=place)
        if found not in self.faults:
            self.faults.append(found)

    def located(self, fault: Fault) -> DefinitionFault:
        """A fault of the document, at the line that wrote the part."""
        place, what, rest = self._place, "", fault.loc
        if fault.loc[:1] == ("state",) and len(fault.loc) > 1:
            state = list(self._states.values())[int(fault.loc[1])]
            place, what, rest = state.place, f"state {state.name!r}", fault.loc[2:]
        elif fault.loc[:1] == ("pages",) and len(fault.loc) > 1:
            number = int(fault.loc[1])
            place, what, rest = self._pages[number].place, f"page {self._pages[number].title!r}", fault.loc[2:]
            if rest[:1] == ("components",) and len(rest) > 1:
                part = self._inside[number][int(rest[1])][0]
                place, what, rest = part.place, f"{part.type} {self.id_of(part)!r}", rest[2:]
                if rest[:1] == ("actions",) and len(rest) > 2:
                    place = self._actions.get((id(part), str(rest[1]), int(rest[2])), place)
        said = ".".join(str(one) for one in rest if one not in ("properties", "bindings"))
        text = ": ".join(one for one in (what, said, fault.msg) if one)
        return definition_fault(text, fix=fault.fix, place=place, type=fault.type)


def authored_on(pages: Sequence[Page]) -> list[type[ComponentDefinition]]:
    """The classes of authors' components that stand on pages, each once."""
    found = [type(part) for page in pages for part, _ in _walk(page.children) if isinstance(part, ComponentDefinition)]
    return list(dict.fromkeys(found))


def _holds_binding(annotation: Any) -> bool:
    return annotation in (model.Binding, model.Condition) or any(_holds_binding(one) for one in get_args(annotation))


def _walk(children: Children, parent: Component | None = None) -> Iterator[tuple[Component, Component | None]]:
    for row in rows_of(children):
        for part in row:
            yield part, parent
            yield from _walk(getattr(part, "children", ()), part)


def _ids(parts: Sequence[Component]) -> dict[int, str]:
    """The id of each component: the one that it was given, or one from its label."""
    names = Names(part.id for part in parts if part.id)
    ids: dict[int, str] = {}
    for part in dict.fromkeys(parts):
        ids[id(part)] = part.id or names.fresh(natural_id(label_of(part.type, vars(part))) or part.type)
    return ids


def label_of(type: str, properties: Mapping[str, Any]) -> str:
    """What a component calls itself on the page: its label or title, unless that is the one that every such has."""
    kind = KINDS[type]
    for name in ("label", "title"):
        text = properties.get(name)
        if name in kind.names() and isinstance(text, str) and text:
            return text if text != kind.default(name) else ""
    return ""


def natural_id(text: str) -> str:
    """The id that a label gives; nothing if it has no letter for one."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:50]
    return name if not name or name[0].isalpha() else f"x{name}"
