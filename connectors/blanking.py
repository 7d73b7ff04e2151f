"""Blanking out secrets wherever they might be kept: in the record of runs and in what processes print."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import orjson

BLANK = "***"


class Blanks:
    """Replaces secrets by `***`.

    Args:
        values: gives the secrets of this moment.
    """

    def __init__(self, values: Callable[[], Sequence[str]] = list) -> None:
        self._values = values

    @property
    def needed(self) -> bool:
        """Whether there is anything to blank out."""
        return bool(self._values())

    def text(self, text: str) -> str:
        """The text without the secrets."""
        for value in self._values():
            if value in text:
                text = text.replace(value, BLANK)
        return text

    def json(self, content: bytes | None) -> bytes | None:
        """JSON without the secrets, which stand in it as JSON writes them."""
        if content is None:
            return None
        for value in self._values():
            written = orjson.dumps(value)[1:-1]
            if written in content:
                content = content.replace(written, BLANK.encode())
        return content

    def data(self, value: Any) -> Any:
        """Plain data without the secrets in its texts; the same object where there are none."""
        return self._data(value) if self.needed else value

    def _data(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self._data(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._data(part) for part in value]
        return value


class _BlankingStream:
    """Writes to another stream what is left without the secrets."""

    def __init__(self, stream: TextIO, blanks: Blanks) -> None:
        self._stream = stream
        self._blanks = blanks

    def write(self, text: str) -> int:
        self._stream.write(self._blanks.text(text))
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def blanked_output(blanks: Blanks) -> Iterator[None]:
    """Inside the block this process prints and logs no secret: neither its own lines nor those of nodes."""
    before = sys.stdout, sys.stderr
    wrapped = _BlankingStream(sys.stdout, blanks), _BlankingStream(sys.stderr, blanks)
    swapped: list[tuple[logging.StreamHandler[Any], Any]] = []
    for handler in logging.getLogger().handlers:
        # Not those of pytest or of a file, which go nowhere that others read.
        if type(handler) is logging.StreamHandler and handler.stream in before:
            stream = wrapped[before.index(handler.stream)]
            swapped.append((handler, handler.setStream(stream)))
    sys.stdout, sys.stderr = wrapped
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for handler, stream in swapped:
            handler.setStream(stream)
