"""Tables that a view declares: asked by its queries, changed by `save` and `remove`, on the real store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect_worklets.connectors.access import Principal, Role
from prefect_worklets.connectors.errors import BadInput, DefinitionError, NotAllowed, NotFound
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import TableMark, TableRow
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.runtime import Runtime
from prefect_worklets.panel_views.ui.source import python_source
from prefect_worklets.panel_views.view_tables import ViewTables, names, with_tables
from sqlmodel import select

import prefect_worklets as pw

ADA = Principal("u1", "Ada", Role.operator)
COLUMNS = [
    {"name": "number", "type": "number"}, {"name": "species", "required": True}, {"name": "seen", "type": "boolean"},
]  # fmt: skip
ONE = "SELECT number, species, seen FROM flowers WHERE number = :number"
DOCUMENT: dict[str, Any] = {
    "slug": "beds",
    "title": "Beds",
    "tables": [{"name": "flowers", "columns": COLUMNS, "key": ["number"]}],
    "queries": [
        {"name": "every", "sql": "SELECT number, species, seen FROM flowers ORDER BY number", "limit": 3},
        {"name": "one", "sql": ONE},
        {"name": "counted", "sql": "WITH few AS (SELECT * FROM flowers) SELECT count(*) AS n FROM few"},
    ],
    "pages": [
        {
            "params": [{"name": "number", "type": "number"}],
            "components": [
                {"id": "list", "type": "table", "bindings": {"rows": {"query": "every"}}},
                {"id": "one", "type": "json",
                 "bindings": {"value": {"query": "one", "params": {"number": {"component": "which"}}}}},
                {"id": "name", "type": "text", "bindings": {"text": {
                    "query": "one", "params": {"number": {"component": "which"}}, "path": "0.species"}}},
                {"id": "which", "type": "slider", "properties": {"value": 1}},
                {"id": "form", "type": "form", "actions": {"submit": [
                    {"do": "save", "table": "flowers", "values": {"event": "values"},
                     "row": {"number": {"component": "which"}}}]}},
                {"id": "species", "type": "text_input", "parent": "form"},
                {"id": "gone", "type": "button", "actions": {"click": [
                    {"do": "remove", "table": "flowers", "row": {"number": {"component": "which"}}}]}},
            ],
        }
    ],
}  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        made = Store(f"sqlite:///{tmp_path / 's.db'}")
        made.migrate()
    else:
        made = Store(request.getfixturevalue("postgres_store_url"))
    yield made
    made.close()


@pytest.fixture
def tables(store: Store) -> ViewTables:
    found = ViewTables(store, parse(DOCUMENT), ADA)
    found.save("flowers", {"number": 1, "species": "setosa", "seen": True})
    found.save("flowers", {"number": 2, "species": 'it\'s "virginica"; --', "seen": False})
    return found


class TestQueries:
    def test_rows_are_columns(self, tables: ViewTables) -> None:
        rows = tables.query("every", {})
        assert rows[0] == {"number": 1, "species": "setosa", "seen": True}
        assert rows[1]["species"] == 'it\'s "virginica"; --'
        assert tables.query("counted", {}) == [{"n": 2}]

    def test_parameters_are_bound_and_never_read_as_sql(self, tables: ViewTables, store: Store) -> None:
        assert tables.query("one", {"number": 2})[0]["seen"] is False
        if store.is_sqlite:
            assert tables.query("one", {"number": "1 OR 1=1"}) == []
        else:  # it takes no text for a number
            with pytest.raises(BadInput, match="invalid input syntax"):
                tables.query("one", {"number": "1 OR 1=1"})
        assert tables.query("one", {}) == []

    def test_faults(self, tables: ViewTables, store: Store) -> None:
        with pytest.raises(NotFound):
            tables.query("nothing", {})
        for number in (3, 4):
            tables.save("flowers", {"number": number, "species": "x"})
        with pytest.raises(BadInput, match="more than 3 rows"):
            tables.query("every", {})
        broken = {**DOCUMENT, "queries": [*DOCUMENT["queries"], {"name": "no", "sql": "SELECT petals FROM flowers"}]}
        with pytest.raises(BadInput, match="petals"):
            ViewTables(store, parse(broken), ADA).query("no", {})

    def test_which_tables_a_statement_names(self) -> None:
        assert names("select * from Flowers f", "flowers")
        assert not names("select * from flowers_old, my_flowers", "flowers")
        view = parse(DOCUMENT)
        assert with_tables("SELECT 1;", view.tables, sqlite=True) == "SELECT 1"
        said = with_tables("with recursive a as (select 1) select * from a, flowers", view.tables, sqlite=False)
        assert said.startswith("WITH RECURSIVE \"flowers\" AS (SELECT CAST((data ->> 'number') AS double precision)")


class TestSaving:
    def test_a_row_of_the_same_key_is_changed_and_keeps_the_rest(self, tables: ViewTables, store: Store) -> None:
        assert tables.save("flowers", {"number": 1, "species": "lily"}) == {
            "number": 1, "species": "lily", "seen": True,
        }  # fmt: skip
        with store.read() as session:
            rows = session.exec(select(TableRow).where(TableRow.table_name == "flowers")).all()
        assert [row.data["species"] for row in rows if row.data["number"] == 1] == ["lily"]
        assert {row.owner for row in rows} == {"u1"}

    def test_every_fault_is_told_at_its_column(self, tables: ViewTables) -> None:
        with pytest.raises(BadInput) as caught:
            tables.save("flowers", {"species": "", "seen": "perhaps", "petals": 3})
        assert {fault.loc for fault in caught.value.faults} == {("species",), ("seen",), ("petals",), ("number",)}
        with pytest.raises(BadInput) as caught:
            tables.save("flowers", {"number": 9})
        assert [fault.loc for fault in caught.value.faults] == [("species",)]

    def test_the_table_says_who_may_write(self, store: Store) -> None:
        viewer = ViewTables(store, parse(DOCUMENT), Principal("u2", "Bo", Role.viewer))
        with pytest.raises(NotAllowed):
            viewer.save("flowers", {"number": 1, "species": "x"})
        with pytest.raises(NotFound):
            viewer.save("runs", {"number": 1})
        assert viewer.query("every", {}) == []


class TestRemoving:
    def test_the_row_of_the_key_goes_whoever_saved_it(self, tables: ViewTables, store: Store) -> None:
        other = ViewTables(store, parse(DOCUMENT), Principal("u2", "Bo", Role.operator))
        other.remove("flowers", {"number": 1.0})
        assert [row["number"] for row in tables.query("every", {})] == [2]
        with store.read() as session:
            marks = session.exec(select(TableMark.writer).where(TableMark.table_name == "flowers")).all()
        assert other.writer in marks
        with pytest.raises(NotFound, match=r"no row of number 1: somebody may have deleted it"):
            tables.remove("flowers", {"number": 1})

    def test_one_that_a_worklet_added_without_a_key_goes_too(self, tables: ViewTables, store: Store) -> None:
        with store.session() as session:
            for position, number in enumerate([7, 8]):
                row = {"number": number, "species": "x"}
                session.add(TableRow(table_name="flowers", run_id="r1", node="n", position=position, data=row))
        tables.remove("flowers", {"number": 7})
        assert [row["number"] for row in tables.query("every", {})] == [1, 2, 8]

    def test_what_is_no_key_is_told_and_roles_count(self, tables: ViewTables, store: Store) -> None:
        with pytest.raises(BadInput) as caught:
            tables.remove("flowers", {"species": "setosa", "petals": 3})
        assert {fault.loc for fault in caught.value.faults} == {("species",), ("petals",), ("number",)}
        with pytest.raises(BadInput, match="'one' is no number"):
            tables.remove("flowers", {"number": "one"})
        keyless = {**DOCUMENT["tables"][0], "key": []}
        view = parse({**DOCUMENT, "tables": [keyless], "pages": [{}]})
        with pytest.raises(BadInput, match="has no key"):
            ViewTables(store, view, ADA).remove("flowers", {})
        viewer = ViewTables(store, parse(DOCUMENT), Principal("u2", "Bo", Role.viewer))
        with pytest.raises(NotAllowed, match="delete rows of the table 'flowers'"):
            viewer.remove("flowers", {"number": 1})
        assert len(tables.query("every", {})) == 2


class Desk:
    """The gateway's part for tables, on the real store."""

    def __init__(self, tables: ViewTables) -> None:
        self.tables = tables
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def query(self, name: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append((name, params))
        return await asyncio.to_thread(self.tables.query, name, params)

    async def save(self, table: str, values: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(self.tables.save, table, values)

    async def remove(self, table: str, row: dict[str, Any]) -> None:
        await asyncio.to_thread(self.tables.remove, table, row)


class TestInAView:
    async def test_asked_when_parameters_change_and_after_saving(self, tables: ViewTables) -> None:
        desk = Desk(tables)
        faults: dict[str, str | None] = {}
        runtime = Runtime(parse(DOCUMENT), desk, ADA, {}, lambda *_: None, faults.__setitem__)
        runtime.start()
        assert runtime.cell("list", "rows").status == "loading"
        await runtime.idle()
        assert [row["number"] for row in runtime.cell("list", "rows").value] == [1, 2]
        assert runtime.cell("one", "value").value[0]["species"] == runtime.cell("name", "text").value == "setosa"
        for number in (3, 4, 2):  # a slider on its way: the last one counts
            runtime.changed("which", "value", number)
        await runtime.idle()
        assert [params for name, params in desk.asked if name == "one"] == [{"number": 1}, {"number": 2}]
        await runtime.fire("form", "submit", {"values": {"species": "lily"}})
        await runtime.idle()
        assert runtime.cell("one", "value").value[0]["species"] == "lily"
        assert [row["species"] for row in runtime.cell("list", "rows").value] == ["setosa", "lily"]
        await runtime.fire("form", "submit", {"values": {"species": ""}})
        assert "Fill this in" in str(faults["form"])
        await runtime.fire("gone", "click")
        await runtime.idle()
        assert [row["number"] for row in runtime.cell("list", "rows").value] == [1]
        assert runtime.cell("one", "value").value == []
        await runtime.fire("gone", "click")
        assert "no row of number 2" in str(faults["gone"])
        await runtime.close()


def faults(**changed: Any) -> set[str]:
    with pytest.raises(DefinitionError) as caught:
        parse({**DOCUMENT, **changed})
    return {".".join(map(str, fault.loc)) for fault in caught.value.faults}


def test_faults_of_the_document_have_their_place() -> None:
    bad = {"id": "x", "type": "table", "bindings": {"rows": {"query": "every", "params": {"no": {"constant": 1}}}}}
    save = {"do": "save", "table": "flowers", "row": {"petals": {"constant": 1}}}
    press = {"id": "y", "type": "button", "actions": {"click": [save, {"do": "save", "table": "f"}]}}
    pages = [{"components": [bad, press, {**bad, "id": "z", "bindings": {"rows": {"query": "evry"}}}]}]
    assert faults(pages=pages) == {
        "pages.0.components.0.bindings.rows.params.no", "pages.0.components.1.actions.click.0.row.petals",
        "pages.0.components.1.actions.click.1.table", "pages.0.components.2.bindings.rows.query",
    }  # fmt: skip
    gone = {"do": "remove", "table": "flowers", "row": {"species": {"constant": "x"}, "petals": {"constant": 1}}}
    press = {**press, "actions": {"click": [gone, {"do": "remove", "table": "f"}]}}
    at = "pages.0.components.0.actions.click"
    assert faults(pages=[{"components": [press]}]) == {
        f"{at}.0.row.species", f"{at}.0.row.petals", f"{at}.0.row", f"{at}.1.table"
    }  # fmt: skip
    del gone["row"]
    keyless = [{"name": "flowers", "columns": COLUMNS}]
    assert f"{at}.0.table" in faults(tables=keyless, pages=[{"components": [press]}])
    assert "queries.0.sql" in faults(queries=[{"name": "q", "sql": "DELETE FROM flowers"}])
    assert "tables.0.key.0" in faults(tables=[{"name": "flowers", "columns": COLUMNS, "key": ["petals"]}])


def test_python_code_writes_them() -> None:
    which = pw.ui.Slider("Which")
    save = pw.ui.save("flowers", row={"number": which}, values=pw.ui.event("values"))
    form = pw.ui.Form([pw.ui.TextInput("Species")], on_submit=save)
    gone = pw.ui.Button("Delete", style="danger", on_click=pw.ui.remove("flowers", row={"number": which}))
    rows = pw.ui.Table(pw.ui.query("one", params={"number": which}))
    table = pw.ui.DataTable(name="flowers", columns=[pw.ui.DataColumn(**column) for column in COLUMNS], key=["number"])
    query = pw.ui.Query(name="one", sql=ONE)
    view = pw.view("beds", [pw.page("Main", [which, form, rows, gone])], tables=[table], queries=[query])
    assert view.document["queries"] == [{"name": "one", "sql": ONE}]
    assert view.document["tables"] == DOCUMENT["tables"]
    parts = view.document["pages"][0]["components"]
    assert parts[3]["bindings"]["rows"] == {"query": "one", "params": {"number": {"component": "which"}}}
    source = python_source(parse(view.document))
    assert 'pw.ui.query("one", params={"number": pw.ui.component("which")})' in " ".join(source.split())
    assert parts[4]["actions"]["click"] == [
        {"do": "remove", "table": "flowers", "row": {"number": {"component": "which"}}}
    ]  # fmt: skip
    assert 'pw.ui.remove("flowers", row={"number": pw.ui.component("which")})' in " ".join(source.split())
