"""What people are asked to decide: one row a question, which is answered once. Blocking where not said otherwise."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from ..connectors.access import Principal, Role
from ..connectors.blanking import Blanks
from ..connectors.errors import Conflict, NotAllowed, NotFound, WorkletsError
from ..connectors.store import Store
from ..connectors.tables import Review, SubmittedRun, moment
from .context import RunContext
from .submitted import QUEUED, WAITING

logger = logging.getLogger(__name__)

OPEN, DECIDED, EXPIRED, WITHDRAWN = "open", "decided", "expired", "withdrawn"
STATES = (OPEN, DECIDED, EXPIRED, WITHDRAWN)
_LOOK_SECONDS = 2.0
_TROUBLE_SECONDS = 10.0


class Reviews:
    """The questions and their answers.

    Args:
        store: where they are.
        woken: called on the event loop when `watch` has settled something, so that runs may go on.
        blanks: takes secrets out of what people are shown.
    """

    def __init__(self, store: Store, woken: Callable[[], None] = lambda: None, *, blanks: Blanks | None = None) -> None:
        self._store = store
        self._blanks = blanks if blanks is not None else Blanks()
        self.woken = woken

    # --- runs that ask --------------------------------------------------------------------------------

    async def ask(
        self,
        context: RunContext,
        node: str,
        *,
        title: str,
        role: str,
        value: bytes,
        schema: dict[str, Any],
        due_seconds: float | None,
        on_due: Any,
    ) -> Review:
        """The question of a run's node: put now, or as it stands by now. Not blocking."""
        at = _now()
        row = Review(
            id=_id(context.run_id, node),
            run_id=context.run_id,
            root_run=context.root or context.run_id,
            worklet=context.worklet,
            version=context.version,
            node=node,
            title=title,
            role=role,
            value=self._blanks.json(value) or b"null",
            schema_=schema,
            asked_by=context.owner,
            on_due=on_due,
            due_us=None if due_seconds is None else at + int(due_seconds * 1e6),
            created_us=at,
        )
        return await asyncio.to_thread(self._put, row)

    def _put(self, row: Review) -> Review:
        found = self._find(row.id)
        if found is not None:
            return found
        try:
            with self._store.session() as session:
                session.add(row)
        except IntegrityError:  # the process that had the run before put it in this very moment
            found = self._find(row.id)
            assert found is not None
            return found
        return row

    def withdraw(self, root_run: str) -> None:
        """The run has ended: nobody need decide for it any more."""
        with self._store.session() as session:
            session.exec(
                update(Review)
                .where(col(Review.root_run) == root_run, col(Review.state) == OPEN)
                .values(state=WITHDRAWN)
            )

    # --- people ---------------------------------------------------------------------------------------

    def waiting(
        self,
        principal: Principal,
        state: str | None = OPEN,
        *,
        worklet: str | None = None,
        node: str | None = None,
        limit: int = 100,
    ) -> list[Review]:
        """The questions that this caller may answer: those due first first, or the newest of other states."""
        roles = [role.name for role in Role if role <= principal.role]
        query = select(Review).where(col(Review.role).in_(roles))
        if principal.scopes is not None:
            query = query.where(col(Review.worklet).in_(_worklets(principal)))
        if worklet is not None:
            query = query.where(col(Review.worklet) == worklet)
        if node is not None:
            query = query.where(col(Review.node) == node)
        if state is not None:
            query = query.where(col(Review.state) == state)
        if state == OPEN:
            query = query.order_by(col(Review.due_us).is_(None), col(Review.due_us), col(Review.created_us))
        else:
            query = query.order_by(col(Review.created_us).desc())
        with self._store.read() as session:
            return list(session.exec(query.limit(limit)))

    def get(self, id: str, principal: Principal) -> Review:
        """One question. Raises NotFound, NotAllowed."""
        found = self._find(id)
        if found is None or (principal.scopes is not None and found.worklet not in _worklets(principal)):
            raise NotFound(f"There is no review {id[:64]!r}; GET /api/reviews lists those that you may decide.")
        if principal.role < Role[found.role]:
            raise NotAllowed(
                f"This review is for the role {found.role}, and {principal.name} is {principal.role.name}."
            )
        return found

    def of_run(self, run_ids: Collection[str]) -> list[Review]:
        """What was asked in these runs, in its order."""
        query = select(Review).where(col(Review.run_id).in_(run_ids)).order_by(col(Review.created_us))
        with self._store.read() as session:
            return list(session.exec(query))

    def decide(self, id: str, principal: Principal, decision: Any) -> Review:
        """Answer a question, once; its run goes on. `decision` fits its type already.

        Raises:
            NotFound, NotAllowed: as `get`.
            Conflict: somebody was quicker, the time has passed, or the run has ended.
        """
        self.get(id, principal)
        return self._settle(id, DECIDED, decision, principal)

    def _settle(self, id: str, state: str, decision: Any, principal: Principal | None) -> Review:
        found = self._find(id)
        assert found is not None
        with self._store.session() as session:
            # The run's row first: whoever puts it to sleep at this moment waits for this, or is seen by it.
            run = session.get(SubmittedRun, found.root_run, with_for_update=True)
            changed = session.exec(
                update(Review)
                .where(col(Review.id) == id, col(Review.state) == OPEN)
                .values(
                    state=state,
                    decision=decision,
                    decided_us=_now(),
                    decided_by=principal.id if principal else None,
                    decided_name=principal.name if principal else "",
                )
            )
            row = session.get(Review, id, populate_existing=True)
            assert row is not None
            if not changed.rowcount:
                raise Conflict(_why_settled(row))
            if run is not None and run.state == WAITING:
                run.state = QUEUED
                session.add(run)
        return row

    # --- time -----------------------------------------------------------------------------------------

    def expire(self) -> int:
        """Settle what is due as its `on_due` says; answers how many questions that were."""
        query = select(Review.id, Review.on_due).where(col(Review.state) == OPEN, col(Review.due_us) <= _now())
        with self._store.read() as session:
            due = list(session.exec(query.limit(500)))
        settled = 0
        for id, on_due in due:
            try:
                self._settle(id, EXPIRED, on_due["value"] if isinstance(on_due, dict) else None, None)
                settled += 1
            except Conflict:
                continue  # decided in this moment
        return settled

    async def watch(self) -> None:
        """Settle what is due until cancelled. Not blocking."""
        while True:
            pause = _LOOK_SECONDS
            try:
                if await asyncio.to_thread(self.expire):
                    self.woken()
            except Exception as error:
                pause = _TROUBLE_SECONDS
                level = logging.WARNING if isinstance(error, WorkletsError) else logging.ERROR
                logger.log(level, "due reviews cannot be settled: %s", error, exc_info=level == logging.ERROR)
            await asyncio.sleep(pause)

    def _find(self, id: str) -> Review | None:
        with self._store.read() as session:
            return session.get(Review, id)


def has_open(session: Session, root_run: str) -> bool:
    """Whether a run still waits for somebody."""
    query = select(Review.id).where(col(Review.root_run) == root_run, col(Review.state) == OPEN)
    return session.exec(query.limit(1)).first() is not None


def _why_settled(row: Review) -> str:
    if row.state == WITHDRAWN:
        return "The run that asked has ended; there is nothing to decide any more."
    when = moment(row.decided_us or 0).strftime("%Y-%m-%d %H:%M:%S UTC")
    if row.state == EXPIRED:
        return f"The time for this decision passed at {when}."
    return f"{row.decided_name or 'Somebody'} has decided this already, at {when}; a decision counts once."


def _worklets(principal: Principal) -> list[str]:
    return [scope.removeprefix("worklet:") for scope in principal.scopes or () if scope.startswith("worklet:")]


def _id(run_id: str, node: str) -> str:
    # Sorts by time, as the run's does, and is the same however often the run asks.
    return run_id[:12] + hashlib.sha256(f"{run_id}/{node}".encode()).hexdigest()[:20]


def _now() -> int:
    return time.time_ns() // 1000
