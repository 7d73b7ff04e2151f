"""Python source from a tree of calls, lists and mappings: on one line where it fits, else one argument a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 100


@dataclass(frozen=True)
class Code:
    """Source as it stands."""

    text: str


@dataclass(frozen=True)
class Call:
    """A call: the function's source, and its arguments by name; those without a name come first."""

    function: str
    arguments: Sequence[tuple[str | None, Any]]


def source(value: Any, indent: int = 0, used: int = 0) -> str:
    """A value's source: of a tree of code, or of plain JSON as Python literals.

    Args:
        value: the tree.
        indent: of the line on which it begins.
        used: how much of that line is taken, and has to stay free behind it.
    """
    if isinstance(value, Code):
        return value.text
    if isinstance(value, Call):
        inner = [(f"{name}=" if name else "", one) for name, one in value.arguments]
        return _bracketed(f"{value.function}(", inner, ")", indent, used)
    if isinstance(value, Mapping):
        return _bracketed("{", [(f"{literal(str(key))}: ", one) for key, one in value.items()], "}", indent, used)
    if isinstance(value, list | tuple):
        return _bracketed("[", [("", one) for one in value], "]", indent, used)
    return literal(value)


def _bracketed(start: str, inner: Sequence[tuple[str, Any]], end: str, indent: int, used: int) -> str:
    flat = start + ", ".join(f"{head}{source(one, indent, 10_000)}" for head, one in inner) + end
    if not inner or (used < 10_000 and "\n" not in flat and indent + used + len(flat) <= WIDTH) or used >= 10_000:
        return flat
    deeper = indent + 4
    lines = [f"{' ' * deeper}{head}{source(one, deeper, len(head) + 1)},\n" for head, one in inner]
    return f"{start}\n{''.join(lines)}{' ' * indent}{end}"


def literal(value: Any) -> str:
    """A Python literal; text with double quotes where it has none itself. What can't be seen is escaped."""
    written = repr(value)
    if isinstance(value, str) and written.startswith("'") and '"' not in written:
        return f'"{written[1:-1]}"'
    return written
