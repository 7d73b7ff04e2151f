"""How results are printed: tables for people, JSON for programs. Errors are not printed here."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from ..connectors.errors import BadInput

_WIDEST = 60
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


def print_json(value: Any) -> None:
    """JSON on one line; indented on a terminal."""
    option = orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0
    sys.stdout.write(orjson.dumps(value, default=str, option=option).decode() + "\n")


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, none: str) -> None:
    """A list: every field as JSON, or the named columns as a table.

    Args:
        columns: title by field.
        none: what to say when there is nothing.
    """
    rows = list(rows)
    if as_json:
        print_json(rows)
        return
    if not rows:
        print(none, file=sys.stderr)
        return
    lines = [list(columns.values()), *([_text(row.get(field)) for field in columns] for row in rows)]
    print_aligned(lines)


def print_fields(value: Mapping[str, Any], fields: Mapping[str, str]) -> None:
    """One thing: a line for each named field that it has."""
    width = max(len(title) for title in fields.values())
    for field, title in fields.items():
        if value.get(field) not in (None, "", {}, []):
            print(f"{title:<{width}}  {_text(value[field], widest=400)}")


def print_aligned(lines: Sequence[Sequence[str]]) -> None:
    """Lines of cells, in columns."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def written_file(output: Path, write: Callable[[], object]) -> None:
    """Write a file and name it on stderr. Raises BadInput where it can't be written."""
    try:
        write()
    except OSError as error:
        raise BadInput(f"{output} can't be written: {error.strerror or error}.") from None
    print(output, file=sys.stderr)


@contextmanager
def notes_on_stderr() -> Iterator[None]:
    """Print what is warned of meanwhile as notes, without the place in the code."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        yield
    for each in found:
        if each.category is UserWarning:
            print(f"Note: {each.message}", file=sys.stderr)


def local_time(microseconds: int) -> str:
    """A time since 1970 for people, in this machine's zone."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(microseconds: int) -> str:
    """A length of time for people."""
    if microseconds < 1_000:
        return f"{microseconds} µs"
    if microseconds < 1_000_000:
        return f"{microseconds / 1_000:.1f} ms"
    return f"{microseconds / 1_000_000:.1f} s"


def _text(value: Any, widest: int = _WIDEST) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and _TIME.match(value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    text = " ".join(text.split())
    return text if len(text) <= widest else text[: widest - 1] + "…"
