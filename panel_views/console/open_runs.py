"""Runs that were submitted and have not ended, as the pages of runs show them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlmodel import col, select

from ...connectors.store import Store
from ...connectors.tables import SubmittedRun
from ...flows.journal import RunRecord
from ...flows.submitted import OPEN_STATES, PAUSED, RUNNING
from .queries import RunLine

MOST_LISTED = 50
_MOST_LOOKED_AT = 1_000


def open_runs(
    store: Store,
    *,
    worklet: str | None = None,
    state: str | None = None,
    trigger: str | None = None,
    version: int | None = None,
    principal: str | None = None,
) -> list[RunLine]:
    """Those that fit, the newest first; at most 50. What each took is the time until now."""
    wanted = {"worklet": worklet, "state": state, "trigger": trigger, "version": version}
    question = select(SubmittedRun).where(col(SubmittedRun.state).in_(OPEN_STATES))
    for name, value in wanted.items():
        if value is not None:
            question = question.where(getattr(SubmittedRun, name) == value)
    with store.read() as session:
        rows = session.exec(question.order_by(col(SubmittedRun.created_us).desc()).limit(_MOST_LOOKED_AT)).all()
    lines = [_line(row) for row in rows if principal is None or _owner(row) == principal]
    return lines[:MOST_LISTED]


def open_run(store: Store, identity: str, nodes_of: Callable[[str], list[list[Any]] | None]) -> RunRecord | None:
    """One that has not ended, with the nodes that have; None if there is none."""
    with store.read() as session:
        row = session.get(SubmittedRun, identity)
    if row is None or row.state not in OPEN_STATES:
        return None
    line = _line(row)
    nodes = [_so_far(entry, line.duration_us) for entry in nodes_of(row.id) or []]
    return RunRecord(
        line.id, line.worklet, line.version, line.trigger, line.principal, line.state, line.started_us,
        line.duration_us, input=row.input, nodes=nodes,
    )  # fmt: skip


def is_to_rest(store: Store, identity: str) -> bool:
    """Whether a run is paused, or is to be once its nodes under way have ended."""
    with store.read() as session:
        row = session.get(SubmittedRun, identity)
    return row is not None and (row.state == PAUSED or (row.state == RUNNING and row.pause_asked))


def _so_far(entry: list[Any], took: int) -> list[Any]:
    """The entry of a node, with the time until now where the node has not ended."""
    node, kind, state, offset, length, *rest = entry
    return [node, kind, state, offset, max(length, took - offset) if state == "running" else length, *rest]


def _line(row: SubmittedRun) -> RunLine:
    began = row.started_us or row.created_us
    took = max(0, time.time_ns() // 1000 - began)
    return RunLine(row.id, row.worklet, row.version, row.trigger, _owner(row), row.state, began, took)


def _owner(row: SubmittedRun) -> str | None:
    found = (row.principal or {}).get("id")
    return str(found) if found is not None else None
