"""What differs between a run and one that did its input again, as on another version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..connectors.tables import Run
from .journal import RunRecord

# Two large outputs that have nothing in common differ everywhere: the first places tell as much.
MOST_CHANGES = 200
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A place in the output that differs, as a JSON pointer (RFC 6901); what isn't there is None and not `present`."""

    path: str
    before: Any
    after: Any
    present: tuple[bool, bool] = (True, True)


def run_differences(before: Run | RunRecord, after: Run | RunRecord) -> dict[str, Any]:
    """How the second run went other than the first, as JSON data.

    Returns:
        `same` (state, output and error are), `before` and `after` in short, `output` (the places that differ, at most
        200), `more_output` (there are more), `error` and `nodes`, each with `before` and `after`.
    """
    places = list(_some(_changes(_value(before.output), _value(after.output), "")))
    errors = [(run.error or {}).get("detail") for run in (before, after)]
    same = not places and before.state == after.state and errors[0] == errors[1]
    return {
        "same": same,
        "before": _in_short(before),
        "after": _in_short(after),
        "output": [
            {"path": each.path, "before": each.before, "after": each.after, "present": each.present}
            for each in places[:MOST_CHANGES]
        ],
        "more_output": len(places) > MOST_CHANGES,
        "error": None if errors[0] == errors[1] else {"before": errors[0], "after": errors[1]},
        "nodes": _nodes(before.nodes, after.nodes),
    }


def _in_short(run: Run | RunRecord) -> dict[str, Any]:
    return {"id": run.id, "version": run.version, "state": run.state, "duration_us": run.duration_us}


def _value(output: bytes | None) -> Any:
    return None if output is None else orjson.loads(output)


def _some(changes: Iterator[ValueChange]) -> Iterator[ValueChange]:
    for count, change in enumerate(changes):
        yield change
        if count >= MOST_CHANGES:
            return


def _changes(before: Any, after: Any, path: str) -> Iterator[ValueChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            step = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            yield from _changed(before.get(key, _ABSENT), after.get(key, _ABSENT), step)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else _ABSENT
            yield from _changed(old, after[index] if index < len(after) else _ABSENT, f"{path}/{index}")
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield ValueChange(path, before, after)


def _changed(before: Any, after: Any, path: str) -> Iterator[ValueChange]:
    if before is _ABSENT:
        yield ValueChange(path, None, after, (False, True))
    elif after is _ABSENT:
        yield ValueChange(path, before, None, (True, False))
    else:
        yield from _changes(before, after, path)


def _nodes(before: Sequence[Sequence[Any]], after: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Each node of either run with its state and time in both; None where it has none."""
    old, new = _by_name(before), _by_name(after)
    absent = {"state": None, "duration_us": None}
    return [
        {"id": name, "before": old.get(name, absent), "after": new.get(name, absent)}
        for name in [*old, *(name for name in new if name not in old)]
    ]


def _by_name(entries: Sequence[Sequence[Any]]) -> dict[str, dict[str, Any]]:
    return {str(entry[0]): {"state": entry[2], "duration_us": entry[4]} for entry in entries if len(entry) > 4}
