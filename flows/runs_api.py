"""Runs and saved rows, to read. Whoever may push code sees all runs; others see their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..connectors.access import Principal, Role
from ..connectors.errors import BadInput, NotAllowed, NotFound
from ..connectors.store import Store
from ..connectors.tables import Run, SubmittedRun, TableRow
from ..connectors.web import Guard, json_response
from .changes import Changes
from .endpoints import number, route
from .journal import RunRecord
from .later_api import show_submitted
from .recent import RecentRuns
from .registry import Registry
from .run_nodes import RunNodes
from .submitted import ENDED_STATES, OPEN_STATES, SubmittedRuns

_LATEST = 1 << 62
_LONGEST_WAIT = 60
_LOOK_SECONDS = 1.0
_ON_ITS_WAY_US = 60_000_000
STATES = (*OPEN_STATES, *ENDED_STATES)


class RunsApi:
    """The routes below `/api/runs` and `/api/tables`."""

    def __init__(
        self,
        registry: Registry,
        guard: Guard,
        store: Store,
        recent: RecentRuns,
        submitted: SubmittedRuns,
        nodes_of: Callable[[str], list[list[Any]] | None] = lambda _: None,
        changes: Changes | None = None,
        callback_of: Callable[[str], dict[str, Any] | None] = lambda _: None,
        run_nodes: RunNodes | None = None,
    ) -> None:
        self._run_nodes = run_nodes
        self._callback_of = callback_of
        self._changes = changes if changes is not None else Changes()
        self._registry = registry
        self._submitted = submitted
        self._nodes_of = nodes_of
        self._guard = guard
        self._store = store
        self._recent = recent

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        return [
            route("/api/runs", self.list_runs, "GET"),
            route("/api/runs/{id}", self.show_run, "GET"),
            route("/api/runs/{id}/nodes/{node:path}", self.show_node, "GET"),
            route("/api/runs/{id}/lines", self.show_lines, "GET"),
            route("/api/tables/{name}/rows", self.rows, "GET"),
        ]

    async def list_runs(self, request: Request) -> Response:
        """Runs, newest first: `worklet`, `state`, `principal`, `parent`, `before` (a started_us) and `limit` choose."""
        principal = await self._guard(request, Role.viewer, "see runs")
        query = request.query_params
        state = query.get("state")
        if state is not None and state not in STATES:
            raise BadInput(f"There is no state {state[:40]!r}; use one of {', '.join(STATES)}.")
        wanted = query.get("principal")
        if principal.role < Role.builder:
            if wanted not in (None, principal.id):
                raise NotAllowed("You may see your own runs only; seeing others' needs the role builder.")
            wanted = principal.id
        before = number(request, "before", _LATEST, low=0, high=_LATEST)
        limit = number(request, "limit", 50, low=1, high=500)
        rows = await asyncio.to_thread(
            self._select_runs, query.get("worklet"), state, wanted, before, limit, query.get("parent")
        )
        following = rows[-1]["started_us"] if len(rows) == limit else None
        return json_response({"runs": rows, "next_before": following})

    def _select_runs(
        self, worklet: str | None, state: str | None, principal: str | None, before: int, limit: int, parent: str | None
    ) -> list[dict[str, Any]]:
        query = select(Run).where(col(Run.started_us) < before)
        for column, value in (
            (Run.worklet, worklet),
            (Run.state, state),
            (Run.principal, principal),
            (Run.parent, parent),
        ):
            if value is not None:
                query = query.where(col(column) == value)
        with self._store.read() as session:
            found = list(session.exec(query.order_by(col(Run.started_us).desc()).limit(limit)))
        rows = [_summary(run) for run in found]
        return (
            rows
            if before < _LATEST or parent is not None
            else [*self._open_runs(worklet, state, principal, limit), *rows][:limit]
        )

    def _open_runs(
        self, worklet: str | None, state: str | None, principal: str | None, limit: int
    ) -> list[dict[str, Any]]:
        states = OPEN_STATES if state is None else (state,) if state in OPEN_STATES else ()
        if not states:
            return []
        shown = [show_submitted(row, None) for row in self._submitted.open_runs(worklet, states, limit)]
        return [{**row, "error": None} for row in shown if principal in (None, row["principal"])]

    async def show_run(self, request: Request) -> Response:
        """One run with its input, output, nodes and, for builders, the traceback of a failure.

        With `wait` (seconds) and `seen` (a state) it answers when the state is another one, or after that long.
        """
        principal = await self._guard(request, Role.viewer, "see runs")
        id = request.path_params["id"]
        until = time.monotonic() + number(request, "wait", 0, low=0, high=_LONGEST_WAIT)
        seen = request.query_params.get("seen")
        while True:
            with self._changes.watching(id) as changed:
                shown = await self._shown(id, principal)
                left = until - time.monotonic()
                if left <= 0 or shown["state"] != seen:
                    callback = await asyncio.to_thread(self._callback_of, id)
                    return json_response(shown if callback is None else {**shown, "callback": callback})
                # Another process may do the run, so that nothing is told here.
                await changed(min(left, _LOOK_SECONDS))

    async def _shown(self, id: str, principal: Principal) -> dict[str, Any]:
        run = await asyncio.to_thread(self._run, id)
        if run is None:
            row = await asyncio.to_thread(self._submitted.get, id)
            if row is not None and ((row.principal or {}).get("id") == principal.id or principal.role >= Role.builder):
                shown = show_submitted(row, await asyncio.to_thread(self._nodes_of, id))
                if row.state in ENDED_STATES and time.time_ns() // 1000 - (row.ended_us or 0) < _ON_ITS_WAY_US:
                    shown["state"] = "running"  # its record, with the output, is not in the store yet
                return {**shown, "input": _value(row.input), "output": None, "error": None}
        mine = run is not None and (run.principal == principal.id or principal.role >= Role.builder)
        if run is None or not mine:
            raise NotFound(f"There is no run {id[:64]!r}; GET /api/runs lists yours.")
        return _details(run, principal)

    async def show_node(self, request: Request) -> Response:
        """A node of a run: state, times, attempts, settings, and for builders what it was given, gave and logged."""
        principal = await self._guard(request, Role.viewer, "see runs")
        id, node = request.path_params["id"], request.path_params["node"]
        return json_response(await asyncio.to_thread(self._shown_node, id, node, principal))

    def _shown_node(self, id: str, node: str, principal: Principal) -> dict[str, Any]:
        run, nodes = self._visible(id, principal)
        return nodes.as_dict(run, node, with_values=principal.role >= Role.builder)

    async def show_lines(self, request: Request) -> Response:
        """What the nodes of a run have logged, after a moment (`after`, in µs since 1970), as far as it is kept.

        For builders, and for a page that shows a view to whoever began the run: its author says what it shows.
        """
        principal = await self._guard(request, Role.viewer, "see runs")
        if principal.role < Role.builder and not self._guard.is_from_views(request):
            raise NotAllowed("What a run has logged takes the role builder; a view can show it of the runs it begins.")
        id, after = request.path_params["id"], number(request, "after", 0, low=0, high=_LATEST)
        return json_response(await asyncio.to_thread(self._shown_lines, id, after, principal))

    def _shown_lines(self, id: str, after: int, principal: Principal) -> dict[str, Any]:
        run, nodes = self._visible(id, principal)
        lines = nodes.lines(run, after)
        names = ("at_us", "node", "level", "text")
        return {
            "started_us": run.started_us,
            "lines": [dict(zip(names, line, strict=True)) for line in lines],
            "after": lines[-1][0] if lines else after,
        }

    def _visible(self, id: str, principal: Principal) -> tuple[Any, RunNodes]:
        """A run that the caller may see, as far as it is. Raises NotFound."""
        row = self._submitted.get(id)
        run = self._run(id)
        if run is None and row is not None:
            run = _so_far(row, self._nodes_of(id) or [])
        if run is None or (run.principal != principal.id and principal.role < Role.builder) or self._run_nodes is None:
            raise NotFound(f"There is no run {id[:64]!r}; GET /api/runs lists yours.")
        return run, self._run_nodes

    def _run(self, id: str) -> Any:
        with self._store.read() as session:
            found = session.get(Run, id)
        return found if found is not None else self._recent.get(id)

    async def rows(self, request: Request) -> Response:
        """A table's rows, newest first: the caller's own, or with `?owner=*` an admin's everybody's."""
        principal = await self._guard(request, Role.viewer, "read tables")
        owner: str | None = request.query_params.get("owner", principal.id)
        if owner != principal.id and principal.role < Role.admin:
            raise NotAllowed("You may read your own rows only; reading others' needs the role admin.")
        owner = None if owner == "*" else owner
        limit = number(request, "limit", 100, low=1, high=1000)
        offset = number(request, "offset", 0, low=0, high=_LATEST)
        name = request.path_params["name"]
        rows = await asyncio.to_thread(self._select_rows, name, owner, limit, offset)
        return json_response({"table": name, "rows": rows})

    def _select_rows(self, table: str, owner: str | None, limit: int, offset: int) -> list[dict[str, Any]]:
        query = select(TableRow).where(TableRow.table_name == table)
        if owner is not None:
            query = query.where(TableRow.owner == owner)
        query = query.order_by(col(TableRow.created_at).desc(), col(TableRow.position), col(TableRow.id))
        with self._store.read() as session:
            found = list(session.exec(query.limit(limit).offset(offset)))
        return [row.model_dump(exclude={"table_name"}) for row in found]


def _so_far(row: SubmittedRun, nodes: list[list[Any]]) -> RunRecord:
    """The record of a run that has not ended, as far as it is."""
    owner = (row.principal or {}).get("id")
    began = row.started_us or row.created_us
    return RunRecord(
        row.id, row.worklet, row.version, row.trigger, owner, row.state, began, 0, input=row.input, nodes=nodes
    )


def _summary(run: Any) -> dict[str, Any]:
    return {
        "id": run.id,
        "worklet": run.worklet,
        "version": run.version,
        "trigger": run.trigger,
        "parent": run.parent,
        "principal": run.principal,
        "state": run.state,
        "started_us": run.started_us,
        "duration_us": run.duration_us,
        "error": run.error.get("detail") if run.error else None,
    }


def _details(run: Any, principal: Principal) -> dict[str, Any]:
    error = dict(run.error) if run.error else None
    if error is not None and principal.role < Role.builder:
        error.pop("traceback", None)
    names = ("id", "kind", "state", "offset_us", "duration_us", "error")
    return {
        **_summary(run),
        "error": error,
        "input": _value(run.input),
        "output": _value(run.output),
        "nodes": [dict(zip(names, entry, strict=False)) for entry in run.nodes],
    }


def _value(recorded: bytes | None) -> Any:
    return orjson.loads(recorded) if recorded else None
