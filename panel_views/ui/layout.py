"""Places for components that were given none: below one another, or side by side where they are in one list."""

from __future__ import annotations

from collections.abc import Sequence

from ..components.kinds import KINDS
from ..document import COLUMNS
from .base import At, Children, Component

# Kinds that would look lost over the whole width.
_NARROW = frozenset({"button", "metric"})


def places(children: Children) -> dict[int, At]:
    """The place of each child of a page or container, by `id()`."""
    found: dict[int, At] = {}
    flat = [part for row in rows_of(children) for part in row]
    for part in flat:
        if part.at is not None:
            found[id(part)] = part.at
    y = max((at.y + at.h for at in found.values()), default=0)
    for row in rows_of(children):
        free = [part for part in row if part.at is None]
        y += _place_row(free, y, found)
    return found


def rows_of(children: Children) -> list[list[Component]]:
    """The children as rows."""
    return [[row] if isinstance(row, Component) else list(row) for row in children]


def _place_row(row: Sequence[Component], y: int, found: dict[int, At]) -> int:
    """Place a row and return its height. What doesn't fit beside the others goes below them."""
    widths = natural_widths(row)
    x = top = height = 0
    for part, width in zip(row, widths, strict=True):
        if x + width > COLUMNS:
            x, top, height = 0, top + height, 0
        tall = part.height or natural_height(part)
        found[id(part)] = At(x, y + top, width, tall)
        x += width
        height = max(height, tall)
    return top + height


def natural_widths(row: Sequence[Component]) -> list[int]:
    """How wide the components of a row are: as they were told, or an equal share of what is left."""
    if len(row) == 1:
        only = row[0]
        return [only.width or (KINDS[only.type].size[0] if only.type in _NARROW else COLUMNS)]
    given = sum(part.width or 0 for part in row)
    free = sum(part.width is None for part in row)
    share = max(1, (COLUMNS - given) // free) if free else 0
    return [part.width or share for part in row]


def natural_height(part: Component) -> int:
    """How high a component is: as its kind usually is, or as what it holds needs."""
    kind = KINDS[part.type]
    children: Children = getattr(part, "children", ())
    if not kind.container or not children:
        return kind.size[1]
    inside = places(children)
    if part.type == "tabs":
        tallest = max(natural_height(child) for row in rows_of(children) for child in row)
        return min(100, tallest + 1)
    needed = max((at.y + at.h for at in inside.values()), default=1)
    return min(100, needed + 1 + (part.type == "form"))
