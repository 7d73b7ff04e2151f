"""The form that tries a model: a control for each input of its signature, filled with the sample it came with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...bentos.signature import Field, Signature
from ..model_parts import by_field
from .schema import Column, FormField, as_json

_MAX_COLUMNS = 60
_SHOWN_ROWS = 5
_WHOLE = ("int", "uint")
_TEXTS = ("str", "object", "<U")


def model_fields(signature: Signature, sample: Any) -> list[FormField]:
    """The controls, by input; their paths are the inputs' names.

    Args:
        sample: inputs as the manifest has them, by field or of the one field; None if there is none.
    """
    given = by_field(signature, sample)
    return [_control(field, given.get(field.name)) for field in signature.inputs]


def _control(field: Field, given: Any) -> FormField:
    value = given if given is not None else field.default
    note = " ".join(part for part in (field.description, _note(field)) if part)
    common: dict[str, Any] = {
        "path": (field.name,), "label": field.name, "required": field.required, "note": note
    }  # fmt: skip
    columns = _columns(field)
    if columns:
        return FormField(
            control="grid", kind="records" if field.kind == "table" else "rows", columns=columns,
            rows=_rows(value, columns, field.kind == "table"), accept=".csv,text/csv", **common,
        )  # fmt: skip
    if field.kind == "image":
        shown = value if isinstance(value, str) and not value.startswith("data:") else ""
        return FormField(control="image", value=shown, **common)
    if field.kind == "number" and field.dtype == "bool":
        return FormField(control="checkbox", kind="boolean", value="yes" if value else "", **common)
    if field.kind == "number":
        return FormField(
            control="number", kind="integer" if field.dtype == "int" else "number",
            value="" if value is None else str(value), attributes=_limits(field), **common,
        )  # fmt: skip
    if field.kind == "text":
        return FormField(
            control="long-text", value="" if value is None else str(value), accept=".txt,.md,text/*", **common
        )
    preset = "" if value is None and not field.required else as_json(_example(field) if value is None else value)
    return FormField(control="json", kind="json", value=preset, accept=".json,application/json", **common)


def _note(field: Field) -> str:
    if field.kind in ("array", "json"):
        return field.describe().capitalize() + "."
    return ""


def _columns(field: Field) -> tuple[Column, ...]:
    """The columns of a table, or of an array whose rows all have the same few values."""
    if field.kind == "table":
        found = [(column.name, column.dtype) for column in field.columns or ()]
    elif field.kind == "array" and field.shape is not None and len(field.shape) == 2 and field.shape[1]:
        named = [column.name for column in field.columns or ()]
        width = field.shape[1]
        names = named if len(named) == width else [str(number) for number in range(1, width + 1)]
        found = [(name, field.dtype or "float64") for name in names]
    else:
        return ()
    return tuple(Column(name, _cell(dtype)) for name, dtype in found) if len(found) <= _MAX_COLUMNS else ()


def _cell(dtype: str) -> str:
    """What a cell holds: number, integer, boolean, text, or any (a number where it looks like one)."""
    if dtype == "bool":
        return "boolean"
    if dtype.startswith(_WHOLE):
        return "integer"
    if dtype.startswith("float"):
        return "number"
    return "any" if dtype == "object" else "text"


def _rows(value: Any, columns: Sequence[Column], records: bool) -> tuple[tuple[str, ...], ...]:
    """The rows of a sample as the cells' texts; one empty row without a sample."""
    rows = value if isinstance(value, Sequence) and not isinstance(value, str) else []
    if isinstance(value, Mapping):
        rows = [value]
    shown = []
    for row in rows[:_SHOWN_ROWS]:
        if isinstance(row, Mapping):
            shown.append(tuple(_text(row.get(column.name)) for column in columns))
        elif not records and isinstance(row, Sequence) and len(row) == len(columns):
            shown.append(tuple(map(_text, row)))
    return tuple(shown) or (("",) * len(columns),)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else as_json(value)


def _limits(field: Field) -> dict[str, str]:
    limits = {"min": field.minimum, "max": field.maximum}
    found = {name: f"{limit:g}" for name, limit in limits.items() if limit is not None}
    return found | {"step": "1" if field.dtype == "int" else "any"}


def _example(field: Field) -> Any:
    """The smallest value of an array's shape; null for what may be anything."""
    if field.kind != "array" or field.shape is None:
        return None
    value: Any = "" if str(field.dtype).startswith(_TEXTS) else 0
    for size in reversed(field.shape):
        value = [value] * min(size or 1, 16)
    return value
