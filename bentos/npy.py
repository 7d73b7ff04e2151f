"""Arrays as `.npy` files, as numpy writes them: the form in which large arrays travel, both ways.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Numbers, truth values and texts
only: an array of objects is a pickle, which runs code when it is read, so it is refused by its header.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from ..connectors.errors import BadInput

MEDIA_TYPE = "application/x-npy"
MAGIC = npy_format.MAGIC_PREFIX
_KINDS = "biufcSU"
_VERSIONS = ((1, 0), (2, 0), (3, 0))
_HEADER_LIMIT = 10_000
_HOW = "write it with `numpy.save(file, array, allow_pickle=False)`"


def read_npy(content: bytes) -> np.ndarray[Any, Any]:
    """The array in a `.npy` file, writable and in this machine's byte order.

    Raises:
        BadInput: it is no such file, is cut short or too long, or holds something else than numbers and texts.
    """
    stream = io.BytesIO(content)
    try:
        version = npy_format.read_magic(stream)
        if version not in _VERSIONS:
            raise ValueError(f"version {version[0]}.{version[1]} of the format is not known")
        read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, by_column, dtype = read(stream, max_header_size=_HEADER_LIMIT)
    except Exception as error:  # the header is a Python literal; what parsing a broken one raises is not documented
        reason = str(error).partition("\n")[0]
        raise BadInput(f"The array is no .npy file ({reason}); {_HOW}.") from None
    if dtype.hasobject or dtype.kind not in _KINDS or not dtype.itemsize:
        raise BadInput(f"The array is of {dtype}; numbers, true and false, and texts can be sent: {_HOW}.")
    start = stream.tell()
    found, needed = len(content) - start, math.prod(shape) * dtype.itemsize
    if any(size < 0 for size in shape) or found != needed:
        raise BadInput(f"The array says {dtype} {shape}, which is {needed} bytes, and {found} came; {_HOW}.")
    flat = np.frombuffer(content, dtype, offset=start) if needed else np.empty(math.prod(shape), dtype)
    array = flat.reshape(shape, order="F" if by_column else "C")
    # A copy: the request's bytes are read-only, and a model may write into what it gets.
    return np.array(array, dtype=dtype.newbyteorder("="), order="C")


def write_npy(array: np.ndarray[Any, Any]) -> bytes:
    """The `.npy` file of an array. Raises ValueError for an array of objects."""
    stream = io.BytesIO()
    npy_format.write_array(stream, np.ascontiguousarray(array) if array.ndim else array, allow_pickle=False)
    return stream.getvalue()


def as_array(value: Any) -> np.ndarray[Any, Any] | None:
    """An answer as the array that it is, or None where it is none: an object, a table, or rows of several lengths."""
    if not isinstance(value, np.ndarray):
        if not isinstance(value, np.generic | int | float | bool | list | tuple):
            return None
        try:
            value = np.asarray(value)
        except (ValueError, OverflowError, TypeError):
            return None
    return value if value.dtype.kind in _KINDS else None
