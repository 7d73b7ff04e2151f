"""Nodes that keep what they give for the same arguments."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect_worklets.connectors.errors import DefinitionError
from prefect_worklets.flows.caching import _MISS, ResultCache
from prefect_worklets.flows.checks import check
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.documents import read_document
from prefect_worklets.flows.engine import Engine

import prefect_worklets as pw

ran: list[Any] = []


@pw.node(cache=60, quick=True)
def listed(x: Any) -> list[Any]:
    ran.append(x)
    return [x]


@pw.node(cache=60, quick=False)
def threaded(x: Any) -> Any:
    ran.append(x)
    return {"of": x}


@pw.node(cache=0.05)
async def shortly(x: Any) -> Any:
    ran.append(x)
    return x


@pw.node(cache=60, quick=True, on_error=-1)
def failing(x: Any) -> int:
    ran.append(x)
    raise ValueError("no")


@pw.node(cache=60)
def unkeepable(x: Any) -> Any:
    ran.append(x)
    return threading.Lock()


@pw.node
def first_of(lock: Any) -> bool:
    return lock is not None


@pw.worklet
def lists(x: Any) -> Any:
    return listed(x)


@pw.worklet
def threads(x: Any) -> Any:
    return threaded(x)


@pw.worklet
def short(x: Any) -> Any:
    return shortly(x)


@pw.worklet
def fails(x: Any) -> Any:
    return failing(x)


@pw.worklet
def locks(x: Any) -> Any:
    return first_of(unkeepable(x))


@pw.worklet
def counted(x: int) -> Any:
    return [pw.query("select :x as x").with_options(cache=60)(x=x), pw.map(listed).with_options(cache=60)([x, x])]


@pytest.fixture
def engine(store):
    engine = Engine(services=Services(store=store))
    ran.clear()
    yield engine
    engine.close()


async def output(engine, worklet, value):
    result = await engine.run(worklet.plan, [value], engine.context(worklet.name))
    assert result.error is None, result.error
    return result.output


@pytest.mark.parametrize("worklet", [lists, threads])
async def test_the_same_arguments_run_once(engine, worklet):
    first = await output(engine, worklet, 5)
    assert await output(engine, worklet, 5) == first
    assert await output(engine, worklet, 6) != first
    assert ran == [5, 6]


async def test_arrays_are_told_apart_by_what_is_in_them(engine):
    for values in ([1, 2], [1, 2], [1, 3]):
        await output(engine, lists, np.array(values))
    assert [list(each) for each in ran] == [[1, 2], [1, 3]]


async def test_a_run_that_changes_what_it_got_changes_no_others(engine):
    await output(engine, lists, 1)
    (await output(engine, lists, 1)).append("mine")
    assert await output(engine, lists, 1) == [1]


async def test_it_ends(engine):
    await output(engine, short, 1)
    await asyncio.sleep(0.1)
    await output(engine, short, 1)
    assert ran == [1, 1]


async def test_failures_and_what_stands_for_them_are_not_kept(engine):
    assert [await output(engine, fails, 1) for _ in range(2)] == [-1, -1]
    assert ran == [1, 1]


async def test_what_cannot_be_kept_runs_each_time(engine):
    assert [await output(engine, locks, 1) for _ in range(2)] == [True, True]
    assert [await output(engine, threads, threading.Lock()) for _ in range(2)]
    assert len(ran) == 4


async def test_queries_and_maps(engine):
    first = await output(engine, counted, 4)
    engine.services.store.close()
    assert await output(engine, counted, 4) == first == [[{"x": 4}], [[4], [4]]]
    assert ran == [4, 4]


async def test_another_engine_has_a_cache_of_its_own(engine, store):
    await output(engine, lists, 1)
    other = Engine(services=Services(store=store))
    await output(other, lists, 1)
    other.close()
    assert ran == [1, 1]


async def test_a_slow_run_is_not_called_quick_because_of_what_was_kept():
    @pw.node(cache=60)
    def paced(x: int) -> int:
        return x

    @pw.worklet
    def paces(x: int) -> int:
        return paced(x)

    engine = Engine()
    told: list[int] = []
    (step,) = paces.plan.steps
    step._step.note_on_loop = told.append
    for _ in range(50):
        await output(engine, paces, 1)
    engine.close()
    assert len(told) <= 1


@given(sizes=st.lists(st.integers(0, 400), max_size=60))
def test_it_stays_within_its_size(sizes):
    cache = ResultCache(4000)
    for number, size in enumerate(sizes):
        cache.put(number, "x" * size, 60)
        assert cache._kept.currsize <= 4000
        assert cache.get(number) == ("x" * size)


def test_what_is_too_large_is_left_out():
    cache = ResultCache(1000)
    cache.put("a", "x" * 500, 60)
    assert cache.get("a") is _MISS


def test_it_is_in_the_document():
    assert lists.graph.nodes[0].cache == 60
    assert read_document(lists.graph.model_dump(mode="json")) == lists.graph


def test_what_may_not_have_it():
    def saved(x: int) -> Any:
        return pw.save("rows").with_options(cache=5)(x)

    def sent(x: int) -> Any:
        return pw.http("POST", "https://example.org", json=x, cache=5)

    for wrong, said in ((saved, "a save node gives is never kept"), (sent, "a POST is sent each time")):
        with pytest.raises(DefinitionError) as caught:
            pw.worklet(wrong)
        assert said in str(caught.value.faults[0])
    with pytest.raises(DefinitionError):
        pw.node(cache=0)(lambda x: x)
    assert check(lists.graph) == []
