"""Writes the parts of the reference pages that the code knows best: `python docs/generate.py`.

Each part stands between `<!-- generated: NAME -->` and `<!-- end -->`. A test fails while a page is not up to date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent


def components() -> str:
    """The view components, from the kinds that documents are checked against."""
    from prefect_worklets.panel_views.components.kinds import KINDS

    parts = []
    for kind in KINDS.values():
        facts = []
        if kind.values:
            facts.append(f"Values: {_codes(sorted(kind.values))}.")
        if kind.events:
            facts.append(f"Events: {_codes(sorted(kind.events))}.")
        if kind.container:
            facts.append("Holds other components.")
        facts.append(f"Usual size: {kind.size[0]} by {kind.size[1]}.")
        schema = kind.properties.model_json_schema()
        rows = [
            (f"`{name}`", _type(part, schema), _code(part["default"]) if "default" in part else "needed")
            for name, part in schema["properties"].items()
        ]
        about = (kind.properties.__doc__ or "").strip()
        parts.append(
            f"### {kind.type}\n\n{about}\n\n{' '.join(facts)}\n\n" + _table(("property", "type", "default"), rows)
        )
    return "\n\n".join(parts)


PARTS: dict[str, Callable[[], str]] = {"components": components}


def _type(part: dict[str, Any], schema: dict[str, Any]) -> str:
    """A JSON schema's type in words, short enough for a table."""
    if "$ref" in part:
        name = part["$ref"].rsplit("/", 1)[1]
        fields = schema.get("$defs", {}).get(name, {}).get("properties", {})
        return f"object ({_codes(fields)})" if fields else "object"
    if "enum" in part:
        return " or ".join(_code(value) for value in part["enum"])
    if "const" in part:
        return _code(part["const"])
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_type(one, schema) for one in part["anyOf"]))
    kind = {"string": "text", "null": "nothing", "boolean": "true or false", "integer": "whole number"}.get(
        part.get("type", ""), part.get("type", "anything")
    )
    if kind == "array":
        return f"list of {_type(part.get('items', {}), schema)}"
    return kind + _bounds(part)


def _bounds(part: dict[str, Any]) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "over", "maximum": "at most", "exclusiveMaximum": "under"}
    found = [f"{text} {part[key]:g}" for key, text in words.items() if key in part]
    if part.get("maxLength", 10**9) < 10**6:
        found.append(f"at most {part['maxLength']} characters")
    return f" ({', '.join(found)})" if found else ""


def _codes(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _code(value: Any) -> str:
    if value is None:
        return "none"
    if value == "":
        return "empty"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def generated(page: str) -> str:
    """The page with every generated part made anew. Raises KeyError for a part that nothing makes."""

    def part(match: re.Match[str]) -> str:
        return f"<!-- generated: {match[1]} -->\n\n{PARTS[match[1]]()}\n\n<!-- end -->"

    return re.sub(r"<!-- generated: (\w+) -->.*?<!-- end -->", part, page, flags=re.DOTALL)


def pages() -> list[Path]:
    """The pages that have generated parts."""
    return [path for path in sorted(DOCS.rglob("*.md")) if "<!-- generated: " in path.read_text()]


if __name__ == "__main__":
    for path in pages():
        path.write_text(generated(path.read_text()))
        print(path.relative_to(DOCS))
