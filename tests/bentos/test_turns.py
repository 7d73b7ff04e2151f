"""Calls of one turn of the event loop: together where there are many, at once where each is alone."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect_worklets.bentos.manifest import BatchRule
from prefect_worklets.bentos.package import pack
from prefect_worklets.bentos.turns import Turns
from prefect_worklets.connectors.errors import BadInput, ModelFailed
from sklearn.linear_model import LogisticRegression


class Doubling:
    """A slot that doubles, keeps the sizes of its calls, and fails where a row is 13."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def compute(self, values: Any, calls: int = 1) -> tuple[Any, int]:
        self.sizes.append(len(values["x"]))
        if (values["x"] == 13).any():
            raise ModelFailed("thirteen")
        return values["x"] * 2, 1000

    def answered(self, values: Any, outputs: Any, took_ns: int) -> Any:
        return outputs.tolist()


def x(*rows: float, width: int = 1) -> dict[str, Any]:
    return {"x": np.array([[row] * width for row in rows], dtype=float)}


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_it_gathers_once_a_turn_has_several_calls_and_stops_when_each_is_alone() -> None:
    turns = Turns(Doubling(), BatchRule())
    turns.count()
    await turn()
    assert not turns.gathering
    turns.count()
    turns.count()
    await turn()
    assert turns.gathering
    for number in range(4):
        assert turns.gathering, number
        assert await turns.join(x(number)) == [[2.0 * number]]
    assert not turns.gathering


async def test_a_turns_calls_are_one_call_of_the_model() -> None:
    slot = Doubling()
    turns = Turns(slot, BatchRule(max_size=8))
    joined = [turns.join(x(n, n + 0.5) if n == 2 else x(n)) for n in range(5)]
    assert turns.waiting == 5
    assert await asyncio.gather(*joined) == [[[0]], [[2]], [[4], [5]], [[6]], [[8]]]
    assert slot.sizes == [6]
    assert (turns.batches, turns.batched, turns.waiting) == (1, 5, 0)


async def test_one_bad_call_fails_alone() -> None:
    slot = Doubling()
    turns = Turns(slot, BatchRule())
    answers = await asyncio.gather(*(turns.join(x(n)) for n in (1, 13, 2)), return_exceptions=True)
    assert (answers[0], answers[2]) == ([[2]], [[4]])
    assert isinstance(answers[1], ModelFailed)
    assert slot.sizes == [3, 1, 1, 1]


async def test_a_caller_that_has_gone_is_left_out() -> None:
    slot = Doubling()
    turns = Turns(slot, BatchRule())
    gone, stays = turns.join(x(1)), turns.join(x(2, 3))
    gone.cancel()
    assert await stays == [[4], [6]]
    assert slot.sizes == [2]
    assert turns.waiting == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 2), st.integers(0, 20)), min_size=1, max_size=30))
def test_each_has_its_own_answer(calls: list[tuple[int, int, int]]) -> None:
    """Of any sizes and widths, with failures among them."""

    async def check() -> None:
        slot = Doubling()
        turns = Turns(slot, BatchRule(max_size=8))
        given = [x(*range(start, start + rows), width=width) for rows, width, start in calls]
        answers = await asyncio.gather(*(turns.join(values) for values in given), return_exceptions=True)
        for values, answer in zip(given, answers, strict=True):
            if (values["x"] == 13).any():
                assert isinstance(answer, ModelFailed)
            else:
                assert answer == (values["x"] * 2).tolist()
        assert max(slot.sizes) <= 8

    asyncio.run(check())


async def test_a_deployed_model_answers_together_as_it_does_alone(deployer: Any, router: Any, iris: Any) -> None:
    X, y = iris
    model = LogisticRegression(max_iter=500).fit(X, y)
    await deployer.deploy(pack(model, "quick", sample_input=X[:1], metadata={"method": "predict_proba"}))
    slot = router.live("quick")
    expected = model.predict_proba(X[:64])
    for _ in range(3):
        answers = await asyncio.gather(*(router.predict("quick", X[n : n + 1]) for n in range(64)))
        for n, answer in enumerate(answers):
            np.testing.assert_allclose(answer.outputs, expected[n : n + 1])
            assert answer.version == slot.version
    assert slot.turns.batched >= 64
    assert router.quick("quick") is None  # while it gathers
    with pytest.raises(BadInput):
        await router.predict("quick", [[1.0, 2.0]])
    for n in range(6):
        await router.predict("quick", X[n : n + 1])
    assert router.quick("quick") is not None
    assert slot.served.answered.count == 3 * 64 + 6
    assert slot.served.failed == {"BadInput": 1}
