"""What the nodes of a run logged, as Prefect's logs: its pages show them with the flow run and with each task run.

Only what the store keeps of a run's nodes is sent (flows/node_details.py). Prefect takes many lines in one request, but
knows no repeated one: so those that it has are looked up before, and none are sent while many runs wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlmodel import col, select

from ..connectors.errors import BadInput
from ..connectors.prefect_api import PrefectApi
from ..connectors.store import Store
from ..connectors.tables import Run, RunDetails
from .prefect_shape import task_run_ids

logger = logging.getLogger(__name__)

# With each batch of runs.
MOST_LINES = 1000
_IN_ONE_REQUEST = 200
_LEVELS = logging.getLevelNamesMapping()


class Logs:
    """Sends log lines.

    Args:
        api: Prefect.
        store: has the lines.

    Attributes:
        sent: how many Prefect has taken since the start.
        left_out: how many were not sent, because Prefect has enough to do or refused them.
    """

    def __init__(self, api: PrefectApi, store: Store) -> None:
        self._api = api
        self._store = store
        self.sent = 0
        self.left_out = 0

    async def send(self, runs: Sequence[tuple[Run, str]]) -> None:
        """Send what nodes of these runs logged, each run with its flow run's id. Raises WorkletsError; repeatable."""
        kept = await asyncio.to_thread(self._kept, [run.id for run, _ in runs])
        lines = [
            line for run, flow_run_id in runs if run.id in kept for line in log_lines(run, flow_run_id, kept[run.id])
        ]
        self.left_out += max(0, len(lines) - MOST_LINES)
        lines = lines[:MOST_LINES]
        if not lines:
            return
        there = await self._api.log_lines({line["flow_run_id"] for line in lines})
        lines = [line for line in lines if _key(line) not in there]
        for start in range(0, len(lines), _IN_ONE_REQUEST):
            part = lines[start : start + _IN_ONE_REQUEST]
            try:
                await self._api.create_logs(part)
                self.sent += len(part)
            except BadInput as error:
                self.left_out += len(part)
                logger.warning("Prefect does not take %d log line(s): %s", len(part), error)

    def _kept(self, ids: Sequence[str]) -> dict[str, bytes]:
        with self._store.read() as session:
            found = select(RunDetails.run_id, RunDetails.content).where(col(RunDetails.run_id).in_(ids))
            return dict(session.exec(found).all())


def log_lines(run: Run, flow_run_id: str, details: bytes) -> Iterator[dict[str, Any]]:
    """What is kept of a run's lines, as Prefect takes them, in the order in which they were written."""
    of_node = task_run_ids(run)
    found = [
        (int(at_us), node, str(level), str(text))
        for node, part in orjson.loads(details).items()
        for at_us, level, text in part.get("lines", ())
    ]
    for at_us, node, level, text in sorted(found, key=lambda each: each[0]):
        yield {
            "name": f"worklets.runs.{run.worklet}",
            "level": _LEVELS.get(level, logging.INFO),
            # PostgreSQL keeps no NUL; Prefect would drop it, and the line could not be found again.
            "message": text.replace("\x00", ""),
            "timestamp": datetime.fromtimestamp((run.started_us + at_us) / 1e6, UTC).isoformat(),
            "flow_run_id": flow_run_id,
            "task_run_id": of_node[node][-1] if node in of_node else None,
        }


def _key(line: dict[str, Any]) -> tuple[str, datetime, str]:
    return line["flow_run_id"], datetime.fromisoformat(line["timestamp"]), line["message"]
