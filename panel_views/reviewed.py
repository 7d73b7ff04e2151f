"""Reviews as views show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..connectors.file_addresses import FILES_ROUTE
from ..connectors.tables import moment

_TIMES = ("created", "due", "decided")


def reviewed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A review of the API with times that people read, and files at addresses that whoever may decide may open."""
    shown = {name: value for name, value in row.items() if not name.endswith("_us")}
    for name in _TIMES:
        at = row.get(f"{name}_us")
        shown[name] = None if at is None else moment(at).isoformat(timespec="seconds")
    if "value" in shown:
        shown["value"] = _with_own_files(shown["value"], f"/api/reviews/{row['id']}/files/")
    return shown


def _with_own_files(value: Any, own: str) -> Any:
    # The files belong to the run's owner: GET /api/files/{id} is theirs alone.
    if isinstance(value, str) and value.startswith(FILES_ROUTE):
        return own + value.removeprefix(FILES_ROUTE)
    if isinstance(value, list):
        return [_with_own_files(part, own) for part in value]
    if isinstance(value, dict):
        return {name: _with_own_files(part, own) for name, part in value.items()}
    return value
