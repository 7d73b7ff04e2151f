"""Reading arrays: lists or arrays of any sort become one numpy array of the right type and shape, or faults."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..connectors.errors import FaultList
from .signature import Field, shape_text

MAX_FAULTS = 20
Place = tuple[str | int, ...]


def read_array(value: Any, field: Field, faults: FaultList, place: Place | None = None) -> np.ndarray[Any, Any] | None:
    """`value` as the array that `field` describes, or None after noting what is wrong.

    A single row (one dimension fewer, with the right length) is taken as a batch of one.
    """
    place = ("inputs", field.name) if place is None else place
    before = len(faults.faults)
    dtype = np.dtype(field.dtype or "float64")
    array = _typed(value, dtype, field.nullable, faults, place)
    if array is None or len(faults.faults) > before:
        return None
    if array.size == 0:
        faults.add(place, "is empty; send at least one row", type="empty")
        return None
    shape = field.shape
    if shape is not None:
        if array.ndim == 0 and shape:
            faults.add(place, f"found {_found(value)}; {field.describe()} is needed", type="type")
            return None
        if array.ndim == len(shape) - 1 and shape[0] in (None, 1) and _fits(array.shape, shape[1:]) and array.ndim:
            array = array[np.newaxis]
        if array.ndim != len(shape) or not _fits(array.shape, shape):
            found = f"found the shape {shape_text(array.shape)}, and it must be {shape_text(shape)}"
            faults.add(place, found, type="shape", fix=_shape_fix(array.shape, shape))
            return None
    if dtype.kind in "fc" and not field.nullable and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))[:MAX_FAULTS]
        for position in bad.tolist():
            faults.add((*place, *position), f"found {array[tuple(position)]}; a finite number is needed", type="finite")
        return None
    return array


def _typed(
    value: Any, dtype: np.dtype[Any], nullable: bool, faults: FaultList, place: Place
) -> np.ndarray[Any, Any] | None:
    to_numpy = getattr(value, "to_numpy", None)
    if to_numpy is not None:
        value = to_numpy()
    if isinstance(value, Mapping | str | bytes) or value is None:
        faults.add(place, f"found {_found(value)}; an array (nested lists) of {dtype} is needed", type="type")
        return None
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, TypeError):
        array = None
    if array is not None and array.dtype.kind != "O":
        converted = _converted(array, dtype)
        if converted is not None:
            return converted
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif not isinstance(value, list | tuple):
        faults.add(place, f"found {_found(value)}; an array of {dtype} is needed", type="type")
        return None
    before = len(faults.faults)
    _find_faults(value, dtype, nullable, faults, place)
    if len(faults.faults) > before:
        return None
    if dtype.kind == "O":
        return array if array is not None else np.asarray(value, dtype=object)
    filled = _nulls_to_nan(value) if nullable else value
    try:
        return np.asarray(filled, dtype=dtype)
    except (ValueError, OverflowError, TypeError) as error:
        faults.add(place, f"cannot be an array of {dtype}: {error}", type="type")
        return None


def _converted(array: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any] | None:
    """The array in `dtype` if nothing is lost by it but precision; else None."""
    if array.dtype == dtype:
        return array
    source, target = array.dtype.kind, dtype.kind
    if target == "O":
        return array.astype(object)
    if target in "US":
        return array.astype(dtype) if source in "US" else None
    if target == "f" and source in "iufb":
        return array.astype(dtype)
    if target == "c" and source in "iufcb":
        return array.astype(dtype)
    if target in "iu" and source in "iufb":
        if source == "f" and not np.isfinite(array).all():
            return None
        with np.errstate(invalid="ignore"):
            whole = array.astype(dtype)
        return whole if bool((whole == array).all()) else None
    return None


def _find_faults(value: Any, dtype: np.dtype[Any], nullable: bool, faults: FaultList, place: Place) -> None:
    """Walk nested lists and note every item that is not of `dtype`, and every row of another length than the first."""
    if len(faults.faults) >= MAX_FAULTS:
        return
    if isinstance(value, list | tuple):
        lengths = [len(item) if isinstance(item, list | tuple) else None for item in value]
        for i, length in enumerate(lengths):
            if length != lengths[0] and len(faults.faults) < MAX_FAULTS:
                have, first = _length(length), _length(lengths[0])
                faults.add((*place, i), f"has {have} where the first has {first}", type="shape")
        for i, item in enumerate(value):
            _find_faults(item, dtype, nullable, faults, (*place, i))
        return
    message = _item_fault(value, dtype, nullable)
    if message is not None:
        faults.add(place, message, type="type")


def _item_fault(value: Any, dtype: np.dtype[Any], nullable: bool) -> str | None:
    kind = dtype.kind
    if kind == "O":
        return None if isinstance(value, str | numbers.Number) or (value is None and nullable) else _needs(value, "one")
    if kind in "US":
        return None if isinstance(value, str) else _needs(value, "a text")
    if kind == "b":
        return None if isinstance(value, bool) else _needs(value, "true or false")
    if value is None and nullable and kind == "f":
        return None
    if not isinstance(value, numbers.Number) or isinstance(value, complex):
        return _needs(value, "a number")
    if kind in "iu":
        limits = np.iinfo(dtype)
        if not isinstance(value, int | np.integer) and not float(value).is_integer():  # type: ignore[arg-type]
            return _needs(value, "a whole number")
        if not limits.min <= value <= limits.max:  # type: ignore[operator]
            return f"found {_found(value)}; {dtype} goes from {limits.min} to {limits.max}"
    return None


def _nulls_to_nan(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_nulls_to_nan(item) for item in value]
    return float("nan") if value is None else value


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(found) == len(wanted) and all(w is None or f == w for f, w in zip(found, wanted, strict=True))


def _shape_fix(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> str | None:
    if len(found) == len(wanted) - 1:
        return "put one more pair of brackets around it"
    return None


def _length(length: int | None) -> str:
    return "a single value" if length is None else f"{length} values"


def _found(value: Any) -> str:
    if value is None:
        return "null"
    text = repr(value)
    named = {str: "the text", dict: "the object", bool: "", int: "", float: ""}.get(
        type(value), f"a {type(value).__name__}"
    )
    return f"{named} {text if len(text) <= 40 else text[:40] + '...'}".strip()


def _needs(value: Any, wanted: str) -> str:
    return f"found {_found(value)}; {'a text or a number' if wanted == 'one' else wanted} is needed"
