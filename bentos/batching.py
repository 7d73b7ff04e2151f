"""Adaptive batching: calls that come while another computes go to the model together, as one array.

A call that finds the model idle goes at once, so nobody waits for company. (How it is for models that answer on the
event loop stands in `turns.py`.) Whether stacking is right and worth it is
found out when a version starts: stacked rows have to be answered as single ones, and in much less time than they take
one by one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..connectors.errors import BadInput, ModelFailed, WorkletsError
from .failures import too_long
from .manifest import BatchRule
from .shadow import difference
from .signature import Signature

Call = Callable[[Mapping[str, Any], float], Awaitable[Any]]

_TOLERANCE = 1e-5
# So many rows at once have to take less time than half of them one by one.
_TRIED_ROWS = 8
_WORTH_IT = 0.5
_TOO_SLOW_TO_TRY = 2.0
_TRY_TIMEOUT = 60.0


class Verdict(NamedTuple):
    """Whether a model's calls are batched, and why."""

    rule: BatchRule | None
    reason: str


@dataclass(eq=False)
class _Waiting:
    values: Mapping[str, Any]
    rows: int
    key: Any
    answer: asyncio.Future[Any]
    until: float


class Batcher:
    """Puts the calls of one slot together. Lives on the slot's event loop.

    Args:
        tag: `name:version`, for messages.
        call: the slot's own.

    Attributes:
        batches: how often several calls went together.
        batched: how many calls those were.
    """

    def __init__(self, tag: str, call: Call, rule: BatchRule) -> None:
        self.batches = self.batched = 0
        self._tag = tag
        self._call = call
        self.rule = rule
        self._queue: deque[_Waiting] = deque()
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, values: Mapping[str, Any], timeout: float) -> Any:
        """The answer, as of the slot's own `call`. Raises what that raises."""
        rows = rows_of(values)
        if rows is None or rows > self.rule.max_size // 2:
            return await self._call(values, timeout)
        if not self._busy:
            self._busy = True
            try:
                return await self._call(values, timeout)
            finally:
                self._next()
        answer = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(values, rows, key_of(values), answer, time.monotonic() + timeout))
        try:
            async with asyncio.timeout(timeout) as deadline:
                return await answer
        except TimeoutError:
            if not deadline.expired():
                raise
            raise too_long(self._tag, timeout) from None

    def _next(self) -> None:
        """Send what has come meanwhile."""
        together = self._taken()
        if not together:
            self._busy = False
            return
        task = asyncio.create_task(self._run(together))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _taken(self) -> list[_Waiting]:
        """The calls at the head of the queue that fit together; those who gave up meanwhile are left out."""
        together: list[_Waiting] = []
        others: deque[_Waiting] = deque()
        rows = 0
        while self._queue:
            waiting = self._queue.popleft()
            if waiting.answer.done():
                continue
            fits = not together or (waiting.key == together[0].key and rows + waiting.rows <= self.rule.max_size)
            if fits:
                together.append(waiting)
                rows += waiting.rows
            else:
                others.append(waiting)
        self._queue = others
        return together

    async def _run(self, together: Sequence[_Waiting]) -> None:
        try:
            if len(together) > 1 and await self._answered_together(together):
                return
            for waiting in together:
                await self._answer(waiting)
        finally:
            self._next()

    async def _answered_together(self, together: Sequence[_Waiting]) -> bool:
        """Ask once for all; False where each is to be asked alone, since one of them may be at fault."""
        left = max(waiting.until for waiting in together) - time.monotonic()
        try:
            outputs = await self._call(stacked([waiting.values for waiting in together]), max(left, 0.001))
            parts = split(outputs, [waiting.rows for waiting in together])
        except (BadInput, ModelFailed):
            return False
        except Exception as error:
            for waiting in together:
                _fail(waiting, error)
            return True
        if parts is None:
            return False
        self.batches += 1
        self.batched += len(together)
        for waiting, part in zip(together, parts, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(part)
        return True

    async def _answer(self, waiting: _Waiting) -> None:
        left = waiting.until - time.monotonic()
        if waiting.answer.done() or left <= 0:
            return
        try:
            found = await self._call(waiting.values, left)
        except Exception as error:
            _fail(waiting, error)
        else:
            if not waiting.answer.done():
                waiting.answer.set_result(found)


def _fail(waiting: _Waiting, error: BaseException) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)


# --- rows ---------------------------------------------------------------------------------------------


def rows_of(values: Mapping[str, Any]) -> int | None:
    """How many rows the values have; None if they are not arrays or tables of as many rows each."""
    found = {len(value) if _has_rows(value) else -1 for value in values.values()}
    return found.pop() if len(found) == 1 and found != {-1} else None


def stacked(many: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The values of several calls, one below the other."""
    made: dict[str, Any] = {}
    for name, first in many[0].items():
        parts = [values[name] for values in many]
        if isinstance(first, np.ndarray):
            made[name] = np.concatenate(parts)
        else:
            import pandas as pd

            made[name] = pd.concat(parts, ignore_index=True)
    return made


def split(outputs: Any, rows: Sequence[int]) -> list[Any] | None:
    """An answer for all as the answers for each; None if it does not have as many rows as they."""
    if isinstance(outputs, Mapping):
        inner = {name: split(value, rows) for name, value in outputs.items()}
        if not inner or any(parts is None for parts in inner.values()):
            return None
        return [{name: parts[index] for name, parts in inner.items() if parts} for index in range(len(rows))]
    if not (_has_rows(outputs) or isinstance(outputs, list)) or len(outputs) != sum(rows):
        return None
    ends = np.cumsum(rows).tolist()
    pieces = [slice(end - count, end) for end, count in zip(ends, rows, strict=True)]
    if hasattr(outputs, "iloc"):
        return [outputs.iloc[piece].reset_index(drop=True) for piece in pieces]
    return [outputs[piece] for piece in pieces]


def _has_rows(value: Any) -> bool:
    return (isinstance(value, np.ndarray) and value.ndim > 0) or (hasattr(value, "iloc") and hasattr(value, "columns"))


def key_of(values: Mapping[str, Any]) -> Any:
    """Equal for values that fit below each other."""

    def of(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return (value.shape[1:], value.dtype.str)
        return tuple(zip(map(str, value.columns), map(str, value.dtypes), strict=True))

    return tuple(sorted((name, of(value)) for name, value in values.items()))


# --- finding out --------------------------------------------------------------------------------------


async def judge(wanted: Any, signature: Signature, sample: Mapping[str, Any] | None, call: Call) -> Verdict:
    """Whether to batch a model that has started.

    Args:
        wanted: what its package says: "auto", a rule, True or False.
        sample: values that it answers.
        call: asks it.

    Raises:
        ModelFailed: batching is demanded, and stacked rows are not answered as single ones.
    """
    if wanted is False:
        return Verdict(None, "its package says so")
    rule = wanted if isinstance(wanted, BatchRule) else BatchRule()
    demanded = wanted != "auto"
    if not all(_takes_rows(field) for field in signature.inputs):
        return _no("its inputs are not all arrays or tables of rows", demanded)
    if not sample or not rows_of(sample):
        return Verdict(rule, "its package says so") if demanded else Verdict(None, "it has no sample to try it with")
    try:
        reason = await _tried(sample, call, demanded)
    except WorkletsError as error:
        reason = f"several rows fail: {error.detail}"
    if reason is not None:
        return _no(reason, demanded)
    return Verdict(rule, "its package says so" if demanded else "several rows take little longer than one")


def _no(reason: str, demanded: bool) -> Verdict:
    if demanded:
        raise ModelFailed(f"It cannot be batched: {reason}. Leave `batch` out, or say batch=False.")
    return Verdict(None, reason)


def _takes_rows(field: Any) -> bool:
    if field.kind == "table":
        return True
    return field.kind == "array" and (field.shape is None or (len(field.shape) > 0 and field.shape[0] is None))


async def _tried(sample: Mapping[str, Any], call: Call, demanded: bool) -> str | None:
    """Why not to batch; None if stacked rows are answered as single ones, in less time."""
    one = {name: value[:1] for name, value in sample.items()}
    other = {name: _changed(value[-1:]) for name, value in sample.items()}
    began = time.perf_counter()
    first = await call(one, _TRY_TIMEOUT)
    alone = time.perf_counter() - began
    if alone > _TOO_SLOW_TO_TRY and not demanded:
        return f"one row takes {alone:.1f} s, too long to try several"
    parts = split(await call(stacked([one, other]), _TRY_TIMEOUT), [1, 1])
    if parts is None:
        return "its answer has not a row for each row"
    for part, expected in zip(parts, (first, await call(other, _TRY_TIMEOUT)), strict=True):
        apart = difference(expected, part, _TOLERANCE)
        if apart is not None:
            return f"a row beside another is answered otherwise than alone ({apart})"
    if demanded:
        return None
    singles = min([await _timed(call, one) for _ in range(3)])
    many = min([await _timed(call, stacked([one] * _TRIED_ROWS)) for _ in range(2)])
    if many > _WORTH_IT * _TRIED_ROWS * singles:
        return f"{_TRIED_ROWS} rows take {many / singles:.1f} times as long as one"
    return None


async def _timed(call: Call, values: Mapping[str, Any]) -> float:
    began = time.perf_counter()
    await call(values, _TRY_TIMEOUT)
    return time.perf_counter() - began


def _changed(value: Any) -> Any:
    """Another row than that: what depends on its neighbours shows only where they differ."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return (value * 1.1 + 0.1).astype(value.dtype)
    return value
