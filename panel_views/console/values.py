"""Shows JSON values in pages: pretty, capped in size, with the pictures in them shown as pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ...flows.shortening import readable

# Beyond these a page would be slow to load and to read; the API has the whole.
MAX_TEXT = 40_000
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
    text = orjson.dumps(readable(value), option=orjson.OPT_INDENT_2).decode()
    return ShownValue(text[:MAX_TEXT], _pictures(value, images), cut=len(text) > MAX_TEXT)


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
