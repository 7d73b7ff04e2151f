"""How models have been doing of late: calls, failures and durations in steps of a few seconds, from their meters."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..connectors.meters import BOUNDS
from .router import Router
from .slots import Slot

STEP_SECONDS = 5.0
STEPS = 120
# What the caller sent was refused; the model itself did not fail.
_REFUSED = "BadInput"


@dataclass(frozen=True, slots=True)
class Step:
    """What a model did in one step.

    Attributes:
        at: seconds since 1970 at its end.
        answered, failed, refused: how many calls ended so.
        p50, p95: seconds that half, and 95 %, of the answered calls did not pass; None where there were none.
    """

    at: float
    answered: int
    failed: int
    refused: int
    p50: float | None
    p95: float | None


class Pulse:
    """Keeps the last ten minutes of each model. Lives on the router's event loop.

    Args:
        router: whose slots are looked at.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._seen: dict[int, tuple[Slot, tuple[int, ...], int, int]] = {}
        self._steps: dict[str, deque[Step]] = {}

    async def run(self) -> None:
        """Look every few seconds, for ever."""
        while True:
            await asyncio.sleep(STEP_SECONDS)
            self.look(time.time())

    def look(self, at: float) -> None:
        """Note what has happened since the last look."""
        slots = self._router.slots()
        changes: dict[str, tuple[list[int], int, int]] = {slot.name: ([0] * (len(BOUNDS) + 1), 0, 0) for slot in slots}
        seen = {}
        for slot in slots:
            counts, refused = tuple(slot.served.answered.counts), slot.served.failed.get(_REFUSED, 0)
            failed = sum(slot.served.failed.values()) - refused
            # By identity: a version that is loaded anew counts from zero.
            _, counts0, failed0, refused0 = self._seen.get(id(slot)) or (slot, (0,) * len(counts), 0, 0)
            seen[id(slot)] = (slot, counts, failed, refused)
            added, failures, refusals = changes[slot.name]
            total = [sum(each) for each in zip(added, counts, (-count for count in counts0), strict=True)]
            changes[slot.name] = (total, failures + failed - failed0, refusals + refused - refused0)
        self._seen = seen
        for name in set(self._steps) - set(changes):
            del self._steps[name]
        for name, (counts_of, failures, refusals) in changes.items():
            step = Step(at, sum(counts_of), failures, refusals, quantile(counts_of, 0.5), quantile(counts_of, 0.95))
            self._steps.setdefault(name, deque(maxlen=STEPS)).append(step)

    def of(self, name: str) -> dict[str, Any]:
        """The steps of a model as JSON, oldest first; empty lists before the first."""
        steps: Iterable[Step] = self._steps.get(name, ())
        columns = ("at", "answered", "failed", "refused", "p50", "p95")
        return {"seconds": STEP_SECONDS, **{key: [getattr(step, key) for step in steps] for key in columns}}

    def all(self) -> dict[str, dict[str, Any]]:
        """Of each model that is loaded: the calls of each step, how many failed or were refused, the latest p50."""
        found = {}
        for name, steps in self._steps.items():
            known = [step.p50 for step in steps if step.p50 is not None]
            found[name] = {
                "answered": [step.answered for step in steps],
                "failed": sum(step.failed for step in steps),
                "refused": sum(step.refused for step in steps),
                "p50": known[-1] if known else None,
            }
        return found


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Seconds that this share of the calls did not pass, by a straight line inside the bucket; None without calls."""
    wanted, seen = share * sum(counts), 0
    if not wanted:
        return None
    edges = (0.0, *BOUNDS, BOUNDS[-1])
    for (low, high), count in zip(pairwise(edges), counts, strict=True):
        if seen + count >= wanted and count:
            return low + (high - low) * (wanted - seen) / count
        seen += count
    return BOUNDS[-1]
