"""What Python code writes a view with: whatever can be read, states, and the base of components and actions."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel

from ...flows.faults import Place

# What users write with; the rest is for the package itself.
__all__ = ["Action", "At", "Component", "Reads", "State", "expr"]

# Frames of these files are not the user's: this package, the face, and the `__init__` of dataclasses.
_OURS = (str(Path(__file__).parent), "<string>")
_FACE = "prefect_worklets.written_views"


class Writer(Protocol):
    """Turns what the code holds into plain JSON; knows the ids of the view's components."""

    def id_of(self, component: Component) -> str:
        """The id of a component of the view."""
        ...

    def key_of(self, state: State) -> str:
        """The state's name with its scope; from then on the view declares it."""
        ...

    def fields(self, model: type[BaseModel], values: Mapping[str, Any], place: Place) -> dict[str, Any]:
        """What a binding or an action says, without what is at its default."""
        ...


def here() -> Place:
    """The line of the user's code that calls into this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        ours = frame.f_code.co_filename.startswith(_OURS) or frame.f_globals.get("__name__") == _FACE
        if not ours:
            break
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


class Reads:
    """Something that a property can be bound to."""

    def binding(self, writer: Writer) -> dict[str, Any]:
        """The binding as a document writes it."""
        raise NotImplementedError

    def path(self, writer: Writer) -> str:
        """What reads it in an expression. Raises TypeError if expressions can't read it."""
        raise TypeError(f"{type(self).__name__} can't be read in an expression")

    def otherwise(self, value: Any) -> Otherwise:
        """The same, with the property's value for as long as there is nothing to read."""
        return Otherwise(self, value)


@dataclass(frozen=True, eq=False)
class Otherwise(Reads):
    """A binding, and what the property is while the binding gives nothing."""

    reads: Reads
    value: Any

    def binding(self, writer: Writer) -> dict[str, Any]:
        """That of what is read."""
        return self.reads.binding(writer)

    def path(self, writer: Writer) -> str:
        """That of what is read."""
        return self.reads.path(writer)


@dataclass(frozen=True, eq=False)
class State(Reads):
    """A state of the view: `session` lives as long as the page; `user` and `view` persist, for one user or for all.

    A view declares the states that its components read or set. `state["name"]` reads a part of the value;
    `state.loading`, `state.empty` and `state.error` tell how it is.
    """

    name: str
    scope: Literal["session", "user", "view"] = "session"
    default: Any = None
    place: Place = field(default_factory=here, init=False, repr=False)

    def __getitem__(self, path: str) -> StatePart:
        return StatePart(self, str(path))

    # With `__getitem__` alone Python would take a state for a sequence, and count through it for ever.
    __iter__ = None

    @property
    def loading(self) -> StatePart:
        """Whether its value is on the way."""
        return StatePart(self, status="loading")

    @property
    def empty(self) -> StatePart:
        """Whether it has no value."""
        return StatePart(self, status="empty")

    @property
    def error(self) -> StatePart:
        """What went wrong, or nothing."""
        return StatePart(self, status="error")

    def binding(self, writer: Writer) -> dict[str, Any]:
        """The state's value."""
        return {"state": writer.key_of(self)}

    def path(self, writer: Writer) -> str:
        """`session.name`, `user_state.name` or `view.name`."""
        writer.key_of(self)
        return f"{'user_state' if self.scope == 'user' else self.scope}.{self.name}"


@dataclass(frozen=True, eq=False)
class StatePart(Reads):
    """A part of a state's value, or how the state is."""

    state: State
    part: str = ""
    status: str = ""

    def __getitem__(self, path: str) -> StatePart:
        return StatePart(self.state, f"{self.part}.{path}" if self.part else str(path), self.status)

    __iter__ = None

    def binding(self, writer: Writer) -> dict[str, Any]:
        """The state with a path or a status."""
        more = {"path": self.part, "status": self.status}
        return {**self.state.binding(writer), **{name: value for name, value in more.items() if value}}

    def path(self, writer: Writer) -> str:
        """Of a part; how a state is can't be read in an expression."""
        if self.status:
            raise TypeError(f"how a state is ({self.status}) can be bound to, and not read in an expression")
        return f"{self.state.path(writer)}.{self.part}"


@dataclass(frozen=True, eq=False)
class Bound(Reads):
    """A binding by the names of what it reads."""

    model: type[BaseModel]
    values: Mapping[str, Any]
    place: Place = field(default_factory=here, init=False, repr=False)

    def binding(self, writer: Writer) -> dict[str, Any]:
        """Its fields."""
        return writer.fields(self.model, self.values, self.place)


@dataclass(frozen=True, eq=False)
class Expression(Reads):
    """An expression, in which names may stand for states and components."""

    expr: str
    names: Mapping[str, Reads]

    def binding(self, writer: Writer) -> dict[str, Any]:
        """The expression, with what the names stand for in their place."""
        if not self.names:
            return {"expr": self.expr}
        try:
            tree = ast.parse(self.expr.strip(), mode="eval")
        except SyntaxError:
            return {"expr": self.expr}  # the check of the document says what is wrong with it
        paths = {name: ast.parse(reads.path(writer), mode="eval").body for name, reads in self.names.items()}
        return {"expr": ast.unparse(_Renamed(paths).visit(tree))}


class _Renamed(ast.NodeTransformer):
    def __init__(self, paths: Mapping[str, ast.expr]) -> None:
        self._paths = paths

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._paths.get(node.id, node)


def expr(expr: str, **names: Reads) -> Reads:
    """An expression over states, components, parameters and the user; names stand for what is given for them.

    `pw.ui.expr("round(length * 2.54, 1)", length=slider)`
    """
    return Expression(expr, names)


@dataclass(frozen=True)
class At:
    """A place on the grid of twelve columns: column and row of the upper left corner, width and height."""

    x: int = 0
    y: int = 0
    w: int = 12
    h: int = 2


@dataclass(eq=False, kw_only=True)
class Component(Reads):
    """Base of the components. As a value it stands for what its user gave; `read` reads its other values.

    Args:
        id: its name in bindings; made from its label if empty.
        at: its place; found by itself if None.
        width, height: how large it is, if its place is found by itself.
    """

    type: ClassVar[str] = ""

    id: str = ""
    at: At | None = None
    width: int | None = None
    height: int | None = None
    place: Place = field(default_factory=here, init=False, repr=False)

    def read(self, value: str) -> Reads:
        """One of its values, such as the `chosen` rows of a table."""
        return ComponentValue(self, value)

    def binding(self, writer: Writer) -> dict[str, Any]:
        """The component's value."""
        return {"component": writer.id_of(self)}

    def path(self, writer: Writer) -> str:
        """`components.ID.value`."""
        return f"components.{writer.id_of(self)}.value"


@dataclass(frozen=True, eq=False)
class ComponentValue(Reads):
    """One value of a component."""

    component: Component
    value: str

    def binding(self, writer: Writer) -> dict[str, Any]:
        """The component and the value's name."""
        return {"component": writer.id_of(self.component), "value": self.value}

    def path(self, writer: Writer) -> str:
        """`components.ID.VALUE`."""
        return f"components.{writer.id_of(self.component)}.{self.value}"


# What stands below one another; those in a list of their own stand side by side.
Children = Sequence[Component | Sequence[Component]]


@dataclass(frozen=True, eq=False)
class Action:
    """Something that an event does."""

    model: type[BaseModel]
    values: Mapping[str, Any]
    place: Place = field(default_factory=here, init=False, repr=False)


Does = Action | Sequence[Action]
