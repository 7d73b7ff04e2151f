"""The components that hold others: card, group, form, tabs and modal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import param
from panel.custom import Children

from ..document import Component
from .base import Drawn, Events, ViewComponent


class Container(ViewComponent):
    """Base of what holds other components, on a grid of its own.

    Args:
        component: what the document says of it.
        events: where it tells of what its user did.
        held: what stands in it, with the place of each (see `cell_of`).
    """

    objects = Children(default=[])
    cells = param.List(default=[])

    def __init__(self, component: Component, events: Events, held: list[tuple[Drawn, dict[str, object]]]) -> None:
        self._held = held
        super().__init__(component, events)
        self.objects = [drawn for drawn, _ in held]
        self.cells = [cell for _, cell in held]

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The properties, and which look is wanted."""
        return {**props, "kind": self.type}

    def show_inside(self, id: str, visible: bool) -> None:
        """Show or hide one of what stands in it."""
        self.cells = with_visible(self.cells, id, visible)

    def inside(self) -> Iterator[ViewComponent]:
        """All that it holds and shows, however deep, as it is read."""
        for drawn, _ in self._held:
            if isinstance(drawn, ViewComponent) and not drawn.hidden:
                yield drawn
            if isinstance(drawn, Container) and not drawn.hidden:
                yield from drawn.inside()


class Card(Container):
    """Draws `card`."""

    type = "card"

    @classmethod
    def script(cls) -> str:
        """One script with the page."""
        return "grid"


class Group(Card):
    """Draws `container`."""

    type = "container"


class Form(Container):
    """Draws `form`. What it submits are the values of its fields by their ids, if all of them are right."""

    type = "form"

    def inside_fields(self) -> list[ViewComponent]:
        """What takes a value in it, as it is read."""
        return [part for part in self.inside() if "value" in part.kind().values and not isinstance(part, Container)]

    def read_event(self, event: str, data: Any) -> Any:
        """The fields' values. Raises ValueError where one is wrong: the fields say what."""
        if self._plain["busy"] or self._plain["disabled"]:
            raise ValueError("the form takes nothing just now")
        fields = self.inside_fields()
        if event == "reset":
            for part in fields:
                part.reset()
            return {}
        complaints = [(part, part.complaint(part.value())) for part in fields if not part.disabled]
        faulty = [(part, said) for part, said in complaints if said is not None]
        for part, said in faulty:
            part.fault(said)
        if faulty:
            self._send_msg({"faulty": faulty[0][0].id})
            raise ValueError("some fields are wrong")
        values = {part.id: part.value() for part in fields}
        self._outlet.changed(self._declared.id, "values", values)
        return {"values": values}


class Tabs(Container):
    """Draws `tabs`. The value is the id of the component that is shown."""

    type = "tabs"

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The tabs' names, which are what their components are called."""
        return {
            **props,
            "tabs": [{"id": str(cell["id"]), "title": _title_of(drawn, cell)} for drawn, cell in self._held],
        }

    def complaint(self, value: Any) -> str | None:
        """Only what is inside can be shown."""
        return None if any(cell["id"] == value for _, cell in self._held) else "There is no such tab."


class Modal(Container):
    """Draws `modal`."""

    type = "modal"


def with_visible(cells: list[dict[str, object]], id: str, visible: bool) -> list[dict[str, object]]:
    """Cells in which one is hidden or shown."""
    return [{**cell, "hidden": not visible} if cell["id"] == id else cell for cell in cells]


def cell_of(component: Component) -> dict[str, object]:
    """What the grid needs to know of a component."""
    return {"id": component.id, "type": component.type, **component.at.model_dump()}


def _title_of(drawn: Drawn, cell: dict[str, object]) -> str:
    if isinstance(drawn, ViewComponent):
        for name in ("title", "label"):
            if drawn.property(name):
                return str(drawn.property(name))
    return str(cell["id"]).replace("_", " ").capitalize()
