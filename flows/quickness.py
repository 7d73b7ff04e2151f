"""Where a plain function runs: on the event loop while it is quick, else in a thread. Measured, not guessed.

A hop to a thread and back costs 50 to 200 µs, so a function of a few microseconds is better off on the loop; one of
milliseconds would hold up every other request there.
"""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)

# A function is moved onto the loop below the first, and off again above the second (a gap, so that it won't flap).
QUICK_NS = 300_000
SLOW_NS = 1_000_000
# A single call of this length moves it off at once.
STALL_NS = 50_000_000
# A longer call counts as this long, so that one pause (garbage collection, a busy machine) isn't taken for a habit.
_CAP_NS = 4 * SLOW_NS
_WEIGHT = 0.125
_FIRST_PROOF = 5
_LONGEST_PROOF = 1280


class Pace:
    """The pace of one function. `quick` says where its next call goes.

    Args:
        quick: True starts on the loop (and is moved off if that turns out wrong), False stays in threads,
            None starts in threads and moves when measured.
        name: for the log.
    """

    __slots__ = ("_adaptive", "_good", "_needed", "average_ns", "name", "quick")

    def __init__(self, quick: bool | None = None, name: str = "") -> None:
        self.name = name
        self.quick = quick is True
        self.average_ns = 0.0
        self._adaptive = quick is not False
        self._good = 0
        self._needed = _FIRST_PROOF

    def on_loop(self, took_ns: int) -> None:
        """Note a call that ran on the loop."""
        if took_ns > STALL_NS:
            self._move_off(took_ns)
            return
        average = self.average_ns
        average += ((took_ns if took_ns < _CAP_NS else _CAP_NS) - average) * _WEIGHT
        self.average_ns = average
        if average > SLOW_NS:
            self._move_off(took_ns)

    def in_thread(self, took_ns: int) -> None:
        """Note a call that ran in a thread; `took_ns` is the function alone, without the hop."""
        self.average_ns += (took_ns - self.average_ns) * _WEIGHT if self.average_ns else took_ns
        if took_ns > QUICK_NS:
            self._good = max(0, self._good - 2)
            return
        self._good += 1
        if self._adaptive and not self.quick and self._good >= self._needed:
            self.average_ns = float(took_ns)
            self.quick = True
            logger.debug("%s is quick (%d µs): it runs on the event loop now", self.name, took_ns // 1000)

    def _move_off(self, took_ns: int) -> None:
        self.quick = False
        self._good = 0
        # Each move off asks for a longer proof before the next move on.
        self._needed = min(self._needed * 4, _LONGEST_PROOF)
        logger.warning(
            "%s turned slow (this call %.1f ms, %.1f ms on average): it runs in a thread now",
            self.name,
            took_ns / 1e6,
            self.average_ns / 1e6,
        )
