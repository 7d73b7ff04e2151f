"""Gallery: only what a tile needs goes to the browser, and a press comes back as a number, not as data."""

from __future__ import annotations

from typing import Any

from ..cells import part_of
from .base import ViewComponent


class Gallery(ViewComponent):
    """Draws `gallery`. The event `select` brings the whole item."""

    type = "gallery"

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The tiles in place of the items."""
        items = props["items"] or []
        tiles = [
            {
                "index": index,
                "key": str(item.get("id", index)),
                "image": part_of(item, props["image"]),
                "caption": _caption(part_of(item, props["caption"])) if props["caption"] else "",
            }
            for index, item in enumerate(items)
        ]
        return {"tiles": tiles, "empty": props["empty"]}

    def read_event(self, event: str, data: Any) -> Any:
        """The item at the number that the browser sent."""
        items = self._plain["items"] or []
        if type(data) is not int or not 0 <= data < len(items):
            raise LookupError(f"there is no item {data!r}")
        self._outlet.changed(self._declared.id, "selected", items[data])
        return items[data]


def _caption(value: Any) -> str:
    return "" if value is None else str(value)[:200]
