"""Rows of a table: which are shown in which order, and the file that holds them. Pure; knows nothing of pages."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import Any

from ..cells import part_of

Row = dict[str, Any]
_COMPARED = re.compile(r"(>=|<=|>|<|=)\s*(-?\d+(?:\.\d+)?)")
_BETWEEN = re.compile(r"(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)")
# A cell that begins so is a formula to a spreadsheet program.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
MAX_COLUMNS = 60


@dataclass(frozen=True)
class Wish:
    """What its reader wants to see of a table."""

    sort: str | None = None
    descending: bool = False
    search: str = ""
    filters: dict[str, str] = field(default_factory=dict)
    page: int = 0


def read_wish(data: Any, columns: list[str]) -> Wish:
    """A wish from the browser. Raises ValueError, TypeError for nonsense; unknown columns are no wish."""
    if not isinstance(data, dict):
        raise TypeError("a wish is an object")
    filters = {str(name): str(text)[:200] for name, text in dict(data.get("filters") or {}).items() if name in columns}
    sort = data.get("sort") if data.get("sort") in columns else None
    search, page = str(data.get("search") or "")[:200], data.get("page", 0)
    if type(page) is not int or page < 0:
        raise ValueError("a page is a number from 0")
    return Wish(sort, data.get("descending") is True, search, {n: t for n, t in filters.items() if t.strip()}, page)


def column_names(rows: list[Row]) -> list[str]:
    """The columns that the rows have, in their order; a column that holds an object gives one for each of its keys."""
    names: dict[str, None] = {}
    for row in rows[:200]:
        for name, value in row.items():
            inner = [f"{name}.{part}" for part in value] if isinstance(value, dict) and value else [name]
            names.update(dict.fromkeys(inner))
    return list(names)[:MAX_COLUMNS]


def cell(row: Row, column: str) -> Any:
    """What a row has in a column, which may be a path such as `data.species`."""
    return row[column] if column in row else part_of(row, column)


def sifted(rows: list[Row], columns: list[str], wish: Wish) -> list[int]:
    """The numbers of the rows that are wanted, in the order that is wanted."""
    found = list(range(len(rows)))
    for column, text in wish.filters.items():
        found = [n for n in found if fits(cell(rows[n], column), text)]
    wanted = wish.search.strip().lower()
    if wanted:
        found = [n for n in found if any(wanted in written(cell(rows[n], column)).lower() for column in columns)]
    if wish.sort is not None:
        column = wish.sort
        found.sort(key=lambda n: _rank(cell(rows[n], column)), reverse=wish.descending)
        # Nothing stands last, whichever the direction.
        found.sort(key=lambda n: cell(rows[n], column) is None)
    return found


def fits(value: Any, text: str) -> bool:
    """Whether a cell fits a filter: a part of its text, `>3`, `<=3`, `=3`, or `1..3`."""
    text = text.strip()
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    between, compared = _BETWEEN.fullmatch(text), _COMPARED.fullmatch(text)
    if between:
        return number is not None and float(between[1]) <= number <= float(between[2])
    if compared:
        limit = float(compared[2])
        if number is None:
            return False
        return {
            ">": number > limit,
            "<": number < limit,
            ">=": number >= limit,
            "<=": number <= limit,
            "=": number == limit,
        }[compared[1]]
    return text.lower() in written(value).lower()


def written(value: Any) -> str:
    """A cell as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def as_csv(rows: list[Row], numbers: list[int], columns: list[str], titles: list[str]) -> str:
    """The rows as CSV that a spreadsheet program opens without running anything."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_tame(title) for title in titles])
    for n in numbers:
        writer.writerow([_tame(cell(rows[n], column)) for column in columns])
    return out.getvalue()


def _tame(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _rank(value: Any) -> tuple[int, Any]:
    # Values of different types do not compare: numbers first, then texts.
    if value is None:
        return (2, "")
    if isinstance(value, bool | int | float):
        return (0, value if value == value else float("-inf"))
    return (1, written(value).lower())
