"""The page that compares two versions of a worklet: their graphs, and their sources side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from ...connectors.access import Role
from ...connectors.errors import BadInput, NotAllowed
from ...flows.graph_differences import Change, GraphDifferences
from ...flows.versions import VersionDifferences, WorkletVersions
from .site import Page, Site, Visit

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True, slots=True)
class DiffRow:
    """A line of two texts beside each other. `sort` is same, changed, removed, added, or gap before another part."""

    sort: str
    left_number: int | None = None
    left: str = ""
    right_number: int | None = None
    right: str = ""


def version_pages(versions: WorkletVersions) -> Mapping[str, Page]:
    """The pages by their address."""

    def compare(site: Site, visit: Visit) -> Response:
        """/console/worklets/{name}/compare?before=1&after=2"""
        if not visit.may(Role.builder):
            raise NotAllowed("Comparing versions shows their source, which needs the role builder.")
        name = visit.path("name")
        listed = versions.all(name)
        numbers = [each["version"] for each in listed]
        live = next((each["version"] for each in listed if each["state"] == "live"), None)
        after = _number(visit.query("after")) or numbers[0]
        before = _number(visit.query("before")) or (live if live not in (None, after) else _before(after, numbers))
        found = versions.differences(name, before, after)
        return site.render(
            visit,
            "compare.html",
            section="worklets",
            name=name,
            versions=listed,
            before=before,
            after=after,
            is_live=after == live,
            graph=list(graph_lines(found.graph)),
            files=[(each, side_by_side(each.lines)) for each in found.files or ()],
            is_kept=found.files is not None,
            same=_is_same(found),
        )

    return {"/console/worklets/{name}/compare": compare}


def _number(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise BadInput(f"{text[:40]!r} is no version's number.")
    return int(text)


def _before(number: int, numbers: Sequence[int]) -> int:
    return max((each for each in numbers if each < number), default=number)


def _is_same(found: VersionDifferences) -> bool:
    return not found.graph and found.files == ()


def graph_lines(graph: GraphDifferences) -> Iterator[tuple[str, str, str]]:
    """What differs in the graph: what it is, how it was, and how it is."""
    for change in graph.worklet:
        yield change.field, *_values(change)
    for id in graph.removed:
        yield f"node {id}", "there", "—"
    for id in graph.added:
        yield f"node {id}", "—", "there"
    for id, changes in graph.changed.items():
        for change in changes:
            yield f"node {id}: {change.field}", *_values(change)
    for giver, taker in graph.edges_removed:
        yield f"{giver} → {taker}", "there", "—"
    for giver, taker in graph.edges_added:
        yield f"{giver} → {taker}", "—", "there"


def _values(change: Change) -> tuple[str, str]:
    return _text(change.before), _text(change.after)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def side_by_side(lines: Sequence[str]) -> list[DiffRow]:
    """The lines of a unified diff as rows; lines that were removed stand beside those that came instead."""
    rows: list[DiffRow] = []
    removed: list[tuple[int, str]] = []
    added: list[tuple[int, str]] = []
    left = right = 0

    def flush() -> None:
        for index in range(max(len(removed), len(added))):
            old = removed[index] if index < len(removed) else (None, "")
            new = added[index] if index < len(added) else (None, "")
            sort = "changed" if old[0] and new[0] else "removed" if old[0] else "added"
            rows.append(DiffRow(sort, *old, *new))
        removed.clear()
        added.clear()

    for line in lines:
        found = _HUNK.match(line)
        if found is not None:
            flush()
            left, right = int(found[1]), int(found[2])
            if rows:
                rows.append(DiffRow("gap"))
        elif line.startswith("-"):
            removed.append((left, line[1:]))
            left += 1
        elif line.startswith("+"):
            added.append((right, line[1:]))
            right += 1
        else:
            flush()
            rows.append(DiffRow("same", left, line[1:], right, line[1:]))
            left, right = left + 1, right + 1
    flush()
    return rows
