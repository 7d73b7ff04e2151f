"""Large JSON in slices, for a thread beside the event loop.

orjson keeps the interpreter's lock from its first byte to its last, so a thread alone would stop the loop as long as
the loop itself: 0.2 s for 20 MB. In slices of some dozen kilobytes the loop gets its turn between two of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

# What is larger than this is worth a thread.
LARGE_BYTES = 100_000
LARGE_ITEMS = 20_000
_SLICE_BYTES = 64_000
_SLICE_ITEMS = 8_000
_HEAD = re.compile(rb'\s*\{\s*"inputs"\s*:\s*\[\s*')
_TAIL = re.compile(rb"\s*\]\s*\}\s*\Z")
_NUMBERS = "iuf"


def loads_request(body: bytes, *, as_array: bool) -> Any:
    """What `orjson.loads` gives; `{"inputs": [...]}` is read slice by slice.

    Args:
        as_array: whether numbers, and rows of numbers of one length, become one array.

    Raises:
        orjson.JSONDecodeError: it is no JSON.
    """
    sliced = _sliced(body, as_array)
    return orjson.loads(body) if sliced is None else {"inputs": sliced}


def _sliced(body: bytes, as_array: bool) -> Any:
    """The list, or None where the body has another form.

    A slice ends at a comma. Between brackets each must be JSON by itself; so every cut lies between two items of the
    list and in no text or inner list, and all slices together are what the whole says.
    """
    head, tail = _HEAD.match(body), _TAIL.search(body[-100:])
    if head is None or tail is None:
        return None
    end = max(0, len(body) - 100) + tail.start()
    parts = []
    for part in _slices(body, head.end(), end):
        try:
            items = orjson.loads(b"[" + part + b"]")
        except orjson.JSONDecodeError:
            return None
        if not items:  # a comma with nothing behind it
            return None
        parts.append(_as_rows(items) if as_array else items)
    return _joined(parts)


def _slices(body: bytes, start: int, end: int) -> Iterator[bytes]:
    comma = _comma_between_items(body[start : start + 100])
    while start < end:
        cut = body.find(comma, start + _SLICE_BYTES, end)
        stop = end if cut < 0 else cut + len(comma) - 1
        yield body[start:stop]
        start = stop + 1
        if start == end:
            yield b""


def _comma_between_items(beginning: bytes) -> bytes:
    """How one item of the list ends, by how the first one begins."""
    if beginning.startswith(b"{"):
        return b"},"
    depth = len(beginning) - len(beginning.lstrip(b"["))
    return b"]" * depth + b","


def _as_rows(items: list[Any]) -> np.ndarray[Any, Any] | list[Any]:
    """The items as an array where all are numbers, or rows of numbers of one length."""
    if isinstance(items[0], dict | str):
        return items
    try:
        rows = np.array(items)
    except (ValueError, OverflowError):
        return items
    return rows if rows.dtype.kind in _NUMBERS else items


def _joined(parts: list[Any]) -> Any:
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    if parts and len(arrays) == len(parts) and len({array.shape[1:] for array in arrays}) == 1:
        return np.concatenate(arrays)
    return [item for part in parts for item in (part.tolist() if isinstance(part, np.ndarray) else part)]


def dumps_slices(value: Any) -> bytes:
    """The JSON of data, its arrays written slice by slice. Raises TypeError for what is no JSON."""
    if isinstance(value, dict):
        inner = (orjson.dumps(str(key)) + b":" + dumps_slices(item) for key, item in value.items())
        return b"{" + b",".join(inner) + b"}"
    if isinstance(value, np.ndarray) and value.ndim and value.size > _SLICE_ITEMS:
        step = max(1, _SLICE_ITEMS * len(value) // value.size)
        parts = (_dumps(value[at : at + step])[1:-1] for at in range(0, len(value), step))
        return b"[" + b",".join(parts) + b"]"
    if isinstance(value, list) and len(value) > _SLICE_ITEMS:
        parts = (_dumps(value[at : at + _SLICE_ITEMS])[1:-1] for at in range(0, len(value), _SLICE_ITEMS))
        return b"[" + b",".join(parts) + b"]"
    return _dumps(value)


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def is_large(value: Any) -> bool:
    """Whether writing or reading it as JSON is worth a thread; looks no deeper than the second level."""
    if isinstance(value, np.ndarray):
        return value.size > LARGE_ITEMS
    if isinstance(value, str):
        return len(value) > LARGE_BYTES
    if isinstance(value, dict):
        return len(value) > LARGE_ITEMS or any(is_large(item) for item in value.values())
    if isinstance(value, list | tuple) and value:
        first = value[0]
        width = len(first) if isinstance(first, list | tuple | dict | str) else 1
        return len(value) * width > LARGE_ITEMS or (len(value) < 100 and any(map(is_large, value)))
    return False
