"""Runs that go on by themselves: begun from a view, and followed for as long as its page is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from ..connectors.errors import Conflict, NodeFailed, WorkletsError
from ..flows.submitted import ENDED_STATES
from .run_lines import Tail

LOOK_SECONDS = 1.0


class Runs(Protocol):
    """What is asked of the server. Every method raises WorkletsError."""

    async def submit(self, worklet: str, inputs: dict[str, Any]) -> str:
        """Begin a run; gives its id."""
        ...

    async def show_run(self, id: str) -> dict[str, Any]:
        """A run as it is now."""
        ...


async def followed(
    runs: Runs,
    worklet: str,
    inputs: dict[str, Any],
    tell: Callable[[dict[str, Any]], None],
    tail: Tail | None = None,
    *,
    look_seconds: float = LOOK_SECONDS,
) -> Any:
    """Begin a run, tell how far it is, and give its output. Raises WorkletsError where it did not complete.

    `tail`, if there is one, has the lines that it logs shown.
    """
    id = await runs.submit(worklet, inputs)
    return await watched(runs, worklet, id, tell, tail, look_seconds=look_seconds)


async def watched(
    runs: Runs,
    worklet: str,
    id: str,
    tell: Callable[[dict[str, Any]], None],
    tail: Tail | None = None,
    *,
    look_seconds: float = LOOK_SECONDS,
) -> Any:
    """Follow a run that was begun. Raises as `followed` does."""
    told: dict[str, Any] = {}
    while True:
        shown = await runs.show_run(id)
        done = sum(1 for node in shown.get("nodes") or [] if node.get("state") == "completed")
        progress = {"run": id, "state": shown["state"], "done": done}
        if progress != told:
            told = progress
            tell(progress)
        # Of anything else this page has begun no run, whatever a state says.
        if tail is not None and shown.get("worklet") == worklet:
            await tail.look(id, has_ended=shown["state"] in ENDED_STATES)
        if shown["state"] in ENDED_STATES:
            break
        await asyncio.sleep(look_seconds)
    if shown["state"] == "completed":
        return shown.get("output")
    raise _failure(worklet, shown)


def under_way(progress: Any) -> str | None:
    """The run of which a state tells that it goes on; None if it tells of none, or of one that has ended."""
    if not isinstance(progress, dict) or progress.get("state") in ENDED_STATES:
        return None
    run = progress.get("run")
    return run if isinstance(run, str) else None


def _failure(worklet: str, shown: dict[str, Any]) -> WorkletsError:
    detail = (shown.get("error") or {}).get("detail")
    if shown["state"] == "cancelled":
        return Conflict(f"The run of {worklet!r} was cancelled.")
    return NodeFailed(str(detail or f"The run of {worklet!r} has ended as {shown['state']}."), node="")
