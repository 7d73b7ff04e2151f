"""Simple JSON schemas as types, for documents that give an input by its schema alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_MEANT_FOR_PEOPLE = frozenset({"title", "description", "default", "examples", "deprecated"})


def type_of_schema(schema: Mapping[str, Any]) -> str | None:
    """The type whose schema this is, as in a graph document; None for a schema that says more than a plain type."""
    said = {key: value for key, value in schema.items() if key not in _MEANT_FOR_PEOPLE}
    if not said:
        return "Any"
    if set(said) == {"anyOf"} and isinstance(said["anyOf"], list):
        members = [type_of_schema(each) for each in said["anyOf"]]
        return " | ".join(str(each) for each in members) if members and None not in members else None
    if "enum" in said or "const" in said:
        values = said.get("enum", [said.get("const")])
        fits = set(said) <= {"enum", "const", "type"} and isinstance(values, list) and bool(values)
        if fits and all(value is None or type(value) in (str, int, bool) for value in values):
            return f"Literal[{', '.join(map(repr, values))}]"
        return None
    kind = said.pop("type", None)
    if kind in _PLAIN and not said:
        return _PLAIN[kind]
    if kind == "array" and set(said) <= {"items"}:
        inner = type_of_schema(said.get("items", {}))
        return f"list[{inner}]" if inner is not None else None
    if kind == "object" and set(said) <= {"additionalProperties"}:
        rest = said.get("additionalProperties", True)
        inner = type_of_schema(rest) if isinstance(rest, Mapping) else "Any" if rest else None
        return f"dict[str, {inner}]" if inner is not None else None
    return None
