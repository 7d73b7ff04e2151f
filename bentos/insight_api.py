"""The routes that say how models are doing: `/api/pulse`; and `/pulse`, `/logs`, `/samples`, `/drift` of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..connectors.access import Role
from ..connectors.errors import BadInput
from ..connectors.layout import DataDirectory
from ..connectors.store import Store
from ..connectors.tables import ModelSample
from ..connectors.web import Guard, json_response
from .drift_watch import DriftWatch
from .model_log import log_path, read_log
from .pulse import STEP_SECONDS, Pulse
from .records import ModelRecords

MOST_LINES = 5_000
MOST_SAMPLES = 1_000


def insight_routes(
    records: ModelRecords,
    guard: Guard,
    data: DataDirectory,
    pulse: Pulse,
    store: Store,
    drift: DriftWatch,
    blank: Callable[[str], str] = str,
) -> list[BaseRoute]:
    """The routes.

    Args:
        records: knows which models there are.
        guard: knows who asks.
        data: where the logs lie.
        pulse: has the latest minutes.
        store: has the samples.
        drift: compares them with the reference.
        blank: takes the instance's own secrets out of a text.
    """

    async def show_pulse(request: Request) -> Response:
        """Calls, failures and durations of the last ten minutes, in steps of five seconds."""
        await guard(request, Role.viewer, "see models")
        name = request.path_params["name"]
        await asyncio.to_thread(records.model, name)
        return json_response(pulse.of(name))

    async def show_all(request: Request) -> Response:
        """Every loaded model's last ten minutes in short, and how many of its features have drifted."""
        await guard(request, Role.viewer, "see models")
        drifted = {found["model"]: sum(bool(each["drifted"]) for each in found["features"]) for found in drift.latest()}
        models = {name: {**found, "drifted": drifted.get(name, 0)} for name, found in pulse.all().items()}
        return json_response({"seconds": STEP_SECONDS, "models": models})

    async def show_logs(request: Request) -> Response:
        """The last lines that a version printed, with tracebacks; `?version=` (the live one), `?lines=` (200)."""
        await guard(request, Role.builder, "read the logs of models")
        lines = _number("lines", request.query_params.get("lines", "200"), MOST_LINES)
        return json_response(
            await asyncio.to_thread(_logs, request.path_params["name"], request.query_params.get("version"), lines)
        )

    def _logs(name: str, version: str | None, lines: int) -> dict[str, object]:
        row = records.live(name) if version is None else records.version(name, version)
        found = [blank(line) for line in read_log(log_path(data.logs, name, row.version), lines)]
        return {"model": name, "version": row.version, "tier": row.tier, "lines": found}

    async def show_samples(request: Request) -> Response:
        """What the model was asked and answered, newest first; `?version=`, `?limit=` (50)."""
        await guard(request, Role.builder, "read the samples of models")
        limit = _number("limit", request.query_params.get("limit", "50"), MOST_SAMPLES)
        name, version = request.path_params["name"], request.query_params.get("version")
        return json_response({"samples": await asyncio.to_thread(_samples, name, version, limit)})

    def _samples(name: str, version: str | None, limit: int) -> list[dict[str, object]]:
        records.model(name)
        question = select(ModelSample).where(col(ModelSample.model_name) == name)
        if version is not None:
            question = question.where(col(ModelSample.version) == version)
        with store.read() as session:
            rows = session.exec(question.order_by(col(ModelSample.id).desc()).limit(limit)).all()
        keys = ("version", "at", "seconds", "inputs", "outputs")
        return [{key: getattr(row, key) for key in keys} for row in rows]

    async def show_drift(request: Request) -> Response:
        """How far what a version (`?version=`, the live one) is asked has moved from its reference, by feature."""
        await guard(request, Role.builder, "read the samples of models")
        name, version = request.path_params["name"], request.query_params.get("version")
        return json_response(await asyncio.to_thread(drift.of, name, version))

    return [
        Route("/api/models/{name}/drift", show_drift, methods=["GET"]),
        Route("/api/models/{name}/samples", show_samples, methods=["GET"]),
        Route("/api/pulse", show_all, methods=["GET"]),
        Route("/api/models/{name}/pulse", show_pulse, methods=["GET"]),
        Route("/api/models/{name}/logs", show_logs, methods=["GET"]),
    ]


def _number(name: str, text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise BadInput(f"`{name}` is {text[:20]!r}; give a number from 1 to {most}.")
    return int(text)
