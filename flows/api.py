"""The HTTP routes of this room. `invoke` is not among them: it has a way of its own (flows/invoke.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

from sqlmodel import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..connectors.access import Role
from ..connectors.blanking import Blanks
from ..connectors.errors import BadInput
from ..connectors.files import FileStore
from ..connectors.store import Store
from ..connectors.tables import Worklet as WorkletRow
from ..connectors.web import Guard, json_response, read_body
from .changes import Changes
from .documents import graph_schema
from .endpoints import route
from .files_api import FilesApi
from .openapi import Paths, openapi
from .recent import RecentRuns
from .registry import Registry
from .run_nodes import RunNodes
from .runs_api import RunsApi
from .submitted import SubmittedRuns
from .versions import WorkletVersions
from .versions_api import VersionsApi

BUNDLE_LIMIT = 50_000_000


def routes(
    registry: Registry,
    guard: Guard,
    store: Store,
    files: FileStore,
    *,
    recent: RecentRuns | None = None,
    submitted: SubmittedRuns | None = None,
    nodes_of: Callable[[str], list[list[Any]] | None] = lambda _: None,
    changes: Changes | None = None,
    callback_of: Callable[[str], dict[str, Any] | None] = lambda _: None,
    more_paths: Iterable[Callable[[], Paths]] = (),
    run_nodes: RunNodes | None = None,
) -> list[BaseRoute]:
    """The routes of worklets, projects, runs, tables, files and the OpenAPI document.

    Args:
        registry: the live worklets.
        guard: knows the callers.
        store, files: where things are.
        recent: the same object that the `InvokeApp` has, so that a run can be shown at once.
        submitted: the queue of runs that are done later.
        nodes_of: the node entries of a submitted run that is under way in this process.
        callback_of: how far the callback of a submitted run is.
        changes: tells when a submitted run begins or ends in this process.
        run_nodes: what is known of the nodes of runs; without it only what the store has.
        more_paths: give other rooms' paths for the OpenAPI document.
    """
    recent = recent if recent is not None else RecentRuns()
    versions = WorkletVersions(store, registry.folder)
    return [
        *WorkletsApi(registry, guard, store, tuple(more_paths)).routes(),
        *VersionsApi(registry, guard, versions).routes(),
        *RunsApi(
            registry,
            guard,
            store,
            recent,
            submitted or SubmittedRuns(store),
            nodes_of,
            changes,
            callback_of,
            run_nodes or RunNodes(store, versions, recent, lambda _: None, Blanks()),
        ).routes(),
        *FilesApi(guard, files).routes(),
    ]


class WorkletsApi:
    """The routes below `/api/worklets` and `/api/projects`, and the OpenAPI document."""

    def __init__(
        self, registry: Registry, guard: Guard, store: Store, more_paths: tuple[Callable[[], Paths], ...]
    ) -> None:
        self._registry = registry
        self._guard = guard
        self._store = store
        self._more_paths = more_paths
        self._versions = WorkletVersions(store, registry.folder)

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        return [
            route("/api/worklets", self.list_worklets, "GET"),
            route("/api/worklets/{name}", self.show, "GET"),
            route("/api/projects/{project}/versions", self.push, "POST"),
            route("/api/openapi.json", self.openapi, "GET"),
            route("/api/schemas/graph", self.graph_schema, "GET"),
        ]

    async def list_worklets(self, request: Request) -> Response:
        """Every worklet by name."""
        await self._guard(request, Role.viewer, "see worklets")
        rows = await asyncio.to_thread(self._rows)
        return json_response({"worklets": [self._summary(row) for row in rows]})

    def _rows(self) -> list[WorkletRow]:
        with self._store.read() as session:
            return list(session.exec(select(WorkletRow).order_by(WorkletRow.name)))

    def _summary(self, row: WorkletRow) -> dict[str, Any]:
        live = self._registry.live.get(row.name)
        return {
            "name": row.name,
            "description": row.description,
            "project": row.project,
            "version": row.live_version,
            "status": self._status(row),
            "problem": self._registry.broken.get(row.name),
            "tags": list(live.graph.tags) if live is not None else [],
            "triggers": [trigger.model_dump(mode="json") for trigger in live.graph.triggers] if live else [],
            "updated_at": row.updated_at,
        }

    def _status(self, row: WorkletRow) -> str:
        if row.name in self._registry.live:
            return "live"
        if row.name in self._registry.broken:
            return "broken"
        return "draft" if row.live_version is None else "loading"

    async def show(self, request: Request) -> Response:
        """One worklet with its graph, schemas and versions."""
        await self._guard(request, Role.viewer, "see worklets")
        name = request.path_params["name"]
        live = self._registry.get(name)
        row, versions = await asyncio.to_thread(lambda: (self._row(name), self._versions.all(name)))
        return json_response(
            {
                **self._summary(row),
                "graph": live.graph.model_dump(mode="json"),
                "edges": live.graph.edges,
                "input_schema": live.graph.input_schema,
                "output_schema": live.graph.output_schema,
                "versions": versions,
            }
        )

    def _row(self, name: str) -> WorkletRow:
        with self._store.read() as session:
            row = session.get(WorkletRow, name)
        assert row is not None  # what is live has a row
        return row

    async def push(self, request: Request) -> Response:
        """Take a project's bundle (tar.gz); every worklet in it goes live, or none. With `?draft=true` none does."""
        principal = await self._guard(request, Role.builder, "push code")
        bundle = await read_body(request, BUNDLE_LIMIT)
        project = request.path_params["project"]
        draft = request.query_params.get("draft", "false")
        if draft not in ("true", "false"):
            raise BadInput("draft is true or false.")
        push = partial(self._registry.push, draft=draft == "true")
        pushed = await asyncio.to_thread(push, bundle, project, principal.id)
        return json_response({"project": project, "worklets": [asdict(each) for each in pushed]}, 201)

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document of what is live."""
        await self._guard(request, Role.viewer, "read the API's description")
        return json_response(openapi(self._registry.live.values(), more_paths=self._more_paths))

    async def graph_schema(self, request: Request) -> Response:
        """The JSON schema of graph documents, as `worklets export` writes them."""
        await self._guard(request, Role.viewer, "read the API's description")
        return json_response(graph_schema())
