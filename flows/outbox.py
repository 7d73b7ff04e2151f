"""The outbox: runs in the store that Prefect has not seen yet. Blocking; the recorder calls it from a thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import func, update
from sqlmodel import col, select

from ..connectors.store import Store
from ..connectors.tables import Run, SubmittedRun, Worklet, WorkletVersion
from .graph import GraphDocument

logger = logging.getLogger(__name__)

# Instead of a time, `recorded_us` may tell why Prefect has no finished run of that row.
SAMPLED_OUT = -1  # too much to record: left out
BEGUN = -2  # Prefect has it as running; it waits for its end
REFUSED = -3  # Prefect would not take it

_FAILURES_LOOK_EVERY_S = 5.0


class Outbox:
    """Runs on their way to Prefect."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._no_failures_until = 0.0

    def next_rows(self, limit: int, in_hand: Collection[str]) -> list[Run]:
        """Up to `limit` runs to record that are not `in_hand`, oldest first; when behind, those that failed first."""
        wanted = limit + len(in_hand)
        with self.store.read() as session:
            begun = session.exec(
                select(Run).where(Run.recorded_us == BEGUN).order_by(col(Run.started_us)).limit(wanted)
            ).all()
            waiting = select(Run).where(col(Run.recorded_us).is_(None)).order_by(col(Run.started_us))
            oldest = session.exec(waiting.limit(wanted)).all()
            failed: Sequence[Run] = ()
            if len(oldest) == wanted and time.monotonic() >= self._no_failures_until:
                failed = session.exec(waiting.where(Run.state != "completed").limit(wanted)).all()
                if not failed:
                    self._no_failures_until = time.monotonic() + _FAILURES_LOOK_EVERY_S
        rows = {row.id: row for row in (*begun, *failed, *oldest) if row.id not in in_hand}
        return list(rows.values())[:limit]

    def backlog(self) -> int:
        """How many runs wait."""
        with self.store.read() as session:
            return session.exec(select(func.count()).where(col(Run.recorded_us).is_(None))).one()

    def mark(self, ids: Sequence[str], recorded_us: int | None = None) -> None:
        """Note that Prefect has these runs (since now), or one of SAMPLED_OUT, BEGUN, REFUSED."""
        if not ids:
            return
        value = time.time_ns() // 1000 if recorded_us is None else recorded_us
        with self.store.session() as session:
            session.exec(update(Run).where(col(Run.id).in_(ids)).values(recorded_us=value))

    def sample_out(self, count: int) -> int:
        """Leave out `count` completed runs, evenly over time; answers how many that were."""
        chosen = (
            select(Run.id)
            .where(col(Run.recorded_us).is_(None), col(Run.state) == "completed")
            .order_by(func.random())
            .limit(count)
        )
        with self.store.session() as session:
            ids = session.exec(chosen).all()
            for start in range(0, len(ids), 500):
                part = ids[start : start + 500]
                session.exec(update(Run).where(col(Run.id).in_(part)).values(recorded_us=SAMPLED_OUT))
        return len(ids)

    def flow_runs(self, ids: Sequence[str]) -> dict[str, str]:
        """Of these runs, those that Prefect started: the flow run's id as a UUID, by the run's id."""
        chosen = select(SubmittedRun.id, SubmittedRun.flow_run_id).where(col(SubmittedRun.id).in_(ids))
        with self.store.read() as session:
            return {id: str(UUID(flow_run)) for id, flow_run in session.exec(chosen) if flow_run is not None}

    def live_worklets(self) -> list[tuple[str, int]]:
        """Name and version of each worklet that answers now."""
        with self.store.read() as session:
            rows = session.exec(select(Worklet.name, Worklet.live_version)).all()
        return [(name, version) for name, version in rows if version is not None]

    def graph(self, worklet: str, version: int) -> GraphDocument | None:
        """The graph of a version; None if the version is unknown or its graph can't be read."""
        with self.store.read() as session:
            document = session.exec(
                select(WorkletVersion.graph).where(
                    WorkletVersion.worklet_name == worklet, WorkletVersion.number == version
                )
            ).first()
        if not document:
            return None
        try:
            return GraphDocument.model_validate(document)
        except ValidationError as error:
            logger.error("The graph of worklet %s version %d can't be read (%s).", worklet, version, error)
            return None
