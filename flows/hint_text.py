"""Types as text in a graph document: as in Python, with classes as `module:Name`. Written from hints and read back."""

from __future__ import annotations

import ast
import builtins
import re
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_BUILTINS = frozenset(
    {"str", "int", "float", "bool", "bytes", "list", "dict", "tuple", "set", "frozenset", "object", "complex"}
)
_SPECIAL = frozenset({"Any", "Literal"})
_REFERENCE = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
# Where people import these from.
_PUBLIC = {"prefect_worklets.connectors.images:Image": "prefect_worklets:Image"}


class BadType(ValueError):
    """A text is no type; the message says why."""


@dataclass(frozen=True)
class TypeText:
    """A type that was read.

    Attributes:
        tree: the expression, in which names stand for builtins, for `Any` and `Literal`, and for references.
        references: `(module, name)` by the name that stands for it in the tree.
    """

    tree: ast.expr
    references: dict[str, tuple[str, str]]


def written_hint(hint: Any) -> str | None:
    """A hint as text, or None for one that can't be written, such as a class inside a function."""
    try:
        return _written(hint)
    except BadType:
        return None


def _written(hint: Any) -> str:
    if hint is None or hint is type(None):
        return "None"
    if hint is Any:
        return "Any"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if not all(value is None or type(value) in (str, int, bool) for value in arguments):
            raise BadType("a literal of another sort")
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_written(each) for each in arguments)
    if origin in (list, dict, tuple, set, frozenset):
        inner = ", ".join("..." if each is Ellipsis else _written(each) for each in arguments) or "()"
        return f"{origin.__name__}[{inner}]"
    if origin is None and isinstance(hint, type):
        return _class_text(hint)
    raise BadType("it has no plain name")


def _class_text(cls: type) -> str:
    if cls.__module__ == "builtins" and cls.__name__ in _BUILTINS:
        return cls.__name__
    text = f"{cls.__module__}:{cls.__qualname__}"
    if not _REFERENCE.fullmatch(text) or "[" in cls.__qualname__:
        raise BadType("it has no name that can be imported")
    return _PUBLIC.get(text, text)


def read_type(text: str) -> TypeText:
    """A type from its text. Raises BadType."""
    references: dict[str, tuple[str, str]] = {}

    def named(found: re.Match[str]) -> str:
        name = f"_r{len(references)}"
        references[name] = (found[1], found[2])
        return name

    plain = "".join(
        part if part[:1] in "\"'" else _REFERENCE.sub(named, part)
        for part in re.split(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", text)
    )
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        raise BadType("it is no type as Python writes it") from None
    for problem in _problems(tree, references):
        raise BadType(problem)
    return TypeText(tree, references)


def _problems(tree: ast.expr, references: dict[str, tuple[str, str]]) -> Iterator[str]:
    match tree:
        case ast.Name(id=name):
            if name not in _BUILTINS | _SPECIAL and name not in references:
                yield f"the name {name!r} is not known; a class is written as module:Name"
        case ast.Constant(value=None):
            return
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _problems(left, references)
            yield from _problems(right, references)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            if not all(isinstance(each, ast.Constant) for each in _parts(inner)):
                yield "Literal takes fixed values"
        case ast.Subscript(value=ast.Name(id=("list" | "dict" | "tuple" | "set" | "frozenset")), slice=inner):
            for each in _parts(inner):
                if not (isinstance(each, ast.Constant) and each.value is Ellipsis):
                    yield from _problems(each, references)
        case _:
            yield f"{ast.unparse(tree)!r} can't stand in a type"


def _parts(inner: ast.expr) -> list[ast.expr]:
    return inner.elts if isinstance(inner, ast.Tuple) else [inner]


def type_source(read: TypeText, name_for: Callable[[str, str], str]) -> str:
    """The type as Python source; `name_for(module, name)` is how a reference is written there."""

    class Named(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            if node.id in read.references:
                return ast.parse(name_for(*read.references[node.id]), mode="eval").body
            if node.id in _SPECIAL:
                return ast.parse(name_for("typing", node.id), mode="eval").body
            return node

    return ast.unparse(Named().visit(ast.parse(ast.unparse(read.tree), mode="eval")))


def hint_of_type(read: TypeText, find: Callable[[str, str], Any]) -> Any:
    """The hint that the type stands for; `find(module, name)` gives a class."""
    return _hint(read.tree, read, find)


def _hint(tree: ast.expr, read: TypeText, find: Callable[[str, str], Any]) -> Any:
    match tree:
        case ast.Name(id=name) if name in read.references:
            return find(*read.references[name])
        case ast.Name(id=name):
            return getattr(typing, name) if name in _SPECIAL else getattr(builtins, name)
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left=left, right=right):
            return typing.Union[_hint(left, read, find), _hint(right, read, find)]  # noqa: UP007 - of values
        case ast.Subscript(value=value, slice=inner):
            arguments = tuple(_hint(each, read, find) for each in _parts(inner))
            return _hint(value, read, find)[arguments if len(arguments) != 1 else arguments[0]]
    raise AssertionError("the tree was checked")
