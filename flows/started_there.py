"""Runs that Prefect started: their flow runs are there already, and get their task runs alone from the recorder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..connectors.prefect_api import PrefectApi
from ..connectors.tables import Run
from .outbox import REFUSED, Outbox
from .prefect_shape import STARTED_THERE


async def started_there(rows: Sequence[Run], outbox: Outbox, api: PrefectApi) -> list[tuple[Run, str]]:
    """Those that Prefect started, with their flow runs; one whose flow run was deleted there is set aside for good."""
    started = {row.id: row for row in rows if row.trigger == STARTED_THERE}
    if not started:
        return []
    flow_runs = await asyncio.to_thread(outbox.flow_runs, list(started))
    known = await api.known_flow_runs(sorted(set(flow_runs.values())))
    gone = [id for id in started if flow_runs.get(id) not in known]
    await asyncio.to_thread(outbox.mark, gone, REFUSED)
    return [(started[id], flow_run) for id, flow_run in flow_runs.items() if flow_run in known]
