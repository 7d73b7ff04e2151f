"""A value as a view knows it: with whether it is loading, empty or in error; and parts of plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .document import StateBinding

Status = Literal["ready", "loading", "empty", "error"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value with its state. In error, `error` is the problem document; while loading, `value` is the last one."""

    value: Any = None
    status: Status = "empty"
    error: dict[str, Any] | None = None

    @staticmethod
    def of(value: Any) -> Cell:
        """A value that is there; nothing, or an empty list, is empty."""
        return Cell(value, "empty" if value is None or value == [] else "ready")

    def loading(self) -> Cell:
        """The same, while a newer value is asked for."""
        return Cell(self.value, "loading")


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why actions run: what their event brought with it, and in `on_error` what went wrong (a problem document)."""

    component: str = ""
    event: Any = None
    error: dict[str, Any] | None = None


# Outside of actions nothing has happened.
NEVER = Occasion()


def at_path(cell: Cell, path: str | None) -> Cell:
    """A part of a cell's value, as ready as the whole."""
    if path is None:
        return cell
    value = part_of(cell.value, path)
    return Cell(value, "empty" if value is None and cell.status == "ready" else cell.status, cell.error)


def of_state(cell: Cell, binding: StateBinding) -> Cell:
    """What a binding reads of a state that is as `cell` says."""
    if binding.status == "error":
        return Cell.of(cell.error)
    if binding.status is not None:
        return Cell(cell.status == binding.status, "ready")
    return at_path(cell, binding.path)


def part_of(value: Any, path: str) -> Any:
    """The part of plain JSON at a path such as `data.image` or `items.0`; None if there is none."""
    for name in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
