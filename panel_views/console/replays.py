"""What the page of a run shows of replays: the versions that may do its input again, and how a replay went other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from sqlmodel import col, select

from ...connectors.access import Role
from ...connectors.errors import NotFound
from ...connectors.tables import Run, SubmittedRun, Worklet, WorkletVersion
from ...flows.journal import RunRecord
from ...flows.replaying import run_differences
from ...flows.shortening import is_shortened
from .site import Site, Visit

# A page shows so many; the API has all.
MOST_SHOWN = 30
_WIDEST = 300


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay beside the run whose input it did again."""

    before: Run | RunRecord
    same: bool
    rows: list[tuple[str, str, str]]
    more: bool
    nodes: list[dict[str, Any]]


def versions_to_replay(site: Site, visit: Visit, run: Run | RunRecord) -> list[int]:
    """The newest versions, the live one first; none where the visitor may not, or the input was not kept whole."""
    if not visit.may(Role.operator) or run.input is None or is_shortened(run.input):
        return []
    with site.store.read() as session:
        worklet = session.get(Worklet, run.worklet)
        numbers = session.scalars(
            select(WorkletVersion.number)
            .where(WorkletVersion.worklet_name == run.worklet)
            .order_by(col(WorkletVersion.number).desc())
            .limit(MOST_SHOWN)
        ).all()
    if worklet is None:
        return []
    live = worklet.live_version
    return [*([live] if live is not None else []), *(number for number in numbers if number != live)]


def replayed(site: Site, visit: Visit, run: Run | RunRecord) -> Replayed | None:
    """The comparison with the run that was done again; None if it is no replay, or what it repeats is gone."""
    if run.trigger != "replay":
        return None
    with site.store.read() as session:
        submitted = session.get(SubmittedRun, run.id)
    origin = submitted.retry_of if submitted is not None else None
    if origin is None:
        return None
    try:
        before = site.recent_run(origin) or site.queries.run(origin)
    except NotFound:
        return None
    if visit.sees_only is not None and before.principal != visit.sees_only:
        return None
    if any(each.output is not None and is_shortened(each.output) for each in (before, run)):
        return None
    found = run_differences(before, run)
    rows = [
        ("output" + each["path"], *(_text(each[side], there) for side, there in zip(
            ("before", "after"), each["present"], strict=True)))
        for each in found["output"][:MOST_SHOWN]
    ]  # fmt: skip
    if before.state != run.state:
        rows.insert(0, ("state", before.state, run.state))
    if found["error"]:
        rows.append(("error", *(str(found["error"][side] or "—") for side in ("before", "after"))))
    more = found["more_output"] or len(found["output"]) > MOST_SHOWN
    return Replayed(before, found["same"], rows, more, found["nodes"])


def _text(value: Any, there: bool) -> str:
    if not there:
        return "—"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"
