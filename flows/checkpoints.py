"""What the nodes of a submitted run gave, on disk, so that a node which has ended is not run again.

The files are pickles that this instance wrote into its own data directory for itself; nothing else is ever read.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import re
import shutil
import threading
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from .context import RunContext
from .plan import Plan
from .steps import NOT_QUICK, Paused, Step, Values, WrappedStep

logger = logging.getLogger(__name__)

# Read by no run: its name begins with a dot.
_NOTE = ".note"
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Done:
    """A kept result after which nothing is left to do: its rows are written."""

    value: Any


class Checkpoints:
    """Results of nodes, one file each, in one folder a run. Blocking.

    Args:
        folder: where the runs' folders lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, run_id: str, node: str, value: Any) -> None:
        """Write a node's result through to the disk. One that cannot be pickled is left out: it would run again."""
        try:
            content = pickle.dumps(value, protocol=5)
        except Exception as error:  # whatever the value's own reducers raise
            logger.warning("[run %s] node %r is run again if the run is: %s", run_id, node, error)
            return
        place = self._place(run_id)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = place / f".{node}.part"
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, place / node)

    def kept(self, run_id: str) -> dict[str, Any]:
        """The results by node. One that cannot be read any more (its class has changed) is as if it were not there."""
        found: dict[str, Any] = {}
        place = self._place(run_id)
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if path.name.startswith("."):
                continue
            try:
                found[path.name] = pickle.loads(path.read_bytes())  # noqa: S301 - this instance's own files
            except Exception as error:
                logger.warning("[run %s] the kept result of node %r cannot be read: %s", run_id, path.name, error)
        return found

    def note(self, run_id: str, entries: list[list[Any]], details: bytes | None) -> None:
        """Keep what people may see of a run that waits: its nodes' entries and details. Deleted with its results."""
        place = self._place(run_id)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        (place / _NOTE).write_bytes(orjson.dumps([entries, orjson.Fragment(details or b"null")], default=str))

    def noted(self, run_id: str) -> tuple[list[list[Any]], bytes | None] | None:
        """What `note` kept."""
        if not _RUN_ID.fullmatch(run_id) or not (path := self._place(run_id) / _NOTE).is_file():
            return None
        entries, details = orjson.loads(path.read_bytes())
        return entries, orjson.dumps(details) if details is not None else None

    def copy(self, source: str, target: str) -> None:
        """Let a run begin with what another one has."""
        if self._place(source).is_dir():
            shutil.copytree(self._place(source), self._place(target), dirs_exist_ok=True)

    def forget(self, run_id: str) -> None:
        """Delete what a run has kept."""
        shutil.rmtree(self._place(run_id), ignore_errors=True)

    def sweep(self, keep: set[str]) -> None:
        """Delete what all runs but these have kept."""
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            if path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)

    def _place(self, run_id: str) -> Path:
        if not _RUN_ID.fullmatch(run_id):
            raise ValueError(f"{run_id[:64]!r} is no run's id")
        return self._folder / run_id


def with_checkpoints(plan: Plan, run_id: str, checkpoints: Checkpoints, kept: dict[str, Any]) -> Plan:
    """The same plan, whose steps keep what they give and take what is kept already."""
    return replace(plan, steps=tuple(_KeptStep(step, run_id, checkpoints, kept) for step in plan.steps))


class _KeptStep(WrappedStep):
    def __init__(self, step: Step, run_id: str, checkpoints: Checkpoints, kept: dict[str, Any]) -> None:
        super().__init__(step)
        self._run_id = run_id
        self._checkpoints = checkpoints
        self._kept = kept
        # An attempt that ran out of time may still be writing what it gave when the next one has begun.
        self._attempt = 0
        self._writing = threading.Lock()

    async def keep(self, values: Values, executor: Executor) -> None:
        """Keep what stands for a failure: who goes on later must not go another way."""
        self._attempt += 1
        await self._write(values[self.slot], executor)

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """The kept result, or the node's own, which is kept before anything goes on.

        Raises:
            Paused: the run is to rest, and the node has not begun. One whose attempt failed goes on to its end.
            Exception: what the node raises.
        """
        if self.id in self._kept:
            value = self._kept[self.id]
            if isinstance(value, Done):
                return value.value
            await asyncio.get_running_loop().run_in_executor(executor, self._step.again, value, context)
            return value
        if context.is_pausing and not self._attempt:
            raise Paused(self.id)
        self._attempt += 1
        value = self._step.try_quick(values, context)
        if value is NOT_QUICK:
            value = await self._step.run(values, context, executor)
        await self._write(value, executor)
        return value

    async def _write(self, value: Any, executor: Executor) -> None:
        await asyncio.get_running_loop().run_in_executor(executor, self._write_last, value, self._attempt)

    def _write_last(self, value: Any, attempt: int) -> None:
        with self._writing:
            if attempt == self._attempt:
                self._checkpoints.keep(self._run_id, self.id, value)
