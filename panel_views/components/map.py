"""The map: places from rows and shapes from GeoJSON, checked here; the browser draws numbers and texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .base import ViewComponent
from .chart_data import number
from .table_rows import cell

MAX_PLACES = 5_000
MAX_CORNERS = 100_000
MAX_TEXT = 200
Ring = list[tuple[float, float]]


class Map(ViewComponent):
    """Draws `map`. A press on a place comes back as the number of its row."""

    type = "map"

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The places and shapes in place of rows and GeoJSON."""
        kept = {name: props[name] for name in ("label", "help", "empty")}
        places, left = places_of(props)
        shapes, broken = shapes_of(props["geojson"])
        notes = [f"{left:,} rows have no place that can be shown."] if left else []
        notes += ["A part of the GeoJSON can't be read."] if broken else []
        return {**kept, "places": places, "shapes": shapes, "note": " ".join(notes)}

    def read_event(self, event: str, data: Any) -> Any:
        """The row of the place that was pressed."""
        rows = self._plain["rows"] or []
        if type(data) is not int or not 0 <= data < len(rows):
            raise LookupError(f"there is no place {data!r}")
        self._outlet.changed(self._declared.id, "picked", rows[data])
        return {"row": rows[data], "index": data}


def places_of(props: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """The places that the rows have, and how many rows have none or are too many."""
    places: list[dict[str, Any]] = []
    rows = props["rows"] or []
    for n, row in enumerate(rows):
        at = _position([cell(row, props["longitude"]), cell(row, props["latitude"])]) if isinstance(row, dict) else None
        if at is None or len(places) >= MAX_PLACES:
            continue
        text, group = (cell(row, props[name]) if props[name] else None for name in ("text", "color"))
        places.append({"at": at, "text": _words(text), "group": _words(group), "n": n})
    return places, len(rows) - len(places)


def shapes_of(geojson: Any) -> tuple[list[dict[str, Any]], bool]:
    """Lines and rings of a GeoJSON value, each with its feature's name; and whether a part could not be read."""
    shapes: list[dict[str, Any]] = []
    corners, broken = 0, False
    for geometry, name in _geometries(geojson):
        for closed, line in _lines(geometry):
            points = [point for point in map(_position, line) if point is not None]
            corners += len(points)
            if len(points) < 2 or corners > MAX_CORNERS:
                broken = True
                continue
            shapes.append({"points": points, "closed": closed, "text": name})
    return shapes, broken or (geojson is not None and not shapes)


def _geometries(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[dict[str, Any], str]]:
    if not isinstance(value, dict) or depth > 10:
        return
    properties = value.get("properties")
    named = _words(properties.get("name")) if isinstance(properties, dict) else name
    for part in [*_list(value.get("features")), *_list(value.get("geometries")), value.get("geometry")]:
        yield from _geometries(part, named, depth + 1)
    if "coordinates" in value:
        yield value, named


def _lines(geometry: dict[str, Any]) -> Iterator[tuple[bool, list[Any]]]:
    given = _list(geometry["coordinates"])
    kind = geometry.get("type")
    if kind == "LineString":
        yield False, given
    elif kind in ("MultiLineString", "Polygon"):
        yield from ((kind == "Polygon", _list(line)) for line in given)
    elif kind == "MultiPolygon":
        yield from ((True, _list(line)) for polygon in given for line in _list(polygon))


def _position(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list | tuple) or len(value) < 2:
        return None
    longitude, latitude = number(value[0]), number(value[1])
    if longitude is None or latitude is None or abs(longitude) > 180 or abs(latitude) > 90:
        return None
    return (longitude, latitude)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(value: Any) -> str:
    return "" if value is None else str(value)[:MAX_TEXT]
