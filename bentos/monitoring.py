"""Samples of what models are asked and answer: chosen on the request's path by one comparison, written beside it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import orjson
from sqlalchemy import delete, select
from sqlmodel import col

from ..connectors.store import Store
from ..connectors.tables import Model, ModelSample, ModelVersion
from .monitor_rule import MonitorRule
from .router import Router
from .signature import Field as SignatureField
from .signature import Signature

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
MOST_WAITING = 500
HIDDEN = "(sensitive)"
_ROWS = (20, 5, 1)
_LONG_TEXT = 2_000


class Taken(NamedTuple):
    """A call that was chosen; its values are turned into text later, off the request's path."""

    model: str
    version: str
    at: float
    seconds: float
    values: Mapping[str, Any]
    outputs: Any


class Sampler:
    """Chooses calls of one slot. Costs a comparison a call, and never raises."""

    __slots__ = ("_name", "_next", "_version", "_waiting", "pause")

    def __init__(self, name: str, version: str, pause: float, waiting: deque[Taken]) -> None:
        self.pause = pause
        self._name = name
        self._version = version
        self._waiting = waiting
        self._next = 0.0

    def offer(self, values: Mapping[str, Any], outputs: Any, seconds: float) -> None:
        """Take this call, unless the last one was too short ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self.pause
            self._waiting.append(Taken(self._name, self._version, time.time(), seconds, values, outputs))


class SampleBook:
    """Sets the samplers of the slots by the models' rules, and writes what they take.

    Args:
        store: has the rules, and keeps the samples.
        router: whose slots are sampled.
    """

    def __init__(self, store: Store, router: Router) -> None:
        self._store = store
        self._router = router
        # When it is full the oldest go: memory is bounded, and no answer waits.
        self._waiting: deque[Taken] = deque(maxlen=MOST_WAITING)

    async def run(self) -> None:
        """Write every few seconds, for ever."""
        while True:
            try:
                await self.flush()
            except Exception:
                logger.exception("the samples of models could not be written")
            await asyncio.sleep(FLUSH_SECONDS)

    async def flush(self) -> None:
        """Write what waits, by the rules of now, and let the slots follow these."""
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        rules = await asyncio.to_thread(self._write, taken)
        for slot in self._router.slots():
            rule = rules.get(slot.name)
            if rule is None or not rule.samples:
                slot.served.sampler = None
                continue
            pause = 60 / rule.per_minute
            sampler = slot.served.sampler
            if sampler is None:
                slot.served.sampler = Sampler(slot.name, slot.version, pause, self._waiting)
            else:
                sampler.pause = pause

    def _write(self, taken: list[Taken]) -> dict[str, MonitorRule]:
        with self._store.read() as session:
            rules = {
                name: MonitorRule.model_validate(rule or {})
                for name, rule in session.execute(select(col(Model.name), col(Model.monitor)))
            }
            if not taken:
                return rules
            signatures = _signatures(session, {(each.model, each.version) for each in taken})
        rows = []
        for each in taken:
            rule, signature = rules.get(each.model), signatures.get((each.model, each.version))
            if rule is not None and rule.samples and signature is not None:
                row = sample_row(each, rule, signature)
                if row is not None:
                    rows.append(row)
        with self._store.session() as session:
            session.add_all(rows)
            session.flush()
            for name in {row.model_name for row in rows}:
                _forget(session, name, rules[name])
        return rules


def _signatures(session: Any, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], Signature]:
    rows = session.execute(
        select(col(ModelVersion.model_name), col(ModelVersion.version), col(ModelVersion.manifest)).where(
            col(ModelVersion.model_name).in_({name for name, _ in wanted})
        )
    )
    return {
        (name, version): Signature.model_validate(manifest["signature"])
        for name, version, manifest in rows
        if (name, version) in wanted
    }


def _forget(session: Any, name: str, rule: MonitorRule) -> None:
    """Delete what is too old, and what is too much."""
    of = col(ModelSample.model_name) == name
    newest = select(col(ModelSample.id)).where(of).order_by(col(ModelSample.id).desc())
    last = session.execute(newest.offset(rule.keep).limit(1)).scalar()
    if last is not None:
        session.execute(delete(ModelSample).where(of, col(ModelSample.id) <= last))
    oldest = datetime.now(UTC) - timedelta(days=rule.days)
    session.execute(delete(ModelSample).where(of, col(ModelSample.at) < oldest))


def sample_row(taken: Taken, rule: MonitorRule, signature: Signature) -> ModelSample | None:
    """The row to keep; None where not even one row of the values fits into `max_bytes`."""
    for rows in _ROWS:
        inputs = shown(taken.values, signature.inputs, rule.sensitive, rows)
        outputs = shown(taken.outputs, signature.outputs, rule.sensitive, rows)
        try:
            size = len(orjson.dumps([inputs, outputs]))
        except (TypeError, ValueError):
            return None
        if size <= rule.max_bytes:
            return ModelSample(
                model_name=taken.model, version=taken.version, at=datetime.fromtimestamp(taken.at, UTC),
                seconds=taken.seconds, inputs=inputs, outputs=outputs,
            )  # fmt: skip
    return None


def shown(value: Any, fields: tuple[SignatureField, ...], sensitive: tuple[str, ...], rows: int) -> Any:
    """Values as JSON data: the first rows, pictures by their size, sensitive ones hidden."""
    kinds = {field.name: field for field in fields}
    if not (isinstance(value, Mapping) and kinds.keys() & value.keys()):
        if len(fields) == 1 and fields[0].name in sensitive:
            return HIDDEN
        return _plain(value, fields[0] if len(fields) == 1 else None, sensitive, rows)
    return {
        name: HIDDEN if name in sensitive else _plain(part, kinds.get(name), sensitive, rows)
        for name, part in value.items()
    }


def _plain(value: Any, field: SignatureField | None, sensitive: tuple[str, ...], rows: int) -> Any:
    if field is not None and field.kind == "image":
        shape = getattr(value, "shape", None)
        return f"(picture, {shape[1]} x {shape[0]})" if shape is not None and len(shape) >= 2 else "(picture)"
    if hasattr(value, "to_dict") and hasattr(value, "iloc"):  # a DataFrame or a Series
        head = value.iloc[:rows]
        return _plain(head.to_dict("records") if hasattr(head, "columns") else head.tolist(), field, sensitive, rows)
    if isinstance(value, np.ndarray):
        named = field.columns if field is not None else None
        head = value[:rows] if value.ndim else value
        if named and value.ndim == 2 and any(column.name in sensitive for column in named):
            hidden = {number for number, column in enumerate(named) if column.name in sensitive}
            return [[HIDDEN if n in hidden else _plain(v, None, (), rows) for n, v in enumerate(row)] for row in head]
        return _plain(head.tolist(), None, (), rows)
    if isinstance(value, np.generic):
        return _plain(value.item(), None, (), rows)
    if isinstance(value, Mapping):
        return {
            str(key): HIDDEN if str(key) in sensitive else _plain(part, None, sensitive, rows)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(part, None, sensitive, rows) for part in value[:rows]]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if hasattr(value, "pil"):
        return "(picture)"
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text if len(text) <= _LONG_TEXT else text[:_LONG_TEXT] + "…"
