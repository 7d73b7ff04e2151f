"""Meters: how often something happened and how long it took, cheap enough for the path of a request."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable
from typing import Generic, TypeVar

# Upper bounds in seconds. A call by function takes tens of microseconds, a picture seconds.
BOUNDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)


Key = TypeVar("Key", bound=Hashable)


class Meter:
    """Counts of one kind of thing by how long it took, since the process began.

    Attributes:
        counts: by the first of BOUNDS that was not passed; the last counts what passed all.
        seconds: all durations together.
    """

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one that took so long. Below a microsecond; on one thread, or what is lost is a count."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """Seconds that this share (0 to 1) of them did not pass, to the next bound; None before the first."""
        wanted, seen = share * self.count, 0
        if not wanted:
            return None
        for bound, count in zip((*BOUNDS, float("inf")), self.counts, strict=True):
            seen += count
            if seen >= wanted:
                return bound
        return None


class Meters(Generic[Key]):
    """Meters by key, made as they are asked for."""

    def __init__(self) -> None:
        self._meters: dict[Key, Meter] = {}

    def add(self, key: Key, seconds: float) -> None:
        """Count one under its key."""
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = Meter()
        meter.add(seconds)

    def items(self) -> list[tuple[Key, Meter]]:
        """Every key with its meter, as of now."""
        return list(self._meters.items())
