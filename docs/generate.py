"""Writes the parts of the reference pages that the code knows best, and the classes of `pw.ui` (generate_ui.py):
`python docs/generate.py`.

Each part stands between `<!-- generated: NAME -->` and `<!-- end -->`. A test fails while a page is not up to date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import generate_ui
from describe import described

DOCS = Path(__file__).resolve().parent


def components() -> str:
    """The view components, from the kinds that documents are checked against."""
    from prefect_worklets.panel_views.components.kinds import KINDS

    parts = []
    for kind in KINDS.values():
        facts = [f"In the palette: {kind.category}."]
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
            f"### {kind.name}\n\n{about}\n\n{' '.join(facts)}\n\n" + _table(("property", "type", "default"), rows)
        )
    return "\n\n".join(parts)


def errors() -> str:
    """The problem types, from the tree of exceptions."""
    from prefect_worklets.connectors.errors import WorkletsError

    def tree(error: type[WorkletsError]) -> list[type[WorkletsError]]:
        # A private subclass changes how an error is sent, not what it is.
        public = [one for one in error.__subclasses__() if not one.__name__.startswith("_")]
        return [error, *(deeper for one in public for deeper in tree(one))]

    known = [error for error in tree(WorkletsError)[1:] if error.__module__.endswith("connectors.errors")]
    rows = [
        (f"`urn:worklets:problem:{_slug(error)}`", str(error.status), (error.__doc__ or "").split("\n")[0])
        for error in sorted(known, key=lambda error: error.status)
    ]
    return _table(("type", "status", "when"), rows)


def settings() -> str:
    """The settings, from their class."""
    from prefect_worklets.settings import Settings

    rows = []
    for name, field in Settings.model_fields.items():
        factory = field.default_factory
        # A default that is worked out differs from machine to machine: the page says it in words.
        default = _code(field.default) if factory is None else _code([]) if factory is list else "see below"
        rows.append((f"`WORKLETS_{name.upper()}`", field.description or "", default))
    return _table(("variable", "what it sets", "default"), rows)


def commands() -> str:
    """The commands with their arguments and options, from the command line itself."""
    import click
    from typer.main import get_command

    from prefect_worklets.cli import app

    def walk(name: str, command: Any) -> list[str]:
        if isinstance(command, click.Group) or hasattr(command, "commands"):
            return [part for key, one in sorted(command.commands.items()) for part in walk(f"{name} {key}", one)]
        return [_command(name, command)] if not command.hidden else []

    return "\n\n".join(walk("worklets", get_command(app)))


def zoo() -> str:
    """The models of the zoo."""
    from prefect_worklets.bentos import zoo

    rows = [
        (f"`{one.name}`", one.task, one.description, ", ".join(f"`{name}`" for name in _takes(one)), one.credit)
        for one in zoo.entries()
    ]
    return _table(("name", "of", "what it does", "takes", "credit and licences"), rows)


def _takes(entry: Any) -> list[str]:
    return [field.name if field.required else f"{field.name}?" for field in entry.signature.inputs]


def names() -> str:
    """Every public name of the package that is no exception."""
    import prefect_worklets as pw

    things = {name: getattr(pw, name) for name in pw.__all__}
    plain = {name: thing for name, thing in things.items() if not _is_error(thing)}
    return "\n\n".join(
        described(name, thing) for name, thing in sorted(plain.items(), key=lambda pair: pair[0].lower())
    )


def exceptions() -> str:
    """Every public exception, as an entry each."""
    import prefect_worklets as pw

    found = [name for name in pw.__all__ if _is_error(getattr(pw, name))]
    parts = []
    for name in found:
        error = getattr(pw, name)
        parents = [parent.__name__ for parent in error.__mro__[1:] if issubclass(parent, pw.WorkletsError)]
        kind = f" A `{parents[0]}`." if parents else ""
        parts.append(f"### pw.{name}\n\n{(error.__doc__ or '').splitlines()[0]} Status {error.status}.{kind}")
    return "\n\n".join(parts)


def _is_error(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, Exception)


PARTS: dict[str, Callable[[], str]] = {
    "names": names,
    "exceptions": exceptions,
    "components": components,
    "errors": errors,
    "settings": settings,
    "commands": commands,
    "zoo": zoo,
}


def _command(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
    words = [one.name.upper() if one.required else f"[{one.name.upper()}]" for one in arguments]
    usage = " ".join([name, *words, *(["[OPTIONS]"] if options else [])])
    rows = [(f"`{one.name.upper()}`", _plain(one.help), "") for one in arguments]
    rows += [
        (f"`{', '.join([*one.opts, *one.secondary_opts])}`", _plain(one.help), _option_default(one)) for one in options
    ]
    table = "\n\n" + _table(("argument or option", "what it does", "default"), rows) if rows else ""
    return f"### {name}\n\n{_plain(command.help)}\n\n```text\n{usage}\n```{table}"


def _option_default(option: Any) -> str:
    if option.required:
        return "needed"
    return "" if option.default in (None, False, (), "") or callable(option.default) else _code(option.default)


def _plain(text: str | None) -> str:
    """A help text as one paragraph of Markdown; what stands after a form feed is for developers."""
    return " ".join(re.sub(r"\[/?[a-z]+\]", "", (text or "").split("\f")[0]).split())


def _slug(error: type[Exception]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__).lower()


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
    for path, text in generate_ui.written().items():
        path.write_text(text)
        print(path.relative_to(DOCS.parent))
