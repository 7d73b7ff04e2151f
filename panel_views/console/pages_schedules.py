"""The page of schedules: every time trigger of the live worklets, when it is due, and whether it is paused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from sqlmodel import col, select
from starlette.responses import Response

from ...connectors.access import Role
from ...connectors.store import Store
from ...connectors.tables import Schedule
from .site import Page, Site, Visit
from .values import compact_json


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    """A schedule as a list shows it. `due` and `last` are texts in its own time zone, "" where there is none."""

    worklet: str
    number: int
    cron: str
    words: str
    timezone: str
    inputs: str
    due: str
    last: str
    paused: bool


def schedule_pages() -> dict[str, Page]:
    """Path → page."""
    return {"/console/schedules": schedule_list}


def schedule_list(site: Site, visit: Visit) -> Response:
    """/console/schedules"""
    return site.render(
        visit,
        "schedules.html",
        section="worklets",
        lines=schedule_lines(site.store),
        may_pause=visit.may(Role.builder),
    )


def schedule_lines(store: Store, worklet: str | None = None) -> list[ScheduleLine]:
    """The schedules of a worklet, or all, by worklet and number."""
    question = select(Schedule).order_by(col(Schedule.worklet), col(Schedule.number))
    if worklet is not None:
        question = question.where(Schedule.worklet == worklet)
    with store.read() as session:
        rows = session.exec(question).all()
    return [_line(row) for row in rows]


def _line(row: Schedule) -> ScheduleLine:
    inputs = compact_json(row.inputs) if row.inputs else ""
    due, last = _at(row.due_us, row.timezone), _at(row.last_us, row.timezone)
    words = in_words(row.cron)
    return ScheduleLine(row.worklet, row.number, row.cron, words, row.timezone, inputs, due, last, row.paused)


def in_words(cron: str) -> str:
    """The times of a cron expression in English; the expression itself where there are no words for it."""
    try:
        return str(CronSim(cron, datetime.now(UTC)).explain())
    except CronSimError:
        return cron


def _at(us: int | None, timezone: str) -> str:
    if us is None:
        return ""
    return datetime.fromtimestamp(us / 1e6, ZoneInfo(timezone)).strftime("%a %-d %b %Y, %H:%M %Z")
