"""Calls of one turn of the event loop go to a quick model together.

A model that answers in a tenth of a millisecond is called right on the event loop, and there nobody waits for anybody:
no call can come while another computes. But under load one turn of the loop takes up the requests of many clients. Once
that is seen, the calls of a turn wait for its end and are answered by one call of the model; as soon as each is alone
again, each is answered at once. So nobody waits for company that does not come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ..connectors.errors import WorkletsError
from .batching import key_of, rows_of, split, stacked
from .manifest import BatchRule

# So many turns in a row with a single call, and calls are answered at once again.
_ALONE = 4


class Computing(Protocol):
    """A slot's way to ask its model, on this thread."""

    def compute(self, values: Mapping[str, Any], calls: int = 1) -> tuple[Any, int]:
        """Outputs, and nanoseconds that they took. Raises ModelFailed."""
        ...

    def answered(self, values: Mapping[str, Any], outputs: Any, took_ns: int) -> Any:
        """Note that a call has its answer, and give that."""
        ...


class _Waiting(NamedTuple):
    values: Mapping[str, Any]
    rows: int
    answer: asyncio.Future[Any]


class Turns:
    """Puts the calls of one slot together, turn by turn. Lives on the slot's event loop.

    Args:
        slot: asks the model.
        rule: how many rows go together at most.

    Attributes:
        gathering: whether calls are to `join` rather than to be made at once.
        batches: how often several calls went together.
        batched: how many calls those were.
        waiting: calls that have no answer yet.
    """

    def __init__(self, slot: Computing, rule: BatchRule) -> None:
        self.gathering = False
        self.batches = self.batched = self.waiting = 0
        self.rule = rule
        self._slot = slot
        self._joined: list[_Waiting] = []
        self._calls = 0
        self._alone = 0

    def count(self) -> None:
        """A call was made at once."""
        self._calls += 1
        if self._calls == 1:
            asyncio.get_running_loop().call_soon(self._end_of_turn)

    def join(self, values: Mapping[str, Any]) -> asyncio.Future[Any]:
        """The answer, at the turn's end. Its errors are those of `compute`."""
        loop = asyncio.get_running_loop()
        if not self._joined:
            loop.call_soon(self._answer_all)
        answer: asyncio.Future[Any] = loop.create_future()
        self._joined.append(_Waiting(values, rows_of(values) or 0, answer))
        self.waiting += 1
        return answer

    def _end_of_turn(self) -> None:
        self.gathering = self._calls > 1
        self._calls = self._alone = 0

    def _answer_all(self) -> None:
        joined, self._joined = self._joined, []
        self._alone = self._alone + 1 if len(joined) == 1 else 0
        self.gathering = self._alone < _ALONE
        self.waiting -= len(joined)
        groups: dict[Any, list[_Waiting]] = {}
        for one in joined:
            if one.answer.done():  # its caller has gone
                continue
            group = groups.setdefault(key_of(one.values) if one.rows else id(one), [])
            if group and sum(other.rows for other in group) + one.rows > self.rule.max_size:
                self._answer(group)
                group.clear()
            group.append(one)
        for group in groups.values():
            self._answer(group)

    def _answer(self, group: list[_Waiting]) -> None:
        if len(group) == 1 or not self._answered_together(group):
            for one in group:
                try:
                    outputs, took = self._slot.compute(one.values)
                except WorkletsError as error:
                    one.answer.set_exception(error)
                else:
                    one.answer.set_result(self._slot.answered(one.values, outputs, took))

    def _answered_together(self, group: list[_Waiting]) -> bool:
        """Ask once for all; False where each is to be asked alone, since one of them may be at fault."""
        began = time.perf_counter_ns()
        try:
            outputs, _ = self._slot.compute(stacked([one.values for one in group]), len(group))
            parts = split(outputs, [one.rows for one in group])
        except Exception:  # whatever it is, it must not be taken for the fault of all of them
            return False
        if parts is None:
            return False
        took = time.perf_counter_ns() - began
        self.batches += 1
        self.batched += len(group)
        for one, part in zip(group, parts, strict=True):
            one.answer.set_result(self._slot.answered(one.values, part, took))
        return True
