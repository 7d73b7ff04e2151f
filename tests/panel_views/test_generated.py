"""Generated pages pass the check, whatever the model, the columns or the query: no servers, random shapes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefect_worklets.bentos.signature import Column, Field, Signature
from prefect_worklets.connectors.access import Principal, Role
from prefect_worklets.connectors.errors import BadInput, NotFound
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import Model, ModelVersion, TableRow
from prefect_worklets.panel_views.automatic import Names, Parts
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.dashboards import dashboard
from prefect_worklets.panel_views.document import DataTable, ViewDocument
from prefect_worklets.panel_views.drafts import Drafts
from prefect_worklets.panel_views.model_parts import model_parts
from prefect_worklets.panel_views.operations import read_operations
from prefect_worklets.panel_views.pieces import piece_operations
from prefect_worklets.panel_views.table_parts import columns_of, editor_parts, query_parts
from prefect_worklets.panel_views.templates import new_document
from prefect_worklets.panel_views.view_tables import ViewTables

ADA = Principal("u1", "Ada", Role.builder)
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
DTYPES = st.sampled_from(["float64", "float32", "int64", "uint8", "bool", "str", "object", "<U10"])
ANY_NAME = st.text(min_size=1, max_size=70) | st.sampled_from(["value", "user", "x" * 60, "petal length (cm)", "1"])
FIELDS = st.builds(
    Field,
    name=ANY_NAME,
    kind=st.sampled_from(["array", "table", "image", "json", "text", "number"]),
    dtype=DTYPES,
    shape=st.none() | st.lists(st.none() | st.integers(1, 20), max_size=3).map(tuple),
    required=st.booleans(),
    default=st.none() | st.integers() | st.text(max_size=5),
    columns=st.none() | st.lists(st.builds(Column, name=ANY_NAME, dtype=DTYPES), max_size=20).map(tuple),
    minimum=st.none() | st.floats(-1e6, 1e6),
    maximum=st.none() | st.floats(-1e6, 1e6),
    description=st.text(max_size=300),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,62}", fullmatch=True) | st.sampled_from(["order", "select", "saved_at"])
COLUMNS = st.lists(
    st.fixed_dictionaries(
        {"name": NAME, "type": st.sampled_from(["text", "number", "boolean", "json"])},
        optional={"required": st.booleans()},
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda one: one["name"],
)
TABLE_NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True)


def page(parts: Parts, **more: Any) -> ViewDocument:
    pages = [{"id": "main", "components": parts.components}]
    return parse({"slug": "made", "title": "Made", "state": parts.state, "pages": pages, **more})


class TestModels:
    @QUICK
    @given(
        inputs=st.lists(FIELDS, min_size=1, max_size=5, unique_by=lambda field: field.name),
        outputs=st.lists(FIELDS, max_size=3, unique_by=lambda field: field.name),
        sample=JSON,
        quick=st.booleans(),
    )
    def test_any_signature_gives_a_page(
        self, inputs: list[Field], outputs: list[Field], sample: Any, quick: bool
    ) -> None:
        signature = Signature(inputs=tuple(inputs), outputs=tuple(outputs))
        with suppress(BadInput):
            page(model_parts("some-model.v2", signature, sample, quick=quick, taken=["value"]))

    def test_a_field_for_each_feature(self) -> None:
        names = ("sepal length (cm)", "sepal width (cm)")
        rows = Field(
            name="x", kind="array", dtype="float64", shape=(None, 2), columns=tuple(Column(name=name) for name in names)
        )
        answer = Field(name="output", kind="array", dtype="int64", shape=(None,))
        document = page(model_parts("iris", Signature(inputs=(rows,), outputs=(answer,)), [[5.1, 0.25], [1, 2]]))
        kinds = [(part.id, part.type) for part in document.components()]
        assert kinds[:3] == [("iris_form", "card"), ("sepal_length__cm_", "number"), ("sepal_width__cm_", "number")]
        width = document.component("sepal_width__cm_")
        assert width is not None
        assert (width.properties["label"], width.properties["value"], width.properties["step"]) == (
            "Sepal width (cm)", 0.25, 0.01
        )  # fmt: skip
        shown = document.component("output_shown")
        assert shown is not None
        assert (shown.type, shown.bindings["value"].model_dump(exclude_unset=True)) == (
            "metric",
            {
                "model": "iris",
                "value": {"expr": "[[components.sepal_length__cm_.value, components.sepal_width__cm_.value]]"},
                "path": "0",
            },
        )

    def test_a_picture_is_asked_for_by_a_button(self) -> None:
        picture = Field(name="image", kind="image")
        size = Field(name="size", kind="number", dtype="int", required=False, default=64, minimum=8, maximum=512)
        parts = model_parts("paint", Signature(inputs=(picture, size), outputs=(Field(name="output", kind="image"),)))
        form, result = parts.components[0], parts.components[-1]
        assert (form["type"], [step["do"] for step in form["actions"]["submit"]]) == ("form", ["set_state"] * 2)
        assert result["bindings"]["source"]["input"] == {
            name: {"state": "session.paint_asked", "path": name} for name in ("image", "size")
        }
        page(parts)
        with pytest.raises(BadInput, match="takes a file"):
            model_parts("pdf", Signature(inputs=(Field(name="file", kind="file"),)))


class TestTables:
    @QUICK
    @given(name=TABLE_NAME, columns=COLUMNS, keyed=st.booleans(), write=st.sampled_from(["viewer", "admin"]))
    def test_any_columns_give_an_editor_and_a_dashboard(
        self, name: str, columns: list[dict[str, Any]], keyed: bool, write: str
    ) -> None:
        key = [columns[0]["name"]] if keyed else []
        declared = {"name": name, "columns": columns, "key": key, "write": write}
        parts, queries = editor_parts(DataTable.model_validate(declared), names=Names(["progress"]))
        document = page(parts, tables=[declared], queries=queries)
        _, none = editor_parts(document.tables[0], names=Names(), queries=document.queries)
        assert none == [], "the query is used again"
        steps = [step.do for part in document.components() for step in part.actions.get("click", [])]
        assert ("remove" in steps) == (keyed and columns[0]["type"] != "json")
        parse({"slug": "all", "title": "All", **dashboard([{"name": name, "columns": columns}], [])})

    @pytest.mark.parametrize(
        ("sql", "given_to"),
        [
            ("SELECT * FROM plants WHERE number = :n", {"n": {"component": "n"}}),
            ("SELECT 1 AS a", {}),
            ("SELECT * FROM plants WHERE species = :species AND number > :from", None),
        ],
    )
    def test_a_query_brings_what_it_lacks(self, sql: str, given_to: dict[str, Any] | None) -> None:
        tables = [{"name": "plants", "columns": [{"name": "number", "type": "number"}, {"name": "species"}]}]
        part = {"id": "species", "type": "dropdown"}
        base = {"slug": "q", "title": "Q", "tables": tables, "queries": [{"name": "some", "sql": sql}]}
        before = parse({**base, "pages": [{"id": "main", "components": [part]}]})
        parts = query_parts(before, before.queries[0], before.pages[0], y=3)
        after = parse({**base, "pages": [{"id": "main", "components": [part, *parts.components]}]})
        rows = after.component("some_rows")
        assert rows is not None
        bound = rows.bindings["rows"].model_dump(exclude_unset=True).get("params", {})
        if given_to is None:
            assert bound == {"species": {"component": "species"}, "from": {"component": "from"}}
            made = after.component("from")
            assert made is not None
            assert made.type == "number"
        else:
            assert bound == given_to

    @pytest.mark.parametrize(
        ("text", "columns"),
        [
            ("number: number, species", [{"name": "number", "type": "number"}, {"name": "species"}]),
            (" a text ,b:json,", [{"name": "a", "type": "text"}, {"name": "b", "type": "json"}]),
            ("", []),
        ],
    )
    def test_columns_from_a_text(self, text: str, columns: list[dict[str, Any]]) -> None:
        assert columns_of(text) == columns
        for wrong, said in (("a: date", "'date' is no type"), ("two words more", "no column"), ("1st", "'1st'")):
            with pytest.raises(BadInput, match=said):
                columns_of(wrong)


class TestBeginnings:
    @pytest.fixture
    def filled(self, store: Store) -> Store:
        signature = Signature(inputs=(Field(name="x", kind="array", dtype="float64", shape=(None, 4)),))
        manifest = {"signature": signature.model_dump(mode="json"), "sample": [[1.0, 2.0, 3.0, 4.5]]}
        with store.session() as session:
            session.add(Model(name="iris", live_version="1", description="Which `iris`."))
            session.add(Model(name="off"))
            session.flush()
            session.add(
                ModelVersion(model_name="iris", version="1", bento_tag="iris:1", tier="in-process", manifest=manifest)
            )
            for number in range(3):
                data = {"text": "same", "number": number, "score": number / 2, "tags": ["a"], "sent": number > 1}
                session.add(TableRow(table_name="notes", run_id=f"r{number}", node="n", data=data))
        return store

    def test_a_model(self, filled: Store) -> None:
        document = parse(new_document(filled, "Iris", template="try-a-model", model="iris"))
        assert document.description == "Which iris."
        assert len([part for part in document.components() if part.type == "number"]) == 4
        assert parse(new_document(filled, "Iris", model="iris")) == document
        with pytest.raises(NotFound, match="no live model"):
            new_document(filled, "Off", model="off")
        with pytest.raises(BadInput, match="give one"):
            new_document(filled, "Two", template="try-a-model", model="iris", worklet="w")

    def test_a_table_to_edit(self, filled: Store) -> None:
        document = parse(new_document(filled, "Notes", template="table-editor", table="notes", write="viewer"))
        (table,) = document.tables
        assert [(one.name, one.type) for one in table.columns] == [
            ("text", "text"), ("number", "number"), ("score", "number"), ("tags", "json"), ("sent", "boolean"),
        ]  # fmt: skip
        assert (table.key, table.write) == (["number"], "viewer")
        # A row that a worklet has written without a key is changed, not doubled.
        tables = ViewTables(filled, document, ADA)
        tables.save("notes", {"number": 1, "text": "other"})
        rows = tables.query("notes_rows", {})
        assert sorted((row["number"], row["text"]) for row in rows) == [(0, "same"), (1, "other"), (2, "same")]
        made = new_document(filled, "New", template="table-editor", table="new", columns="a: number, b", key="b")
        assert made["tables"][0]["key"] == ["b"]
        for wrong, said in (
            ({"table": "new"}, "no rows to take the columns from"),
            ({"table": "new", "columns": "a", "key": "z"}, "no column 'z'"),
            ({"table": "new", "columns": "a", "write": "king"}, "no role"),
            ({"table": "new", "columns": "a, a"}, "declared more than once"),
        ):
            with pytest.raises(BadInput, match=said):
                new_document(filled, "New", template="table-editor", **wrong)

    def test_a_dashboard_has_figures(self, filled: Store) -> None:
        document = parse(new_document(filled, "All", template="dashboard"))
        tables = ViewTables(filled, document, ADA)
        (figures,) = tables.query("notes_figures", {})
        assert (figures["found"], len(figures["latest"])) == (3, 16)
        assert tables.query("notes_average", {}) == [{"average": 0.5}]
        assert [row["score"] for row in tables.query("notes_course", {})] == [0, 0.5, 1]
        assert {part.type for part in document.components()} == {"card", "metric", "chart", "table"}

    @pytest.mark.parametrize(("kind", "name"), [("model", "iris"), ("query", "notes_rows"), ("declared", "notes")])
    def test_what_is_dropped_is_one_change(self, filled: Store, kind: str, name: str) -> None:
        drafts = Drafts(filled)
        drafts.create(new_document(filled, "Notes", template="table-editor", table="notes"), ADA)
        before = drafts.read("notes").document
        operations = read_operations(piece_operations(filled, before, "main", 20, kind=kind, name=name))
        made = drafts.change("notes", 1, operations, ADA)
        assert len(made.draft.document.components()) > len(before.components())
        undone = drafts.change("notes", made.draft.revision, made.undo, ADA)
        assert undone.draft.document == before
        for wrong in ("nope", "off"):
            with pytest.raises(NotFound):
                piece_operations(filled, before, "main", 0, kind=kind, name=wrong)
