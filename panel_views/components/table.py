"""The table: sorted, filtered and cut into pages here, so that the browser gets only the rows that it shows."""

from __future__ import annotations

from typing import Any

from ..cells import Cell
from .base import ViewComponent
from .table_rows import Wish, as_csv, cell, column_names, read_wish, sifted

MAX_CELL = 1_000  # characters of a cell that go to the browser


class Table(ViewComponent):
    """Draws `table`. Rows are named to the browser by their number, and come back as such."""

    type = "table"
    _wish = Wish()
    _chosen: frozenset[int] = frozenset()

    def show_cell(self, name: str, cell: Cell) -> None:
        """Show a bound property's new value; other rows mean that none is chosen."""
        if name == "rows" and cell.value is not None and cell.value != self._plain["rows"]:
            self._chosen = frozenset()
        super().show_cell(name, cell)

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """One page of the rows."""
        rows, columns = self._rows(), self._columns()
        names = [column["name"] for column in columns]
        found = sifted(rows, names, self._wish)
        size = props["page_size"]
        page = min(self._wish.page, max(0, (len(found) - 1) // size))
        shown = found[page * size : (page + 1) * size]
        kept = ("label", "help", "choose", "download", "search", "filters", "empty", "page_size")
        return {
            **{name: props[name] for name in kept},
            "columns": columns,
            "rows": [{"n": n, "cells": [_short(cell(rows[n], name)) for name in names]} for n in shown],
            "chosen": sorted(self._chosen),
            "found": len(found),
            "total": len(rows),
            "page": page,
            "sort": self._wish.sort,
            "descending": self._wish.descending,
        }

    def ask(self, what: str, data: Any) -> None:
        """`view`: other rows; `choose`: rows chosen; `edit`: a cell; `csv`: all that is found, as a file."""
        if what == "view":
            self._wish = read_wish(data, [column["name"] for column in self._columns()])
            self.props = self._shown()
        elif what == "choose":
            self._choose(data)
        elif what == "edit":
            self._edit(data)
        elif what == "csv" and self._plain["download"]:
            columns, rows = self._columns(), self._rows()
            names = [column["name"] for column in columns]
            text = as_csv(rows, sifted(rows, names, self._wish), names, [column["title"] for column in columns])
            self._send_msg({"csv": text})

    def read_event(self, event: str, data: Any) -> Any:
        """The row at the number that the browser sent."""
        if event != "row":
            raise LookupError(f"the browser does not tell of {event!r}")
        return {"row": self._row(data), "index": data}

    def _rows(self) -> list[dict[str, Any]]:
        return [row for row in self._plain["rows"] or [] if isinstance(row, dict)]

    def _row(self, number: Any) -> dict[str, Any]:
        rows = self._rows()
        if type(number) is not int or not 0 <= number < len(rows):
            raise LookupError(f"there is no row {number!r}")
        return rows[number]

    def _columns(self) -> list[dict[str, Any]]:
        declared = self._plain["columns"]
        if not declared:
            declared = [{"name": name, "title": name.rpartition(".")[2]} for name in column_names(self._rows())]
        plain = {"title": "", "format": "auto", "decimals": None, "editable": False, "width": None}
        return [{**plain, **column, "title": column.get("title") or column["name"]} for column in declared]

    def _choose(self, data: Any) -> None:
        numbers = frozenset(data) if isinstance(data, list) else frozenset()
        chosen = [self._row(number) for number in sorted(numbers)]
        if self._plain["choose"] == "none" or (self._plain["choose"] == "one" and len(chosen) > 1):
            raise ValueError("so many rows can't be chosen here")
        self._chosen = numbers
        self.props = self._shown()
        self._outlet.changed(self._declared.id, "chosen", chosen)
        self._outlet.fired(self._declared.id, "choose", {"rows": chosen})

    def _edit(self, data: Any) -> None:
        number, name, text = data["row"], data["column"], data["text"]
        row = self._row(number)
        column = next((column for column in self._columns() if column["name"] == name), None)
        if column is None or not column["editable"]:
            raise LookupError(f"{name!r} is no column to edit")
        if not isinstance(text, str) or len(text) > MAX_CELL:
            raise ValueError("a cell takes a text")
        value, old = _read_cell(text.strip(), column["format"], cell(row, name)), cell(row, name)
        if value is ...:
            self._send_msg({"refused": f"{text.strip()[:50]!r} does not fit {column['title']}."})
            return
        if value == old:
            return
        changed = _with_cell(row, name, value)
        rows = self._rows()
        rows[number] = changed
        self._plain = {**self._plain, "rows": rows}
        self.props = self._shown()
        self._outlet.fired(
            self._declared.id, "edit", {"row": changed, "index": number, "column": name, "value": value, "old": old}
        )


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_CELL:
        return value[:MAX_CELL] + "…"
    if isinstance(value, list | dict):
        return str(value)[:MAX_CELL]
    return value


def _read_cell(text: str, form: str, old: Any) -> Any:
    """The value that a cell's new text means; `...` if it means none of the column's kind."""
    if not text:
        return None
    if form == "boolean" or (form == "auto" and isinstance(old, bool)):
        return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(text.lower(), ...)
    if form in ("number", "percent") or (form == "auto" and isinstance(old, int | float)):
        try:
            number = float(text.rstrip("%").replace(",", "")) / (100 if form == "percent" and text.endswith("%") else 1)
        except ValueError:
            return ...
        if number != number or number in (float("inf"), float("-inf")):
            return ...
        return int(number) if isinstance(old, int) and number.is_integer() else number
    return text


def _with_cell(row: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """The row with another value at a name, which may be a path."""
    first, _, rest = name.partition(".")
    if name in row or not rest:
        return {**row, name: value}
    inner = row.get(first)
    return {**row, first: _with_cell(inner if isinstance(inner, dict) else {}, rest, value)}
