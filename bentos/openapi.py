"""The models in `GET /api/openapi.json`: each live one with its own inputs and outputs."""

from __future__ import annotations

from typing import Any

from . import npy
from .answers import PNG
from .bodies import FORM, JSON
from .router import Router
from .signature import Field, Signature
from .slots import Slot

_BYTES = {"type": "string", "contentEncoding": "binary"}
_REFUSALS = {
    "400": "The inputs don't fit; `errors` has every place.",
    "401": "No key, or one that is unknown, expired or revoked.",
    "403": "The key's role is too low.",
    "404": "There is no such model.",
    "406": "The answer is not to be had in the form that `Accept` asks for.",
    "413": "The body is over the limit.",
    "415": "The body is of a type that is not read here.",
    "502": "The model raised.",
    "504": "A time limit passed.",
}


def paths(router: Router) -> dict[str, Any]:
    """The paths of the models that are live."""
    live = [slot for name in router.names() if (slot := router.live(name)) is not None]
    return {f"/api/models/{slot.name}/predict": {"post": _predict(slot)} for slot in live}


def _predict(slot: Slot) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refusals = {status: {"description": text, "content": problem} for status, text in _REFUSALS.items()}
    headers = {"x-model-version": {"description": "The version that answered.", "schema": {"type": "string"}}}
    content = _answer_content(slot)
    return {
        "operationId": f"predict_{slot.name}",
        "summary": slot.manifest.description.partition("\n")[0] or f"Ask the model {slot.name}.",
        "tags": ["models"],
        "requestBody": {"required": True, "content": _body_content(slot.signature)},
        "responses": {"200": {"description": "The answer.", "headers": headers, "content": content}, **refusals},
    }


def _body_content(signature: Signature) -> dict[str, Any]:
    inputs = {"type": "object", "properties": {"inputs": signature.input_schema()}, "required": ["inputs"]}
    fields = {field.name: _part_schema(field) for field in signature.inputs}
    needed = [field.name for field in signature.inputs if field.required]
    content: dict[str, Any] = {
        JSON: {"schema": inputs},
        FORM: {"schema": {"type": "object", "properties": fields, "required": needed}},
    }
    if signature.single is not None and signature.single.kind in ("array", "table", "image"):
        content[npy.MEDIA_TYPE] = {"schema": _BYTES}
    return content


def _part_schema(field: Field) -> dict[str, Any]:
    """A part of a form: a file for what is no text, and otherwise as in JSON."""
    return dict(_BYTES) if field.kind in ("array", "image", "file") else field.json_schema()


def _answer_content(slot: Slot) -> dict[str, Any]:
    signature = slot.signature
    properties = {
        "outputs": signature.output_schema(),
        "model": {"type": "string"},
        "version": {"type": "string"},
    }
    content: dict[str, Any] = {JSON: {"schema": {"type": "object", "properties": properties}}}
    kinds = [field.kind for field in signature.outputs]
    if kinds in (["array"], ["number"]) and signature.outputs[0].name == "output":
        content[npy.MEDIA_TYPE] = {"schema": _BYTES}
    if kinds.count("image") == 1:
        content[PNG] = {"schema": {"type": "string", "contentMediaType": PNG}}
    return content
