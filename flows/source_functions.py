"""The nodes that Python source defines, read from its text alone: nothing of it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from .faults import DefinitionFault, Place, definition_fault
from .hint_text import BadType, read_type


@dataclass(frozen=True, slots=True)
class SourceParameter:
    """A parameter: `type` is its hint as it is written, `document_type` as a graph document writes it, if it can."""

    name: str
    type: str | None
    required: bool
    document_type: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFunction:
    """A function under `@pw.node`, by `module:name`."""

    function: str
    file: str
    line: int
    parameters: tuple[SourceParameter, ...]
    returns: str | None
    about: str


def source_functions(files: Mapping[str, str]) -> tuple[dict[str, SourceFunction], list[DefinitionFault]]:
    """The nodes of some files by `module:name`, and a fault for each file that is no Python."""
    found: dict[str, SourceFunction] = {}
    faults: list[DefinitionFault] = []
    for file, text in files.items():
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            said = getattr(error, "msg", None) or str(error)
            faults.append(definition_fault(f"this is no Python: {said}.", place=Place(file, line)))
            continue
        names = dict(_names(tree.body, module_of(file)))
        for each in tree.body:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and _is_node(each):
                function = f"{module_of(file)}:{each.name}"
                found[function] = SourceFunction(
                    function, file, each.lineno, tuple(_parameters(each.args, names)),
                    ast.unparse(each.returns) if each.returns is not None else None,
                    (ast.get_docstring(each) or "").partition("\n")[0],
                )  # fmt: skip
    return found, faults


def module_of(file: str) -> str:
    """The module that a file of a source tree is: `shop/orders.py` is `shop.orders`."""
    path = PurePosixPath(file).with_suffix("")
    parts = path.parts[:-1] if path.name == "__init__" else path.parts
    return ".".join(parts)


def _is_node(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    for decorator in function.decorator_list:
        called: Any = decorator.func if isinstance(decorator, ast.Call) else decorator
        if getattr(called, "attr", getattr(called, "id", "")) == "node":
            return True
    return False


def _names(body: list[ast.stmt], module: str) -> Iterator[tuple[str, str]]:
    """What a module's names stand for: `module:Name` of a class, or `module:` of a module."""
    for each in body:
        if isinstance(each, ast.ClassDef):
            yield each.name, f"{module}:{each.name}"
        elif isinstance(each, ast.ImportFrom) and each.module and not each.level:
            for alias in each.names:
                yield alias.asname or alias.name, f"{each.module}:{alias.name}"
        elif isinstance(each, ast.Import):
            for alias in each.names:
                yield alias.asname or alias.name.partition(".")[0], f"{alias.name}:"


class _Written(ast.NodeTransformer):
    """Puts `module:Name` in the place of the names of a hint."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self.found: dict[str, str] = {}

    def _reference(self, text: str) -> ast.Name:
        mark = f"_reference_{len(self.found)}_"
        self.found[mark] = "Any" if text == "typing:Any" else text
        return ast.Name(mark, ast.Load())

    def visit_Name(self, node: ast.Name) -> ast.AST:
        known = self._names.get(node.id)
        return self._reference(known) if known is not None else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        home = self._names.get(node.value.id, "") if isinstance(node.value, ast.Name) else ""
        return self._reference(f"{home}{node.attr}") if home.endswith(":") else node


def _document_type(annotation: ast.expr | None, names: Mapping[str, str]) -> str | None:
    if annotation is None:
        return None
    writer = _Written(names)
    text = ast.unparse(writer.visit(ast.parse(ast.unparse(annotation), mode="eval")))
    for mark, reference in writer.found.items():
        text = text.replace(mark, reference)
    try:
        read_type(text)
    except BadType:
        return None
    return text


def _parameters(arguments: ast.arguments, names: Mapping[str, str]) -> Iterator[SourceParameter]:
    positional = [*arguments.posonlyargs, *arguments.args]
    without = len(positional) - len(arguments.defaults)
    for index, each in enumerate(positional):
        yield SourceParameter(each.arg, _text(each.annotation), index < without, _document_type(each.annotation, names))
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield SourceParameter(each.arg, _text(each.annotation), default is None, _document_type(each.annotation, names))


def _text(annotation: ast.expr | None) -> str | None:
    return ast.unparse(annotation) if annotation is not None else None
