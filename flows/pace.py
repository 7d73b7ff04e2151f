"""How fast the recorder goes: a limit on the rate, rests after failures, and when there is room for the exact way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_RESTS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 3.0)
_IDLE_S = 1.0
# Runs that may be shown exactly: two requests each instead of a hundredth of one.
_EXACT_A_SECOND = 8.0
_EXACT_BURST = 16.0
_EXACT_UP_TO = 12
_SINGLY = 10


class Pace:
    """Decides when the recorder may go on. Not for use from several threads."""

    def __init__(self, max_runs_per_second: float | None) -> None:
        self._max_rate = max_runs_per_second
        self._failures = 0
        self._resting_until = 0.0
        self._single_left = 0
        self._room = _EXACT_BURST
        self._room_at = time.monotonic()

    @asynccontextmanager
    async def turn(self, runs: int) -> AsyncIterator[None]:
        """The time in which `runs` runs are sent; it lasts as long as the limit on the rate says."""
        start = time.monotonic()
        yield
        if self._max_rate:
            await asyncio.sleep(max(0.0, runs / self._max_rate - (time.monotonic() - start)))

    def has_room(self, together: int) -> bool:
        """Whether one more of `together` waiting runs may be shown exactly; takes the room if so."""
        now = time.monotonic()
        self._room = min(_EXACT_BURST, self._room + (now - self._room_at) * _EXACT_A_SECOND)
        self._room_at = now
        if together > _EXACT_UP_TO or self._room < 1.0:
            return False
        self._room -= 1.0
        return True

    def batch(self, usual: int) -> int:
        """How many runs to take at once."""
        if self._single_left:
            self._single_left -= 1
            return 1
        return usual

    def try_singly(self) -> None:
        """Take runs one by one for a while, to find the one that fails."""
        self._single_left = _SINGLY

    def went_well(self) -> None:
        """Something was recorded, or Prefect is back."""
        self._failures = 0
        self._resting_until = 0.0

    def rest(self) -> None:
        """Something failed: wait, longer each time."""
        if self.is_resting():
            return
        self._resting_until = time.monotonic() + _RESTS_S[min(self._failures, len(_RESTS_S) - 1)]
        self._failures += 1

    def is_resting(self) -> bool:
        """Whether a rest is not over."""
        return time.monotonic() < self._resting_until

    def wait_s(self) -> float:
        """How long to sleep when there is nothing to do."""
        return max(0.02, self._resting_until - time.monotonic()) if self.is_resting() else _IDLE_S
