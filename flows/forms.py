"""A multipart form as a worklet's input: `curl -F content=@a.jpg -F size=256`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message, Scope

from ..connectors.errors import BadInput

MAX_PARTS = 200


async def read_form(scope: Scope, body: bytes) -> tuple[dict[str, list[str | bytes]], dict[str, Any]]:
    """A form's fields, each a list of texts and file contents; and the same for the record, without contents.

    Raises:
        BadInput: it is no multipart form, or has too many parts.
    """
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    request = Request(scope, receive)
    fields: dict[str, list[str | bytes]] = {}
    shown: dict[str, Any] = {}
    try:
        async with request.form(max_files=MAX_PARTS, max_fields=MAX_PARTS, max_part_size=len(body) + 1) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    content = await value.read()
                    if not content and not value.filename:
                        continue  # a file field that was left empty
                    fields.setdefault(name, []).append(content)
                    shown[name] = {"$truncated": len(content), "media_type": value.content_type or ""}
                else:
                    fields.setdefault(name, []).append(value)
                    shown[name] = value
    except (HTTPException, MultiPartException) as error:
        raise BadInput(f"The body is no multipart form: {said(error)}") from None
    return fields, shown


def said(error: HTTPException | MultiPartException) -> str:
    """What is wrong with a form."""
    return error.message if isinstance(error, MultiPartException) else str(error.detail)


def as_input(fields: Mapping[str, list[str | bytes]], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The form as an input object: text stays text where the field is text, else it is read as JSON.

    Args:
        fields: from `read_form`.
        schema: the worklet's input schema.
    """
    properties: Mapping[str, Any] = _resolved(schema, schema).get("properties", {})
    result: dict[str, Any] = {}
    for name, values in fields.items():
        types = _types(properties.get(name, {}), schema)
        if "array" in types and not _is_json_list(values):
            item = _items(properties.get(name, {}), schema)
            result[name] = [_value(value, _types(item, schema)) for value in values]
        else:
            result[name] = _value(values[-1], types)
    return result


def _is_json_list(values: list[str | bytes]) -> bool:
    return len(values) == 1 and isinstance(values[0], str) and values[0].lstrip().startswith("[")


def _value(value: str | bytes, types: set[str]) -> Any:
    if isinstance(value, bytes) or "string" in types:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value  # the check of the input says what is wrong with it


def _types(schema: Mapping[str, Any], root: Mapping[str, Any]) -> set[str]:
    schema = _resolved(schema, root)
    found: set[str] = set()
    if isinstance(schema.get("type"), str):
        found.add(schema["type"])
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        found |= _types(option, root)
    if "enum" in schema and all(isinstance(value, str) for value in schema["enum"]):
        found.add("string")
    return found


def _items(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = _resolved(schema, root)
    for option in (schema, *schema.get("anyOf", ())):
        if "items" in option:
            items: Mapping[str, Any] = option["items"]
            return items
    return {}


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        found: Mapping[str, Any] = root.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
        return found
    return schema
