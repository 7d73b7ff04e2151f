"""Which runs under way in this process are to begin no more nodes. For the event loop alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Told = Callable[[bool], None]


class Pauses:
    """Asked by the nodes of submitted runs as they begin; what a run calls rests with it."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._disturbed: set[str] = set()
        self._listeners: dict[str, list[Told]] = {}

    def ask(self, run_id: str, *, wanted: bool = True) -> None:
        """Let a submitted run begin no more nodes, or again."""
        if wanted == self.asked(run_id):
            return
        if wanted:
            self._asked.add(run_id)
            self._disturbed.add(run_id)
        else:
            self._asked.discard(run_id)
        for tell in list(self._listeners.get(run_id, ())):
            tell(wanted)

    def asked(self, run_id: str) -> bool:
        """Whether it is to begin no more nodes."""
        return run_id in self._asked

    def disturbed(self, run_id: str) -> bool:
        """Whether nodes may have been held back since `forget`, even if they no longer would be."""
        return run_id in self._disturbed

    def forget(self, run_id: str) -> None:
        """The run begins, or goes on here no more."""
        self.ask(run_id, wanted=False)
        self._disturbed.discard(run_id)

    @contextmanager
    def listening(self, run_id: str, tell: Told) -> Iterator[None]:
        """Inside the block `tell` hears of each change for a run."""
        listeners = self._listeners.setdefault(run_id, [])
        listeners.append(tell)
        try:
            yield
        finally:
            listeners.remove(tell)
            if not listeners:
                self._listeners.pop(run_id, None)
