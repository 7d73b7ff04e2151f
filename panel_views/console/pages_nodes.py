"""The page of one node: of a run, with what it was given, gave and logged; of a worklet, with its settings and code.

The pages of runs and worklets show it beside the graph (static/nodes.js); it stands by itself, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from starlette.responses import Response

from ...connectors.access import Role
from ...connectors.errors import NotFound
from ...flows.graph import GraphDocument, GraphNode
from ...flows.node_facts import NodeCode, argument_texts, node_code, node_settings
from ...flows.versions import WorkletVersions
from .pages_runs import seen_run
from .site import Page, Site, Visit
from .values import shown_value


def node_pages(versions: WorkletVersions) -> Mapping[str, Page]:
    """The pages by their address."""
    return {
        "/console/runs/{id}/nodes/{node:path}": partial(_of_run, versions),
        "/console/worklets/{name}/nodes/{node:path}": partial(_of_worklet, versions),
    }


def _of_run(versions: WorkletVersions, site: Site, visit: Visit) -> Response:
    """/console/runs/{id}/nodes/{node}"""
    run, _ = seen_run(site, visit)
    may_see = visit.may(Role.builder)
    graph, node, details = site.run_nodes.node(run, visit.path("node"), with_values=may_see)
    pictures = partial(site.queries.images, principal=visit.principal)
    return site.render(
        visit,
        "node.html",
        section="runs",
        run=run,
        back=f"/console/runs/{run.id}",
        details=details,
        may_see=may_see,
        given=[(name, shown_value(orjson.dumps(value), pictures)) for name, value in details.given.items()],
        output=shown_value(orjson.dumps(details.output), pictures) if details.has_output else None,
        **_facts(graph, node, _code(versions, run.worklet, run.version, node) if may_see else None),
    )


def _of_worklet(versions: WorkletVersions, site: Site, visit: Visit) -> Response:
    """/console/worklets/{name}/nodes/{node}: of the live version."""
    worklet, _ = site.queries.worklet(visit.path("name"))
    if worklet.live_version is None:
        raise NotFound(f"No version of {worklet.name!r} is live.")
    graph = GraphDocument.model_validate(versions.one(worklet.name, worklet.live_version).graph)
    node = next((each for each in graph.nodes if each.id == visit.path("node")), None)
    if node is None:
        raise NotFound(f"The live version of {worklet.name!r} has no node {visit.path('node')[:64]!r}.")
    may_see = visit.may(Role.builder)
    return site.render(
        visit,
        "node.html",
        section="worklets",
        run=None,
        back=f"/console/worklets/{worklet.name}",
        details=None,
        may_see=may_see,
        **_facts(graph, node, _code(versions, worklet.name, worklet.live_version, node) if may_see else None),
    )


def _code(versions: WorkletVersions, worklet: str, number: int, node: GraphNode) -> NodeCode | None:
    folder: Path | None = versions.source(worklet, number)
    return node_code(folder, node) if folder is not None else None


def _facts(graph: GraphDocument, node: GraphNode, code: NodeCode | None) -> dict[str, Any]:
    settings = [(name.replace("_", " "), _text(value)) for name, value in node_settings(graph, node.id).items()]
    arguments = list(argument_texts(node).items())
    return {"worklet": graph.name, "node": node, "settings": settings, "arguments": arguments, "code": code}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
