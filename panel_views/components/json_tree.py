"""JSON as a tree: what is too long for a page is cut here, and the browser says so."""

from __future__ import annotations

from typing import Any

from .base import ViewComponent

MAX_PARTS = 5_000
MAX_TEXT = 2_000


class JsonTree(ViewComponent):
    """Draws `json`."""

    type = "json"

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The value, cut to what a page can show."""
        value, left = shortened(props["value"])
        return {**props, "value": value, "cut": left <= 0}


def shortened(value: Any, left: int = MAX_PARTS) -> tuple[Any, int]:
    """At most `left` parts of the value, long texts cut; and how many parts could still be shown."""
    left -= 1
    if isinstance(value, str):
        return (value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"), left
    if isinstance(value, dict):
        kept: dict[str, Any] = {}
        for name, part in value.items():
            if left <= 0:
                break
            kept[str(name)[:MAX_TEXT]], left = shortened(part, left)
        return kept, left
    if isinstance(value, list):
        items: list[Any] = []
        for part in value:
            if left <= 0:
                break
            item, left = shortened(part, left)
            items.append(item)
        return items, left
    return value, left
