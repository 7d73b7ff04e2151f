"""A graph document as a Python project: checked beside its code, written, and traced to see that it is the same."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..connectors.errors import Conflict, DefinitionError, Fault
from .bundle import source_files, tree_hash
from .documents import canonical, parsed_document
from .faults import DefinitionFault, definition_fault, in_document
from .fitting import code_of, misfits, with_whole_defaults
from .graph import GraphDocument
from .graph_differences import graph_differences
from .isolation import SourceTree
from .project import load_file
from .python_source import module_name, python_source


def import_document(
    data: object, folder: Path, *, code: Path | None = None, replace: bool = False, file: str | None = None
) -> Path:
    """Write the worklet of a document into a project. Runs the code of the modules that the document names.

    Args:
        data: the document's JSON data.
        folder: the project; made if it is not there.
        code: a project whose files are copied first, but for those that are there.
        replace: take a definition of the same worklet out of the project.
        file: the name that faults give the document.

    Returns:
        The module that was written.

    Raises:
        DefinitionError: the document has faults, of its form, its graph or beside its code; all are listed.
        Conflict: the project has a worklet of that name.
    """
    document, faults = parsed_document(data)
    folder.mkdir(parents=True, exist_ok=True)
    copied = _copied(code, folder) if code is not None else []
    done = False
    try:
        written = _imported(document, faults, folder, replace, set(copied), file)
        done = True
    finally:
        if not done:
            for path in copied:
                path.unlink(missing_ok=True)
    return written


def _imported(
    document: GraphDocument | None,
    faults: list[DefinitionFault],
    folder: Path,
    may_replace: bool,
    copied: set[Path],
    file: str | None,
) -> Path:
    source = None
    if document is not None:
        tree = SourceTree(folder.resolve(), tree_hash(folder)[:16])
        tree.open()
        try:
            found = code_of(document, tree)
            told = {(fault.pointer, fault.msg) for fault in faults}
            more = [*found.faults, *misfits(document, found, tree)]
            faults = [*faults, *(each for each in more if (each.pointer, each.msg) not in told)]
            if not faults:
                document = with_whole_defaults(document, tree)
                source = python_source(document, found)
        finally:
            tree.close()
    if source is None or document is None:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        name = document.name if document is not None else file or "it"
        raise DefinitionError(f"The graph document {name!r} has {count}.", faults=in_document(faults, file))
    target = _target(folder, document.name) if may_replace else folder / f"{module_name(document.name)}.py"
    others = [place for place in _definitions(folder, document.name) if place[0] != target]
    in_the_way = [str(path) for path, _, _ in others if path not in copied and not may_replace]
    if target.exists() and not may_replace:
        in_the_way.append(str(target))
    if in_the_way:
        raise Conflict(
            f"The worklet {document.name!r} can't be written: {', '.join(in_the_way)} is in the way; "
            "give --replace to take the old definition out, or another folder."
        )
    before = {path: path.read_bytes() for path in {target, *(path for path, _, _ in others)} if path.exists()}
    try:
        for path, first, last in sorted(others, key=lambda place: -place[1]):
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join([*lines[: first - 1], *lines[last:]]))
        target.write_text(source, encoding="utf-8")
        _ensure_same(document, target)
    except BaseException:
        target.unlink(missing_ok=True)
        for path, content in before.items():
            path.write_bytes(content)
        raise
    return target


def _target(folder: Path, worklet: str) -> Path:
    """The module that the worklet is written to: one beside the usual one where that holds other things as well."""
    usual = folder / f"{module_name(worklet)}.py"
    if not usual.exists():
        return usual
    try:
        body = ast.parse(usual.read_bytes()).body
    except (SyntaxError, ValueError):
        return usual
    harmless = (ast.Import, ast.ImportFrom, ast.Expr)
    has_more = any(
        not isinstance(each, harmless) and not (isinstance(each, ast.FunctionDef) and _worklet_of(each) == worklet)
        for each in body
    )
    return usual.with_name(f"{usual.stem}_worklet.py") if has_more else usual


def _ensure_same(document: GraphDocument, path: Path) -> None:
    """Raise DefinitionError if the module's worklet is not the document's."""
    project = load_file(path)
    try:
        differences = graph_differences(document, canonical(project.graph(document.name)))
    finally:
        if project.tree is not None:
            project.tree.close()
    if not differences:
        return
    faults: list[Fault] = [
        definition_fault(f"{each.field} would be {each.after!r} instead of {each.before!r}.", node=id)
        for id, changes in [(None, differences.worklet), *differences.changed.items()]
        for each in changes
    ]
    faults += [definition_fault("it would be missing.", node=id) for id in differences.removed]
    raise DefinitionError(f"The document {document.name!r} can't be written as Python.", faults=faults)


def _copied(code: Path, folder: Path) -> list[Path]:
    made = []
    for name, path in source_files(code):
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            made.append(target)
    return made


def _definitions(folder: Path, worklet: str) -> Iterator[tuple[Path, int, int]]:
    """Where a worklet of that name is defined: the file, and the first and last line."""
    for _, path in source_files(folder):
        if path.suffix != ".py" or b"worklet" not in path.read_bytes():
            continue
        for first, last in _definition_lines(path.read_bytes(), worklet):
            yield path, first, last


def _definition_lines(source: str | bytes, worklet: str) -> Iterator[tuple[int, int]]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef) and _worklet_of(each) == worklet:
            yield min(d.lineno for d in each.decorator_list), each.end_lineno or each.lineno


def without_definition(text: str, worklet: str) -> str | None:
    """A module's text without the worklet's own function; None where nothing but imports is left of it."""
    places = sorted(_definition_lines(text, worklet), reverse=True)
    if not places:
        return text
    lines = text.splitlines(keepends=True)
    for first, last in places:
        del lines[first - 1 : last]
    left = "".join(lines)
    harmless = (ast.Import, ast.ImportFrom, ast.Expr)
    return left.rstrip() + "\n" if any(not isinstance(each, harmless) for each in ast.parse(left).body) else None


def _worklet_of(function: ast.FunctionDef) -> str | None:
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if getattr(called, "attr", getattr(called, "id", "")) != "worklet":
            continue
        given = decorator.keywords if isinstance(decorator, ast.Call) else []
        names = [each.value.value for each in given if each.arg == "name" and isinstance(each.value, ast.Constant)]
        return str(names[0]) if names else function.name
    return None
