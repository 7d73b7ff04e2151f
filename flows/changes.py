"""Waiting for a submitted run to begin or to end, in the process that does it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager


class Changes:
    """Tells those who wait for a run that its state has changed. For one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def tell(self, run_id: str) -> None:
        """The state of the run has changed."""
        for event in self._waiting.get(run_id, ()):
            event.set()

    @contextmanager
    def watching(self, run_id: str) -> Iterator[Callable[[float], Awaitable[None]]]:
        """From here on no change is missed; what it gives waits for the next one, for so many seconds at most."""
        event = asyncio.Event()
        self._waiting.setdefault(run_id, set()).add(event)

        async def changed(seconds: float) -> None:
            try:
                async with asyncio.timeout(seconds):
                    await event.wait()
            except TimeoutError:
                return

        try:
            yield changed
        finally:
            self._waiting[run_id].discard(event)
            if not self._waiting[run_id]:
                del self._waiting[run_id]
