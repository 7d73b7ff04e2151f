"""Gallery: only what a tile needs goes to the browser, and a press comes back as a number, not as data."""

from __future__ import annotations

from typing import Any, ClassVar

from ..runtime import Cell, part_of
from .base import ViewComponent


class Gallery(ViewComponent):
    """Draws `gallery`. The event `select` brings the whole item."""

    type = "gallery"
    _script: ClassVar[str] = "gallery"
    _error: str | None = None

    def show_cell(self, name: str, cell: Cell) -> None:
        """Show a bound property's new value, or why there is none."""
        if name == "items":
            self._error = str(cell.error.get("detail", "")) if cell.error else None
        super().show_cell(name, cell)

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
        return {"tiles": tiles, "empty": props["empty"], "fault": self._error}

    def read_event(self, event: str, data: Any) -> Any:
        """The item at the number that the browser sent."""
        items = self._plain["items"] or []
        if type(data) is not int or not 0 <= data < len(items):
            raise LookupError(f"there is no item {data!r}")
        self._outlet.changed(self._declared.id, "selected", items[data])
        return items[data]


def _caption(value: Any) -> str:
    return "" if value is None else str(value)[:200]
