"""What a run answered, as Prefect's artifacts: pictures and tables, which its pages show.

An artifact is one request each, with no key by which Prefect would know a repeated one. So those of a run are looked
up before they are sent, only a few are sent with each batch of runs, and none while many runs wait.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlmodel import col, select

from ..connectors.errors import BadInput
from ..connectors.file_addresses import file_id
from ..connectors.prefect_api import PrefectApi
from ..connectors.store import Store
from ..connectors.tables import Run, StoredFile
from .shortening import MARK

logger = logging.getLogger(__name__)

AT_ONCE = 20
_MOST_A_RUN = 8
_MOST_ROWS = 100
_MOST_COLUMNS = 50
_MOST_DEPTH = 4
_MOST_TEXT = 500


@dataclass(frozen=True)
class Artifact:
    """One artifact of a run: Prefect's type (`image`, `table`), a key for people, a file's address or the rows."""

    key: str
    type: str
    data: str
    description: str

    def as_json(self, flow_run_id: str, public_url: str) -> dict[str, Any]:
        """The artifact as Prefect takes it."""
        data = public_url + self.data if self.type == "image" else self.data
        made = {"key": self.key, "type": self.type, "data": data, "description": self.description}
        return {**made, "flow_run_id": flow_run_id}


class Artifacts:
    """Sends artifacts.

    Args:
        api: Prefect.
        store: knows which files are pictures.
        public_url: the address under which people reach this server's files.

    Attributes:
        sent: how many Prefect has taken since the start.
        left_out: how many were not sent, because Prefect has enough to do or refused them.
    """

    def __init__(self, api: PrefectApi, store: Store, public_url: str) -> None:
        self._api = api
        self._store = store
        self._public_url = public_url.rstrip("/")
        self.sent = 0
        self.left_out = 0

    async def send(self, runs: Sequence[tuple[Run, str]]) -> None:
        """Send what these runs answered, each with its flow run's id. Raises WorkletsError; sending again is safe."""
        found = [
            (artifact, flow_run)
            for run, flow_run in runs
            if run.output is not None and run.state == "completed"
            for artifact in artifacts_of(run)
        ]
        if not found:
            return
        pictures = await asyncio.to_thread(self._pictures, {each.data for each, _ in found if each.type == "image"})
        found = [(each, flow_run) for each, flow_run in found if each.type != "image" or each.data in pictures]
        self.left_out += max(0, len(found) - AT_ONCE)
        found = found[:AT_ONCE]
        there = await self._api.artifact_keys({flow_run for _, flow_run in found})
        for artifact, flow_run in found:
            if (flow_run, artifact.key) in there:
                continue
            try:
                await self._api.create_artifact(artifact.as_json(flow_run, self._public_url))
                self.sent += 1
            except BadInput as error:
                self.left_out += 1
                logger.warning("Prefect does not take the artifact %r: %s", artifact.key, error)

    def _pictures(self, addresses: Iterable[str]) -> set[str]:
        """Those addresses that are pictures'."""
        ids = {file_id(address): address for address in addresses}
        if not ids:
            return set()
        with self._store.read() as session:
            query = select(StoredFile.id).where(
                col(StoredFile.id).in_(ids), col(StoredFile.content_type).like("image/%")
            )
            return {ids[id] for id in session.exec(query)}


def artifacts_of(run: Run) -> list[Artifact]:
    """The files and tables in what a run answered, at most 8."""
    try:
        output = orjson.loads(run.output or b"null")
    except orjson.JSONDecodeError:
        return []
    found: list[Artifact] = []
    for path, kind, data in _parts(output, ()):
        if len(found) == _MOST_A_RUN:
            break
        name = " ".join(str(step) for step in path) or "answer"
        key = re.sub(r"[^a-z0-9]+", "-", f"{run.worklet}-{name}".lower()).strip("-")[:200]
        found.append(Artifact(key, kind, data, f"{name} of {run.worklet}, run {run.id}"))
    return found


def _parts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    if isinstance(value, str):
        if file_id(value) is not None:
            yield path, "image", value
    elif len(path) >= _MOST_DEPTH:
        return
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _parts(part, (*path, name))
    elif isinstance(value, list):
        table = _table(value)
        if table is not None:
            yield path, "table", table
        else:
            for number, part in enumerate(value[:_MOST_A_RUN]):
                yield from _parts(part, (*path, number))


def _table(value: list[Any]) -> str | None:
    """A list of mappings with plain values as Prefect's table, cut to what a page can show; None if it is none."""
    if not value or not all(isinstance(row, dict) and row and MARK not in row for row in value[:_MOST_ROWS]):
        return None
    rows = [dict(list(row.items())[:_MOST_COLUMNS]) for row in value[:_MOST_ROWS]]
    if not all(isinstance(cell, str | int | float | bool | None) for row in rows for cell in row.values()):
        return None
    short = [{key: _short(cell) for key, cell in row.items()} for row in rows]
    return orjson.dumps(short).decode()


def _short(cell: Any) -> Any:
    return cell[:_MOST_TEXT] if isinstance(cell, str) else cell
