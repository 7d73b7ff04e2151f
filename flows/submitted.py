"""Runs that were accepted to be done later: the queue in the store. Blocking; call it from a thread.

A run is held by one process at a time, for a lease that its holder renews. A holder that dies stops renewing, and the
next one takes the run over: at least once, with the nodes that have ended not run again (flows/checkpoints.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, or_, select, update

from ..connectors.access import Principal, Role
from ..connectors.errors import Conflict, NotFound
from ..connectors.store import Store
from ..connectors.tables import Callback, SubmittedRun
from .engine import new_run_id

QUEUED, RUNNING = "queued", "running"
WAITING = "waiting"  # for a person; no process has it
OPEN_STATES = (QUEUED, RUNNING, WAITING)
ENDED_STATES = ("completed", "failed", "timed-out", "cancelled")
LEASE_SECONDS = 15.0
# Any number, the same in every process: who counts what is under way holds PostgreSQL's lock of it.
_COUNTING = 0x776B6C74


class SubmittedRuns:
    """The queue.

    Args:
        store: where it is.
        lease_seconds: for how long a holder has a run without a word.
    """

    def __init__(self, store: Store, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._lease_us = int(lease_seconds * 1e6)

    # --- those who want something done ----------------------------------------------------------------

    def submit(
        self,
        worklet: str,
        version: int,
        input: bytes,
        principal: Principal | None,
        *,
        trigger: str = "run",
        id: str | None = None,
        idempotency_key: str | None = None,
        retry_of: str | None = None,
        flow_run_id: str | None = None,
        callback_url: str | None = None,
    ) -> tuple[SubmittedRun, bool]:
        """Accept a run; once this returns it will be done. The same key gives the first run again (and False).

        Raises:
            Conflict: the key was used for another worklet or another input.
        """
        row = SubmittedRun(
            id=id or new_run_id(),
            worklet=worklet,
            version=version,
            input=input,
            principal=_as_data(principal),
            trigger=trigger,
            idempotency_key=_key(principal, idempotency_key),
            retry_of=retry_of,
            flow_run_id=flow_run_id,
            created_us=_now(),
        )
        try:
            with self._store.session() as session:
                session.add(row)
                if callback_url is not None:
                    session.add(Callback(run_id=row.id, url=callback_url))
        except IntegrityError:
            return self._first(row), False
        return row, True

    def _first(self, row: SubmittedRun) -> SubmittedRun:
        with self._store.read() as session:
            found = session.exec(
                select(SubmittedRun).where(col(SubmittedRun.idempotency_key) == row.idempotency_key)
            ).one()
        if found.worklet != row.worklet or found.input != row.input:
            raise Conflict("This Idempotency-Key was used for another run; use a new one for each thing to be done.")
        return found

    def get(self, id: str) -> SubmittedRun | None:
        """One run, open or ended."""
        with self._store.read() as session:
            return session.get(SubmittedRun, id)

    def of_flow_run(self, flow_run_id: str) -> list[SubmittedRun]:
        """The runs that Prefect started as this flow run, oldest first: one, and one more for each retry there."""
        query = select(SubmittedRun).where(col(SubmittedRun.flow_run_id) == flow_run_id)
        with self._store.read() as session:
            return list(session.exec(query.order_by(col(SubmittedRun.created_us))))

    def open_runs(self, worklet: str | None, states: Sequence[str], limit: int) -> list[SubmittedRun]:
        """Runs that have not ended, newest first."""
        query = select(SubmittedRun).where(col(SubmittedRun.state).in_(states))
        if worklet is not None:
            query = query.where(col(SubmittedRun.worklet) == worklet)
        with self._store.read() as session:
            return list(session.exec(query.order_by(col(SubmittedRun.created_us).desc()).limit(limit)))

    def ask_to_cancel(self, id: str) -> SubmittedRun:
        """Cancel a run that waits at once, and ask the holder of one that runs. Raises NotFound, Conflict."""
        with self._store.session() as session:
            row = session.get(SubmittedRun, id, with_for_update=True)
            if row is None:
                raise NotFound(f"There is no submitted run {id[:64]!r}; what was invoked ends with its answer.")
            if row.state in ENDED_STATES:
                raise Conflict(f"The run has ended already ({row.state}).")
            row.cancel_asked = True
            if row.state == WAITING:
                row.state = QUEUED  # to be taken once more, and ended
            session.add(row)
            return row

    # --- those who do it ------------------------------------------------------------------------------

    def claim(self, holder: str, limit: int, at_once: Mapping[str, int] | None = None) -> list[SubmittedRun]:
        """Take up to `limit` runs that nobody holds, the oldest first; each goes to one holder alone.

        Args:
            holder: who takes them.
            limit: how many at most.
            at_once: by worklet, how many of its runs may be under way, whoever holds them; without an entry any number.
        """
        now = _now()
        with self._store.session() as session:
            ids = self._takeable(session, now, limit, at_once or {})
            if not ids:
                return []
            # The condition stands here again: another process may have been quicker since.
            session.exec(
                update(SubmittedRun)
                .where(col(SubmittedRun.id).in_(ids), *_is_free(now))
                .values(
                    state=RUNNING,
                    holder=holder,
                    lease_until_us=now + self._lease_us,
                    attempts=col(SubmittedRun.attempts) + 1,
                    started_us=now,
                )
            )
            taken = select(SubmittedRun).where(
                col(SubmittedRun.id).in_(ids), col(SubmittedRun.holder) == holder, col(SubmittedRun.started_us) == now
            )
            return list(session.exec(taken.order_by(col(SubmittedRun.created_us))))

    def _takeable(self, session: Session, now: int, limit: int, at_once: Mapping[str, int]) -> list[str]:
        """The oldest free runs, without those for which their worklet has no room."""
        free = select(SubmittedRun.id, SubmittedRun.worklet).where(*_is_free(now))
        if not at_once:
            return [id for id, _ in session.exec(free.order_by(col(SubmittedRun.created_us)).limit(limit))]
        if not self._store.is_sqlite:  # there a writing transaction is alone anyway
            session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _COUNTING})
        room = {**at_once}
        held = select(SubmittedRun.worklet, func.count()).where(
            col(SubmittedRun.state) == RUNNING,
            col(SubmittedRun.lease_until_us) >= now,
            col(SubmittedRun.worklet).in_(at_once),
        )
        for worklet, count in session.exec(held.group_by(col(SubmittedRun.worklet))):
            room[worklet] -= count
        taken: list[str] = []
        full = {name for name, left in room.items() if left <= 0}
        while True:
            # Once a worklet is full, those behind it in the queue have their turn.
            before = len(full)
            fitting = free.where(col(SubmittedRun.worklet).not_in(full), col(SubmittedRun.id).not_in(taken))
            for id, worklet in session.exec(fitting.order_by(col(SubmittedRun.created_us)).limit(limit - len(taken))):
                if worklet in full:
                    continue
                taken.append(id)
                if worklet in room:
                    room[worklet] -= 1
                    if room[worklet] <= 0:
                        full.add(worklet)
            if len(full) == before or len(taken) >= limit:
                return taken

    def renew(self, holder: str, ids: Collection[str]) -> tuple[set[str], set[str]]:
        """Go on holding these runs; answers those still held, and those that somebody wants cancelled."""
        with self._store.session() as session:
            mine = (
                col(SubmittedRun.id).in_(ids),
                col(SubmittedRun.holder) == holder,
                col(SubmittedRun.state) == RUNNING,
            )
            session.exec(update(SubmittedRun).where(*mine).values(lease_until_us=_now() + self._lease_us))
            rows = list(session.exec(select(SubmittedRun).where(*mine)))
        return {row.id for row in rows}, {row.id for row in rows if row.cancel_asked}

    def end(self, holder: str, id: str, state: str) -> bool:
        """Note how a run ended; False if another process holds it by now."""
        with self._store.session() as session:
            changed = session.exec(
                update(SubmittedRun)
                .where(
                    col(SubmittedRun.id) == id, col(SubmittedRun.holder) == holder, col(SubmittedRun.state) == RUNNING
                )
                .values(state=state, ended_us=_now(), holder=None)
            )
            return bool(changed.rowcount)

    def suspend(self, holder: str, id: str, still_waits: Callable[[Session], bool]) -> bool:
        """Give a run back that waits for a person; False if it may go on at once, or another process holds it."""
        with self._store.session() as session:
            # Held until the end: a decision of this moment waits for it and wakes the run, or is seen here.
            row = session.get(SubmittedRun, id, with_for_update=True)
            if row is None or row.holder != holder or row.state != RUNNING:
                return False
            waits = still_waits(session) and not row.cancel_asked
            row.state, row.holder, row.lease_until_us = (WAITING if waits else QUEUED), None, 0
            row.attempts = 0  # its process has not died
            session.add(row)
            return waits

    def release(self, holder: str) -> None:
        """Give back what this process holds, as it stops: the next one need not wait for the leases."""
        with self._store.session() as session:
            session.exec(
                update(SubmittedRun)
                .where(col(SubmittedRun.holder) == holder, col(SubmittedRun.state) == RUNNING)
                .values(state=QUEUED, holder=None, lease_until_us=0)
            )

    def waiting(self) -> int:
        """How many have not ended."""
        with self._store.read() as session:
            return _count(session)


def principal_of(row: SubmittedRun) -> Principal | None:
    """Who submitted it."""
    if row.principal is None:
        return None
    scopes = row.principal.get("scopes")
    return Principal(
        id=row.principal["id"],
        name=row.principal["name"],
        role=Role[row.principal["role"]],
        scopes=None if scopes is None else frozenset(scopes),
    )


def _as_data(principal: Principal | None) -> dict[str, Any] | None:
    if principal is None:
        return None
    scopes = None if principal.scopes is None else sorted(principal.scopes)
    return {"id": principal.id, "name": principal.name, "role": principal.role.name, "scopes": scopes}


def _key(principal: Principal | None, key: str | None) -> str | None:
    # One caller's keys are no other caller's.
    return None if key is None else f"{principal.id if principal else ''} {key}"


def _is_free(now: int) -> tuple[Any, ...]:
    queued = col(SubmittedRun.state) == QUEUED
    left_behind = (col(SubmittedRun.state) == RUNNING) & (col(SubmittedRun.lease_until_us) < now)
    return (or_(queued, left_behind),)


def _count(session: Session) -> int:
    return session.exec(select(func.count()).where(col(SubmittedRun.state).in_(OPEN_STATES))).one()


def _now() -> int:
    return time.time_ns() // 1000
