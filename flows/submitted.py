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
# No process has these: one waits for a decision, the other for whoever resumes it.
WAITING, PAUSED = "waiting", "paused"
OPEN_STATES = (QUEUED, RUNNING, WAITING, PAUSED)
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
            row = _open_row(session, id)
            row.cancel_asked = True
            if row.state in (WAITING, PAUSED):
                row.state = QUEUED  # to be taken once more, and ended
            session.add(row)
            return row

    def ask_to_pause(self, id: str) -> SubmittedRun:
        """Let a run rest: at once, or after the nodes that are under way. Once more changes nothing.

        Raises:
            NotFound: it was not submitted.
            Conflict: it has ended, or is being cancelled.
        """
        with self._store.session() as session:
            row = _open_row(session, id)
            if row.cancel_asked:
                raise Conflict("The run is being cancelled; it can't be paused any more.")
            if row.state == RUNNING:
                row.pause_asked = True
            else:
                row.state = PAUSED
            session.add(row)
            return row

    def resume(self, id: str) -> SubmittedRun:
        """Queue a paused run again, or let one go on that was to be paused. Raises NotFound, Conflict."""
        with self._store.session() as session:
            row = _open_row(session, id)
            if not _resumed(row):
                raise Conflict(f"The run is not paused; it is {row.state}.")
            session.add(row)
            return row

    def wanted_again(self, id: str, principal: Principal | None, key: str) -> SubmittedRun:
        """The open run of a submission that came again under this key; a new key resumes it if it is paused.

        Raises:
            NotFound, Conflict: it has ended meanwhile.
        """
        with self._store.session() as session:
            row = _open_row(session, id)
            if row.idempotency_key != _key(principal, key):
                row.idempotency_key = _key(principal, key)
                _resumed(row)
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

    def renew(self, holder: str, ids: Collection[str]) -> tuple[set[str], set[str], set[str]]:
        """Go on holding these runs; answers those still held, those to be cancelled, and those to be paused."""
        with self._store.session() as session:
            mine = (
                col(SubmittedRun.id).in_(ids),
                col(SubmittedRun.holder) == holder,
                col(SubmittedRun.state) == RUNNING,
            )
            session.exec(update(SubmittedRun).where(*mine).values(lease_until_us=_now() + self._lease_us))
            rows = list(session.exec(select(SubmittedRun).where(*mine)))
        unwanted, resting = [row for row in rows if row.cancel_asked], [row for row in rows if row.pause_asked]
        return {row.id for row in rows}, {row.id for row in unwanted}, {row.id for row in resting}

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
        """Give a run back that is to be paused or waits for a person.

        Answers False if it may go on at once, or another process holds it.
        """
        with self._store.session() as session:
            # Held until the end: a decision or a resume of this moment waits for it and wakes the run, or is seen here.
            row = session.get(SubmittedRun, id, with_for_update=True)
            if row is None or row.holder != holder or row.state != RUNNING:
                return False
            state = PAUSED if row.pause_asked else WAITING if still_waits(session) else QUEUED
            if row.cancel_asked:
                state = QUEUED
            row.state, row.holder, row.lease_until_us, row.pause_asked = state, None, 0, False
            row.attempts = 0  # its process has not died
            session.add(row)
            return state != QUEUED

    def release(self, holder: str) -> None:
        """Give back what this process holds, as it stops: the next one need not wait for the leases."""
        mine = (col(SubmittedRun.holder) == holder, col(SubmittedRun.state) == RUNNING)
        resting = (col(SubmittedRun.pause_asked).is_(True), col(SubmittedRun.cancel_asked).is_(False))
        free = {"holder": None, "lease_until_us": 0, "pause_asked": False}
        with self._store.session() as session:
            session.exec(update(SubmittedRun).where(*mine, *resting).values(state=PAUSED, **free))
            session.exec(update(SubmittedRun).where(*mine).values(state=QUEUED, **free))

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


def _open_row(session: Session, id: str) -> SubmittedRun:
    """A run that has not ended, locked. Raises NotFound, Conflict."""
    row = session.get(SubmittedRun, id, with_for_update=True)
    if row is None:
        raise NotFound(f"There is no submitted run {id[:64]!r}; what was invoked ends with its answer.")
    if row.state in ENDED_STATES:
        raise Conflict(f"The run has ended already ({row.state}).")
    return row


def _resumed(row: SubmittedRun) -> bool:
    """Let a run go on; False if nobody has paused it."""
    paused = row.state == PAUSED or row.pause_asked
    if row.state == PAUSED:
        row.state = QUEUED  # one that was asked for a decision looks whether there is one
    row.pause_asked = False
    return paused


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
