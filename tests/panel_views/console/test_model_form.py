"""The form that tries a model, made from its signature."""

from __future__ import annotations

from typing import Any

import pytest
from prefect_worklets.bentos.signature import Column, Field, Signature
from prefect_worklets.panel_views.console.model_form import by_field, model_fields


def only(field: Field, sample: Any = None) -> Any:
    (control,) = model_fields(Signature(inputs=(field,)), sample)
    return control


class TestControls:
    def test_a_table_becomes_a_grid_with_the_samples_rows(self) -> None:
        columns = (Column(name="age"), Column(name="member", dtype="bool"), Column(name="city", dtype="object"))
        control = only(Field(name="X", kind="table", columns=columns), [{"age": 3.5, "member": True, "city": None}] * 9)
        assert (control.control, control.kind) == ("grid", "records")
        assert [(column.name, column.cell) for column in control.columns] == [
            ("age", "number"),
            ("member", "boolean"),
            ("city", "any"),
        ]
        assert control.rows == (("3.5", "true", ""),) * 5

    def test_an_array_of_rows_becomes_a_grid(self) -> None:
        control = only(Field(name="X", kind="array", dtype="int64", shape=(None, 3)), [[1, 2, 3]])
        assert (control.control, control.kind) == ("grid", "rows")
        assert [column.cell for column in control.columns] == ["integer"] * 3
        assert control.rows == (("1", "2", "3"),)

    def test_a_grid_without_a_sample_has_an_empty_row(self) -> None:
        assert only(Field(name="X", kind="array", dtype="float64", shape=(None, 2))).rows == (("", ""),)

    @pytest.mark.parametrize("shape", [(None, 4, 4), (None,), None, (None, 784)])
    def test_other_arrays_are_json(self, shape: Any) -> None:
        assert only(Field(name="X", kind="array", dtype="float32", shape=shape)).control == "json"

    @pytest.mark.parametrize(
        ("field", "sample", "control", "kind", "value"),
        [
            (Field(name="n", kind="number", dtype="int", minimum=1), 4, "number", "integer", "4"),
            (Field(name="n", kind="number", dtype="bool"), True, "checkbox", "boolean", "yes"),
            (Field(name="t", kind="text"), "a <b>", "long-text", "string", "a <b>"),
            (Field(name="p", kind="image"), "data:image/png;base64,AA", "image", "string", ""),
            (Field(name="j", kind="json"), {"j": {"a": 1}}, "json", "json", '{"a":1}'),
            (Field(name="j", kind="json", required=False), None, "json", "json", ""),
        ],
    )
    def test_each_kind(self, field: Field, sample: Any, control: str, kind: str, value: str) -> None:
        made = only(field, sample)
        assert (made.control, made.kind, made.value) == (control, kind, value)

    def test_limits_and_defaults(self) -> None:
        made = only(Field(name="n", kind="number", dtype="float", minimum=0, maximum=1.5, required=False, default=0.5))
        assert made.attributes == {"min": "0", "max": "1.5", "step": "any"}
        assert (made.value, made.required) == ("0.5", False)


class TestSamples:
    inputs = (Field(name="a", kind="text", required=False), Field(name="b", kind="json"))

    def test_a_bare_one_is_the_first_required_fields(self) -> None:
        assert by_field(Signature(inputs=self.inputs), {"x": 1}) == {"b": {"x": 1}}

    def test_one_by_name_is_taken_so(self) -> None:
        assert by_field(Signature(inputs=self.inputs), {"a": "t", "b": 2}) == {"a": "t", "b": 2}

    def test_none(self) -> None:
        assert by_field(Signature(inputs=self.inputs), None) == {}
