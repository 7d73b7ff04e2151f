"""Whether the app lives, and whether it can do its work. Anybody may ask; the answers tell nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .connectors.web import json_response

if TYPE_CHECKING:
    from .parts import Parts


def health_routes(parts: Parts) -> list[BaseRoute]:
    """`/api/health` (the process answers) and `/api/ready` (the store answers and what was live is loaded)."""

    async def health(_request: Request) -> Response:
        return json_response({"status": "ok"})

    async def ready(_request: Request) -> Response:
        if not parts.ready:
            return json_response({"status": "starting"}, status=503)
        try:
            await asyncio.to_thread(parts.store.check)
        except Exception:  # whatever the driver raises, the store is not there
            return json_response({"status": "the store does not answer"}, status=503)
        return json_response({"status": "ready"})

    return [Route("/api/health", health, methods=["GET"]), Route("/api/ready", ready, methods=["GET"])]
