"""A value as a short JSON sketch for people: at most so many parts, no long text, no picture's pixels encoded.

What is left out stands as text in its place, such as "… 980 more". The work is bounded whatever the value is.
"""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr

from ..connectors.blanking import BLANK
from ..connectors.images import Image

_PARTS = 200
_DEEP = 8
_LIST = 20
_FIELDS = 60
_TEXT = 400
_AS_TEXT = (date, time, timedelta, Decimal, UUID, PurePath)


def sketch(value: Any, parts: int = _PARTS) -> Any:
    """The value as JSON data of at most about `parts` parts. Never raises."""
    try:
        return _Sketch(parts).of(value, 0)
    except Exception as error:  # whatever a value's own properties raise
        return f"<{type(value).__name__}: {type(error).__name__}>"


class _Sketch:
    def __init__(self, parts: int) -> None:
        self._left = parts

    def of(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.of(value.value, depth)
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, int | float):
            return _number(value)
        if isinstance(value, SecretStr | SecretBytes):
            return BLANK
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if isinstance(value, _AS_TEXT):
            return _text(str(value))
        if isinstance(value, Image):
            return _image(value)
        if self._left <= 0 or depth >= _DEEP:
            return "…"
        return self._compound(value, depth)

    def _compound(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return self._mapping(list(value.items()) if len(value) <= _FIELDS else _first(value.items()), value, depth)
        if isinstance(value, BaseModel):
            named = [(name, getattr(value, name)) for name in type(value).model_fields]
            return self._mapping(named, named, depth)
        if is_dataclass(value) and not isinstance(value, type):
            named = [(each.name, getattr(value, each.name)) for each in fields(value)]
            return self._mapping(named, named, depth)
        if isinstance(value, list | tuple):
            return self._list(value[:_LIST], len(value), depth)
        if isinstance(value, set | frozenset):
            return self._list(_first(value, _LIST), len(value), depth)
        if hasattr(value, "columns") and hasattr(value, "head"):
            return self._table(value, depth)
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            return self._array(value, depth)
        return f"<{type(value).__module__}.{type(value).__qualname__}>"

    def _mapping(self, items: list[tuple[Any, Any]], whole: Any, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, part in items:
            if self._left <= 0:
                break
            found[_text(str(key))] = self.of(part, depth + 1)
        if len(found) < len(whole):
            found["…"] = f"{len(whole) - len(found)} more"
        return found

    def _list(self, items: Any, count: int, depth: int) -> list[Any]:
        found: list[Any] = []
        for part in items:
            if self._left <= 0:
                break
            found.append(self.of(part, depth + 1))
        if len(found) < count:
            found.append(f"… {count - len(found)} more")
        return found

    def _array(self, value: Any, depth: int) -> Any:
        if value.ndim == 0:
            return self.of(value.item(), depth)
        if value.size <= _LIST:
            return self.of(value.tolist(), depth)
        first = value.reshape(-1)[:_LIST].tolist()
        return {
            "array": " by ".join(map(str, value.shape)),
            "dtype": str(value.dtype),
            "first": self.of(first, depth + 1),
        }

    def _table(self, value: Any, depth: int) -> Any:
        rows = value.head(_LIST // 4)
        shown = rows.to_dict(orient="records") if hasattr(rows, "iloc") else rows.to_dicts()
        return {"table": f"{len(value)} rows, {len(value.columns)} columns", "first": self.of(shown, depth + 1)}


def _first(items: Any, count: int = _FIELDS) -> list[Any]:
    return [part for part, _ in zip(items, range(count), strict=False)]


def _text(text: str) -> str:
    if text.startswith("data:") and len(text) > _TEXT:
        return f"{text[:60].partition(';')[0]}… ({len(text)} letters)"
    clean = text if len(text) <= _TEXT else f"{text[:_TEXT]}… ({len(text)} letters)"
    return clean.encode("utf-8", "replace").decode("utf-8")


def _number(value: float) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    # JSON readers of browsers, and orjson, know no longer ones.
    return int(value) if -(2**53) < value < 2**53 else f"{value:.12g}" if abs(value) < 10**300 else "a long number"


def _image(image: Image) -> str:
    if image.file is not None:
        return f"/api/files/{image.file}"
    return image.url if image.url is not None else "<image>"
