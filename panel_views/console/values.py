"""Shows JSON values in pages: pretty, capped in size, with the pictures in them shown as pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ...flows.shortening import readable

# Beyond these a page would be slow to load and to read; the API has the whole.
MAX_TEXT = 40_000
_LINE = 72
MAX_PARSED = 4_000_000
MAX_PICTURE = 3_000_000
MAX_PICTURES = 12
_FILE = re.compile(r"/api/files/([0-9a-zA-Z_-]{8,64})")
_DATA_URL = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture found in a value: where (`content`, `results.0`) and its address (on this server, or a data URL)."""

    place: str
    source: str


@dataclass(frozen=True, slots=True)
class ShownValue:
    """A value as a page shows it. `cut` if not all of `text` is there."""

    text: str
    pictures: tuple[Picture, ...]
    cut: bool


def shown_value(content: bytes | None, images: Callable[[set[str]], set[str]]) -> ShownValue | None:
    """A recorded value, or None if there is none.

    Args:
        content: JSON as recorded; whatever is not is shown as text.
        images: says which of some stored files, by id, are pictures.
    """
    if not content:
        return None
    if len(content) > MAX_PARSED:
        return ShownValue(content[:MAX_TEXT].decode(errors="replace"), (), cut=True)
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ShownValue(content[:MAX_TEXT].decode(errors="replace"), (), cut=len(content) > MAX_TEXT)
    text = compact_json(readable(value))
    return ShownValue(text[:MAX_TEXT], _pictures(value, images), cut=len(text) > MAX_TEXT)


def compact_json(value: Any, indent: int = 0, taken: int = 0) -> str:
    """Indented JSON in which whatever fits on a line stays on one. `taken` counts the letters before the value."""
    flat = _flat(value)
    if len(flat) + indent + taken <= _LINE or not isinstance(value, dict | list) or not value:
        return flat
    inner, outer = " " * (indent + 2), " " * indent
    if isinstance(value, dict):
        keys = [(_flat(str(key)) + ": ", item) for key, item in value.items()]
        lines = [f"{inner}{key}{compact_json(item, indent + 2, len(key))}" for key, item in keys]
        return "{\n" + ",\n".join(lines) + f"\n{outer}}}"
    lines = [f"{inner}{compact_json(item, indent + 2)}" for item in value]
    return "[\n" + ",\n".join(lines) + f"\n{outer}]"


def _flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _pictures(value: Any, images: Callable[[set[str]], set[str]]) -> tuple[Picture, ...]:
    found: list[tuple[str, str, str | None]] = []
    for place, text in _strings(value, ""):
        file = _FILE.fullmatch(text)
        if file:
            found.append((place, text, file.group(1)))
        elif len(text) <= MAX_PICTURE and _DATA_URL.fullmatch(text):
            found.append((place, text, None))
        if len(found) >= MAX_PICTURES:
            break
    files = {file for _, _, file in found if file}
    pictures = images(files) if files else set()
    return tuple(Picture(place, source) for place, source, file in found if file is None or file in pictures)


def _strings(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, f"{place}.{number}" if place else str(number))
