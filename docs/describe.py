"""Objects of the package as Markdown: signatures and docstrings. For `generate.py`."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns):\s*$")
_HEADINGS = {"Args": "Parameters", "Attributes": "Attributes", "Raises": "Raises", "Returns": "Returns"}


def described(name: str, thing: Any) -> str:
    """A public name: its signature, docstring, and for a class of ours its methods."""
    parts = [f"### pw.{name}"]
    if inspect.ismodule(thing):
        functions = [one for one in vars(thing).items() if inspect.isfunction(one[1])]
        entries = [f"`{_signature(f'pw.{name}.{key}', one)}`\n:   {_first(one)}" for key, one in sorted(functions)]
        return "\n\n".join([*parts, _docstring(thing), *entries])
    if inspect.isclass(thing) or callable(thing):
        parts.append(_code(f"pw.{name}", thing))
        parts.append(_docstring(thing))
    else:
        parts.append(_docstring(type(thing)))
    owner = thing if inspect.isclass(thing) else type(thing) if not inspect.isroutine(thing) else None
    if owner is not None:
        parts += [f"`{_signature(key, member, bound=True)}`\n:   {_first(member)}" for key, member in _methods(owner)]
    return "\n\n".join(part for part in parts if part)


def _methods(owner: type) -> list[tuple[str, Any]]:
    found = []
    for key, member in vars(owner).items():
        function = getattr(member, "__func__", member)
        if not key.startswith("_") and inspect.isfunction(function) and function.__doc__ and _is_ours(function):
            found.append((key, function))
    return found


def _is_ours(function: Any) -> bool:
    """Not one that pydantic or a dataclass has put into the class."""
    return bool(function.__module__.startswith("prefect_worklets"))


def _code(name: str, thing: Any) -> str:
    text = _signature(name, thing)
    if len(text) > 100:
        head, _, rest = text.partition("(")
        inside, _, result = rest.rpartition(")")
        inner = ",\n".join(f"    {part}" for part in _split(inside))
        text = f"{head}(\n{inner},\n){result}"
    return f"```text\n{text}\n```"


def _split(parameters: str) -> list[str]:
    """Parameters at the commas that are not inside brackets."""
    parts, depth = [""], 0
    for char in parameters:
        depth += (char in "[(") - (char in "])")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]


def _signature(name: str, thing: Any, bound: bool = False) -> str:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return f"{name}(...)"
    parameters = list(signature.parameters.values())
    if bound and parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    if inspect.isclass(thing):
        signature = signature.replace(return_annotation=inspect.Signature.empty)
    text = str(signature.replace(parameters=parameters))
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)  # annotations are texts
    text = re.sub(r"\b(?:[a-z_]+\.)+([A-Z]\w*)", r"\1", text)  # names without their modules
    return name + text.replace("~", "")


def _first(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _docstring(thing: Any) -> str:
    """A docstring in the Google style as Markdown."""
    parts: list[str] = []
    for paragraph in (inspect.getdoc(thing) or "").split("\n\n"):
        lines = paragraph.splitlines()
        section = _SECTION.match(lines[0]) if lines else None
        if section is None:
            parts.append(paragraph)
        elif section[1] == "Returns":
            parts.append(f"Returns: {' '.join(textwrap.dedent(chr(10).join(lines[1:])).split())}")
        else:
            parts.append(f"{_HEADINGS[section[1]]}:\n\n" + "\n".join(_entries(lines[1:])))
    return "\n\n".join(parts)


def _entries(lines: list[str]) -> list[str]:
    entries: list[str] = []
    least = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    for line in lines:
        if len(line) - len(line.lstrip()) > least and entries:
            entries[-1] += f" {line.strip()}"
            continue
        name, colon, text = line.strip().partition(": ")
        entries.append(f"- `{name}`: {text}" if colon else f"- {name}")
    return entries
