"""Parts of a view that ask a model: a field for each of its inputs, and its answer.

A quick model is asked as its inputs change. One that takes pictures, or lives in a process of its own, is asked by a
button: each change of a field would be a question that costs seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ..bentos.signature import Column, Field, Signature
from ..connectors.errors import BadInput
from .automatic import Names, Parts, input_kind, input_part, place, words
from .expressions import parse as parse_expression

# More features than this are given as JSON: nobody fills in so many fields.
MOST_FEATURES = 16
_LONG_JSON = 20_000
_LONG_TEXT = 5_000
_IMAGE_ROWS, _JSON_ROWS = 5, 3
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_PATH = re.compile(r"[A-Za-z0-9_]{1,64}")


class Given(NamedTuple):
    """What an input of the question is bound to, and the same as an expression."""

    binding: dict[str, Any]
    expr: str


def by_field(signature: Signature, sample: Any) -> Mapping[str, Any]:
    """A sample by its inputs' names; a bare one is the first required field's."""
    names = [field.name for field in signature.inputs]
    if isinstance(sample, Mapping) and sample and set(sample) <= set(names):
        return sample
    first = next((field.name for field in signature.inputs if field.required), names[0] if names else None)
    return {} if sample is None or first is None else {first: sample}


def model_parts(
    name: str,
    signature: Signature,
    sample: Any = None,
    *,
    quick: bool = True,
    taken: Iterable[str] = (),
    states: Iterable[str] = (),
    y: int = 0,
) -> Parts:
    """Fields for the inputs of a model, filled with its sample, and its answer.

    Args:
        sample: inputs as the manifest has them, by field or of the one field; None if there is none.
        quick: whether it may be asked as one types.
        taken, states: names of components and states that are there already.
        y: the row to begin at.

    Raises:
        BadInput: it takes a file, which no field of a view gives to a model, or inputs of names that no view can say.
    """
    live = quick and not signature.heavy
    return _ModelParts(name, signature, by_field(signature, sample), Names(taken), Names(states), live=live).parts(y)


class _ModelParts:
    def __init__(
        self, name: str, signature: Signature, sample: Mapping[str, Any], names: Names, states: Names, *, live: bool
    ) -> None:
        self._name = name
        self._signature = signature
        self._sample = sample
        self._names = names
        self._live = live
        self._card = names.fresh(f"{name}_form")
        self._state = "" if live else states.fresh(f"{name}_asked")
        self._fields: list[dict[str, Any]] = []
        self._row = 0
        self._one_row = False  # whether it is given one row of possibly many, and so answers a list of one

    def parts(self, y: int) -> Parts:
        """All of them: the fields on the left, the answer on the right."""
        given = {one.name: made for one in self._signature.inputs if (made := self._input(one)) is not None}
        card: dict[str, Any] = {"id": self._card, "properties": {"title": words(self._name)}}
        if self._live:
            card |= {"type": "card"}
        else:
            card |= {"type": "form", "actions": {"submit": self._asking()}}
            card["properties"] |= {"submit_label": "Ask"}
        shown, depth = self._answer(self._binding(given))
        height = max(self._row + (2 if self._live else 3), depth + 2, 4)
        answer = {
            "id": self._names.fresh(f"{self._name}_answer"),
            "type": "card",
            "at": place(5, y, 7, height),
            "properties": {"title": "Answer"},
        }
        card["at"] = place(0, y, 5, height)
        for part in shown:
            part["parent"] = answer["id"]
        state = [] if self._live else [{"name": self._state}]
        return Parts([card, *self._fields, answer, *shown], state, height)

    def _asking(self) -> list[dict[str, Any]]:
        state = f"session.{self._state}"
        return [
            # First nothing: the same question is asked anew, if its answer was a fault.
            {"do": "set_state", "state": state, "value": {"constant": None}},
            {"do": "set_state", "state": state, "value": {"event": "values"}},
        ]

    # --- inputs -------------------------------------------------------------------------------------------

    def _input(self, field: Field) -> Given | None:
        """The fields for an input; None for one that is best left out: nothing fills it, and it need not be filled."""
        value = self._sample.get(field.name, field.default)
        if not field.required and value is None:
            return None
        if field.kind == "file":
            if not field.required:
                return None
            raise BadInput(
                f"The model {self._name!r} takes a file in {field.name!r}, and no field of a view gives one to a "
                "model. Write a worklet that reads the file and asks the model, and begin with that."
            )
        row = _columns(field)
        if row is not None:
            made = self._features(field, row, _first_row(field, value))
            if made is not None:
                return made
        schema = _schema(field)
        if row is None and input_kind(schema) is not None and field.kind != "json":
            return self._field(field.name, schema, value, required=field.required)
        return self._json(field, value)

    def _features(self, field: Field, row: Sequence[Column], values: Sequence[Any]) -> Given | None:
        """A field for each number or text of a row; None if they are too many for an expression."""
        exprs, kept = self._read_all([column.name for column in row])
        whole = _written(field, row, exprs)
        if not _is_expression(self._guarded(whole)):
            return None
        self._one_row |= field.kind == "table" or len(field.shape or ()) == 2
        for number, (column, id) in enumerate(zip(row, kept, strict=True)):
            schema = _of_dtype(column.dtype)
            wide = 12 if len(row) == 1 or schema.get("type") == "string" else 6
            at = place(6 * (number % 2) if wide == 6 else 0, self._row, wide, 1)
            value = values[number] if number < len(values) else None
            self._put({"name": column.name, "schema": schema, "required": True}, value, at, id=id)
            if wide == 12 or number % 2 == 1 or number == len(row) - 1:
                self._row += 1
        return Given({"expr": self._guarded(whole)}, self._guarded(whole))

    def _read_all(self, columns: Sequence[str]) -> tuple[list[str], list[str]]:
        """How each feature's field is read, and its id: by the columns' names, or short ones where these are long."""
        long = sum(map(len, columns)) + 20 * len(columns) > 460
        ids = [self._names.fresh("x" if long else column) for column in columns]
        return [self._read(id) for id in ids], ids

    def _field(self, name: str, schema: dict[str, Any], value: Any, *, required: bool) -> Given:
        high = {"image_input": _IMAGE_ROWS, "text_area": 2}.get(str(input_kind(schema)), 1)
        id = self._names.fresh(name)
        one = {"name": name, "schema": schema, "required": required}
        part = self._put(one, value, place(0, self._row, 12, high), id=id)
        if required and part["type"] != "checkbox":
            part["properties"]["required"] = True
        self._row += high
        if self._live:
            return Given({"component": id}, self._read(id))
        return Given({"state": f"session.{self._state}", "path": id}, self._read(id))

    def _json(self, field: Field, value: Any) -> Given:
        """A text in which the value is written as JSON."""
        shown = _example(field) if value is None else value
        text = "" if shown is None else json.dumps(shown, ensure_ascii=False)
        id = self._names.fresh(field.name)
        properties = {"label": words(field.name), "help": _json_help(field), "rows": 4}
        if 0 < len(text) <= _LONG_JSON:
            properties["value"] = text
        if field.required:
            properties["required"] = True
        at = place(0, self._row, 12, _JSON_ROWS)
        self._fields.append({"id": id, "type": "text_area", "parent": self._card, "at": at, "properties": properties})
        self._row += _JSON_ROWS
        expr = f"json({self._read(id)})"
        return Given({"expr": expr}, expr)

    def _put(self, one: dict[str, Any], value: Any, at: dict[str, int], *, id: str) -> dict[str, Any]:
        schema = {**one["schema"], **({} if value is None else {"default": value})}
        part = {**input_part({**one, "schema": schema}, at, Names()), "id": id, "parent": self._card}
        if part["type"] == "number" and schema.get("type") == "number":
            part["properties"]["step"] = _step(value)
        self._fields.append(part)
        return part

    def _read(self, id: str) -> str:
        return f"components.{id}.value" if self._live else f"session.{self._state}.{id}"

    def _guarded(self, whole: str) -> str:
        return whole if self._live else f"{whole} if session.{self._state} else None"

    def _binding(self, given: Mapping[str, Given]) -> dict[str, Any]:
        inputs = self._signature.inputs
        if len(inputs) == 1 and len(given) == 1:
            return {"model": self._name, "value": given[inputs[0].name].binding}
        if all(_NAME.fullmatch(name) for name in given):
            return {"model": self._name, "input": {name: one.binding for name, one in given.items()}}
        # A document can't say such a name; an expression can.
        named = ", ".join(f"{orjson.dumps(name).decode()}: ({one.expr})" for name, one in given.items())
        whole = self._guarded(f"{{{named}}}")
        if not _is_expression(whole):
            raise BadInput(
                f"The model {self._name!r} has inputs whose names no view can say. Write a worklet that asks it, and "
                "begin with that."
            )
        return {"model": self._name, "value": {"expr": whole}}

    # --- the answer ---------------------------------------------------------------------------------------

    def _answer(self, asked: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
        outputs = self._signature.outputs or (Field(name="output", kind="json"),)
        bare = len(outputs) == 1 and outputs[0].name == "output"
        shown, row = [], 0
        if any(not _PATH.fullmatch(field.name) for field in outputs):
            outputs, bare = (Field(name="output", kind="json"),), True
        for field in sorted(outputs, key=lambda one: one.kind != "image"):
            label = words(self._name if bare else field.name)[:200]
            part = self._shown(field, asked, [] if bare else [field.name], label)
            part["at"]["y"] = row
            shown.append(part)
            row += part["at"]["h"]
        return shown, row

    def _shown(self, field: Field, asked: dict[str, Any], path: list[str], label: str) -> dict[str, Any]:
        id = self._names.fresh(f"{field.name}_shown")
        properties: dict[str, Any] = {"label": label, "open_depth": 3}
        kind, target, height = "json", "value", 5
        of_rows = field.kind == "array" and self._one_row and (field.shape is None or len(field.shape) > 0)
        flat = of_rows and len(field.shape or (None,)) == 1
        if field.kind == "image":
            name = f"{id.removesuffix('_shown')[:90]}.png"
            kind, target, height = "image", "source", 6
            properties = {"alt": label, "download_name": name}
        elif field.kind == "table":
            kind, target, height, properties = "table", "rows", 6, {"search": False}
        elif field.kind == "text":
            kind, target, height, properties = "text", "text", 2, {}
        elif (field.kind == "number" and field.dtype != "bool") or (flat and _is_short(field.dtype)):
            kind, height, properties = "metric", 2, {"label": label}
        if of_rows and kind in ("json", "metric"):
            path = [*path, "0"]
        binding = asked | ({"path": ".".join(path)} if path else {})
        return {
            "id": id,
            "type": kind,
            "at": place(0, 0, 12, height),
            "properties": properties,
            "bindings": {target: binding},
        }


def _columns(field: Field) -> list[Column] | None:
    """The features of one row, if it has few and all are numbers, texts or truths."""
    if field.kind == "table" and field.columns:
        found = list(field.columns)
    elif field.kind == "array" and field.shape and len(field.shape) <= 2 and field.shape[-1] is not None:
        names = [column.name for column in field.columns or ()]
        wide = field.shape[-1]
        if len(field.shape) == 2 and field.shape[0] not in (None, 1):
            return None
        names = names if len(names) == wide else [f"{field.name}_{number}" for number in range(1, wide + 1)]
        found = [Column(name=name, dtype=field.dtype or "float64") for name in names]
    elif field.kind == "array" and field.shape == (None,) and str(field.dtype).startswith(("str", "<U")):
        found = [Column(name=field.name, dtype="str")]
    else:
        return None
    return found if 0 < len(found) <= MOST_FEATURES else None


def _written(field: Field, row: Sequence[Column], exprs: Sequence[str]) -> str:
    """One row of a field as an expression."""
    if field.kind == "table":
        named = ", ".join(
            f"{orjson.dumps(column.name).decode()}: {expr}" for column, expr in zip(row, exprs, strict=True)
        )
        return f"[{{{named}}}]"
    flat = f"[{', '.join(exprs)}]"
    return f"[{flat}]" if len(field.shape or ()) == 2 else flat


def _is_expression(text: str) -> bool:
    try:
        parse_expression(text)
    except BadInput:
        return False
    return True


def _first_row(field: Field, sample: Any) -> list[Any]:
    """The values of a sample's first row, in the columns' order."""
    row: Any = sample
    if isinstance(row, Sequence) and not isinstance(row, str) and row:
        row = row[0] if field.kind == "table" or len(field.shape or ()) == 2 else row
    if isinstance(row, Mapping):
        return [row.get(column.name) for column in field.columns or ()]
    return list(row) if isinstance(row, Sequence) and not isinstance(row, str) else []


def _schema(field: Field) -> dict[str, Any]:
    schema = field.json_schema()
    if field.kind == "text":
        schema["maxLength"] = _LONG_TEXT
    return {name: part for name, part in schema.items() if name != "default"}


def _of_dtype(dtype: str) -> dict[str, Any]:
    if dtype == "bool":
        return {"type": "boolean"}
    if dtype.startswith(("int", "uint")):
        return {"type": "integer"}
    return {"type": "number"} if dtype.startswith("float") else {"type": "string"}


def _step(value: Any) -> float:
    """A step of the size of the value's last digit."""
    if not isinstance(value, float) or value.is_integer():
        return 0.1 if isinstance(value, int | float) and abs(value) < 10 else 1
    digits = len(f"{value:.4f}".rstrip("0").partition(".")[2])
    return float(f"{10**-digits:.4f}")


def _json_help(field: Field) -> str:
    many = field.kind == "table" and len(field.columns or ()) > 6
    return f"As JSON: {f'rows with {len(field.columns or ())} columns' if many else field.describe()}."[:200]


def _is_short(dtype: str | None) -> bool:
    return dtype is not None and dtype.startswith(("int", "uint", "float", "str", "<U"))


def _example(field: Field) -> Any:
    """The smallest value of an array's shape; null for what may be anything."""
    if field.kind == "table":
        return []
    if field.kind != "array" or field.shape is None:
        return None
    value: Any = "" if str(field.dtype).startswith(("str", "object", "<U")) else 0
    for size in reversed(field.shape):
        value = [value] * min(size or 1, 16)
    return value
