"""A multipart form as a worklet's input: `curl -F content=@a.jpg -F size=256`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


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
