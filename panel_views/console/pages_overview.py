"""The overview, and the list of views."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from ...connectors.access import Role
from . import snippets
from .formats import from_us
from .queries import Activity
from .recorder_state import read_recorder_state
from .site import Site, Visit

_CHART_HEIGHT = 56.0
# Of worklets, models and views each.
_LISTED = 6


@dataclass(frozen=True, slots=True)
class Column:
    """An hour of the chart: two bars that stand on each other, in a drawing of 24 by `_CHART_HEIGHT`."""

    label: str
    x: float
    good_y: float
    good_height: float
    bad_y: float
    bad_height: float


def overview(site: Site, visit: Visit) -> Response:
    """/console"""
    activity = site.queries.activity(visit.sees_only)
    worklets = site.queries.worklets(visit.sees_only)
    runs = site.queries.runs(principal=visit.sees_only, limit=8)
    first = next((line.worklet for line in worklets if line.worklet.live_version is not None), None)
    curl = ""
    if first is not None and first.live_version is not None:
        graph = site.queries.graph(first.name, first.live_version)
        curl = snippets.worklet_curl(site.base_url(visit), first.name, graph.get("input_schema"))
    return site.render(
        visit,
        "overview.html",
        section="overview",
        activity=activity,
        columns=columns(activity),
        recorder=read_recorder_state(site.recorder_file),
        worklets=worklets,
        models=site.queries.models(),
        views=site.queries.views(visit.principal),
        listed=_LISTED,
        sees_all=visit.sees_only is None,
        runs=runs.lines,
        callers=site.queries.caller_names(line.principal for line in runs.lines),
        first_worklet=first,
        curl=curl,
        key_command=snippets.key_command(),
    )


def view_list(site: Site, visit: Visit) -> Response:
    """/console/views"""
    views = site.queries.views(visit.principal)
    return site.render(visit, "views.html", section="views", views=views, may_share=visit.may(Role.builder))


def columns(activity: Activity) -> list[Column]:
    """The chart of the last hours."""
    highest = max([1, *(hour.completed + hour.failed for hour in activity.hours)])
    found = []
    for number, hour in enumerate(activity.hours):
        good = _CHART_HEIGHT * hour.completed / highest
        bad = _CHART_HEIGHT * hour.failed / highest
        # A lone failure among thousands must still be seen.
        good, bad = (max(good, 1.5) if hour.completed else 0.0), (max(bad, 2.0) if hour.failed else 0.0)
        good = min(good, _CHART_HEIGHT - bad)
        label = f"{from_us(hour.hour_us):%H:%M} UTC: {hour.completed} completed, {hour.failed} not"
        found.append(
            Column(
                label,
                number * 10.0,
                round(_CHART_HEIGHT - good, 2),
                round(good, 2),
                round(_CHART_HEIGHT - good - bad, 2),
                round(bad, 2),
            )
        )
    return found
