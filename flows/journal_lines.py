"""Reading a journal line back as a row of the run table."""

from __future__ import annotations

import json
from typing import Any

import orjson

from .journal import LINE_FORMAT

Row = dict[str, Any]
_COLUMNS = (
    "id",
    "worklet",
    "version",
    "trigger",
    "principal",
    "state",
    "started_us",
    "duration_us",
    "input",
    "output",
    "error",
    "nodes",
    "parent",
    "details",
)
_JSON_COLUMNS = ("input", "output", "details")
# A line of before runs had parents, and of before nodes had details, is shorter.
_LATER_COLUMNS = 2


class BadLine(Exception):
    """A line that is no run record; the message says why."""


def parse_line(line: bytes) -> Row:
    """The run that a journal line holds. Raises BadLine."""
    entry = _load(line)
    if isinstance(entry, list) and 0 < len(_COLUMNS) + 1 - len(entry) <= _LATER_COLUMNS:
        entry += [None] * (len(_COLUMNS) + 1 - len(entry))
    if not isinstance(entry, list) or len(entry) != len(_COLUMNS) + 1:
        raise BadLine("it is no list of the expected length")
    if entry[0] != LINE_FORMAT:
        raise BadLine(f"its format is {entry[0]!r}, and {LINE_FORMAT} is known")
    row: Row = dict(zip(_COLUMNS, entry[1:], strict=True))
    _check(row)
    for column in _JSON_COLUMNS:
        value = row[column]
        row[column] = None if value is None else orjson.dumps(value)
    return row


def _load(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError as error:
        first = str(error)
    try:
        # A request may carry NaN, which pydantic takes and orjson does not; it is stored as null.
        return json.loads(line)
    except ValueError:
        raise BadLine(first) from None


def _check(row: Row) -> None:
    for column in ("id", "worklet", "state", "trigger"):
        if not isinstance(row[column], str) or not row[column]:
            raise BadLine(f"its {column} is no text")
    for column in ("version", "started_us", "duration_us"):
        value = row[column]
        if not isinstance(value, int) or not -(2**63) <= value < 2**63:
            raise BadLine(f"its {column} is no whole number")
    for column in ("principal", "parent"):
        if not isinstance(row[column], str | None):
            raise BadLine(f"its {column} is neither text nor null")
    if not isinstance(row["error"], dict | None) or not isinstance(row["nodes"], list):
        raise BadLine("its error or its nodes have another form")
    if any(
        "\0" in row[column] for column in ("id", "worklet", "state", "trigger", "principal", "parent") if row[column]
    ):
        raise BadLine("a text of it holds a zero byte")
