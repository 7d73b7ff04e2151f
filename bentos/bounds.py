"""What a model may take of the machine: time to load, and memory where it has a process that can be bounded."""

from __future__ import annotations

import resource
from typing import NamedTuple

LOAD_SECONDS = 300.0
_PROBE_SECONDS = 120.0


class Bounds(NamedTuple):
    """Limits of each model or model process.

    Attributes:
        load_seconds: a model that has not loaded after so long has failed.
        memory: bytes that one process of models may allocate; None for no limit. What goes over it is a MemoryError
            in the model, not the end of the process.
    """

    load_seconds: float = LOAD_SECONDS
    memory: int | None = None

    @property
    def probe_seconds(self) -> float:
        """How long the answer to the sample may take."""
        return min(_PROBE_SECONDS, self.load_seconds)


UNBOUND = Bounds()


def bound_memory(limit: int | None) -> None:
    """Let this process allocate `limit` bytes at most.

    Counted is what it writes (RLIMIT_DATA): the address space, which libraries reserve generously, says nothing.
    """
    if limit is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))
