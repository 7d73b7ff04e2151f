"""The statistics: quantiles of latencies, and ratios of paired rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the sorted values lie, interpolated linearly as numpy does.

    Raises ValueError on no values or a share outside 0 to 1.
    """
    if not ordered:
        raise ValueError("there is no quantile of no values")
    if not 0 <= share <= 1:
        raise ValueError(f"a share is between 0 and 1, not {share}")
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values: Sequence[float]) -> float:
    """The middle value. Raises ValueError on no values."""
    return quantile(sorted(values), 0.5)


@dataclass(frozen=True)
class Round:
    """What one subject did in one round at one concurrency. Latencies in ms."""

    subject: str
    concurrency: int
    number: int
    requests: int
    seconds: float
    p50: float
    p99: float
    generator_busy: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """For the results' JSON."""
        return {**asdict(self), "rate": self.rate}


def round_of(subject: str, concurrency: int, number: int, latencies: Sequence[float], **rest: float) -> Round:
    """A round from its latencies in ms; `rest` has `seconds` and `generator_busy`."""
    ordered = sorted(latencies)
    return Round(
        subject, concurrency, number, len(ordered), p50=quantile(ordered, 0.5), p99=quantile(ordered, 0.99), **rest
    )


@dataclass(frozen=True)
class Summary:
    """A subject at one concurrency, over all rounds: the medians of the rounds' figures, and their spread."""

    subject: str
    concurrency: int
    rounds: int
    requests: int
    p50: float
    p50_least: float
    p50_most: float
    p99: float
    rate: float
    rate_least: float
    rate_most: float


def summary(rounds: Sequence[Round]) -> Summary:
    """Of the rounds of one subject at one concurrency. A median of rounds forgives one that was disturbed."""
    p50s, rates = [r.p50 for r in rounds], [r.rate for r in rounds]
    return Summary(
        subject=rounds[0].subject,
        concurrency=rounds[0].concurrency,
        rounds=len(rounds),
        requests=sum(r.requests for r in rounds),
        p50=median(p50s),
        p50_least=min(p50s),
        p50_most=max(p50s),
        p99=median([r.p99 for r in rounds]),
        rate=median(rates),
        rate_least=min(rates),
        rate_most=max(rates),
    )


@dataclass(frozen=True)
class Ratio:
    """One figure of a subject over the same figure of another, round by round."""

    median: float
    least: float
    most: float


def paired_ratio(above: Sequence[Round], below: Sequence[Round], figure: str) -> Ratio:
    """The ratio of `figure` (`p50`, `p99` or `rate`) between two subjects, each round with its own neighbour.

    Rounds are paired by number, so that what disturbs the machine for a while disturbs both sides.
    Raises ValueError where no round has a pair.
    """
    others = {r.number: getattr(r, figure) for r in below}
    ratios = [getattr(r, figure) / others[r.number] for r in above if r.number in others]
    return Ratio(median(ratios), min(ratios), max(ratios))
