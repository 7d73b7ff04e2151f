"""From a model's answer to JSON."""

from __future__ import annotations

import base64
import dataclasses
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from ..connectors.errors import BadInput, ModelFailed
from .signature import Field

if TYPE_CHECKING:
    from ..connectors.images import Image

# What orjson writes itself, from the array's own memory.
_ORJSON_TYPES = frozenset(
    np.dtype(name)
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
                 "float64", "bool")
)  # fmt: skip


def dump(outputs: Any, fields: Sequence[Field]) -> Any:
    """The answer as data that orjson writes with OPT_SERIALIZE_NUMPY; a picture becomes a data URL, NaN null.

    Raises:
        ModelFailed: something in it is no data.
    """
    if type(outputs) is np.ndarray and (not fields or fields[0].kind != "image"):
        return _dump_array(outputs)
    if len(fields) == 1 and not (isinstance(outputs, Mapping) and fields[0].name in outputs):
        return _dump_field(outputs, fields[0])
    by_name = {field.name: field for field in fields}
    if isinstance(outputs, Mapping):
        return {str(key): _dump_field(item, by_name.get(str(key))) for key, item in outputs.items()}
    return _dump(outputs, "outputs")


def _dump_field(value: Any, field: Field | None) -> Any:
    if field is not None and field.kind == "image" and value is not None:
        return image_url(value)
    return _dump(value, field.name if field else "outputs")


def image_url(value: Any) -> str:
    """The picture as a data URL. Raises ModelFailed if it is none."""
    with _refusing_others():
        return _image(value).data_url()


def image_png(value: Any) -> bytes:
    """The picture as a PNG file. Raises ModelFailed if it is none."""
    with _refusing_others():
        return _image(value).png()


def _image(value: Any) -> Image:
    from ..connectors.images import Image

    return value if isinstance(value, Image) else Image(value)


@contextmanager
def _refusing_others() -> Iterator[None]:
    try:
        yield
    except BadInput as error:
        reason = error.faults[0].msg if error.faults else error.detail
        raise ModelFailed(f"The model answered something that is no picture: {reason}") from None


def _dump_array(array: np.ndarray[Any, Any]) -> Any:
    if array.dtype in _ORJSON_TYPES and array.ndim:
        if array.flags.c_contiguous and array.dtype.isnative:
            return array
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return _dump(array.tolist(), "outputs")


def _dump(value: Any, place: str) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return _dump_array(value)
    if isinstance(value, np.generic):
        return _dump(value.item(), place)
    if isinstance(value, Mapping):
        return {str(key): _dump(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_dump(item, f"{place}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return _dump_object(value, place)


def _dump_object(value: Any, place: str) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _dump(dataclasses.asdict(value), place)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return _dump(value.to_dict("records"), place)
    if pandas is not None and isinstance(value, pandas.Series):
        return _dump_array(value.to_numpy())
    if hasattr(value, "data_url"):
        return image_url(value)
    raise ModelFailed(
        f"The model answered a {type(value).__name__} in {place}, which is no data; "
        "return arrays, numbers, texts, lists or dicts of them."
    )
