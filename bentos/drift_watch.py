"""The drift of the models that answer: computed beside the requests from the samples, when there are new ones."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from sqlmodel import col, func, select

from ..connectors.errors import WorkletsError
from ..connectors.store import Store
from ..connectors.tables import ModelSample, ModelVersion
from .artifacts import ArtifactStore
from .drift import FEWEST_ASKED, REFERENCE_FILE, Reference, compare, merged
from .monitor_rule import MonitorRule
from .monitoring import HIDDEN
from .records import ModelRecords
from .signature import Signature

logger = logging.getLogger(__name__)

WATCH_SECONDS = 60.0
MOST_SAMPLES = 2_000


class DriftWatch:
    """Compares what models are asked with their references.

    Args:
        store: has the samples.
        records: knows the models.
        artifacts: has the references, in the packages.
    """

    def __init__(self, store: Store, records: ModelRecords, artifacts: ArtifactStore) -> None:
        self._store = store
        self._records = records
        self._artifacts = artifacts
        self._kept: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}

    async def run(self) -> None:
        """Look at every live model once a minute, for ever."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await asyncio.to_thread(self._look)
            except Exception:
                logger.exception("the drift of models could not be computed")

    def latest(self) -> list[dict[str, Any]]:
        """The latest comparison of each model, for /metrics."""
        return [found for _, found in list(self._kept.values())]

    def of(self, name: str, version: str | None = None) -> dict[str, Any]:
        """The comparison for a version (the live one if None). Blocking. Raises NotFound."""
        row = self._records.live(name) if version is None else self._records.version(name, version)
        return self._compared(row)

    def _look(self) -> None:
        rows = self._records.all_live()
        for gone in set(self._kept) - {row.model_name for row in rows}:
            del self._kept[gone]
        for row in rows:
            newest = self._newest(row)
            mark = (row.id, newest)
            known = self._kept.get(row.model_name)
            if newest is not None and (known is None or known[0] != mark):
                self._kept[row.model_name] = mark, self._compared(row)

    def _newest(self, row: ModelVersion) -> int | None:
        question = select(func.max(col(ModelSample.id))).where(
            col(ModelSample.model_name) == row.model_name, col(ModelSample.version) == row.version
        )
        with self._store.read() as session:
            return session.exec(question).one()

    def _compared(self, row: ModelVersion) -> dict[str, Any]:
        found: dict[str, Any] = {"model": row.model_name, "version": row.version, "features": [], "says": ""}
        reference = self._reference(row)
        if reference is None:
            return {**found, "says": "It has no reference. Deploy it with reference=X, rows that it was trained on; "
                                     "a sample_input of 50 rows or more does as well."}  # fmt: skip
        rule = MonitorRule.model_validate(self._records.model(row.model_name).monitor or {})
        question = select(ModelSample.inputs).where(
            col(ModelSample.model_name) == row.model_name, col(ModelSample.version) == row.version
        )
        with self._store.read() as session:
            inputs = session.exec(question.order_by(col(ModelSample.id).desc()).limit(MOST_SAMPLES)).all()
        signature = Signature.model_validate(row.manifest["signature"])
        asked = merged([each for each in inputs if isinstance(each, dict)], signature, rule.sensitive)
        asked = {name: [value for value in values if value != HIDDEN] for name, values in asked.items()}
        rows = max((len(values) for values in asked.values()), default=0)
        if rows < FEWEST_ASKED:
            found["says"] = f"{rows} rows of its requests are kept; from {FEWEST_ASKED} on they are compared."
        return {**found, "asked_rows": rows, "reference_rows": reference.rows, "features": compare(reference, asked)}

    def _reference(self, row: ModelVersion) -> Reference | None:
        try:
            path = self._artifacts.folder(row.bento_tag) / REFERENCE_FILE
            return Reference.model_validate_json(path.read_bytes())
        except (OSError, ValueError, WorkletsError):
            return None
