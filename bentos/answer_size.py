"""How large an answer may be: one that fills the app's memory would cost everybody else theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..connectors.errors import ModelFailed

MOST_BYTES = 200_000_000
_NUMBER_BYTES = 8


def too_large(tag: str, size: int) -> ModelFailed:
    """The failure of a model that answers more than can be sent."""
    return ModelFailed(
        f"The model {tag} answered {size / 1e6:,.0f} MB, and no more than {MOST_BYTES / 1e6:,.0f} MB are sent. Let it "
        "answer less, or write a file and answer where that is."
    )


def size_of(value: Any, most: int = MOST_BYTES) -> int:
    """About the bytes of data in memory; the count ends early once it is over `most`."""
    if isinstance(value, np.ndarray | np.generic):
        return value.nbytes
    if isinstance(value, str | bytes | bytearray | memoryview):
        return len(value)
    if isinstance(value, Mapping):
        return _sum(value.values(), most)
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], int | float):  # a list of numbers: looking at each would take longer
            return _NUMBER_BYTES * len(value)
        return _sum(value, most)
    used = getattr(value, "memory_usage", None)  # of a table or a column of one
    if callable(used):
        return int(np.sum(used()))
    return _NUMBER_BYTES


def _sum(values: Iterable[Any], most: int) -> int:
    total = 0
    for value in values:
        total += size_of(value, most - total)
        if total > most:
            break
    return total
