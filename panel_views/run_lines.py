"""The lines that a run logs, as a view shows them: asked for while the run goes on, the newest of them kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..connectors.errors import WorkletsError
from ..connectors.web import problem
from .cells import Cell

MOST_LINES = 2_000
# Well below what a state may take that is kept.
MOST_BYTES = 600_000


class Lines(Protocol):
    """Where the lines are."""

    async def run_lines(self, id: str, after: int) -> dict[str, Any]:
        """What a run has logged after a moment. Raises WorkletsError."""
        ...


class Tail:
    """Shows the lines of one run.

    Args:
        source: where they are.
        put: shows them, or why they can't be read.
        keep: keeps them once the run has ended.
    """

    def __init__(
        self, source: Lines, put: Callable[[Cell], None], keep: Callable[[list[str]], Awaitable[None]]
    ) -> None:
        self._source = source
        self._put = put
        self._keep = keep
        self._after = 0
        self._lines: list[str] = []
        put(Cell.of([]))

    async def look(self, id: str, *, has_ended: bool) -> None:
        """Show what the run has logged since the last look. What can't be read is no failure of the run."""
        try:
            found = await self._source.run_lines(id, self._after)
        except WorkletsError as error:
            self._put(Cell(self._lines, "error", problem(error)))
            return
        self._after = int(found["after"])
        new = [_text(line, found["started_us"]) for line in found["lines"]]
        self._lines = _newest([*self._lines, *new]) if new else self._lines
        self._put(Cell(self._lines, "ready" if self._lines else "empty" if has_ended else "loading"))
        if has_ended:
            await self._keep(self._lines)


def _text(line: dict[str, Any], started_us: int) -> str:
    """A line of the log: seconds since the run began, its level, its node and what it says."""
    seconds = max(0.0, (line["at_us"] - started_us) / 1e6)
    return f"{seconds:8.2f}s  {line['level']:<7}  {line['node']}: {line['text']}"


def _newest(lines: list[str]) -> list[str]:
    lines = lines[-MOST_LINES:]
    size = 0
    for number, line in enumerate(reversed(lines)):
        size += len(line.encode())
        if size > MOST_BYTES:
            return lines[len(lines) - number :]
    return lines
