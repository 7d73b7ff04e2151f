"""Rows with a key: written new, or in the place of the one that was there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prefect_worklets.connectors.errors import DefinitionError, NodeFailed
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import TableRow
from prefect_worklets.flows.checkpoints import Checkpoints
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.documents import read_document
from prefect_worklets.flows.engine import Engine, new_run_id
from sqlmodel import col, select

import prefect_worklets as pw


@pw.worklet
def stock(rows: list[dict]) -> Any:
    return pw.save("stock", key="item")(rows)


@pw.worklet
def by_two(rows: list[dict]) -> Any:
    return pw.save("stock", key=["item", "place"])(rows)


@pw.worklet
def plain(rows: list[dict]) -> Any:
    return pw.save("stock")(rows)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "sqlite":
        opened = request.getfixturevalue("store")
    else:
        opened = Store(request.getfixturevalue("postgres_store_url"))
    engine = Engine(services=Services(store=opened))
    yield engine
    engine.close()
    if request.param == "postgres":
        opened.close()


async def save(engine: Engine, worklet: Any, *rows: dict[str, Any], run: str | None = None) -> Any:
    return await engine.run(worklet.plan, [list(rows)], engine.context(worklet.name, run_id=run))


def rows_of(engine: Engine) -> list[dict[str, Any]]:
    assert engine.services.store is not None
    with engine.services.store.read() as session:
        found = session.exec(select(TableRow).where(TableRow.table_name == "stock").order_by(col(TableRow.key)))
        return [row.data for row in found]


def lamp(count: int, **more: Any) -> dict[str, Any]:
    return {"item": "lamp", "count": count, **more}


async def test_a_row_takes_the_place_of_the_one_with_its_key(engine: Engine) -> None:
    await save(engine, stock, lamp(1), {"item": "chair", "count": 5})
    result = await save(engine, stock, lamp(2))
    assert result.output == [lamp(2)]
    assert rows_of(engine) == [{"item": "chair", "count": 5}, lamp(2)]


async def test_of_several_with_one_key_the_last_counts(engine: Engine) -> None:
    await save(engine, stock, lamp(1), lamp(2), lamp(3))
    assert rows_of(engine) == [lamp(3)]


async def test_a_run_that_is_repeated_changes_nothing(engine: Engine) -> None:
    first = new_run_id()
    for _ in range(2):
        assert (await save(engine, stock, lamp(1), {"item": "chair"}, run=first)).state == "completed"
    assert rows_of(engine) == [{"item": "chair"}, lamp(1)]


async def test_a_run_that_is_repeated_undoes_nothing_of_a_later_one(engine: Engine) -> None:
    first, later = "01" + new_run_id()[2:], "02" + new_run_id()[2:]
    await save(engine, stock, lamp(1), run=first)
    await save(engine, stock, lamp(2), run=later)
    await save(engine, stock, lamp(1), run=first)
    assert rows_of(engine) == [lamp(2)]


async def test_many_rows_at_once(engine: Engine) -> None:
    many = [{"item": f"{n % 700:04}", "count": n} for n in range(1_400)]
    assert (await save(engine, stock, *many)).state == "completed"
    assert [row["count"] for row in rows_of(engine)] == list(range(700, 1_400))


async def test_a_key_of_two_fields(engine: Engine) -> None:
    await save(engine, by_two, lamp(1, place="a"), lamp(2, place="b"), lamp(3, place="a"))
    assert [row["count"] for row in rows_of(engine)] == [3, 2]


async def test_a_row_without_its_key(engine: Engine) -> None:
    result = await save(engine, stock, lamp(1), {"count": 3})
    assert isinstance(result.error, NodeFailed)
    assert "without item, which its key names" in result.error.detail
    assert rows_of(engine) == []


async def test_rows_without_a_key_are_added(engine: Engine) -> None:
    await save(engine, plain, lamp(1), lamp(1))
    await save(engine, plain, lamp(1))
    assert rows_of(engine) == [lamp(1)] * 3


def test_the_key_is_in_the_document() -> None:
    assert by_two.graph.nodes[0].settings["key"] == ["item", "place"]
    assert read_document(by_two.graph.model_dump(mode="json")) == by_two.graph
    wrong = by_two.graph.model_dump(mode="json")
    wrong["nodes"][0]["settings"]["key"] = [1]
    with pytest.raises(DefinitionError, match="key is \\[1\\]"):
        read_document(wrong)


@pytest.mark.parametrize("key", [["a", "a"], [1], [""]])
def test_a_key_names_fields(key: Any) -> None:
    with pytest.raises(DefinitionError, match="save"):
        pw.save("stock", key=key)


# --- one transaction with the run ---------------------------------------------------------------------------


@pw.node
def check(count: int) -> int:
    if count < 0:
        raise ValueError("fewer than none")
    return count


@pw.node
def row_of(item: str, count: int) -> dict[str, Any]:
    return {"item": item, "count": count}


@pw.node
def unfit(count: int) -> dict[str, Any]:
    return {"count": count}


@pw.worklet
def moved(count: int) -> Any:
    first = pw.save("stock", key="item")(row_of("lamp", count))
    return [first, check(pw.save("stock").with_options(name="log")(row_of("chair", count))["count"])]


@pw.worklet
def half_wrong(count: int) -> Any:
    return [pw.save("stock")(row_of("lamp", count)), pw.save("stock", key="item")(unfit(count))]


@pw.worklet
def forgiven(count: int) -> Any:
    kept = pw.save("stock").with_options(on_error=None)(row_of("lamp", count))
    return [kept, check(kept["count"])]


@pw.worklet
def into_nowhere(count: int) -> Any:
    return pw.recover(pw.save("stock")(row_of("lamp", count)), lambda error: error)


async def run(engine: Engine, worklet: Any, count: int) -> Any:
    return await engine.run(worklet.plan, [count], engine.context(worklet.name))


async def test_a_run_that_fails_leaves_no_row(engine: Engine) -> None:
    assert (await run(engine, moved, -1)).error.node == "check"
    assert (await run(engine, half_wrong, 1)).error.node == "save_stock_2"
    assert rows_of(engine) == []
    assert (await run(engine, moved, 1)).state == "completed"
    assert len(rows_of(engine)) == 2


async def test_rows_that_the_store_refuses_fail_the_run_and_none_is_there(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_worklets.flows.saving import SaveStep

    written = SaveStep.write
    tries: list[str] = []

    def refused(self: SaveStep, *args: Any, **options: Any) -> None:
        written(self, *args, **options)
        tries.append(self.id)
        if self.id == "log":
            raise OSError("the disk is full")

    monkeypatch.setattr(SaveStep, "write", refused)
    result = await run(engine, moved, 1)
    assert (result.state, result.output) == ("failed", None)
    assert "could not be written: OSError: the disk is full" in result.error.detail
    assert {entry[0] for entry in result.nodes if entry[2] == "failed"} == {result.error.node}
    assert tries == ["save_stock", "log"]
    assert rows_of(engine) == []


async def test_the_retries_of_a_save_are_those_of_its_rows(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_worklets.flows.saving import SaveStep

    @pw.worklet
    def stubborn(count: int) -> Any:
        return pw.save("stock").with_options(retries=2)(row_of("lamp", count))

    written = SaveStep.write
    tries: list[int] = []

    def refused(self: SaveStep, *args: Any, **options: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not now")
        written(self, *args, **options)

    monkeypatch.setattr(SaveStep, "write", refused)
    assert (await run(engine, stubborn, 1)).state == "completed"
    assert rows_of(engine) == [{"item": "lamp", "count": 1}]


async def test_a_save_whose_failure_is_not_the_end_writes_at_once(engine: Engine) -> None:
    assert (await run(engine, forgiven, -1)).state == "failed"
    assert rows_of(engine) == [{"item": "lamp", "count": -1}]


async def test_a_failure_to_save_can_be_recovered_from(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_worklets.flows.saving import SaveStep

    def refused(self: SaveStep, *args: Any, **options: Any) -> None:
        raise OSError("no")

    monkeypatch.setattr(SaveStep, "write", refused)
    result = await run(engine, into_nowhere, 1)
    assert (result.state, result.output) == ("completed", "Node 'save_stock' failed: OSError: no")


async def test_what_an_earlier_process_has_kept_is_written_once(engine: Engine, tmp_path: Any) -> None:
    checkpoints, id = Checkpoints(tmp_path), new_run_id()
    context = engine.context("moved", run_id=id)
    first = moved.kept_execution(engine, [1], context, checkpoints)
    await first.finish()
    assert rows_of(engine) == []  # as if the process had ended here, before it could write them
    for _ in range(2):
        context = engine.context("moved", run_id=id)
        again = moved.kept_execution(engine, [1], context, checkpoints)
        await again.finish()
        await again.commit()
        assert len(rows_of(engine)) == 2
