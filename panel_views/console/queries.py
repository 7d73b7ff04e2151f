"""What the console reads from the store. Every method is one short read-only transaction; blocking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, literal, select, tuple_
from sqlmodel import col

from ...connectors.access import Principal, Role
from ...connectors.errors import BadInput, NotFound
from ...connectors.store import Store
from ...connectors.tables import (
    ApiKey,
    Model,
    ModelVersion,
    Review,
    Run,
    StoredFile,
    User,
    View,
    Worklet,
    WorkletVersion,
)
from ..publishing import views_for
from .model_lines import ModelLine, model_lines

HOUR_US = 3_600_000_000
# Counting stops here: a busy instance has millions of runs a day, and the overview must stay cheap.
MAX_COUNTED = 20_000
# So many of the newest runs say which triggers there are to choose from.
_LOOKED_AT = 2_000
STATES = ("completed", "failed", "timed-out", "cancelled")


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run as a list shows it. Times in microseconds."""

    id: str
    worklet: str
    version: int
    trigger: str
    principal: str | None
    state: str
    started_us: int
    duration_us: int


@dataclass(frozen=True, slots=True)
class RunPage:
    """A page of runs, newest first; `following` is the mark of the next page, None on the last."""

    lines: Sequence[RunLine]
    following: str | None


@dataclass(frozen=True, slots=True)
class HourCount:
    """The runs that began in one hour."""

    hour_us: int
    completed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Activity:
    """The runs of the last day by the hour, oldest first. `more` if there were more than were counted."""

    hours: Sequence[HourCount]
    more: bool

    @property
    def completed(self) -> int:
        """How many ended well."""
        return sum(hour.completed for hour in self.hours)

    @property
    def failed(self) -> int:
        """How many did not."""
        return sum(hour.failed for hour in self.hours)

    @property
    def total(self) -> int:
        """All of them."""
        return self.completed + self.failed


@dataclass(frozen=True, slots=True)
class ViewLine:
    """A view as a list shows it; `published` is None for one that nobody sees yet."""

    slug: str
    title: str
    description: str
    published: int | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class WorkletLine:
    """A worklet as a list shows it."""

    worklet: Worklet
    nodes: int
    versions: int
    last_run: RunLine | None


_RUN_COLUMNS = (
    col(Run.id),
    col(Run.worklet),
    col(Run.version),
    col(Run.trigger),
    col(Run.principal),
    col(Run.state),
    col(Run.started_us),
    col(Run.duration_us),
)


class ConsoleQueries:
    """The console's questions to the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- runs ---------------------------------------------------------------------------------------

    def runs(
        self,
        *,
        worklet: str | None = None,
        state: str | None = None,
        principal: str | None = None,
        version: int | None = None,
        trigger: str | None = None,
        since_us: int | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        """A page of runs, newest first. Raises BadInput for a `before` that no page gave."""
        question = select(*_RUN_COLUMNS).order_by(col(Run.started_us).desc(), col(Run.id).desc()).limit(limit + 1)
        if worklet:
            question = question.where(col(Run.worklet) == worklet)
        if state:
            question = question.where(col(Run.state) == state)
        if version is not None:
            question = question.where(col(Run.version) == version)
        if trigger:
            question = question.where(col(Run.trigger) == trigger)
        if principal:
            question = question.where(col(Run.principal) == principal)
        if since_us is not None:
            question = question.where(col(Run.started_us) >= since_us)
        if before:
            started, identity = _mark(before)
            # The first condition is what the index is asked; the second settles runs of the same microsecond.
            question = question.where(col(Run.started_us) <= started)
            question = question.where(
                tuple_(col(Run.started_us), col(Run.id)) < tuple_(literal(started), literal(identity))
            )
        with self._store.read() as session:
            lines = [RunLine(*row) for row in session.execute(question)]
        following = f"{lines[limit - 1].started_us}-{lines[limit - 1].id}" if len(lines) > limit else None
        return RunPage(lines[:limit], following)

    def run(self, identity: str) -> Run:
        """One run with all that it holds, whoever's. Raises NotFound."""
        with self._store.read() as session:
            run = session.get(Run, identity)
        if run is None:
            raise NotFound(f"There is no run {identity!r}. A run appears here a moment after it has ended.")
        return run

    def called(self, identity: str, principal: str | None = None, limit: int = 50) -> list[RunLine]:
        """The runs that a run's call nodes started, in their order; at most `limit`."""
        question = select(*_RUN_COLUMNS).where(col(Run.parent) == identity).order_by(col(Run.started_us)).limit(limit)
        if principal:
            question = question.where(col(Run.principal) == principal)
        with self._store.read() as session:
            return [RunLine(*row) for row in session.execute(question)]

    def activity(self, principal: str | None = None, *, now: datetime | None = None, hours: int = 24) -> Activity:
        """How many runs (of `principal`, or all) began in each of the last hours, the current one included."""
        this_hour = int((now or datetime.now(UTC)).timestamp() * 1_000_000) // HOUR_US
        first = this_hour - hours + 1
        wanted = [col(Run.started_us) >= first * HOUR_US]
        if principal is not None:
            wanted.append(col(Run.principal) == principal)
        newest = (
            select(col(Run.started_us).label("started"), (col(Run.state) == "completed").label("good"))
            .where(*wanted)
            .order_by(col(Run.started_us).desc())
            .limit(MAX_COUNTED)
            .subquery()
        )
        hour = (newest.c.started - newest.c.started % HOUR_US).label("hour")
        with self._store.read() as session:
            rows = session.execute(select(hour, newest.c.good, func.count()).group_by(hour, newest.c.good)).all()
        counted = {(int(at) // HOUR_US, bool(good)): int(count) for at, good, count in rows}
        return Activity(
            [
                HourCount(at * HOUR_US, counted.get((at, True), 0), counted.get((at, False), 0))
                for at in range(first, this_hour + 1)
            ],
            more=sum(counted.values()) >= MAX_COUNTED,
        )

    # --- models -------------------------------------------------------------------------------------

    def models(self) -> list[ModelLine]:
        """Every model by name."""
        with self._store.read() as session:
            return model_lines(session)

    def model(self, name: str) -> tuple[Model, list[ModelVersion]]:
        """A model and its versions, newest first. Raises NotFound."""
        with self._store.read() as session:
            model = session.get(Model, name)
            if model is None:
                raise NotFound(f"There is no model named {name!r}; `worklets models list` shows them.")
            versions = session.scalars(
                select(ModelVersion)
                .where(col(ModelVersion.model_name) == name)
                .order_by(col(ModelVersion.created_at).desc(), col(ModelVersion.id).desc())
            ).all()
        return model, list(versions)

    # --- worklets -----------------------------------------------------------------------------------

    def worklets(self, principal: str | None = None) -> list[WorkletLine]:
        """Every worklet by name, with its newest run (of `principal`, or of anybody)."""
        with self._store.read() as session:
            worklets = session.scalars(select(Worklet).order_by(col(Worklet.name))).all()
            counted = _numbers(
                session.execute(
                    select(col(WorkletVersion.worklet_name), func.count()).group_by(col(WorkletVersion.worklet_name))
                )
            )
            live = session.execute(
                select(col(WorkletVersion.worklet_name), col(WorkletVersion.graph)).join(
                    Worklet,
                    (col(Worklet.name) == col(WorkletVersion.worklet_name))
                    & (col(Worklet.live_version) == col(WorkletVersion.number)),
                )
            ).all()
            last: dict[str, RunLine] = {}
            for worklet in worklets:  # one look into the index each, where a GROUP BY would read every run
                question = select(*_RUN_COLUMNS).where(col(Run.worklet) == worklet.name)
                if principal is not None:
                    question = question.where(col(Run.principal) == principal)
                newest = session.execute(question.order_by(col(Run.started_us).desc()).limit(1)).first()
                if newest is not None:
                    last[worklet.name] = RunLine(*newest)
        nodes = {name: len(graph.get("nodes") or ()) for name, graph in live}
        return [
            WorkletLine(worklet, nodes.get(worklet.name, 0), counted.get(worklet.name, 0), last.get(worklet.name))
            for worklet in worklets
        ]

    def worklet(self, name: str) -> tuple[Worklet, list[WorkletVersion]]:
        """A worklet and its versions, newest first. Raises NotFound."""
        with self._store.read() as session:
            worklet = session.get(Worklet, name)
            if worklet is None:
                raise NotFound(f"There is no worklet named {name!r}; push one with `worklets push`.")
            versions = session.scalars(
                select(WorkletVersion)
                .where(col(WorkletVersion.worklet_name) == name)
                .order_by(col(WorkletVersion.number).desc())
            ).all()
        return worklet, list(versions)

    def graph(self, name: str, number: int) -> dict[str, Any]:
        """The graph document of one version; empty if there is no such version."""
        with self._store.read() as session:
            graph = session.scalars(
                select(col(WorkletVersion.graph))
                .where(col(WorkletVersion.worklet_name) == name)
                .where(col(WorkletVersion.number) == number)
            ).first()
        return graph if isinstance(graph, dict) else {}

    def triggers(self, principal: str | None = None) -> list[str]:
        """What started the last runs (of `principal`, or of anybody): api, run, cron and so on."""
        newest = select(col(Run.trigger)).order_by(col(Run.started_us).desc()).limit(_LOOKED_AT)
        if principal is not None:
            newest = newest.where(col(Run.principal) == principal)
        with self._store.read() as session:
            return sorted(set(session.scalars(newest)))

    def worklet_names(self) -> list[str]:
        """The names of all worklets."""
        with self._store.read() as session:
            return list(session.scalars(select(col(Worklet.name)).order_by(col(Worklet.name))))

    # --- the rest -----------------------------------------------------------------------------------

    def views(self, principal: Principal) -> list[ViewLine]:
        """The views that the visitor may open, by title; for a builder also those that are not published."""
        lines = [
            ViewLine(view["slug"], view["title"], view["description"], view["version"], view["updated_at"])
            for view in views_for(self._store, principal)
        ]
        if principal.role >= Role.builder:
            with self._store.read() as session:
                drafts = session.scalars(select(View).where(col(View.published).is_(None)).order_by(col(View.title)))
                lines += [ViewLine(view.slug, view.title or view.slug, "", None, view.updated_at) for view in drafts]
        return lines

    def caller_names(self, identities: Iterable[str | None]) -> dict[str, str]:
        """The names of users and keys by their principal's id; unknown ones are left out."""
        wanted = {identity for identity in identities if identity}
        keys = {identity.removeprefix("key:") for identity in wanted if identity.startswith("key:")}
        with self._store.read() as session:
            found = {
                str(identity): str(name)
                for identity, name in session.execute(
                    select(col(User.id), col(User.name)).where(col(User.id).in_(wanted))
                )
            }
            for identity, name in session.execute(
                select(col(ApiKey.id), col(ApiKey.name)).where(col(ApiKey.id).in_(keys))
            ):
                found[f"key:{identity}"] = f"{name} (key)"
        return found

    def pictures(self, identities: Iterable[str]) -> set[str]:
        """Those of the stored files that are pictures, whoever's."""
        question = (
            select(col(StoredFile.id))
            .where(col(StoredFile.id).in_(set(identities)))
            .where(col(StoredFile.content_type).like("image/%"))
        )
        with self._store.read() as session:
            return set(session.scalars(question))

    def decisions(self, identity: str) -> list[Review]:
        """What a run asked people, in its order."""
        question = select(Review).where(col(Review.run_id) == identity).order_by(col(Review.created_us))
        with self._store.read() as session:
            return list(session.scalars(question))

    def images(self, identities: Iterable[str], principal: Principal) -> set[str]:
        """Those of the stored files that are pictures, and that the visitor may open."""
        wanted = set(identities)
        if not wanted:
            return set()
        question = (
            select(col(StoredFile.id))
            .where(col(StoredFile.id).in_(wanted))
            .where(col(StoredFile.content_type).like("image/%"))
        )
        if principal.role < Role.admin:
            question = question.where(col(StoredFile.owner).is_(None) | (col(StoredFile.owner) == principal.id))
        with self._store.read() as session:
            return set(session.scalars(question))


def _numbers(rows: Iterable[Sequence[Any]]) -> dict[str, int]:
    return {str(name): int(count) for name, count in rows}


def _mark(text: str) -> tuple[int, str]:
    started, dash, identity = text.partition("-")
    if not dash or not started.isascii() or not started.isdigit() or len(started) > 18:
        raise BadInput(f"{text!r} marks no page of runs; begin again at /console/runs.")
    return int(started), identity
