"""What a view asks of the real server for a durable run: begun, followed, and refused where there is none."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fixtures_server import Server
from prefect_worklets.connectors.egress import Egress
from prefect_worklets.connectors.errors import WorkletsError
from prefect_worklets.panel_views.durable_runs import followed
from prefect_worklets.panel_views.gateway import HttpGateway

pytestmark = pytest.mark.integration


async def nobody() -> str:
    return ""


async def test_a_run_is_followed_to_its_answer(server: Server) -> None:
    pictures = sorted((server.data_dir / "demo").glob("*.jpg"))[:2]
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        gateway = HttpGateway(client, server.key, nobody, Egress())
        headers = {"content-type": "image/jpeg", "authorization": f"Bearer {server.key}"}
        posted = [await client.post("/api/files", content=each.read_bytes(), headers=headers) for each in pictures]
        content, style = (each.json()["url"] for each in posted)
        told: list[dict[str, Any]] = []
        answer = await followed(gateway, "stylize", {"content": content, "style": style, "size": 128}, told.append)
        assert answer["image"].startswith("/api/files/")
        assert told[-1]["state"] == "completed"
        assert told[-1]["done"] > 0
        with pytest.raises(WorkletsError) as ended:
            await gateway.cancel_run(told[-1]["run"])
        assert ended.value.status == 409
        with pytest.raises(WorkletsError) as refused:
            await followed(gateway, "stylize", {"content": 3}, told.append)
        assert {fault.loc[-1] for fault in refused.value.faults} >= {"style"}
        with pytest.raises(WorkletsError) as missing:
            await gateway.decide("nothing", {"approved": True})
        assert missing.value.status == 404
