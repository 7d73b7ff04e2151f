"""The inbox: what runs ask people, and the form in which somebody decides. The form uses the JSON API."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson
from starlette.responses import Response

from ...connectors.access import Role, require
from ...connectors.errors import NotFound
from ...connectors.tables import Review
from ...flows.reviews import DECIDED, OPEN, Reviews
from .schema import form_fields
from .site import Page, Site, Visit
from .values import ShownValue, shown_value

_SOON_US = 4 * 3_600 * 1_000_000
_MOST_ROWS, _MOST_COLUMNS = 50, 12


@dataclass(frozen=True, slots=True)
class ValueTable:
    """A list of records as a table; `left_out` counts the rows that are not shown."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int


def inbox_pages(reviews: Reviews | None) -> dict[str, Page]:
    """The pages by their address."""
    if reviews is None:
        return {}
    return {"/console/inbox": partial(inbox, reviews), "/console/inbox/{id}": partial(review, reviews)}


def inbox(reviews: Reviews, site: Site, visit: Visit) -> Response:
    """/console/inbox"""
    require(visit.principal, Role.operator, "decide reviews")
    shown = "decided" if visit.query("state") == "decided" else "open"
    rows = reviews.waiting(visit.principal, OPEN if shown == "open" else None)
    return site.render(
        visit,
        "inbox.html",
        section="inbox",
        shown=shown,
        rows=rows if shown == "open" else [row for row in rows if row.state != OPEN],
        now_us=time.time_ns() // 1000,
        soon_us=_SOON_US,
    )


def review(reviews: Reviews, site: Site, visit: Visit) -> Response:
    """/console/inbox/{id}"""
    require(visit.principal, Role.operator, "decide reviews")
    row = reviews.get(visit.path("id"), visit.principal)
    fields = form_fields(row.schema_)
    is_verdict = any(field.path == ("approved",) and field.control == "checkbox" for field in fields)
    return site.render(
        visit,
        "review.html",
        section="inbox",
        row=row,
        table=value_table(row.value),
        value=_value(site, row),
        text=_text(row.value),
        fields=[field for field in fields if not (is_verdict and field.path == ("approved",))],
        is_verdict=is_verdict,
        decision=shown_value(orjson.dumps(row.decision), lambda _: set()) if row.state == DECIDED else None,
        run_is_there=_is_recorded(site, row),
        now_us=time.time_ns() // 1000,
    )


def _value(site: Site, row: Review) -> ShownValue | None:
    # Whoever may decide may see the pictures, though they are another's.
    found = shown_value(row.value, site.queries.pictures)
    if found is None:
        return None
    own = f"/api/reviews/{row.id}/files/"
    pictures = tuple(
        replace(picture, source=own + picture.source.rpartition("/")[2])
        if picture.source.startswith("/api/files/")
        else picture
        for picture in found.pictures
    )
    return replace(found, pictures=pictures)


def _text(value: bytes) -> str | None:
    """A value that is nothing but text, to be read as such."""
    found = orjson.loads(value) if value[:1] == b'"' else None
    return found if isinstance(found, str) and not found.startswith(("/api/files/", "data:")) else None


def value_table(value: bytes) -> ValueTable | None:
    """A list of records as a table, a record as a table of its fields; None for anything else."""
    found = orjson.loads(value) if value[:1] in (b"[", b"{") else None
    if isinstance(found, dict) and found and all(not isinstance(part, dict | list) for part in found.values()):
        rows = tuple((name, _cell(part)) for name, part in found.items() if not _is_picture(part))
        return ValueTable((), rows[:_MOST_ROWS], max(0, len(rows) - _MOST_ROWS)) if rows else None
    if not isinstance(found, list) or not found or not all(isinstance(entry, dict) for entry in found):
        return None
    columns = tuple(dict.fromkeys(key for entry in found[:_MOST_ROWS] for key in entry))[:_MOST_COLUMNS]
    cells = tuple(tuple(_cell(entry.get(column)) for column in columns) for entry in found[:_MOST_ROWS])
    return ValueTable(columns, cells, len(found) - len(cells))


def _is_picture(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("/api/files/", "data:image/"))


def _cell(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, str):
        return "picture" if _is_picture(value) else value
    return orjson.dumps(value).decode()


def _is_recorded(site: Site, row: Review) -> bool:
    if site.recent_run(row.run_id) is not None:
        return True
    try:
        site.queries.run(row.run_id)
    except NotFound:
        return False
    return True
