"""From a view document to the Python code that writes it. The code makes the same document when it is run."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from .. import document as model
from ..components.kinds import KINDS
from . import kinds
from .assembly import COMMON_FIELDS, FUNCTIONS, label_of, natural_id
from .base import At, Component
from .formatting import Call, Code, literal, source
from .layout import natural_height, natural_widths, places

_CLASSES = {
    one.type: one for one in vars(kinds).values() if isinstance(one, type) and issubclass(one, Component) and one.type
}
# In the order in which a document's are told apart.
_BINDINGS = {tag.tag: one for one, tag in map(get_args, get_args(get_args(model.Binding)[0]))}


def python_source(document: model.ViewDocument, components: Sequence[Mapping[str, Any]] = ()) -> str:
    """A module that defines `view`, the same view by `pw.view`; `panel serve` shows it.

    Args:
        document: the view's.
        components: the definitions of authors' components that it has, with their scripts: so the module alone is
            all that a page needs.
    """
    return _Source(document, components).module()


class _Source:
    def __init__(self, document: model.ViewDocument, components: Sequence[Mapping[str, Any]] = ()) -> None:
        self._document = document
        self._components = components
        self._variables = _variables(document)
        # States in the order in which the code uses them, which is how `pw.view` will declare them.
        self._used: dict[str, None] = {}
        found = Counter(_natural(part) for part in document.components())
        self._plain_ids = {part.id for part in document.components() if found[part.id] == 1 == _same(part)}

    def module(self) -> str:
        """The whole text."""
        written = self._document.to_json()
        pages = [self._page(page) for page in self._document.pages]
        arguments: list[tuple[str | None, Any]] = [(None, self._document.slug), ("title", self._document.title)]
        arguments += [
            (name, written[name])
            for name in ("description", "theme", "access", "tables", "queries", "apis")
            if name in written
        ]
        if list(self._used) != [state.key for state in self._document.state]:
            arguments.append(("state", [Code(self._variables[state.key]) for state in self._document.state]))
        arguments.append(("pages", pages))
        if self._components:
            arguments.append(("components", Code("components")))
        states = [f"{self._variables[state.key]} = {self._state(state)}\n" for state in self._document.state]
        view = source(Call("pw.view", arguments), 0, len("view = "))
        blank = "\n" if states else ""
        served = "view.servable()  # for `panel serve`"
        head = f"import prefect_worklets as pw\n\n{''.join(states)}{blank}"
        return f"{head}{self._defined()}view = {view}\n\n{served}\n"

    def _defined(self) -> str:
        """The components' definitions; a script's lines stay lines."""
        if not self._components:
            return ""
        written = [{**one, "script": _in_lines(str(one["script"]))} for one in self._components]
        return f"components = {source(written, 0, len('components = '))}\n\n"

    def _state(self, state: model.StateDeclaration) -> str:
        said = state.model_dump(mode="json", exclude_defaults=True)
        return source(Call("pw.ui.State", [(None, said.pop("name")), *said.items()]), 0, 20)

    def _page(self, page: model.Page) -> Call:
        children, _ = self._group(page, None)
        arguments: list[tuple[str | None, Any]] = [(None, page.title), (None, children)]
        if page.id != (natural_id(page.title) or "main"):
            arguments.append(("id", page.id))
        hints = get_type_hints(model.Page, include_extras=True)
        said = page.model_dump(mode="json", exclude_defaults=True)
        more = [name for name in said if name not in ("id", "title", "components")]
        arguments += [(name, self._value(hints[name], said[name])) for name in more]
        return Call("pw.page", arguments)

    # --- places ---------------------------------------------------------------------------------------------

    def _group(self, page: model.Page, parent: str | None) -> tuple[list[Any], list[Any]]:
        """The code of what stands on a page or in a container, and the same as components, to know their places."""
        parts = [part for part in page.components if part.parent == parent]
        inside = {part.id: self._group(page, part.id) for part in parts}
        rows = _rows(parts, inside)
        found, bare = places(rows), [one for row in rows for one in _flat(row)]
        if any(found[id(one)] != _at(part) for one, part in zip(bare, parts, strict=True)):
            rows = bare = [_bare(part, inside[part.id][1], at=_at(part)) for part in parts]
        by_id = {one.id: part for one, part in zip(bare, parts, strict=True)}
        code: list[Any] = []
        for row in rows:
            beside = [self._component(by_id[one.id], one, inside[one.id][0]) for one in _flat(row)]
            code.append(beside if isinstance(row, list) else beside[0])
        return code, rows

    # --- components -----------------------------------------------------------------------------------------

    def _component(self, part: model.Component, bare: Component, children: Sequence[Any]) -> Call:
        kind, made = KINDS[part.type], _CLASSES[part.type]
        said = part.model_dump(mode="json", exclude_unset=True)
        values: dict[str, Any] = {"children": list(children)} if children else {}
        for name in kind.names():
            value = self._property(part, said, name)
            if value is not None:
                values[name] = value
        for event in sorted(kind.events):
            actions = [self._action(action) for action in said.get("actions", {}).get(event, [])]
            if actions:
                values[f"on_{event}"] = actions[0] if len(actions) == 1 else actions
        own = {event: [self._action(action) for action in actions] for event, actions in said.get("actions", {}).items()
               if event not in kind.events}  # fmt: skip
        if own:
            values["on"] = {event: does[0] if len(does) == 1 else does for event, does in sorted(own.items())}
        hints = get_type_hints(model.Component, include_extras=True)
        given = part.model_dump(mode="json", exclude_defaults=True)
        values |= {name: self._value(hints[name], given[name]) for name in COMMON_FIELDS if name in given}
        if part.id not in self._plain_ids:
            values["id"] = part.id
        if bare.at is not None:
            values["at"] = Code(f"pw.ui.At({bare.at.x}, {bare.at.y}, {bare.at.w}, {bare.at.h})")
        values |= {name: size for name in ("width", "height") if (size := getattr(bare, name)) is not None}
        first = next((each.name for each in fields(made) if not each.kw_only and each.init), None)
        leading = [(None, values.pop(first))] if first in values else []
        return Call(f"pw.ui.{made.__name__}", [*leading, *values.items()])

    def _property(self, part: model.Component, said: Mapping[str, Any], name: str) -> Any:
        """A property's code; None if it is at its default."""
        properties, bindings = said.get("properties", {}), said.get("bindings", {})
        value = properties.get(name)
        is_default = name not in properties or value == _plain(KINDS[part.type].default(name))
        kind = KINDS[part.type]
        if name == kind.holds and (single := [each for each in bindings if each not in kind.names()]):
            return self._held(bindings, single, name, value or {})
        if name not in bindings:
            return None if is_default else value if value is not None else Code("None")
        bound = self._binding(bindings[name], literal=False)
        if name not in properties:
            return bound
        return Code(f"{source(bound, 0, 10_000)}.otherwise({source(value, 0, 10_000)})")

    def _held(self, bindings: Mapping[str, Any], single: Sequence[str], name: str, fixed: Mapping[str, Any]) -> Any:
        """Properties that an author declared, of which some are bound by themselves."""
        held: dict[str, Any] = {each: value if value is not None else Code("None") for each, value in fixed.items()}
        for each in single:
            bound = self._binding(bindings[each], literal=False)
            if each in fixed:
                bound = Code(f"{source(bound, 0, 10_000)}.otherwise({source(fixed[each], 0, 10_000)})")
            held[each] = bound
        if name not in bindings:
            return held
        return Code(
            f"{source(self._binding(bindings[name], literal=False), 0, 10_000)}.otherwise({source(held, 0, 10_000)})"
        )

    def _action(self, said: Mapping[str, Any]) -> Call:
        one = next(one for one in get_args(get_args(model.Action)[0]) if _does(one) == said["do"])
        return self._call(FUNCTIONS.get(said["do"], said["do"]), one, said)

    def _binding(self, said: Mapping[str, Any], *, literal: bool = True) -> Any:
        """Code that reads. A constant is written as it stands where a value would be taken for one."""
        tag = next(tag for tag in _BINDINGS if tag in said)
        if tag == "constant" and literal:
            return said["constant"] if said["constant"] is not None else Code("None")
        if tag == "state" and not (said.get("path") and said.get("status")):
            variable = self._variable(said["state"])
            path = f'["{said["path"]}"]' if said.get("path") else ""
            return Code(f"{variable}{path}" + (f".{said['status']}" if said.get("status") else ""))
        return self._call(tag, _BINDINGS[tag], said)

    def _call(self, function: str, one: type[BaseModel], said: Mapping[str, Any]) -> Call:
        hints = get_type_hints(one, include_extras=True)
        arguments: list[tuple[str | None, Any]] = []
        for name, info in one.model_fields.items():
            default = _plain(info.get_default(call_default_factory=True)) if not info.is_required() else _plain
            if name == "do" or name not in said or said[name] == default:
                continue
            arguments.append((None if info.is_required() else name, self._value(hints[name], said[name])))
        arguments.sort(key=lambda argument: argument[0] is not None)
        return Call(f"pw.ui.{function}", arguments)

    def _value(self, annotation: Any, value: Any) -> Any:
        """A value as its field's type has it, in code."""
        arguments = get_args(annotation)
        if annotation in (model.Binding, model.Condition):
            return self._binding(value)
        if annotation == model.StateName:
            return Code(self._variable(value))
        if annotation == model.Action:
            return self._action(value)
        if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
            ours = (model.Binding, model.Condition, model.StateName)
            inner = next((one for one in arguments if one in ours), None)
            return self._value(inner, value) if inner is not None and value is not None else value
        if get_origin(annotation) is dict and isinstance(value, dict):
            return {key: self._value(arguments[1], one) for key, one in value.items()}
        if get_origin(annotation) is list and isinstance(value, list):
            return [self._value(arguments[0], one) for one in value]
        return value

    def _variable(self, key: str) -> str:
        self._used[key] = None
        return self._variables[key]


def _in_lines(text: str) -> Code:
    """A text as one literal a line, in brackets."""
    lines = [literal(line) for line in text.splitlines(keepends=True)]
    indent = " " * 12
    return Code("(\n" + "".join(f"{indent}{line}\n" for line in lines) + " " * 8 + ")" if lines else '""')


def _rows(parts: Sequence[model.Component], inside: Mapping[str, Any]) -> list[Any]:
    """Components of those sizes, in rows as they seem to stand."""
    rows: list[list[model.Component]] = []
    for part in parts:
        if rows and rows[-1][-1].at.y == part.at.y and rows[-1][-1].at.x < part.at.x:
            rows[-1].append(part)
        else:
            rows.append([part])
    found: list[Any] = []
    for row in rows:
        made = [_bare(part, inside[part.id][1]) for part in row]
        shared = natural_widths(made) == [part.at.w for part in row]
        for one, part in zip(made, row, strict=True):
            one.height = part.at.h if part.at.h != natural_height(one) else None
            one.width = None if shared else part.at.w
        found.append(made if len(made) > 1 else made[0])
    return found


def _bare(part: model.Component, children: Sequence[Any], at: At | None = None) -> Component:
    made = _CLASSES[part.type]
    holds: dict[str, Any] = {"children": children} if KINDS[part.type].container else {}
    return made(id=part.id, at=at, **holds)


def _flat(row: Any) -> list[Component]:
    return row if isinstance(row, list) else [row]


def _at(part: model.Component) -> At:
    return At(part.at.x, part.at.y, part.at.w, part.at.h)


def _variables(document: model.ViewDocument) -> dict[str, str]:
    """A Python name for each state."""
    scopes = Counter(state.name for state in document.state)
    taken = {"pw", "view", "components"}
    names: dict[str, str] = {}
    for state in document.state:
        name = state.name if scopes[state.name] == 1 else f"{state.name}_of_{state.scope}"
        while keyword.iskeyword(name) or name in taken:
            name += "_"
        taken.add(name)
        names[state.key] = name
    return names


def _natural(part: model.Component) -> str:
    bound = part.bindings
    return natural_id(label_of(part.type, {n: v for n, v in part.properties.items() if n not in bound})) or part.type


def _same(part: model.Component) -> bool:
    return _natural(part) == part.id


def _does(one: type[BaseModel]) -> str:
    return str(get_args(one.model_fields["do"].annotation)[0])


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
