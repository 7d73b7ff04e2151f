"""Time triggers: when each is due, and the runs that they submit.

A run is submitted under a key made of the schedule and its time, so that however many processes look, and whatever
dies in between, each time gives one run. Times that passed while nothing ran give one run together, or none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from cronsim import CronSim, CronSimError
from sqlmodel import col, select

from ..connectors.errors import NotFound
from ..connectors.store import Store
from ..connectors.tables import Schedule
from .registry import LiveWorklet, Registry
from .submitted import SubmittedRuns
from .triggers import Cron

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
# A schedule that is looked at later than this was missed: nothing ran.
_LATE_US = 60_000_000


class Schedules:
    """The schedules of the live worklets.

    Args:
        store: where they are.
        registry: the live worklets.
        queue: takes the runs.
        catch_up: whether times that passed while nothing ran give a run.
        submitted: told after runs were submitted.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        queue: SubmittedRuns,
        *,
        catch_up: bool = True,
        submitted: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._queue = queue
        self._catch_up = catch_up
        self._submitted = submitted
        self._known: dict[str, int] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                if await asyncio.to_thread(self.step, datetime.now(UTC)):
                    self._submitted()
            except Exception:
                logger.exception("looking for due schedules failed; it goes on")
            await asyncio.sleep(_LOOK_SECONDS)

    def step(self, now: datetime) -> int:
        """Follow the live worklets and submit what is due; answers how many runs. Blocking."""
        live = self._registry.live
        versions = {name: each.version for name, each in live.items()}
        if versions != self._known:
            self._follow(live.values(), now)
            self._known = versions
        count = 0
        for row in self._due(now):
            count += self._fire(row, now)
        return count

    def _follow(self, live: Iterable[LiveWorklet], now: datetime) -> None:
        """Make the rows those of the live worklets. One whose times stay the same keeps when it is due and paused."""
        wanted = {(each.name, n): cron for each in live for n, cron in enumerate(_crons(each))}
        with self._store.session() as session:
            rows = {(row.worklet, row.number): row for row in session.exec(select(Schedule)).all()}
            for key, row in rows.items():
                if key not in wanted and key[0] not in self._registry.broken:
                    session.delete(row)
            for (worklet, number), cron in wanted.items():
                row = rows.get((worklet, number)) or Schedule(worklet=worklet, number=number, cron="")
                same_times = (row.cron, row.timezone) == (cron.schedule, cron.timezone)
                row.cron, row.timezone, row.inputs = cron.schedule, cron.timezone, dict(cron.inputs)
                if not same_times or row.due_us is None:
                    row.due_us = next_time(row.cron, row.timezone, now)
                session.add(row)

    def _due(self, now: datetime) -> list[Schedule]:
        with self._store.read() as session:
            due = select(Schedule).where(col(Schedule.paused).is_(False), col(Schedule.due_us) <= _us(now))
            return list(session.exec(due))

    def _fire(self, row: Schedule, now: datetime) -> int:
        due_us = row.due_us or 0
        live = self._registry.live.get(row.worklet)
        missed = _us(now) - due_us > _LATE_US
        fired = 0
        if live is not None and not (missed and not self._catch_up):
            key = f"schedule {row.worklet} {row.number} {due_us}"
            body = orjson.dumps(row.inputs)
            _, new = self._queue.submit(row.worklet, live.version, body, None, trigger="cron", idempotency_key=key)
            fired = int(new)
        with self._store.session() as session:
            kept = session.get(Schedule, (row.worklet, row.number), with_for_update=True)
            if kept is not None and kept.due_us == due_us:
                kept.last_us = due_us if fired else kept.last_us
                kept.due_us = next_time(kept.cron, kept.timezone, now)
                session.add(kept)
        return fired

    # --- for people -----------------------------------------------------------------------------------

    def all(self) -> list[dict[str, Any]]:
        """Every schedule with when it is due next."""
        with self._store.read() as session:
            rows = session.exec(select(Schedule).order_by(Schedule.worklet, col(Schedule.number)))
            return [_shown(row) for row in rows]

    def pause(self, worklet: str, number: int, *, paused: bool, now: datetime | None = None) -> dict[str, Any]:
        """Pause a schedule, or go on with it from the next time. Raises NotFound."""
        with self._store.session() as session:
            row = session.get(Schedule, (worklet, number), with_for_update=True)
            if row is None:
                raise NotFound(f"The worklet {worklet[:64]!r} has no schedule {number}; `worklets schedules list`.")
            row.paused = paused
            if not paused:
                row.due_us = next_time(row.cron, row.timezone, now or datetime.now(UTC))
            session.add(row)
            return _shown(row)


def next_time(cron: str, timezone: str, after: datetime) -> int | None:
    """The next time after `after` in microseconds since 1970; None if there is none in the next decades.

    Daylight saving is treated as Debian's cron does: a time that the clock skips runs right after, one that it repeats
    runs once.
    """
    try:
        return _us(next(CronSim(cron, after.astimezone(ZoneInfo(timezone)))))
    except (StopIteration, CronSimError):  # such as the 31st of February
        return None


def _crons(live: LiveWorklet) -> list[Cron]:
    return [trigger for trigger in live.graph.triggers if isinstance(trigger, Cron)]


def _shown(row: Schedule) -> dict[str, Any]:
    return row.model_dump()


def _us(time: datetime) -> int:
    return int(time.timestamp() * 1e6)
