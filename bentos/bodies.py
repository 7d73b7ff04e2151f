"""The body of a `predict` request, as JSON, as one `.npy` array, or as a form with files, to a model's inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.types import Scope

from ..connectors.errors import BadInput, Fault, FaultList, WrongMediaType
from ..connectors.forms import read_form
from . import npy
from .large_json import LARGE_BYTES, loads_request
from .signature import Field, Signature

JSON, FORM = "application/json", "multipart/form-data"
# What `curl -d` and simple clients say of the JSON that they send.
_ALSO_JSON = frozenset(("", JSON, "text/json", "text/plain", "application/x-www-form-urlencoded"))


def media_type(content_type: str) -> str:
    """How a body is to be read: JSON, FORM or npy.MEDIA_TYPE. Raises WrongMediaType."""
    said = content_type.partition(";")[0].strip().lower()
    if said in _ALSO_JSON or said.endswith("+json"):
        return JSON
    if said in (FORM, npy.MEDIA_TYPE):
        return said
    raise WrongMediaType(f"A body of {said[:60]!r} is not read here; send {JSON}, {npy.MEDIA_TYPE} or {FORM}.")


def small_json(body: bytes) -> Any:
    """The inputs in a JSON body, at once. Raises BadInput."""
    try:
        return _inputs_in(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise BadInput(f"The body is not valid JSON: {error}.") from None


def is_small_json(kind: str, body: bytes) -> bool:
    """Whether `small_json` reads the body, rather than `read_inputs`."""
    return kind == JSON and len(body) <= LARGE_BYTES


async def read_inputs(kind: str, body: bytes, scope: Scope, signature: Signature) -> Any:
    """The inputs in a body of any size, read in a thread.

    Args:
        kind: from `media_type`.
        scope: of the request, for a form's boundary.
        signature: tells which fields of a form are texts, files or JSON.

    Raises:
        BadInput: it is not what it says; every fault of a form is listed.
    """
    if kind == FORM:
        fields, _ = await read_form(scope, body)
        return await asyncio.to_thread(_from_form, fields, signature)
    return await asyncio.to_thread(_from_npy if kind == npy.MEDIA_TYPE else _from_json, body, signature)


def _from_json(body: bytes, signature: Signature) -> Any:
    single = signature.single
    try:
        return _inputs_in(loads_request(body, as_array=single is not None and single.kind == "array"))
    except orjson.JSONDecodeError as error:
        raise BadInput(f"The body is not valid JSON: {error}.") from None


def _inputs_in(body: Any) -> Any:
    if not isinstance(body, dict) or "inputs" not in body:
        raise BadInput(
            "The body must be an object with `inputs`.", faults=[Fault(("inputs",), "is missing", "missing")]
        )
    return body["inputs"]


def _from_npy(body: bytes, signature: Signature) -> Any:
    array = npy.read_npy(body)
    single = signature.single
    if single is None:
        names = ", ".join(field.name for field in signature.inputs)
        raise BadInput(f"This model has several inputs ({names}); send a form ({FORM}) with a file for each array.")
    # Under its name: an array is an input's value, and no list of inputs.
    return {single.name: array}


def _from_form(given: Mapping[str, list[str | bytes]], signature: Signature) -> dict[str, Any]:
    fields = {field.name: field for field in signature.inputs}
    faults, values = FaultList(), {}
    for name, parts in given.items():
        place = ("inputs", name)
        if len(parts) > 1:
            faults.add(place, f"was sent {len(parts)} times; send it once", type="multiple")
        elif name in fields:
            values[name] = _part(parts[0], fields[name], faults)
        else:
            values[name] = parts[0]  # the check of the inputs says that there is none of that name
    faults.raise_if_any("The form does not fit.")
    return values


def _part(part: str | bytes, field: Field, faults: FaultList) -> Any:
    """A part of a form as the value of its field: a text, the content of a file, or else JSON."""
    place = ("inputs", field.name)
    if isinstance(part, bytes):
        if part.startswith(npy.MAGIC):
            try:
                return npy.read_npy(part)
            except BadInput as error:
                faults.add(place, error.detail, type="npy")
                return None
        if field.kind in ("image", "file"):
            return part
        try:
            part = part.decode()
        except UnicodeDecodeError:
            faults.add(place, f"the file is neither .npy nor text; {field.describe()} is needed", type="file")
            return None
    if field.kind in ("image", "text", "file"):
        return part
    try:
        return orjson.loads(part)
    except orjson.JSONDecodeError as error:
        if field.kind == "json":
            return part
        faults.add(place, f"is no JSON ({error}); {field.describe()} is needed", type="json")
        return None
