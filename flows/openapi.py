"""`GET /api/openapi.json`: each live worklet with its own input and output schema, and what the models add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .registry import LiveWorklet

# What another room adds: paths, as in an OpenAPI document.
Paths = Mapping[str, Any]
_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "msg": {"type": "string"},
                    "type": {"type": "string"},
                    "fix": {"type": "string"},
                },
                "required": ["loc", "msg", "type"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "errors"],
}
_REFUSALS = {
    "400": "The input doesn't fit; `errors` has every place.",
    "401": "No key, or one that is unknown, expired or revoked.",
    "403": "The key's role is too low.",
    "404": "There is no such worklet.",
    "413": "The body is over the limit.",
    "500": "A node failed.",
    "504": "A time limit passed.",
}


def openapi(
    worklets: Iterable[LiveWorklet], version: str = "1", more_paths: Iterable[Callable[[], Paths]] = ()
) -> dict[str, Any]:
    """The document.

    Args:
        worklets: the live ones.
        version: of the API.
        more_paths: give the paths of other rooms.
    """
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    for live in sorted(worklets, key=lambda each: each.name):
        paths[f"/api/worklets/{live.name}/invoke"] = {"post": _invoke(live, schemas)}
    for source in more_paths:
        paths.update(source())
    return {
        "openapi": "3.1.0",
        "info": {"title": "Worklets", "version": version},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def _invoke(live: LiveWorklet, schemas: dict[str, Any]) -> dict[str, Any]:
    taken = _component(live.graph.input_schema, live.name, "input", schemas)
    given = _component(live.graph.output_schema, live.name, "output", schemas)
    content: dict[str, Any] = {"application/json": {"schema": taken}}
    if _has_image(live.graph.input_schema):
        content["multipart/form-data"] = {"schema": taken}
    answer: dict[str, Any] = {"application/json": {"schema": given}}
    if _has_image(live.graph.output_schema):
        answer["image/png"] = {"schema": {"type": "string", "contentMediaType": "image/png"}}
    problems = {
        status: {
            "description": description,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, description in _REFUSALS.items()
    }
    headers = {"x-run-id": {"description": "The run's id.", "schema": {"type": "string"}}}
    return {
        "operationId": f"invoke_{live.name}",
        "summary": live.graph.description.partition("\n")[0] or f"Run {live.name} and answer with its result.",
        "tags": list(live.graph.tags) or ["worklets"],
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "The result.", "headers": headers, "content": answer}, **problems},
    }


def _component(schema: Mapping[str, Any], name: str, what: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """Put a schema and its own definitions among the components, under names that can't clash."""
    prefix = f"{name}.{what}"
    for inner, definition in schema.get("$defs", {}).items():
        schemas[f"{prefix}.{inner}"] = _renamed(definition, prefix)
    schemas[prefix] = _renamed({key: value for key, value in schema.items() if key != "$defs"}, prefix)
    return {"$ref": f"#/components/schemas/{prefix}"}


def _renamed(part: Any, prefix: str) -> Any:
    if isinstance(part, dict):
        return {
            key: f"#/components/schemas/{prefix}.{value.removeprefix('#/$defs/')}"
            if key == "$ref" and isinstance(value, str) and value.startswith("#/$defs/")
            else _renamed(value, prefix)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_renamed(each, prefix) for each in part]
    return part


def _has_image(part: Any) -> bool:
    if isinstance(part, dict):
        return part.get("format") == "image" or any(_has_image(each) for each in part.values())
    return isinstance(part, list) and any(_has_image(each) for each in part)
