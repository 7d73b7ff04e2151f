from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect_worklets.connectors.errors import BadInput, Fault, NodeFailed, TookTooLong
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import TableRow
from prefect_worklets.flows.context import Answer, Services, current
from prefect_worklets.flows.engine import Engine, new_run_id
from prefect_worklets.flows.execution import Execution, RunResult
from prefect_worklets.flows.failures import error_record
from prefect_worklets.flows.nodes import model, node, save
from prefect_worklets.flows.worklet import Worklet, worklet
from sqlmodel import select


@pytest.fixture
def engine(models: Any) -> Any:
    engine = Engine(services=Services(models=models))
    yield engine
    engine.close()


async def run(engine: Engine, flow: Worklet[Any, Any], *inputs: Any) -> RunResult:
    return await engine.run(flow.plan, inputs, engine.context(flow.name))


def states(result: RunResult) -> dict[str, str]:
    return {entry[0]: entry[2] for entry in result.nodes}


# --- the same as plain Python -----------------------------------------------------------------------------


def combine(index: int, values: list[int]) -> int:
    return (sum(values) * 31 + index) % 1_000_003


def make_node(index: int, kind: str) -> Any:
    def quick(values: list[int]) -> int:
        return combine(index, values)

    async def waiting(values: list[int]) -> int:
        await asyncio.sleep(0)
        return combine(index, values)

    if kind == "async":
        return node(name=f"n{index}")(waiting)
    return node(name=f"n{index}", quick=kind == "quick")(quick)


@st.composite
def graphs(draw: Any) -> list[tuple[str, list[int]]]:
    count = draw(st.integers(1, 9))
    return [
        (
            draw(st.sampled_from(["quick", "thread", "async"])),
            draw(st.lists(st.integers(0, index), max_size=4)),
        )
        for index in range(count)
    ]


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(-5, 5))
def test_a_random_graph_gives_what_plain_python_gives(shape: list[tuple[str, list[int]]], start: int) -> None:
    nodes = [make_node(index, kind) for index, (kind, _) in enumerate(shape)]

    def evaluate(start: int) -> list[int]:
        values = [start]
        for each, (_, taken) in zip(nodes, shape, strict=True):
            values.append(each([values[index] for index in taken]))
        return values

    @worklet
    def flow(start: int) -> list[int]:
        return evaluate(start)

    expected = [start]
    for index, (_, taken) in enumerate(shape):
        expected.append(combine(index, [expected[each] for each in taken]))
    engine = Engine(threads=4)
    try:
        result = asyncio.run(run(engine, flow, start))
    finally:
        engine.close()
    assert result.output == expected
    assert set(states(result).values()) == {"completed"}
    assert len(result.nodes) == len(shape)


# --- where nodes run --------------------------------------------------------------------------------------


async def test_a_quick_graph_runs_without_awaiting(engine: Engine) -> None:
    @node(quick=True)
    def where(a: int) -> list[Any]:
        return [a, threading.current_thread() is threading.main_thread()]

    @worklet
    def flow(a: int) -> list[Any]:
        return where(a)

    execution = Execution(engine, flow.plan, [1], engine.context("flow"))
    assert execution.advance()
    assert execution.result().output == [1, True]


async def test_a_slow_node_runs_in_a_thread_with_its_context(engine: Engine) -> None:
    colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour")

    @node(quick=False)
    def where() -> list[Any]:
        return [threading.current_thread() is threading.main_thread(), colour.get(), current().worklet]

    @worklet
    def flow() -> list[Any]:
        return where()

    colour.set("red")
    assert (await run(engine, flow)).output == [False, "red", "flow"]


async def test_an_adaptive_node_moves_onto_the_loop_when_it_is_quick(engine: Engine) -> None:
    @node
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    @worklet
    def flow() -> bool:
        return where()

    assert (await run(engine, flow)).output is False
    # On a busy machine some of the calls take long, and the proof begins again.
    for _ in range(500):
        if (await run(engine, flow)).output:
            return
    pytest.fail("it stayed in a thread")


async def test_independent_slow_nodes_run_at_the_same_time(engine: Engine) -> None:
    barrier = threading.Barrier(3, timeout=5)

    @node(quick=False)
    def meet(a: int) -> int:
        barrier.wait()
        return a

    @node
    def total(parts: list[int]) -> int:
        return sum(parts)

    @worklet
    def flow() -> int:
        return total([meet(1), meet(2), meet(3)])

    assert (await run(engine, flow)).output == 6


async def test_the_context_is_there_only_during_a_run(engine: Engine) -> None:
    @node(quick=True)
    def ask() -> str:
        return current().run_id

    @worklet
    def flow() -> str:
        return ask()

    assert len((await run(engine, flow)).output) == 32
    with pytest.raises(Exception, match="No run is under way"):
        current()


# --- models -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["at once", "slow", "gathered"])
async def test_a_models_answer_is_fitted_to_the_next_node(engine: Engine, models: Any, place: str) -> None:
    import numpy as np

    models.functions["m"] = lambda inputs: np.asarray(inputs) * 2
    if place != "at once":
        getattr(models, place).add("m")

    @node
    def first(outputs: list[int]) -> str:
        return f"{outputs!r} by {current().model_versions['m']}"

    @worklet
    def flow(a: int) -> str:
        return first(model("m")([a, a]))

    assert (await run(engine, flow, 3)).output == "[6, 6] by 7"


async def test_a_gathering_model_is_recorded_and_repeated_as_any(engine: Engine, models: Any) -> None:
    asked: list[Any] = []

    def failing_once(inputs: Any) -> Any:
        asked.append(inputs)
        if len(asked) % 2:
            raise ConnectionError("not now")
        return inputs

    def broken(inputs: Any) -> Any:
        raise ValueError("never")

    models.functions |= {"flaky": failing_once, "broken": broken, "fine": lambda inputs: inputs + 1}
    models.gathered |= {"flaky", "broken", "fine"}

    @worklet
    def flow(a: int) -> int:
        return model("flaky", retries=1, backoff=0)(model("fine")(a))

    result = await run(engine, flow, 3)
    assert (result.state, result.output) == ("completed", 4)
    assert asked == [4, 4]
    assert list(states(result).values()) == ["completed", "completed"]

    @worklet
    def fails(a: int) -> int:
        return model("fine")(model("broken")(a))

    result = await run(engine, fails, 3)
    assert result.state == "failed"
    assert list(states(result).values()) == ["failed", "skipped"]


async def test_a_caller_that_goes_while_a_model_gathers(engine: Engine, models: Any) -> None:
    models.functions["m"] = lambda inputs: inputs
    models.gathered = {"m"}

    @worklet
    def flow(a: int) -> int:
        return model("m")(a)

    execution = Execution(engine, flow.plan, [1], engine.context("flow"))
    assert not execution.advance()
    task = asyncio.ensure_future(execution.join())
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert execution.state == "cancelled"


async def test_an_unfitting_answer_names_model_and_node(engine: Engine, models: Any) -> None:
    models.functions["m"] = lambda inputs: "text"

    @node
    def first(outputs: list[int]) -> int:
        return outputs[0]

    @worklet
    def flow(a: int) -> int:
        return first(model("m")(a))

    result = await run(engine, flow, 1)
    assert result.error is not None
    assert "node 'first' takes list[int] as 'outputs', and the model node 'm' answered a str" in result.error.detail


async def test_many_rows_leave_the_event_loop(engine: Engine, models: Any) -> None:
    models.functions["m"] = lambda inputs: threading.current_thread() is threading.main_thread()
    asked: list[str] = []
    predict = models.predict

    async def noted(*args: Any, **options: Any) -> Any:
        asked.append("predict")
        return await predict(*args, **options)

    models.predict = noted

    @worklet
    def flow(a: list[int]) -> bool:
        return model("m")(a)

    await run(engine, flow, [1])
    assert asked == []
    await run(engine, flow, [1] * 501)
    assert asked == ["predict"]


async def test_an_absent_model_is_no_404(engine: Engine) -> None:
    @worklet
    def flow(a: int) -> Any:
        return model("nowhere")(a)

    result = await run(engine, flow, 1)
    assert result.error is not None
    assert result.error.status == 500
    assert "There is no model 'nowhere'" in result.error.detail


# --- failures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("error", [ValueError("bad {thing}"), SystemExit(3), StopIteration("end"), KeyError("k")])
async def test_a_failing_node_is_named_and_the_rest_skipped(engine: Engine, quick: bool, error: BaseException) -> None:
    @node(quick=quick)
    def fails(a: int) -> int:
        raise error

    @node
    def after(a: int) -> int:
        return a

    @worklet
    def flow(a: int) -> int:
        return after(fails(a))

    result = await run(engine, flow, 1)
    assert result.state == "failed"
    assert isinstance(result.error, NodeFailed)
    assert result.error.node == "fails"
    assert type(error).__name__ in result.error.detail
    assert states(result) == {"fails": "failed", "after": "skipped"}
    assert "Traceback" in error_record(result.error)["traceback"]


@pytest.mark.parametrize("quick", [True, False])
async def test_bad_input_passes_through_and_is_not_repeated(engine: Engine, quick: bool) -> None:
    calls = []

    @node(quick=quick, retries=3)
    def picky(a: int) -> int:
        calls.append(a)
        raise BadInput("No.", faults=[Fault(("a",), "too small")])

    @worklet
    def flow(a: int) -> int:
        return picky(a)

    result = await run(engine, flow, 1)
    assert type(result.error) is BadInput
    assert result.error.faults[0].loc == ("a",)
    assert calls == [1]


@pytest.mark.parametrize("kind", ["quick", "thread", "async"])
@pytest.mark.parametrize("wide", [False, True])
async def test_retries_are_counted_and_waited_for(engine: Engine, kind: str, wide: bool) -> None:
    calls: list[float] = []

    def attempt() -> int:
        calls.append(time.perf_counter())
        if len(calls) < 3:
            raise OSError("not yet")
        return 5

    async def waiting_attempt() -> int:
        return attempt()

    options: dict[str, Any] = {"retries": 2, "backoff": 0.02, "name": "flaky"}
    flaky = node(**options)(waiting_attempt) if kind == "async" else node(quick=kind == "quick", **options)(attempt)

    @node(quick=False)
    def other() -> int:
        return 1

    @worklet
    def flow() -> list[Any]:
        return [flaky(), other()] if wide else [flaky()]

    result = await run(engine, flow)
    assert result.output[0] == 5
    assert len(calls) == 3
    assert calls[1] - calls[0] >= 0.019
    assert calls[2] - calls[1] >= 0.038
    assert len(result.nodes) == (2 if wide else 1)


async def test_retries_run_out(engine: Engine) -> None:
    calls = []

    @node(quick=True, retries=2)
    def never() -> int:
        calls.append(1)
        raise OSError("no")

    @worklet
    def flow() -> int:
        return never()

    result = await run(engine, flow)
    assert result.state == "failed"
    assert len(calls) == 3


@pytest.mark.parametrize("kind", ["thread", "async"])
async def test_a_node_that_takes_too_long_is_told(engine: Engine, kind: str) -> None:
    released = threading.Event()

    def blocks() -> int:
        released.wait(5)
        return 1

    async def waits() -> int:
        await asyncio.sleep(5)
        return 1

    late = node(timeout=0.05, name="late", quick=False)(blocks) if kind == "thread" else None
    late = late or node(timeout=0.05, name="late")(waits)

    @worklet
    def flow() -> int:
        return late()

    began = time.perf_counter()
    result = await run(engine, flow)
    released.set()
    assert result.state == "timed-out"
    assert isinstance(result.error, TookTooLong)
    assert "'late' took longer than its 0.05 seconds" in result.error.detail
    assert time.perf_counter() - began < 2


async def test_a_quick_node_over_its_limit_is_told_as_well(engine: Engine) -> None:
    @node(timeout=0.005, quick=True)
    def late() -> int:
        time.sleep(0.02)
        return 1

    @worklet
    def flow() -> int:
        return late()

    assert (await run(engine, flow)).state == "timed-out"


async def test_a_worklets_own_limit(engine: Engine) -> None:
    @node
    async def waits(a: int) -> int:
        await asyncio.sleep(5)
        return a

    @node
    def after(a: int) -> int:
        return a

    @worklet(timeout=0.05)
    def flow(a: int) -> int:
        return after(waits(a))

    result = await run(engine, flow, 1)
    assert result.state == "timed-out"
    assert states(result) == {"waits": "skipped", "after": "skipped"}
    assert "took longer than its 0.05 seconds" in str(result.error)


@pytest.mark.parametrize("turns", range(8))
async def test_a_node_that_was_to_begin_as_another_failed_is_noted_once(engine: Engine, turns: int) -> None:
    @node
    async def gives() -> int:
        await asyncio.sleep(0)
        return 1

    @node
    async def fails() -> int:
        for _ in range(turns):  # of the event loop; at one of them the next node is about to begin
            await asyncio.sleep(0)
        raise ValueError("no")

    @node
    async def after(a: int) -> int:
        await asyncio.sleep(5)
        return a

    @worklet
    def flow() -> list[int]:
        return [after(gives()), fails()]

    result = await run(engine, flow)
    assert sorted(each[0] for each in result.nodes) == ["after", "fails", "gives"]
    assert states(result)["after"] == "skipped"


async def test_of_two_failures_the_first_is_the_runs(engine: Engine) -> None:
    @node
    async def first() -> int:
        raise ValueError("one")

    @node
    async def second() -> int:
        raise ValueError("two")

    @worklet
    def flow() -> list[int]:
        return [first(), second()]

    result = await run(engine, flow)
    failed = [each[0] for each in result.nodes if each[2] == "failed"]
    assert isinstance(result.error, NodeFailed)
    assert result.error.node == failed[0]


async def test_one_failure_breaks_off_what_runs_beside_it(engine: Engine) -> None:
    stopped = []

    @node
    async def waits() -> int:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            stopped.append(True)
            raise
        return 1

    @node
    async def fails() -> int:
        await asyncio.sleep(0.01)
        raise ValueError("no")

    @worklet
    def flow() -> list[int]:
        return [waits(), fails()]

    result = await run(engine, flow)
    assert result.state == "failed"
    assert stopped == [True]
    assert states(result) == {"waits": "skipped", "fails": "failed"}


async def test_a_cancelled_run_is_marked(engine: Engine) -> None:
    @node
    async def waits() -> int:
        await asyncio.sleep(5)
        return 1

    @worklet
    def flow() -> int:
        return waits()

    execution = Execution(engine, flow.plan, [], engine.context("flow"))
    assert not execution.advance()
    task = asyncio.ensure_future(execution.finish())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert execution.state == "cancelled"


async def test_a_cancellation_inside_a_node_is_the_nodes_failure(engine: Engine) -> None:
    @node
    async def cancels() -> int:
        raise asyncio.CancelledError

    @worklet
    def flow() -> int:
        return cancels()

    assert (await run(engine, flow)).state == "failed"


# --- rows -------------------------------------------------------------------------------------------------


async def test_saved_rows_are_written_once_a_run(store: Store) -> None:
    engine = Engine(services=Services(store=store))

    @worklet
    def keep(rows: list[dict[str, Any]], one: dict[str, Any]) -> Any:
        save("results")(one)
        return save("results")(rows)

    inputs = [[{"a": 1}, {"a": 2}], {"b": 1}]
    context = engine.context("keep", run_id=new_run_id())
    for _ in range(2):
        result = await engine.run(keep.plan, inputs, context)
        assert result.output == [{"a": 1}, {"a": 2}]
    with store.read() as session:
        rows = session.exec(select(TableRow).order_by(TableRow.node, TableRow.position)).all()
    assert [(row.node, row.position, row.data) for row in rows] == [
        ("save_results", 0, {"b": 1}),
        ("save_results_2", 0, {"a": 1}),
        ("save_results_2", 1, {"a": 2}),
    ]
    engine.close()


async def test_a_row_that_is_no_json_is_told(store: Store) -> None:
    engine = Engine(services=Services(store=store))

    @node
    def thing() -> Any:
        return {"a": object()}

    @worklet
    def keep() -> Any:
        return save("results")(thing())

    result = await run(engine, keep)
    assert result.error is not None
    assert "can't save a row" in result.error.detail
    engine.close()


def test_run_ids_sort_by_time() -> None:
    first = new_run_id()
    time.sleep(0.002)
    assert first < new_run_id()
    assert len(first) == 32


def test_answers_have_the_routers_layout() -> None:
    assert Answer._fields == ("outputs", "model", "version")
