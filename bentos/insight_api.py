"""The routes that say how a model is doing: `/api/models/{name}/pulse` and `/logs`."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..connectors.access import Role
from ..connectors.errors import BadInput
from ..connectors.layout import DataDirectory
from ..connectors.web import Guard, json_response
from .model_log import log_path, read_log
from .pulse import Pulse
from .records import ModelRecords

MOST_LINES = 5_000


def insight_routes(records: ModelRecords, guard: Guard, data: DataDirectory, pulse: Pulse) -> list[BaseRoute]:
    """The routes.

    Args:
        records: knows which models there are.
        guard: knows who asks.
        data: where the logs lie.
        pulse: has the latest minutes.
    """

    async def show_pulse(request: Request) -> Response:
        """Calls, failures and durations of the last ten minutes, in steps of five seconds."""
        await guard(request, Role.viewer, "see models")
        name = request.path_params["name"]
        await asyncio.to_thread(records.model, name)
        return json_response(pulse.of(name))

    async def show_logs(request: Request) -> Response:
        """The last lines that a version printed, with tracebacks; `?version=` (the live one), `?lines=` (200)."""
        await guard(request, Role.builder, "read the logs of models")
        lines = _lines(request.query_params.get("lines", "200"))
        return json_response(
            await asyncio.to_thread(_logs, request.path_params["name"], request.query_params.get("version"), lines)
        )

    def _logs(name: str, version: str | None, lines: int) -> dict[str, object]:
        row = records.live(name) if version is None else records.version(name, version)
        found = read_log(log_path(data.logs, name, row.version), lines)
        return {"model": name, "version": row.version, "tier": row.tier, "lines": found}

    return [
        Route("/api/models/{name}/pulse", show_pulse, methods=["GET"]),
        Route("/api/models/{name}/logs", show_logs, methods=["GET"]),
    ]


def _lines(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_LINES:
        raise BadInput(f"`lines` is {text[:20]!r}; give a number from 1 to {MOST_LINES}.")
    return int(text)
