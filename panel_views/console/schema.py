"""Reads JSON schemas for people: rows of a table, fields of a form, and an example of a value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_DEEPEST = 6
_LONG_TEXT = 200


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """One field of a schema; `depth` counts how far inside it lies."""

    name: str
    depth: int
    type: str
    required: bool
    note: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a grid; `cell` is number, integer, boolean, text or any."""

    name: str
    cell: str


@dataclass(frozen=True, slots=True)
class FormField:
    """One control of a form.

    `path` is where its value goes in the body; empty for a body that is no object. `control` is text, long-text,
    number, checkbox, select, image, json, group (which holds `children`) or grid (which has `columns` and the texts of
    its `rows`). `accept` says which files may fill it, if any.
    """

    path: tuple[str, ...]
    control: str
    label: str
    required: bool = False
    note: str = ""
    value: str = ""
    kind: str = "string"
    options: tuple[tuple[str, str], ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: tuple[FormField, ...] = ()
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    accept: str = ""

    @property
    def id(self) -> str:
        """The control's id in the page."""
        return "field-" + "-".join(self.path) if self.path else "field"

    @property
    def pointer(self) -> str:
        """The path as JSON, for the script."""
        return as_json(list(self.path))


def resolved(schema: Any, root: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """`schema` with its references into `root` followed and a lone `anyOf` beside null taken out."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {}
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found: Any = root
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**resolved(found, root, depth + 1), **rest}
    for word in ("anyOf", "oneOf", "allOf"):
        arms = schema.get(word)
        if isinstance(arms, list):
            real = [arm for arm in arms if not (isinstance(arm, dict) and arm.get("type") == "null")]
            if len(real) == 1:
                rest = {key: value for key, value in schema.items() if key != word}
                return {**resolved(real[0], root, depth + 1), **rest}
    return schema


def type_name(schema: Any, root: Mapping[str, Any], depth: int = 0) -> str:
    """The type in words: `text`, `list of number`, `image`, `one of a, b`."""
    found = resolved(schema, root)
    if not found or depth > _DEEPEST:
        return "anything"
    if isinstance(found.get("enum"), list):
        return "one of " + ", ".join(_shown(value) for value in found["enum"][:12])
    if "const" in found:
        return "always " + _shown(found["const"])
    for word in ("anyOf", "oneOf"):
        if isinstance(found.get(word), list):
            return " or ".join(dict.fromkeys(type_name(arm, root, depth + 1) for arm in found[word][:6]))
    kind = found.get("type")
    if isinstance(kind, list):
        return " or ".join(str(part) for part in kind)
    if kind == "array":
        return f"list of {type_name(found['items'], root, depth + 1)}" if found.get("items") else "list"
    if kind == "string":
        return str(found.get("format") or "text")
    words = {"object": "object", "number": "number", "integer": "whole number", "boolean": "yes or no", "null": "null"}
    return words.get(str(kind), "anything")


def schema_rows(schema: Any) -> list[SchemaRow]:
    """The fields of a schema, depth first; one row for a schema that is no object."""
    root = schema if isinstance(schema, dict) else {}
    found = resolved(root, root)
    if not isinstance(found.get("properties"), dict):
        return [SchemaRow("value", 0, type_name(found, root), True, _note(found))] if found else []
    return list(_rows(found, root, 0))


def _rows(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Iterator[SchemaRow]:
    required = _required(schema)
    for name, part in schema["properties"].items():
        found = resolved(part, root)
        yield SchemaRow(str(name), depth, type_name(part, root), name in required, _note(found))
        inner = resolved(found.get("items"), root) if found.get("type") == "array" else found
        if isinstance(inner.get("properties"), dict) and depth < _DEEPEST:
            yield from _rows(inner, root, depth + 1)


def _required(schema: Mapping[str, Any]) -> list[Any]:
    names = schema.get("required")
    return names if isinstance(names, list) else []


def _note(schema: Mapping[str, Any]) -> str:
    parts = [str(schema["description"]).strip().rstrip(".")] if schema.get("description") else []
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
        "minLength": "at least (letters)",
        "maxLength": "at most (letters)",
        "pattern": "like",
    }
    parts += [f"{words} {schema[key]}" for key, words in limits.items() if key in schema]
    if schema.get("default") is not None:
        parts.append("default " + _shown(schema["default"]))
    return " · ".join(parts)


def form_fields(schema: Any) -> list[FormField]:
    """The controls for a value of that schema."""
    root = schema if isinstance(schema, dict) else {}
    found = resolved(root, root)
    if isinstance(found.get("properties"), dict):
        return [
            _field((str(name),), part, root, name in _required(found)) for name, part in found["properties"].items()
        ]
    return [_field((), found, root, True)]


def _field(path: tuple[str, ...], schema: Any, root: Mapping[str, Any], required: bool) -> FormField:
    found = resolved(schema, root)
    label = path[-1] if path else "Input"
    note = str(found.get("description") or "")
    preset = found.get("default")
    if preset is None and isinstance(found.get("examples"), list) and found["examples"]:
        preset = found["examples"][0]
    properties = found.get("properties")
    if isinstance(properties, dict) and properties and len(path) < _DEEPEST:
        inner = tuple(
            _field((*path, str(name)), part, root, name in _required(found)) for name, part in properties.items()
        )
        return FormField(path, "group", label, required, note, children=inner)
    control, kind = _control(found)
    options: tuple[tuple[str, str], ...] = ()
    if control == "select":
        options = tuple((as_json(value), _shown(value)) for value in found["enum"])
        value = as_json(preset) if preset is not None else ""
    elif control == "json":
        value = as_json(preset if preset is not None else example(found, root))
    elif control == "checkbox":
        value = "yes" if preset else ""
    else:
        value = "" if preset is None else str(preset)
    return FormField(path, control, label, required, note, value, kind, options, _attributes(found, control))


def _control(schema: Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return "select", "json"
    kind = schema.get("type")
    if kind == "string":
        if schema.get("format") == "image" or str(schema.get("contentMediaType", "")).startswith("image/"):
            return "image", "string"
        longest = schema.get("maxLength")
        long = (isinstance(longest, int) and longest > _LONG_TEXT) or schema.get("format") == "textarea"
        return ("long-text" if long else "text"), "string"
    if kind in ("number", "integer"):
        return "number", str(kind)
    if kind == "boolean":
        return "checkbox", "boolean"
    return "json", "json"


def _attributes(schema: Mapping[str, Any], control: str) -> dict[str, str]:
    if control == "number":
        names = {"minimum": "min", "maximum": "max"}
        found = {html: str(schema[key]) for key, html in names.items() if isinstance(schema.get(key), int | float)}
        return found | {"step": "1" if schema.get("type") == "integer" else "any"}
    if control in ("text", "long-text"):
        names = {"minLength": "minlength", "maxLength": "maxlength"}
        return {html: str(schema[key]) for key, html in names.items() if isinstance(schema.get(key), int)}
    return {}


def example(schema: Any, root: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """A value that could fit the schema: its example or default where it has one."""
    whole = root if root is not None else (schema if isinstance(schema, dict) else {})
    found = resolved(schema, whole)
    if depth > _DEEPEST:
        return None
    if isinstance(found.get("examples"), list) and found["examples"]:
        return found["examples"][0]
    for key in ("default", "const"):
        if found.get(key) is not None:
            return found[key]
    if isinstance(found.get("enum"), list) and found["enum"]:
        return found["enum"][0]
    if isinstance(found.get("properties"), dict):
        return {str(name): example(part, whole, depth + 1) for name, part in found["properties"].items()}
    for word in ("anyOf", "oneOf"):
        if isinstance(found.get(word), list) and found[word]:
            return example(found[word][0], whole, depth + 1)
    kind = found.get("type")
    if kind == "array":
        return [example(found.get("items"), whole, depth + 1)] if found.get("items") else []
    if kind == "string":
        return _text_example(str(found.get("format", "")))
    if kind in ("number", "integer"):
        return found.get("minimum", 1)
    return {"boolean": False, "object": {}}.get(str(kind))


def _text_example(form: str) -> str:
    examples = {
        "image": "https://example.com/picture.jpg",
        "uri": "https://example.com",
        "date": "2025-01-31",
        "date-time": "2025-01-31T12:00:00Z",
        "email": "name@example.com",
    }
    return examples.get(form, "text")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else as_json(value)
    return text if len(text) <= 60 else text[:59] + "…"


def as_json(value: Any) -> str:
    """The value as JSON in one line."""
    # Not orjson: it refuses numbers beyond 64 bits.
    return json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))
