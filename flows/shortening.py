"""Large values in a run's record: what is cut out stands as `{"$truncated": bytes, "media_type": ...}` in its place."""

from __future__ import annotations

from typing import Any

import orjson

MARK = "$truncated"
# A longer string is cut first: as a rule a picture in a data URL.
_LONG_STRING = 1024
# Beyond this, finding the long strings would itself take milliseconds.
_PARSE_LIMIT = 8 << 20


def shorten(value: bytes, cap: int) -> bytes:
    """JSON `value` with its long strings cut out, or cut as a whole where that leaves more than `cap` bytes."""
    if len(value) <= _PARSE_LIMIT:
        try:
            short = orjson.dumps(_without_long_strings(orjson.loads(value)))
        except ValueError:
            short = value
        if len(short) <= cap:
            return short
    return orjson.dumps({MARK: len(value)})


def is_shortened(value: bytes | None) -> bool:
    """Whether something was cut out of a recorded value, so that the run can't be repeated from its record."""
    return value is not None and f'"{MARK}"'.encode() in value


def readable(value: Any) -> Any:
    """`value` for people: each part that was cut out, and each long string, as a phrase like "image, 123 kB"."""
    if isinstance(value, dict):
        if MARK in value:
            return _phrase(str(value.get("media_type", "")), value[MARK])
        return {key: readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [readable(item) for item in value]
    if isinstance(value, str) and len(value) > _LONG_STRING:
        return _phrase(_media_type(value), len(value))
    return value


def _without_long_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_long_strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_long_strings(item) for item in value]
    if isinstance(value, str) and len(value) > _LONG_STRING:
        return {MARK: len(value), "media_type": _media_type(value)}
    return value


def _media_type(text: str) -> str:
    if not text.startswith("data:"):
        return "text/plain"
    return text[5:100].split(",", 1)[0].split(";", 1)[0] or "text/plain"


def _phrase(media_type: str, size: Any) -> str:
    kind = media_type.split("/", 1)[0] or "value"
    if not isinstance(size, int):
        return kind
    for unit, scale in (("MB", 1_000_000), ("kB", 1_000)):
        if size >= scale:
            return f"{kind}, {size / scale:.3g} {unit}"
    return f"{kind}, {size} bytes"
