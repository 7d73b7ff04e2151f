"""Arrays on their way to a model and back: as `.npy`, which costs neither side the writing of numbers as text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from .client_values import plain, read_file, to_json

JSON = "application/json"
NPY = "application/x-npy"
# Inputs by name go as a form from this many numbers in one array on.
_MANY_NUMBERS = 1000
# A picture's pixels above this are sent as a PNG: the server takes 20 MB.
_LARGE_PICTURE = 8_000_000
_KINDS = "biufcSU"


class Sent(NamedTuple):
    """A request's body and headers."""

    content: bytes
    headers: dict[str, str]


def request_of(inputs: Any) -> Sent:
    """How inputs are sent: an array as `.npy`, large arrays by name as a form, all else as JSON. Raises BadInput."""
    if _goes_as_npy(inputs):
        # An array in, an array out; an answer that is none comes as JSON.
        return Sent(_npy(inputs), {"content-type": NPY, "accept": f"{NPY}, {JSON};q=0.9"})
    if isinstance(inputs, Mapping) and _is_worth_a_form(inputs):
        return _form(inputs)
    return Sent(to_json({"inputs": inputs}), {"content-type": JSON, "accept": JSON})


def _goes_as_npy(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray) or value.dtype.kind not in _KINDS:
        return False
    is_picture = value.dtype == numpy.uint8 and value.ndim == 3 and value.shape[2] == 3
    return not (is_picture and value.nbytes > _LARGE_PICTURE)


def _npy(array: Any) -> bytes:
    from .bentos.npy import write_npy

    return write_npy(array)


def _is_worth_a_form(inputs: Mapping[str, Any]) -> bool:
    # A form does not tell the text "12" from the number.
    if any(isinstance(value, str) for value in inputs.values()):
        return False
    return any(_goes_as_npy(value) and value.size >= _MANY_NUMBERS for value in inputs.values())


def _form(inputs: Mapping[str, Any]) -> Sent:
    files: dict[str, tuple[str | None, bytes]] = {}
    for name, value in inputs.items():
        if _goes_as_npy(value):
            files[name] = (f"{name}.npy", _npy(value))
        elif isinstance(value, Path):
            files[name] = (value.name, read_file(value))
        elif isinstance(value, bytes | bytearray | memoryview):
            files[name] = (name, bytes(value))
        else:
            data = plain(value, name)
            files[name] = (None, data.encode() if isinstance(data, str) else to_json(data))
    form = httpx.Request("POST", "http://form", files=files)
    return Sent(form.read(), {"content-type": form.headers["content-type"], "accept": JSON})
