"""A shadow: a version that is asked what the live one was asked, off the request's path, to see where they differ."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from ..connectors.errors import WorkletsError
from .slots import Prediction

logger = logging.getLogger(__name__)

WAITING = 100
# A difference's input and answers are kept up to so many bytes each.
MOST_BYTES = 20_000
_MOST_VALUES = 100_000
_A_SECOND = 5

Ask = Callable[[Any], Awaitable[Prediction]]


@dataclass(frozen=True)
class Difference:
    """One request that the shadow answered otherwise, or failed.

    Attributes:
        kind: `different` or `failed`.
        input, expected, found: as JSON; None where it is no JSON or too large.
    """

    live_version: str
    shadow_version: str
    kind: str
    detail: str
    input: Any
    expected: Any
    found: Any


class Shadow:
    """Mirrors answered requests to a version. `offer` costs microseconds; nothing that follows can delay an answer.

    Args:
        version: of the shadow.
        ask: asks it.
        record: keeps a difference; blocking, called in a thread.
        sample: the share of the requests that are mirrored.
        tolerance: how far two numbers may lie apart, relative to the larger.
    """

    def __init__(
        self,
        version: str,
        ask: Ask,
        record: Callable[[Difference], None],
        *,
        sample: float = 1.0,
        tolerance: float = 1e-6,
    ) -> None:
        self.version = version
        self.asked = self.equal = self.different = self.failed = self.dropped = 0
        self._since = time.time()
        self._ask = ask
        self._record = record
        self._sample = sample
        self._tolerance = tolerance
        self._queue: asyncio.Queue[tuple[Any, Prediction]] = asyncio.Queue(WAITING)
        self._recorded: list[float] = []

    def offer(self, inputs: Any, answer: Prediction) -> None:
        """Mirror a request that has been answered, if it is drawn and there is room."""
        if self._sample < 1 and random.random() >= self._sample:  # noqa: S311 - a sample keeps no secret
            return
        if self._queue.full() or _size(inputs) > _MOST_VALUES:
            self.dropped += 1
            return
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait((_snapshot(inputs), answer))

    async def run(self) -> None:
        """Ask what is offered, one after the other, until cancelled."""
        while True:
            inputs, answer = await self._queue.get()
            self.asked += 1
            try:
                found = await self._ask(inputs)
            except WorkletsError as error:
                self.failed += 1
                await self._keep("failed", error.detail, inputs, answer, None)
                continue
            except Exception:
                self.failed += 1
                logger.exception("asking the shadow %s %s failed", answer.model, self.version)
                continue
            apart = await asyncio.to_thread(difference, answer.outputs, found.outputs, self._tolerance)
            if apart is None:
                self.equal += 1
            else:
                self.different += 1
                await self._keep("different", apart, inputs, answer, found.outputs)

    def counts(self) -> dict[str, Any]:
        """What it has seen since it began."""
        return {
            "since": self._since, "asked": self.asked, "equal": self.equal, "different": self.different,
            "failed": self.failed, "dropped": self.dropped,
        }  # fmt: skip

    async def _keep(self, kind: str, detail: str, inputs: Any, answer: Prediction, found: Any) -> None:
        now = time.monotonic()
        self._recorded = [at for at in self._recorded if now - at < 1]
        if len(self._recorded) >= _A_SECOND:
            return  # counted, and there are enough to look at
        self._recorded.append(now)

        def record() -> None:
            self._record(
                Difference(
                    answer.version,
                    self.version,
                    kind,
                    detail[:500],
                    _shown(inputs),
                    _shown(answer.outputs),
                    _shown(found),
                )
            )

        try:
            await asyncio.to_thread(record)
        except Exception as error:
            logger.warning("a difference of the shadow %s %s is not kept: %s", answer.model, self.version, error)


def difference(expected: Any, found: Any, tolerance: float, place: str = "") -> str | None:
    """Where two answers differ, in words; None if they are the same within `tolerance`."""
    where = f" at {place}" if place else ""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        if set(expected) != set(found):
            return f"its parts are {sorted(map(str, found))} and not {sorted(map(str, expected))}{where}"
        inner = (difference(expected[key], found[key], tolerance, f"{place}.{key}".lstrip(".")) for key in expected)
        return next((each for each in inner if each is not None), None)
    a, b = _array(expected), _array(found)
    if a is None or b is None:
        return None if _plainly_equal(expected, found) else f"{_brief(found)} and not {_brief(expected)}{where}"
    if a.shape != b.shape:
        return f"its shape is {b.shape} and not {a.shape}{where}"
    if a.dtype.kind in "biuf" and b.dtype.kind in "biuf":
        near = np.isclose(b, a, rtol=tolerance, atol=tolerance, equal_nan=True)
        if near.all():
            return None
        apart = int(a.size - near.sum())
        most = float(np.nanmax(np.abs(b.astype(float) - a.astype(float))))
        return f"{apart} of {a.size} numbers differ, by up to {most:.6g}{where}"
    same = np.asarray(a == b)
    return None if same.all() else f"{int(same.size - same.sum())} of {same.size} values differ{where}"


def _array(value: Any) -> np.ndarray[Any, Any] | None:
    if isinstance(value, Mapping | str | bytes) or value is None:
        return None
    try:
        found = np.asarray(value)
    except (ValueError, TypeError):
        return None
    return found if found.dtype.kind != "O" else None


def _plainly_equal(a: Any, b: Any) -> bool:
    try:
        return bool(np.all(a == b))
    except Exception:
        return repr(a) == repr(b)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _size(value: Any) -> int:
    size = getattr(value, "size", None)
    if isinstance(size, int):
        return size
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    return len(value) if isinstance(value, list | tuple | str | bytes) else 1


def _snapshot(value: Any) -> Any:
    """The value as it is now: a node may change what it was given."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _snapshot(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_snapshot(part) for part in value]
    if hasattr(value, "iloc"):  # a DataFrame
        return value.copy()
    return value


def _shown(value: Any) -> Any:
    try:
        text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY, default=_plain)
    except (TypeError, ValueError):
        return None
    return orjson.loads(text) if len(text) <= MOST_BYTES else None


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "to_dict"):
        return value.to_dict(orient="records")
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(type(value).__name__)
