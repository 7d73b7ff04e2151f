"""Parameters of a page: what its address says, as the types that the page declares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..connectors.errors import BadInput
from ..connectors.web import problem
from .cells import Cell
from .document import Parameter

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def typed(declared: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Cell]:
    """Every parameter that is declared or given. One that does not fit its type is in error."""
    cells = {name: Cell.of(value) for name, value in given.items()}
    for parameter in declared:
        cells[parameter.name] = _cell(parameter, given.get(parameter.name))
    return cells


def _cell(parameter: Parameter, value: Any) -> Cell:
    if value is None or value == "":
        return Cell.of(parameter.default)
    try:
        return Cell.of(converted(value, parameter.type))
    except ValueError:
        what = f"The page's parameter {parameter.name!r} is a {parameter.type}, and {str(value)[:40]!r} is none."
        return Cell(None, "error", problem(BadInput(what)))


def converted(value: Any, type: str) -> Any:
    """A value that came as text, as the type wants it. Raises ValueError."""
    if type == "text":
        return str(value).lower() if isinstance(value, bool) else str(value)
    if type == "boolean":
        found = _TRUTHS.get(str(value).strip().lower())
        if found is None:
            raise ValueError(f"{value!r} is no boolean")
        return found
    number = math.nan if isinstance(value, bool) else float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no number")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def in_address(value: Any) -> str:
    """A value as an address says it. Raises BadInput for what has no place there."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | str) and len(str(value)) <= 2_000:
        return str(value)
    raise BadInput("A page's parameter is a short text, a number, or yes or no.")
