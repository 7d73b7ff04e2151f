"""The pages of runs: the list with its filters, and one run with its timings, graph and values."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from ...connectors.access import Role
from ...connectors.errors import BadInput, NotFound
from ...connectors.tables import Run
from ...flows.journal import RunRecord
from ...flows.submitted import OPEN_STATES
from .graph_svg import NodeState, graph_svg
from .open_runs import is_to_rest, open_run, open_runs
from .queries import HOUR_US, STATES
from .rendering import HEADERS
from .replays import replayed, versions_to_replay
from .site import Site, Visit
from .values import shown_value

# The times that the list can be narrowed to: how they are called, and their hours.
TIMES = {"hour": ("Last hour", 1), "day": ("Last day", 24), "week": ("Last week", 168), "month": ("Last 30 days", 720)}
# How often a page about a run that is not recorded yet looks again, once a second.
_LOOKS = 15


@dataclass(frozen=True, slots=True)
class Bar:
    """A node's time in a run. `left` and `width` are percent of the run's duration."""

    node: str
    kind: str
    state: str
    offset_us: int
    duration_us: int
    left: float
    width: float
    error: str


def run_list(site: Site, visit: Visit) -> Response:
    """/console/runs"""
    worklet, state = visit.query("worklet"), visit.query("state")
    before, version, trigger = visit.query("before"), visit.query("version"), visit.query("trigger")
    if version and (not version.isdecimal() or len(version) > 9):
        raise BadInput(f"{version[:40]!r} is no version's number.")
    time_name = visit.query("time")
    if time_name and time_name not in TIMES:
        raise BadInput(f"{time_name[:40]!r} is no time; use one of {', '.join(TIMES)}.")
    narrowed: dict[str, Any] = {
        "worklet": worklet or None,
        "state": state or None,
        "principal": visit.sees_only,
        "version": int(version) if version else None,
        "trigger": trigger or None,
    }
    since_us = time.time_ns() // 1000 - TIMES[time_name][1] * HOUR_US if time_name else None
    page = site.queries.runs(**narrowed, since_us=since_us, before=before or None)
    under_way = [] if before else open_runs(site.store, **narrowed)
    chosen = (("worklet", worklet), ("state", state), ("version", version), ("trigger", trigger), ("time", time_name))
    filters = {key: value for key, value in chosen if value}
    triggers = site.queries.triggers(visit.sees_only)
    names = site.queries.worklet_names()
    if worklet and worklet not in names:
        names = [*names, worklet]
    return site.render(
        visit,
        "runs.html",
        section="runs",
        page=page,
        under_way=under_way,
        callers=site.queries.caller_names(line.principal for line in (*under_way, *page.lines)),
        worklets=names,
        states=(*OPEN_STATES, *STATES),
        triggers=triggers if not trigger or trigger in triggers else [*triggers, trigger],
        worklet=worklet,
        state=state,
        version=version,
        trigger=trigger,
        times=[(name, words) for name, (words, _) in TIMES.items()],
        time=time_name,
        is_filtered=bool(filters),
        sees_all=visit.sees_only is None,
        first_url="/console/runs" + ("?" + urlencode(filters) if filters else ""),
        is_first=not before,
        next_url="/console/runs?" + urlencode(filters | {"before": page.following}) if page.following else None,
    )


def run_detail(site: Site, visit: Visit) -> Response:
    """/console/runs/{id}"""
    identity = visit.path("id")
    try:
        run, under_way = seen_run(site, visit)
    except NotFound:
        waited = _count(visit.query("wait"))
        if not 0 < waited <= _LOOKS:
            raise
        following = f"{visit.request.url.path}?wait={waited + 1}"
        return site.render(visit, "run_waiting.html", section="runs", id=identity, following=following)
    pictures = partial(site.queries.images, principal=visit.principal)
    graph = site.queries.graph(run.worklet, run.version)
    states = node_states(run.nodes)
    links = f"/console/runs/{run.id}/nodes"
    return site.render(
        visit,
        "run.html",
        section="runs",
        run=run,
        caller=site.queries.caller_names([run.principal]).get(run.principal or "", run.principal or "—"),
        called=site.queries.called(run.id, visit.sees_only),
        decisions=site.queries.decisions(run.id),
        bars=bars(run),
        wide_graph=graph_svg(graph, states=states, name=run.worklet, links=links),
        narrow_graph=graph_svg(graph, states=states, name=run.worklet, direction="down", links=links),
        input=shown_value(run.input, pictures),
        output=shown_value(run.output, pictures),
        error=error_lines(run.error),
        under_way=under_way,
        resting=under_way and is_to_rest(site.store, run.id),
        versions=[] if under_way else versions_to_replay(site, visit, run),
        replayed=replayed(site, visit, run),
        # Code is shown to those who may push it.
        traceback=(run.error or {}).get("traceback", "") if visit.may(Role.builder) else "",
    )


def seen_run(site: Site, visit: Visit) -> tuple[Run | RunRecord, bool]:
    """The run of the page's address, and whether it has not ended. Raises NotFound."""
    identity = visit.path("id")
    under_way = open_run(site.store, identity, site.nodes_of)
    run = site.recent_run(identity) or under_way or site.queries.run(identity)
    return _visible(run, visit), run is under_way


def run_in_prefect(site: Site, visit: Visit) -> Response:
    """/console/runs/{id}/prefect: leads to the run's page in Prefect, which is looked up only now."""
    identity = visit.path("id")
    run = _visible(site.recent_run(identity) or site.queries.run(identity), visit)
    address = site.links.prefect_run(run.id)
    if address is None:
        raise NotFound(
            f"Prefect has no flow run of {run.id!r}: it gets there a moment later, or was left out as a sample."
        )
    return RedirectResponse(address, 303, headers=dict(HEADERS))


def _visible(run: Run | RunRecord, visit: Visit) -> Run | RunRecord:
    if visit.sees_only is not None and run.principal != visit.sees_only:
        raise NotFound(f"There is no run {run.id!r} of yours.")
    return run


def bars(run: Run | RunRecord) -> list[Bar]:
    """The waterfall: one bar a node, in the order in which they began. Entries of another shape are left out."""
    entries = [entry for entry in run.nodes if _is_entry(entry)]
    # A node may have been measured beyond the run's own end by a microsecond or two.
    whole = max([run.duration_us, *(entry[3] + entry[4] for entry in entries), 1])
    found = []
    for node, kind, state, offset, length, *rest in sorted(entries, key=lambda entry: entry[3]):
        left = min(99.5, 100 * offset / whole)
        width = min(100 - left, max(0.5, 100 * length / whole))
        error = error_text(rest[0]) if rest else ""
        found.append(
            Bar(str(node), str(kind), str(state), int(offset), int(length), round(left, 2), round(width, 2), error)
        )
    return found


def node_states(entries: Sequence[Sequence[Any]]) -> dict[str, NodeState]:
    """How each node fared; of a node that ran several times the worst state and the sum of its times."""
    found: dict[str, NodeState] = {}
    for entry in entries:
        if not _is_entry(entry):
            continue
        node = str(entry[0]).partition("[")[0]
        state, length = str(entry[2]), int(entry[4])
        before = found.get(node)
        if before is not None:
            length += before.duration_us or 0
            state = before.state if state == "completed" else state
        found[node] = NodeState(state, None if state == "skipped" else length)
    return found


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, list | tuple) and len(entry) >= 5 and all(isinstance(n, int | float) for n in entry[3:5])


@dataclass(frozen=True, slots=True)
class ErrorLines:
    """A run's error: its title, its text, and (place, message, fix) for each fault."""

    title: str
    detail: str
    faults: Sequence[tuple[str, str, str]]


def error_lines(error: Mapping[str, Any] | None) -> ErrorLines | None:
    """A problem document for people, or None if there is none."""
    if not error:
        return None
    faults = []
    for fault in error.get("errors") or ():
        if isinstance(fault, dict):
            place = ".".join(str(part) for part in fault.get("loc") or ())
            faults.append((place, str(fault.get("msg", "")), str(fault.get("fix") or "")))
    return ErrorLines(str(error.get("title") or "The run failed"), error_text(error), faults)


def error_text(error: Any) -> str:
    """The one line that tells an error, of a problem document or of a text."""
    if isinstance(error, Mapping):
        for key in ("detail", "message", "msg", "title"):
            if error.get(key):
                return str(error[key])
        return str(dict(error))
    return "" if error is None else str(error)


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
