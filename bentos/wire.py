"""The bytes between the app and a model host: JSON with arrays beside it. No pickle, so reading runs no code.

Layout: `PW1\\0`, the header's length (4 bytes, little endian), the header as JSON, the arrays' bytes one after another.
The header is `{"v": value, "a": [[dtype, shape, bytes], ...]}`. In the value, an object with a key that starts with
`$` stands for what JSON lacks: `$a` an array, `$s` a numpy scalar, `$b` bytes, `$f` a float that is not finite,
`$t` a table (DataFrame; a mapping of columns where there is no pandas), `$l` an array of objects, `$d` an object whose
own keys start with `$`.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

MAGIC = b"PW1\0"
MEDIA_TYPE = "application/x-worklets-wire"
_LENGTH = struct.Struct("<I")
_PLAIN_KINDS = "biufcUSmM"
_MAX_DEPTH = 200


class WireError(ValueError):
    """A value cannot be sent, or bytes are no message."""


def encode(value: Any) -> bytes:
    """The message of a value. Raises WireError for a value of another kind, naming its place."""
    arrays: list[np.ndarray[Any, Any]] = []
    tree = _pack(value, arrays, "")
    descriptions = [[array.dtype.str, array.shape, array.nbytes] for array in arrays]
    try:
        header = orjson.dumps({"v": tree, "a": descriptions})
    except TypeError as error:  # an integer over 64 bits, a text with half a surrogate pair
        raise WireError(f"the value cannot be sent: {error}") from None
    return b"".join((MAGIC, _LENGTH.pack(len(header)), header, *(array.tobytes() for array in arrays)))


def decode(message: bytes) -> Any:
    """The value of a message; arrays are writable copies. Raises WireError if the bytes are no message."""
    try:
        if message[:4] != MAGIC:
            raise WireError("the bytes do not start as a message does")
        (length,) = _LENGTH.unpack_from(message, 4)
        header = orjson.loads(memoryview(message)[8 : 8 + length])
        arrays = _read_arrays(header["a"], message, 8 + length)
        return _unpack(header["v"], arrays)
    except WireError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, struct.error, RecursionError) as error:
        raise WireError(f"the bytes are no message: {error}") from None


def _read_arrays(descriptions: list[Any], message: bytes, offset: int) -> list[np.ndarray[Any, Any]]:
    arrays = []
    for dtype_name, shape, size in descriptions:
        dtype = np.dtype(dtype_name)
        count = math.prod(shape)
        if dtype.kind not in _PLAIN_KINDS or size < 0 or count * dtype.itemsize != size:
            raise WireError(f"an array of {dtype_name} {shape} does not fit {size} bytes")
        flat = np.frombuffer(message, dtype, count, offset) if size else np.empty(count, dtype)
        arrays.append(flat.reshape(shape).copy())
        offset += size
    return arrays


def _pack(value: Any, arrays: list[np.ndarray[Any, Any]], place: str) -> Any:
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$f": repr(value)}
    if isinstance(value, np.ndarray):
        return _pack_array(value, arrays, place)
    if isinstance(value, np.generic):
        arrays.append(np.asarray(value))
        return {"$s": len(arrays) - 1}
    return _pack_nested(value, arrays, place)


def _pack_array(value: np.ndarray[Any, Any], arrays: list[np.ndarray[Any, Any]], place: str) -> Any:
    if value.dtype.kind in _PLAIN_KINDS:
        arrays.append(value)
        return {"$a": len(arrays) - 1}
    if value.dtype.kind == "O":
        items = [_pack(item, arrays, f"{place}[{i}]") for i, item in enumerate(value.ravel().tolist())]
        return {"$l": [list(value.shape), items]}
    raise WireError(f"{place or 'the value'} is an array of {value.dtype}, which cannot be sent")


def _pack_nested(value: Any, arrays: list[np.ndarray[Any, Any]], place: str) -> Any:
    if place.count(".") + place.count("[") > _MAX_DEPTH:
        raise WireError(f"the value is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        packed = {str(key): _pack(item, arrays, f"{place}.{key}") for key, item in value.items()}
        return {"$d": packed} if any(key.startswith("$") for key in packed) else packed
    if isinstance(value, list | tuple):
        return [_pack(item, arrays, f"{place}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, bytes | bytearray):
        arrays.append(np.frombuffer(value, np.uint8))
        return {"$b": len(arrays) - 1}
    if isinstance(value, str | int | float):  # a subclass, such as an enum's member
        return value.value if hasattr(value, "value") else value
    if hasattr(value, "data_url") and hasattr(value, "array"):  # a picture
        return _pack_array(value.array(), arrays, place)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        columns = [[str(name), _pack(value[name].to_numpy(), arrays, f"{place}.{name}")] for name in value.columns]
        return {"$t": columns}
    if pandas is not None and isinstance(value, pandas.Series):
        return _pack(value.to_numpy(), arrays, place)
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return _pack(dump(), arrays, place)
    raise WireError(f"{place.lstrip('.') or 'the value'} is a {type(value).__name__}, which cannot be sent")


def _unpack(node: Any, arrays: list[np.ndarray[Any, Any]]) -> Any:
    if isinstance(node, list):
        return [_unpack(item, arrays) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((key, held),) = node.items()
        if key[:1] == "$":
            return _unpack_special(key, held, arrays)
    return {key: _unpack(item, arrays) for key, item in node.items()}


def _unpack_special(key: str, held: Any, arrays: list[np.ndarray[Any, Any]]) -> Any:
    if key == "$a":
        return arrays[held]
    if key == "$s":
        return arrays[held][()]
    if key == "$b":
        return arrays[held].tobytes()
    if key == "$f":
        return float(held)
    if key == "$l":
        shape, items = held
        array = np.empty(len(items), object)
        for i, item in enumerate(items):  # one by one: numpy would take equal lists for another dimension
            array[i] = _unpack(item, arrays)
        return array.reshape(shape)
    if key == "$t":
        columns = {name: _unpack(column, arrays) for name, column in held}
        try:
            import pandas
        except ModuleNotFoundError:  # the other end has it: an environment of its own may lack it
            return columns
        return pandas.DataFrame(columns)
    if key == "$d":
        return {name: _unpack(item, arrays) for name, item in held.items()}
    raise WireError(f"there is no {key!r} in this message format")
