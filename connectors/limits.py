"""How often somebody may do something: a bucket of tokens for each, in this process's memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from .errors import TooMany

_MOST_KEYS = 50_000


class RateLimit:
    """Lets each key through `burst` times at once, and `per_minute` times a minute in the long run.

    Args:
        per_minute: how fast a bucket fills.
        burst: how much it holds.
        what: what is limited, for the message: "runs of this page".
        clock: seconds that only grow.
    """

    def __init__(
        self, per_minute: float, burst: int, what: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_minute / 60
        self._burst = burst
        self._what = what
        self._clock = clock
        # What is left, and when that was; in the order of the last use, so that the oldest can be forgotten.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> None:
        """Count one. Raises TooMany with the seconds to wait."""
        at = self._clock()
        with self._lock:
            left, since = self._buckets.pop(key, (float(self._burst), at))
            left = min(self._burst, left + (at - since) * self._per_second)
            self._buckets[key] = (max(left - 1, 0.0) if left >= 1 else left, at)
            if len(self._buckets) > _MOST_KEYS:
                self._buckets.popitem(last=False)
        if left < 1:
            raise TooMany(f"Too many {self._what} in a short time; wait a moment.", wait=(1 - left) / self._per_second)
