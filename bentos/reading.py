"""From what a caller sent to the values that a model takes. Every fault is found, none is passed to the model."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from ..connectors.errors import BadInput, FaultList
from .arrays import read_array
from .signature import Field, Signature, Values
from .table_reading import read_table

Reader = Callable[[Any, Field, FaultList], Any]
DETAIL = "The model's input does not fit."


def compile_reader(fields: Sequence[Field]) -> Callable[[Any], Values]:
    """A function that reads one caller's input for these fields; it raises BadInput with every fault."""
    single = Signature(inputs=tuple(fields)).single
    general = _general_reader(fields, single)
    if single is None or single.kind != "array" or single.dtype is None or single.shape is None or len(fields) > 1:
        return general
    return _array_first(single, general)


def _array_first(field: Field, general: Callable[[Any], Values]) -> Callable[[Any], Values]:
    """The short way for the commonest of all inputs: a list of rows, or an array, that fits at once."""
    name, shape = field.name, field.shape or ()
    # dtype=object never gets here as equal: it needs the element checks.
    wanted = np.dtype(field.dtype)
    dimensions, free = len(shape), [i for i, size in enumerate(shape) if size is None]
    plain = wanted.kind in "fiu" and wanted.itemsize <= 8

    def read(raw: Any) -> Values:
        if plain:
            kind = type(raw)
            if kind is dict and len(raw) == 1 and name in raw:
                value = raw[name]
                kind = type(value)
            else:
                value = raw
            if kind is list:
                try:
                    value = np.array(value)
                except (ValueError, OverflowError):
                    return general(raw)
            elif kind is not np.ndarray:
                return general(raw)
            if value.dtype == wanted and value.ndim == dimensions:
                found = value.shape
                for i in range(dimensions):
                    if found[i] != shape[i] and i not in free:
                        return general(raw)
                if value.size and (field.nullable or wanted.kind != "f" or np.isfinite(value).all()):
                    return {name: value}
        return general(raw)

    return read


def _general_reader(fields: Sequence[Field], single: Field | None) -> Callable[[Any], Values]:
    names = {field.name for field in fields}

    def read(raw: Any) -> Values:
        faults = FaultList()
        given = _by_name(raw, names, single, faults)
        values: Values = {}
        for field in fields:
            if field.name in given:
                values[field.name] = _READERS[field.kind](given[field.name], field, faults)
            elif not field.required:
                values[field.name] = field.default
            elif not any(fault.loc == ("inputs",) for fault in faults.faults):
                faults.add(("inputs", field.name), f"is missing; send {field.describe()}", type="missing")
        faults.raise_if_any(DETAIL)
        return values

    return read


def _by_name(raw: Any, names: set[str], single: Field | None, faults: FaultList) -> Mapping[str, Any]:
    """The given values by field name; the whole is one field's value where only one is asked for."""
    attributes = _attributes(raw)
    if attributes is not None:
        shared = names & attributes.keys()
        if shared:
            return {name: attributes[name] for name in shared}
    elif isinstance(raw, Mapping):
        keys = set(raw)
        if keys and keys <= names:
            return raw
        takes_mapping = single is not None and (single.columns is not None or single.kind in ("json", "table"))
        if not takes_mapping or keys & names:
            for key in sorted(map(str, keys - names)):
                faults.add(("inputs", key), f"is no input of this model; it has {_listed(names)}", type="unknown")
            return {name: raw[name] for name in keys & names}
    if single is not None:
        return {single.name: raw}
    found = "null" if raw is None else f"a {type(raw).__name__}"
    faults.add(("inputs",), f"found {found}; send an object with {_listed(names)}", type="type")
    return {}


def _attributes(raw: Any) -> Mapping[str, Any] | None:
    if isinstance(raw, BaseModel):
        return {name: getattr(raw, name) for name in type(raw).model_fields}
    if dataclasses.is_dataclass(raw) and not isinstance(raw, type):
        return {field.name: getattr(raw, field.name) for field in dataclasses.fields(raw)}
    return None


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


# --- one function a kind ----------------------------------------------------------------------------


def _read_array_field(value: Any, field: Field, faults: FaultList) -> Any:
    attributes = _attributes(value)
    if attributes is not None:
        value = dict(attributes) if field.columns else [list(attributes.values())]
    if field.columns and (isinstance(value, Mapping) or _is_frame(value) or _is_records(value)):
        table = read_table(value, field, faults)
        if table is None:
            return None
        value = table.to_numpy(dtype=field.dtype)
    return read_array(value, field, faults)


def _read_table_field(value: Any, field: Field, faults: FaultList) -> Any:
    attributes = _attributes(value)
    return read_table(dict(attributes) if attributes is not None else value, field, faults)


def _read_image(value: Any, field: Field, faults: FaultList) -> Any:
    from ..connectors.images import Image

    try:
        image = value if isinstance(value, Image) else Image(value, field=field.name)
        return image.array()
    except BadInput as error:
        message = error.faults[0].msg if error.faults else error.detail
        faults.add(("inputs", field.name), message, type="image")
        return None


def _read_file(value: Any, field: Field, faults: FaultList) -> Any:
    if isinstance(value, bytes) or (value is None and field.nullable):
        return value
    if isinstance(value, str):
        head, comma, rest = value.partition(",")
        text = rest if comma and head.startswith("data:") and head.endswith(";base64") else value
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            pass
    faults.add(("inputs", field.name), f"found {_shown(value)}; send a file, or its bytes as base64", type="file")
    return None


def _read_text(value: Any, field: Field, faults: FaultList) -> Any:
    if isinstance(value, str) or (value is None and field.nullable):
        return value
    faults.add(("inputs", field.name), f"found {_shown(value)}; send a text", type="type")
    return None


def _read_number(value: Any, field: Field, faults: FaultList) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None and field.nullable:
        return None
    place = ("inputs", field.name)
    if field.dtype == "bool":
        if not isinstance(value, bool):
            faults.add(place, f"found {_shown(value)}; send true or false", type="type")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.add(place, f"found {_shown(value)}; send a number", type="type")
        return None
    if value != value or value in (float("inf"), float("-inf")):
        faults.add(place, f"found {value}; send a finite number", type="not-finite")
        return None
    if field.dtype == "int":
        if value != int(value):
            faults.add(place, f"found {value}; send a whole number", type="type")
        value = int(value)
    if field.minimum is not None and value < field.minimum:
        faults.add(place, f"found {value}; the least is {field.minimum:g}", type="range")
    if field.maximum is not None and value > field.maximum:
        faults.add(place, f"found {value}; the most is {field.maximum:g}", type="range")
    return float(value) if field.dtype == "float" else value


def _read_json(value: Any, field: Field, faults: FaultList) -> Any:
    attributes = _attributes(value)
    if attributes is None:
        return value
    return value.model_dump() if isinstance(value, BaseModel) else dict(attributes)


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__} ({text[:40]}...)"


def _is_frame(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


_READERS: dict[str, Reader] = {
    "array": _read_array_field,
    "table": _read_table_field,
    "image": _read_image,
    "file": _read_file,
    "text": _read_text,
    "number": _read_number,
    "json": _read_json,
}
