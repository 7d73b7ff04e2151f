"""What a chart draws, from rows: series of points, counted bins, or a grid of cells. Pure; knows nothing of pages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from .table_rows import cell

MAX_POINTS = 20_000
MAX_SERIES = 50
MAX_CATEGORIES = 200
MAX_TEXT = 200
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")


def chart_data(props: dict[str, Any]) -> dict[str, Any]:
    """The chart's series and axes; `note` says what could not be drawn, `points` hold the number of their row last."""
    rows = [row for row in props["rows"] or [] if isinstance(row, dict)]
    if not rows:
        return {"series": [], "note": ""}
    missing = [name for name in wanted(props) if all(cell(row, name) is None for row in rows)]
    if missing:
        return {"series": [], "note": f"The rows have no column {', '.join(repr(name[:50]) for name in missing)}."}
    if props["kind"] == "histogram":
        return _histogram(rows, props)
    if props["kind"] == "heatmap":
        return _heatmap(rows, props)
    return _points(rows, props)


def wanted(props: dict[str, Any]) -> list[str]:
    """The columns that a chart of these properties needs."""
    kind, names = props["kind"], [props["x"]]
    if kind != "histogram":
        names += props["y"]
    if kind == "heatmap":
        names.append(props["value"])
    return [name for name in [*names, props["color"]] if name]


def number(value: Any) -> float | None:
    """The value if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _points(rows: list[dict[str, Any]], props: dict[str, Any]) -> dict[str, Any]:
    x, color = props["x"], props["color"]
    kind_of_x = "category" if props["kind"] == "bar" else axis_type([cell(row, x) for row in rows] if x else [0.0])
    # Every n-th row stands for the others where there are too many to draw.
    step = max(1, math.ceil(len(rows) * max(1, len(props["y"])) / MAX_POINTS))
    series: dict[str, list[list[Any]]] = {}
    for n in range(0, len(rows), step):
        row = rows[n]
        at = _at(cell(row, x) if x else n, kind_of_x)
        if at is None:
            continue
        for column in props["y"]:
            name = " · ".join(part for part in (_text(cell(row, color)) if color else "", column) if part)
            name = _text(cell(row, color)) if color and len(props["y"]) == 1 else name
            series.setdefault(name, []).append([at, number(cell(row, column)), n])
    shown = dict(list(series.items())[:MAX_SERIES])
    notes = []
    if step > 1:
        notes.append(f"One of every {step} rows is drawn; there are {len(rows):,}.")
    if len(series) > MAX_SERIES:
        notes.append(f"{MAX_SERIES} of {len(series)} series are drawn.")
    return {
        "x_type": kind_of_x,
        "series": [{"name": name, "points": points} for name, points in shown.items()],
        "note": " ".join(notes),
    }


def _histogram(rows: list[dict[str, Any]], props: dict[str, Any]) -> dict[str, Any]:
    color = props["color"]
    groups: dict[str, list[float]] = {}
    for row in rows:
        value = number(cell(row, props["x"]))
        if value is not None:
            groups.setdefault(_text(cell(row, color)) if color else props["x"], []).append(value)
    everything = [value for values in groups.values() for value in values]
    if not everything:
        return {"series": [], "note": f"The column {props['x'][:50]!r} has no numbers."}
    low, high = min(everything), max(everything)
    # Without a number of bins: as many as Sturges counts.
    bins = props["bins"] or max(1, math.ceil(math.log2(len(everything)) + 1))
    width = (high - low) / bins or 1.0
    edges = [low + n * width for n in range(bins + 1)]
    series = []
    for name, values in list(groups.items())[:MAX_SERIES]:
        counts = [0] * bins
        for value in values:
            counts[min(bins - 1, int((value - low) / width))] += 1
        series.append({"name": name, "points": [[edges[n], count, n] for n, count in enumerate(counts)]})
    return {"x_type": "bins", "edges": edges, "series": series, "note": ""}


def _heatmap(rows: list[dict[str, Any]], props: dict[str, Any]) -> dict[str, Any]:
    x, y, value = props["x"], props["y"][0] if props["y"] else "", props["value"]
    columns, lines = _in_order(cell(row, x) for row in rows), _in_order(cell(row, y) for row in rows)
    if len(columns) > MAX_CATEGORIES or len(lines) > MAX_CATEGORIES:
        return {"series": [], "note": f"A heat map has at most {MAX_CATEGORIES} columns and rows."}
    at_x, at_y = {name: n for n, name in enumerate(columns)}, {name: n for n, name in enumerate(lines)}
    points = []
    for n, row in enumerate(rows):
        amount = number(cell(row, value)) if value else 1
        points.append([at_x[_text(cell(row, x))], at_y[_text(cell(row, y))], amount, n])
    amounts = [point[2] for point in points if point[2] is not None] or [0]
    return {
        "x_type": "grid",
        "columns": columns,
        "lines": lines,
        "range": [min(amounts), max(amounts)],
        "series": [{"name": value or "count", "points": points[:MAX_POINTS]}],
        "note": "",
    }


def axis_type(values: list[Any]) -> str:
    """`value` for numbers, `time` for dates, `category` for anything else."""
    known = [value for value in values if value is not None]
    if known and all(number(value) is not None for value in known):
        return "value"
    if known and all(isinstance(value, str) and _MOMENT.fullmatch(value[:40]) for value in known):
        return "time"
    return "category"


def _at(value: Any, kind: str) -> Any:
    if value is None:
        return None
    return _text(value) if kind == "category" else value


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:MAX_TEXT]


def _in_order(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(_text(value) for value in values))
