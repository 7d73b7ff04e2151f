"""What read something that is taken away is taken away with it, so that a draft is always a view that works."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from .checks import semantic_faults
from .document import ViewDocument
from .operations import Operation, Remove, RemovePage, Undeclare

# Each round may bring to light what the one before hid; more are never needed for a chain of this depth.
_ROUNDS = 8


def takes_away(operations: list[Operation]) -> bool:
    """Whether something goes on which other parts of the view may lean."""
    return any(isinstance(operation, Remove | RemovePage | Undeclare) for operation in operations)


def cleared(document: ViewDocument) -> ViewDocument:
    """The document without the bindings, action inputs and actions that name what is not there.

    What is faulty otherwise stays as it is, for the check to tell.
    """
    for _ in range(_ROUNDS):
        try:
            dangling = [fault.loc for fault in semantic_faults(document) if fault.type == "unknown"]
        except ValidationError:
            return document
        value = document.to_json()
        # From the end, so that the numbers of what comes before stay right.
        taken = [_take(value, loc) for loc in sorted(set(dangling), key=_place, reverse=True)]
        if not any(taken):
            return document
        document = ViewDocument.model_validate(value)
    return document


def _place(loc: tuple[str | int, ...]) -> list[str]:
    return [f"{part:06d}" if isinstance(part, int) else part for part in loc]


def _take(value: dict[str, Any], loc: tuple[str | int, ...]) -> bool:
    if len(loc) < 6 or loc[0] != "pages" or loc[2] != "components":
        return False
    component = value["pages"][loc[1]]["components"][loc[3]]
    if loc[4] == "bindings":
        return component.get("bindings", {}).pop(loc[5], None) is not None
    if loc[4] != "actions" or len(loc) < 7:
        return False
    actions = component.get("actions", {}).get(loc[5], [])
    number = loc[6]
    if not isinstance(number, int) or number >= len(actions):
        return False
    if len(loc) > 8 and loc[7] == "input":
        return actions[number].get("input", {}).pop(loc[8], None) is not None
    del actions[number]
    if not actions:
        del component["actions"][loc[5]]
    return True
