"""Rows with a key: written new, or in the place of the one that was there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prefect_worklets.connectors.errors import DefinitionError, NodeFailed
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import TableRow
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
