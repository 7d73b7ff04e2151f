"""Calls that go to a model together: same answers, in order; one bad call fails alone."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect_worklets.bentos.batching import Batcher, judge, rows_of, split
from prefect_worklets.bentos.manifest import BatchRule
from prefect_worklets.bentos.package import pack
from prefect_worklets.bentos.signature import Field, Signature
from prefect_worklets.connectors.errors import BadInput, DefinitionError, ModelFailed, TookTooLong
from sklearn.ensemble import RandomForestClassifier

SIGNATURE = Signature(inputs=(Field(name="x", kind="array", dtype="float64", shape=(None, 2)),))


class Doubling:
    """A model behind a gate: it computes while the test lets it, and counts its calls."""

    def __init__(self, fail: Any = None) -> None:
        self.gate = asyncio.Event()
        self.sizes: list[int] = []
        self.fail = fail

    async def __call__(self, values: Any, timeout: float) -> Any:
        x = values["x"]
        self.sizes.append(len(x))
        await self.gate.wait()
        if self.fail is not None and self.fail(x):
            raise ModelFailed("no luck")
        return {"twice": x * 2, "sums": x.sum(axis=1).tolist()}


def x(*rows: float) -> dict[str, Any]:
    return {"x": np.array([[row, 0.5] for row in rows])}


async def waiting(batcher: Batcher, calls: list[dict[str, Any]], model: Doubling, timeout: float = 20) -> list[Any]:
    tasks = [asyncio.create_task(batcher.call(call, timeout)) for call in calls]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    model.gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_while_one_computes_goes_together() -> None:
    model = Doubling()
    batcher = Batcher("m:1", model, BatchRule(max_size=8))
    answers = await waiting(batcher, [x(n, n + 100) if n % 2 else x(n) for n in range(6)], model)
    assert model.sizes == [1, 8]
    assert (batcher.batches, batcher.batched) == (1, 5)
    for n, answer in enumerate(answers):
        rows = [n, n + 100] if n % 2 else [n]
        assert answer["twice"][:, 0].tolist() == [2 * row for row in rows]
        assert answer["sums"] == [row + 0.5 for row in rows]
    assert (await batcher.call(x(1), 5))["sums"] == [1.5]
    assert model.sizes == [1, 8, 1]


async def test_a_full_one_leaves_the_rest_to_the_next() -> None:
    model = Doubling()
    batcher = Batcher("m:1", model, BatchRule(max_size=4))
    answers = await waiting(batcher, [x(n) for n in range(10)], model)
    assert model.sizes == [1, 4, 4, 1]
    assert [answer["sums"][0] for answer in answers] == [n + 0.5 for n in range(10)]


async def test_a_call_that_fails_fails_alone() -> None:
    model = Doubling(fail=lambda x: (x == 3).any())
    batcher = Batcher("m:1", model, BatchRule())
    answers = await waiting(batcher, [x(n) for n in range(6)], model)
    assert [isinstance(answer, ModelFailed) for answer in answers] == [n == 3 for n in range(6)]
    assert [answer["sums"] for answer in answers if isinstance(answer, dict)] == [[n + 0.5] for n in (0, 1, 2, 4, 5)]


async def test_other_shapes_and_large_calls_do_not_mix() -> None:
    model = Doubling()
    batcher = Batcher("m:1", model, BatchRule(max_size=4))
    other = {"x": np.ones((1, 3))}
    answers = await waiting(batcher, [x(0), x(1), other, x(2), x(5, 6, 7)], model)
    assert sorted(model.sizes) == [1, 1, 2, 3]
    assert answers[2]["sums"] == [3.0]
    assert answers[4]["sums"] == [5.5, 6.5, 7.5]


async def test_who_gives_up_is_left_out() -> None:
    model = Doubling()
    batcher = Batcher("m:1", model, BatchRule())
    first = asyncio.create_task(batcher.call(x(1), 20))
    await asyncio.sleep(0)
    cancelled = asyncio.create_task(batcher.call(x(2), 20))
    impatient = asyncio.create_task(batcher.call(x(3), 0.02))
    patient = asyncio.create_task(batcher.call(x(4), 20))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(TookTooLong, match="m:1"):
        await impatient
    model.gate.set()
    assert (await first)["sums"] == [1.5]
    assert (await patient)["sums"] == [4.5]
    assert model.sizes == [1, 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(2, 16))
def test_answers_are_those_of_single_calls(rows: list[int], most: int) -> None:
    calls = [{"x": np.random.default_rng(n).normal(size=(count, 2))} for n, count in enumerate(rows)]

    async def ask() -> list[Any]:
        model = Doubling()
        return await waiting(Batcher("m:1", model, BatchRule(max_size=most)), calls, model)

    for call, answer in zip(calls, asyncio.run(ask()), strict=True):
        np.testing.assert_array_equal(answer["twice"], call["x"] * 2)
        assert answer["sums"] == call["x"].sum(axis=1).tolist()


def test_rows() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    assert rows_of({"x": np.zeros((3, 1)), "y": np.zeros(3)}) == 3
    assert rows_of({"x": frame}) == 2
    for bad in ({}, {"x": np.zeros((3, 1)), "y": np.zeros(2)}, {"x": "text"}, {"x": np.float64(1)}, {"x": [1]}):
        assert rows_of(bad) is None
    assert [part.tolist() for part in split(np.arange(3), [1, 2]) or []] == [[0], [1, 2]]
    assert [part.to_dict("list") for part in split(frame, [1, 1]) or []] == [{"a": [1]}, {"a": [2]}]
    assert split({"a": [1, 2], "b": np.array([3, 4])}, [1, 1]) is not None
    for bad in (np.arange(4), [1], "abc", None, {"a": [1, 2, 3], "b": 1}, {}):
        assert split(bad, [1, 2]) is None


class TestJudging:
    async def judged(self, answer: Any, *, wanted: Any = "auto", sample: Any = None, **options: Any) -> Any:
        async def call(values: Any, timeout: float) -> Any:
            return answer(values["x"])

        sample = x(1.0) if sample is None else sample
        return await judge(wanted, SIGNATURE, sample, call)

    async def test_rows_that_know_of_each_other_are_found_out(self) -> None:
        centred = await self.judged(lambda x: x - x.mean(axis=0))
        assert centred.rule is None
        assert "otherwise than alone" in centred.reason
        assert "not a row for each row" in (await self.judged(lambda x: x.sum())).reason

        def one_only(x: Any) -> Any:
            if len(x) > 1:
                raise ModelFailed("one row please")
            return x

        assert "one row please" in (await self.judged(one_only)).reason

    async def test_where_it_does_not_pay_calls_go_alone(self) -> None:
        async def call(values: Any, timeout: float) -> Any:
            await asyncio.sleep(0.01 * len(values["x"]))
            return values["x"]

        slow = await judge("auto", SIGNATURE, x(1.0), call)
        assert slow.rule is None
        assert "times as long as one" in slow.reason
        assert (await judge(True, SIGNATURE, x(1.0), call)).rule == BatchRule()

    async def test_what_is_quick_what_has_no_sample_and_what_says_no(self) -> None:
        assert "no sample" in (await self.judged(lambda x: x, sample={})).reason
        assert (await self.judged(lambda x: x, wanted=False)).rule is None
        text = Signature(inputs=(Field(name="x", kind="text"),))
        assert "not all arrays" in (await judge("auto", text, {"x": "a"}, None)).reason  # type: ignore[arg-type]

    async def test_a_demand_that_cannot_be_met_is_refused(self) -> None:
        with pytest.raises(ModelFailed, match="Leave `batch` out"):
            await self.judged(lambda x: x - x.mean(axis=0), wanted=BatchRule(max_size=4))


class TestDeployed:
    async def test_a_forest_is_batched_and_answers_as_it_did(self, deployer: Any, router: Any, iris: Any) -> None:
        X, y = iris
        forest = RandomForestClassifier(100, random_state=0).fit(X, y)
        row = await deployer.deploy(pack(forest, "forest", sample_input=X[:1], metadata={"method": "predict_proba"}))
        assert row.manifest["batching"]["max_size"] == 64, row.manifest["batching"]
        answers = await asyncio.gather(*(router.predict("forest", X[n : n + 1]) for n in range(32)))
        expected = forest.predict_proba(X[:32])
        for n, answer in enumerate(answers):
            np.testing.assert_allclose(answer.outputs, expected[n : n + 1])
        assert router.live("forest").batcher.batched >= 30
        with pytest.raises(BadInput):
            await router.predict("forest", [[1.0, 2.0]])

    async def test_a_package_may_say_no_and_say_how_many(self, deployer: Any, router: Any, iris: Any) -> None:
        X, y = iris
        forest = RandomForestClassifier(30, random_state=0).fit(X, y)
        await deployer.deploy(pack(forest, "alone", sample_input=X[:1], batch=False))
        assert router.live("alone").batcher is None
        await deployer.deploy(pack(forest, "pairs", sample_input=X[:1], batch={"max_size": 2}))
        assert router.live("pairs").batcher is not None
        with pytest.raises(DefinitionError, match="cannot be served"):
            pack(forest, "none", sample_input=X[:1], batch={"max_size": 1})
