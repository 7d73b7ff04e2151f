"""Values of a view as text and as files, for the visitor to keep."""

from __future__ import annotations

import re
from typing import Any

import orjson

from .components.table_rows import as_csv

_ADDRESS = re.compile(r"/api/files/[A-Za-z0-9._-]{1,200}")


def as_text(value: Any) -> str:
    """A value as people read it: text as it is, nothing as nothing, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def file_of(value: Any, name: str) -> dict[str, str]:
    """What the browser needs to hand a value out as a file: the address of one here, or text and its type."""
    if isinstance(value, str) and _ADDRESS.fullmatch(value):
        return {"address": value}
    if name.endswith(".csv") and isinstance(value, list) and all(isinstance(row, dict) for row in value):
        columns = list(dict.fromkeys(name for row in value for name in row))
        return {"text": as_csv(value, list(range(len(value))), columns, columns), "type": "text/csv"}
    return {"text": as_text(value), "type": "text/plain" if isinstance(value, str) else "application/json"}
