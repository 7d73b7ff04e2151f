"""What a model takes and answers: named fields with their kinds, types and shapes.

`Signature.parse` turns what a caller sent into values for the model, with every fault at once; `Signature.dump` turns
the model's answer into JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["array", "table", "image", "file", "json", "text", "number"]
Values = dict[str, Any]
_TEXT_SCHEMAS: dict[str, dict[str, Any]] = {
    "image": {"type": "string", "format": "image"},
    "file": {"type": "string", "contentEncoding": "base64"},
    "text": {"type": "string"},
}


class Column(BaseModel):
    """A column of a table: its name and numpy dtype (`object` for texts and mixed values)."""

    model_config = ConfigDict(frozen=True)

    name: str
    dtype: str = "float64"


class Field(BaseModel):
    """One input or output of a model.

    Attributes:
        kind: array (numpy), table (pandas DataFrame), image (uint8, height x width x 3), file (bytes), json, text
            or number.
        dtype: the numpy dtype of an array; `int`, `float` or `bool` for a number.
        shape: an array's size in each dimension, None where it is free; None for any number of dimensions.
        nullable: whether null (NaN) is a value.
        columns: a table's columns, None for any; an array's, if they have names.
        minimum, maximum: the limits of a number.
        passed: for an image, what the model's own code receives.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind = "json"
    dtype: str | None = None
    shape: tuple[int | None, ...] | None = None
    required: bool = True
    default: Any = None
    nullable: bool = False
    columns: tuple[Column, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    passed: Literal["array", "image", "pillow"] = "array"
    description: str = ""

    def describe(self) -> str:
        """The field in words for a message: `an array of float64, (n, 4)`."""
        if self.kind == "array":
            size = "" if self.shape is None else f", shape {shape_text(self.shape)}"
            return f"an array of {self.dtype}{size}"
        if self.kind == "table":
            if self.columns is None:
                return "a list of objects"
            names = ", ".join(column.name for column in self.columns)
            return f"rows with the columns {names}"
        words = {"image": "an image", "file": "a file", "json": "any JSON", "text": "a text"}
        return words.get(self.kind, f"a number ({self.dtype})")

    def json_schema(self) -> dict[str, Any]:
        """The JSON schema of the field as callers send it."""
        schema: dict[str, Any]
        if self.kind == "array":
            schema = _array_schema(self.dtype, self.shape)
        elif self.kind == "table":
            properties = {column.name: _scalar_schema(column.dtype) for column in self.columns or ()}
            schema = {"type": "array", "items": {"type": "object", "properties": properties}}
        elif self.kind == "number":
            schema = _scalar_schema(self.dtype)
            limits = (("minimum", self.minimum), ("maximum", self.maximum))
            schema.update({key: limit for key, limit in limits if limit is not None})
        else:
            schema = dict(_TEXT_SCHEMAS.get(self.kind, {}))
        if self.description:
            schema["description"] = self.description
        if not self.required:
            schema["default"] = self.default
        return schema


class Signature(BaseModel):
    """The inputs and outputs of a model. `outputs` is empty until the model has answered once."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...] = ()

    @cached_property
    def _reader(self) -> Callable[[Any], Values]:
        # Cached among the instance's own attributes: a private one of pydantic's costs as much as reading a row does.
        from .reading import compile_reader

        return compile_reader(self.inputs)

    def parse(self, raw: Any) -> Values:
        """The values for the model, by field name.

        `raw` may be a mapping by field name, a pydantic model or dataclass with such attributes (others are ignored),
        or, where one field is required, its value alone.

        Raises:
            BadInput: with a fault for everything that does not fit, at ("inputs", field, position...).
        """
        return self._reader(raw)

    def dump(self, outputs: Any) -> Any:
        """The answer as JSON-able data (numpy arrays are left to orjson). Raises ModelFailed if it is no data."""
        from .writing import dump

        return dump(outputs, self.outputs)

    def with_outputs_of(self, answer: Any) -> Signature:
        """The signature, its outputs described by an answer if nothing has described them before."""
        from .inference import fields_of_answer

        if self.outputs:
            return self
        return Signature(inputs=self.inputs, outputs=tuple(fields_of_answer(answer)))

    @property
    def single(self) -> Field | None:
        """The field that a bare value is meant for: the only one, or the only one that is required."""
        required = [field for field in self.inputs if field.required]
        return required[0] if len(required) == 1 else self.inputs[0] if len(self.inputs) == 1 else None

    @property
    def heavy(self) -> bool:
        """Whether parsing computes (decoding a picture), and so belongs in a thread."""
        return any(field.kind in ("image", "file") for field in self.inputs)

    def input_schema(self) -> dict[str, Any]:
        """The JSON schema of `inputs` in a request."""
        properties = {field.name: field.json_schema() for field in self.inputs}
        required = [field.name for field in self.inputs if field.required]
        whole: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
        if len(required) == 1:
            return {"anyOf": [properties[required[0]], whole]}
        return whole

    def output_schema(self) -> dict[str, Any]:
        """The JSON schema of `outputs` in an answer."""
        if not self.outputs:
            return {}
        if len(self.outputs) == 1 and self.outputs[0].name == "output":
            return self.outputs[0].json_schema()
        return {"type": "object", "properties": {field.name: field.json_schema() for field in self.outputs}}


def shape_text(shape: tuple[int | None, ...] | Mapping[int, int]) -> str:
    """A shape for people: `(n, 4)`."""
    return "(" + ", ".join("n" if size is None else str(size) for size in shape) + ")"


def _scalar_schema(dtype: str | None) -> dict[str, Any]:
    if dtype is None:
        return {}
    if dtype == "bool":
        return {"type": "boolean"}
    if dtype.startswith(("int", "uint")):
        return {"type": "integer"}
    if dtype.startswith("float"):
        return {"type": "number"}
    return {"type": "string"} if dtype.startswith(("str", "<U")) else {}


def _array_schema(dtype: str | None, shape: tuple[int | None, ...] | None) -> dict[str, Any]:
    if shape is None:
        return {"type": "array"}
    schema = _scalar_schema(dtype)
    for size in reversed(shape):
        schema = {"type": "array", "items": schema}
        if size is not None:
            schema.update({"minItems": size, "maxItems": size})
    return schema
