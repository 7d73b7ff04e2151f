"""What a node is, for people: its settings in words, where its arguments come from, and its code."""

from __future__ import annotations

import ast
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import orjson

from .documents import written_document
from .graph import Argument, Constant, FromInput, FromNode, GraphDocument, GraphNode, ListOf

_SAID_ELSEWHERE = frozenset(
    {"id", "kind", "function", "arguments", "settings", "input_schema", "output_schema", "description"}
)
_MOST_CODE = 200_000


class NodeCode(NamedTuple):
    """A function as it is written: the file inside the project, its first line, and the text."""

    file: str
    line: int
    text: str


def node_settings(graph: GraphDocument, id: str) -> dict[str, Any]:
    """A node's settings that are not as usual: those of its kind first, then retries, timeout and the like."""
    written = next(each for each in written_document(graph).get("nodes", ()) if each["id"] == id)
    options = {name: value for name, value in written.items() if name not in _SAID_ELSEWHERE}
    return {**written.get("settings", {}), **options}


def argument_texts(node: GraphNode) -> dict[str, str]:
    """Where each argument comes from: `order.lines[0]` of the input, `total()` of a node, or a constant."""
    return {name: argument_text(argument) for name, argument in node.arguments.items()}


def argument_text(argument: Argument) -> str:
    """Where one argument comes from."""
    if isinstance(argument, FromInput | FromNode):
        text = argument.input if isinstance(argument, FromInput) else f"{argument.node}()"
        for step in argument.path:
            text += f".{step.attribute}" if hasattr(step, "attribute") else f"[{_json(step.item)}]"
        return text
    if isinstance(argument, Constant):
        return _json(argument.constant)
    if isinstance(argument, ListOf):
        return f"[{', '.join(map(argument_text, argument.list))}]"
    return f"{{{', '.join(f'{_json(key)}: {argument_text(part)}' for key, part in argument.object.items())}}}"


def node_code(folder: Path, node: GraphNode) -> NodeCode | None:
    """The code of a node of the kinds `node` and `map`; None where it has none, or its source is not there.

    Args:
        folder: the source tree of the version that the node belongs to.
        node: names its code as `module:name`.
    """
    if node.function is None:
        return None
    module, _, name = node.function.partition(":")
    place = PurePosixPath(*module.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        path = (folder / file).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file() or path.stat().st_size > _MOST_CODE:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = _lines_of(text, name.split("."))
        if lines is not None:
            first, last = lines
            return NodeCode(str(file), first, "\n".join(text.splitlines()[first - 1 : last]))
    return None


def _lines_of(text: str, names: list[str]) -> tuple[int, int] | None:
    """The first and last line of a definition, decorators included."""
    try:
        body: list[ast.stmt] = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    found: ast.stmt | None = None
    for name in names:
        found = next(
            (
                each
                for each in reversed(body)
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and each.name == name
            ),
            None,
        )
        if found is None:
            return None
        body = found.body
    assert isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    first = min([found.lineno, *(each.lineno for each in found.decorator_list)])
    return first, found.end_lineno or found.lineno


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
