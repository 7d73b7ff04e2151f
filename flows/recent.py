"""The last runs of this process, for the moment until the recorder has taken them into the store."""

from __future__ import annotations

from ..connectors.blanking import Blanks
from .journal import RunRecord, without_secrets


class RecentRuns:
    """Remembers the last runs by id.

    Args:
        keep: how many.
        blanks: takes secrets out of every record.
    """

    def __init__(self, keep: int = 512, *, blanks: Blanks | None = None) -> None:
        self._blanks = blanks if blanks is not None else Blanks()
        self._keep = keep
        self._runs: dict[str, RunRecord] = {}

    def add(self, record: RunRecord) -> None:
        """Remember a run; the oldest is forgotten."""
        runs = self._runs
        runs[record.id] = without_secrets(record, self._blanks)
        if len(runs) > self._keep:
            del runs[next(iter(runs))]

    def get(self, id: str) -> RunRecord | None:
        """The run of that id, if it is among the last."""
        return self._runs.get(id)
