from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect_worklets.connectors.errors import DefinitionError, NodeFailed
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import TableRow
from prefect_worklets.flows.checkpoints import Checkpoints, with_checkpoints
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.documents import read_document
from prefect_worklets.flows.engine import Engine, new_run_id
from prefect_worklets.flows.execution import RunResult
from prefect_worklets.flows.nodes import node, query, save
from prefect_worklets.flows.queries import parameters_of
from prefect_worklets.flows.worklet import Worklet, worklet
from pydantic import BaseModel
from sqlmodel import select

EXAMPLE = Path(__file__).parents[2] / "docs/examples/query_rows.py"
NAMES = "select data ->> 'name' as name from table_row where table_name = 'people' and data ->> 'name' = :name"


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    engine = Engine(services=Services(store=store))
    yield engine
    engine.close()


async def run(engine: Engine, flow: Worklet[Any, Any], *inputs: Any) -> RunResult:
    return await engine.run(flow.plan, inputs, engine.context(flow.name))


def fill(store: Store, table: str, rows: list[dict[str, Any]]) -> None:
    with store.session() as session:
        session.add_all(
            TableRow(table_name=table, run_id="r", node=table, position=position, data=row)
            for position, row in enumerate(rows)
        )


FLOWERS = [{"species": "rose", "size": 3}, {"species": "rose", "size": 5}, {"species": "iris", "size": 1}]


async def test_the_guides_query_finds_rows(engine: Engine, store: Store) -> None:
    fill(store, "flowers", FLOWERS)
    result = await run(engine, runpy.run_path(str(EXAMPLE))["larger_than"], 2.0)
    assert result.output == ["2 of rose"]
    assert [entry[:3] for entry in result.nodes] == [
        ["larger", "query", "completed"],
        ["in_words", "node", "completed"],
    ]


@pytest.mark.integration
async def test_the_guides_query_finds_rows_in_postgresql(postgres_store_url: str) -> None:
    store = Store(postgres_store_url)
    engine = Engine(services=Services(store=store))
    fill(store, "flowers", FLOWERS)
    assert (await run(engine, runpy.run_path(str(EXAMPLE))["larger_than"], 2.0)).output == ["2 of rose"]

    @worklet
    def sneaky() -> Any:
        return query("with gone as (delete from table_row returning id) select id from gone")()

    result = await run(engine, sneaky)
    assert isinstance(result.error, NodeFailed)
    assert "read-only" in str(result.error)
    engine.close()
    store.close()


async def test_a_value_is_bound_and_never_sql(engine: Engine, store: Store) -> None:
    hostile = "x' or '1' = '1"
    fill(store, "people", [{"name": "ann"}, {"name": hostile}])

    @worklet
    def find(name: str) -> Any:
        return query(NAMES)(name=name)

    assert (await run(engine, find, hostile)).output == [{"name": hostile}]
    assert (await run(engine, find, "nobody")).output == []


async def test_rows_are_fitted_to_the_type_that_takes_them(engine: Engine, store: Store) -> None:
    class Person(BaseModel):
        name: str

    fill(store, "people", [{"name": "ann"}])

    @node
    def greeting(people: list[Person]) -> str:
        return f"hello {people[0].name}"

    @worklet
    def greet(name: str) -> str:
        return greeting(query(NAMES)(name=name))

    assert (await run(engine, greet, "ann")).output == "hello ann"


async def test_a_statement_that_writes_changes_nothing(engine: Engine, store: Store) -> None:
    fill(store, "people", [{"name": "ann"}])

    @worklet
    def wipe() -> Any:
        return query("with t as (select 1) delete from table_row")()

    result = await run(engine, wipe)
    assert isinstance(result.error, NodeFailed)
    assert "'query'" in str(result.error)
    with store.read() as session:
        assert len(session.exec(select(TableRow)).all()) == 1


async def test_too_many_rows_are_refused_by_name(engine: Engine, store: Store) -> None:
    fill(store, "people", [{"name": str(number)} for number in range(3)])

    @worklet
    def everyone() -> Any:
        return query("select id from table_row;", name="everyone", limit=2)()

    result = await run(engine, everyone)
    assert str(result.error) == "Node 'everyone' finds more than 2 rows; narrow the query or raise its limit."


async def test_inline_and_with_checkpoints_are_the_same(engine: Engine, store: Store, tmp_path: Path) -> None:
    fill(store, "people", [{"name": "ann"}])

    @worklet
    def copy(name: str) -> Any:
        return save("copies")(query(NAMES)(name=name))

    inline = await run(engine, copy, "ann")
    run_id, checkpoints = new_run_id(), Checkpoints(tmp_path / "kept")
    plan = with_checkpoints(copy.plan, run_id, checkpoints, {})
    durable = await engine.run(plan, ["ann"], engine.context("copy", run_id=run_id))
    assert durable.output == inline.output == [{"name": "ann"}]
    assert [entry[:3] for entry in durable.nodes] == [entry[:3] for entry in inline.nodes]
    assert checkpoints.kept(run_id)["query"] == [{"name": "ann"}]


def test_names_behind_colons_are_parameters_and_casts_are_none() -> None:
    assert parameters_of("select :b, :a, x::int, '12:30' from t where c = :b") == ("b", "a")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("delete from table_row", "its SQL reads nothing"),
        ("select 1; delete from table_row", "its SQL holds a `;`"),
    ],
)
def test_sql_that_is_no_query_is_refused_with_its_line(sql: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:

        @worklet
        def wrong() -> Any:
            return query(sql)()

    told = str(list(caught.value.faults))
    assert message in told
    assert "test_queries.py" in told


def test_all_faults_of_a_documents_query_are_told_at_once() -> None:
    bad = {"sql": "update t set a = :a", "limit": 0}
    entry = {"id": "q", "kind": "query", "settings": bad, "arguments": {"b": {"constant": 1}}}
    with pytest.raises(DefinitionError) as caught:
        read_document({"name": "doc", "nodes": [entry], "output": {"node": "q"}})
    told = str(list(caught.value.faults))
    for part in ("reads nothing", "limit is 0", "argument 'a' is missing", "no parameter 'b'"):
        assert part in told


def test_a_document_with_a_query_goes_to_json_and_back() -> None:
    @worklet
    def find(name: str) -> Any:
        return query(NAMES)(name=name)

    assert read_document(find.graph.model_dump(mode="json")) == find.graph


def test_a_query_outside_a_worklet_says_where_to_call_it() -> None:
    with pytest.raises(DefinitionError) as caught:
        query(NAMES)(name="ann")
    assert "under @pw.worklet" in str(list(caught.value.faults))
