"""The pages of worklets: the list, and one worklet with its graph, schemas, a form to try it, and its runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from ...connectors.access import Role
from . import snippets
from .formats import url_part
from .graph_svg import MAX_NODES, graph_svg, nodes_of
from .pages_schedules import schedule_lines
from .schema import form_fields, schema_rows
from .site import Site, Visit


def worklet_list(site: Site, visit: Visit) -> Response:
    """/console/worklets"""
    return site.render(
        visit,
        "worklets.html",
        section="worklets",
        lines=site.queries.worklets(visit.sees_only),
        may_edit=visit.may(Role.builder),
    )


def worklet_detail(site: Site, visit: Visit) -> Response:
    """/console/worklets/{name}"""
    worklet, versions = site.queries.worklet(visit.path("name"))
    live = next((version for version in versions if version.number == worklet.live_version), None)
    graph: Mapping[str, Any] = live.graph if live is not None else {}
    schema = graph.get("input_schema")
    base_url = site.base_url(visit)
    links = f"/console/worklets/{url_part(worklet.name)}/nodes"
    runs = site.queries.runs(worklet=worklet.name, principal=visit.sees_only, limit=8)
    return site.render(
        visit,
        "worklet.html",
        section="worklets",
        worklet=worklet,
        versions=versions,
        live=live,
        problem=site.worklet_problem(worklet.name),
        nodes=nodes_of(graph),
        max_nodes=MAX_NODES,
        triggers=trigger_texts(graph),
        schedules=schedule_lines(site.store, worklet.name),
        wide_graph=graph_svg(graph, name=worklet.name, links=links),
        narrow_graph=graph_svg(graph, name=worklet.name, direction="down", links=links),
        input_rows=schema_rows(schema),
        output_rows=schema_rows(graph.get("output_schema")),
        fields=form_fields(schema),
        may_invoke=visit.may(Role.operator),
        may_promote=visit.may(Role.builder),
        curl=snippets.worklet_curl(base_url, worklet.name, schema),
        python=snippets.worklet_python(worklet.name, schema),
        key_command=snippets.key_command(),
        runs=runs.lines,
        callers=site.queries.caller_names(
            [*(line.principal for line in runs.lines), *(v.created_by for v in versions)]
        ),
    )


def trigger_texts(graph: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each trigger as (what, details): `("cron", "0 6 * * * Europe/Berlin")`."""
    found = []
    for trigger in graph.get("triggers") or ():
        if isinstance(trigger, dict):
            details = [
                str(value)
                for key, value in trigger.items()
                if key != "on" and isinstance(value, str | int | float) and value != ""
            ]
            found.append((str(trigger.get("on", "trigger")), " · ".join(details)))
    return found
