"""A project: a folder of Python files and views. Loading finds its worklets and tells every fault at once."""

from __future__ import annotations

import ast
import json
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from ..connectors.errors import DefinitionError, Fault
from .bundle import source_files, tree_hash
from .faults import DefinitionFault, Place, definition_fault, relative_to
from .graph import GraphDocument
from .isolation import SourceTree
from .worklet import Worklet

VIEWS_FOLDER = "views"
_SKIPPED_FOLDERS = frozenset({"tests", "test", "docs"})
_SKIPPED_FILES = frozenset({"setup.py", "conftest.py"})


@dataclass
class Project:
    """A loaded source tree.

    Attributes:
        folder: where it lies.
        content_hash: of its files.
        worklets: by name.
        views: the parsed JSON documents of `views/*.json`, by file name without suffix.
    """

    folder: Path
    content_hash: str
    worklets: dict[str, Worklet[Any, Any]] = field(default_factory=dict)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    tree: SourceTree | None = None

    def graph(self, name: str) -> GraphDocument:
        """A worklet's graph, in which files and functions are named as inside the project."""
        document = self.worklets[name].graph
        prefix = str(self.folder) + "/"
        nodes = []
        for node in document.nodes:
            changes: dict[str, Any] = {}
            if node.source is not None:
                changes["source"] = node.source.model_copy(update={"file": node.source.file.removeprefix(prefix)})
            if node.function is not None and self.tree is not None:
                changes["function"] = self.tree.plain_name(node.function)
            nodes.append(node.model_copy(update=changes))
        return document.model_copy(update={"nodes": tuple(nodes)})


def load_project(folder: Path, content_hash: str | None = None) -> Project:
    """Import a source tree and collect its worklets and views.

    Args:
        folder: the tree.
        content_hash: its hash if known; worked out if None.

    Raises:
        DefinitionError: with every fault of every file: what doesn't parse, import or hold together.
    """
    folder = folder.resolve()
    key = content_hash or tree_hash(folder)
    project = Project(folder, key)
    faults: list[Fault] = []
    tree = SourceTree(folder, key[:16])
    # A tree of the same content that was loaded before is used as it is.
    tree.open()
    for name, path in _worklet_modules(folder, faults):
        module = _imported(tree, name, path, folder, faults)
        if module is not None:
            _collect(module, path, project, faults)
    project.tree = tree
    project.views = _views(folder, faults)
    if faults:
        tree.close()
        raise DefinitionError("The project can't be loaded.", faults=relative_to(_once(faults), folder))
    return project


def _once(faults: list[Fault]) -> list[Fault]:
    # A broken sibling fails every module that imports it.
    return list(dict.fromkeys(faults))


def _worklet_modules(folder: Path, faults: list[Fault]) -> Iterator[tuple[str, Path]]:
    """The modules that define worklets, by their source. The others come in when these import them."""
    for name, path in source_files(folder):
        parts = PurePosixPath(name).parts
        if path.suffix != ".py" or path.name in _SKIPPED_FILES or path.name.startswith("test_"):
            continue
        if _SKIPPED_FOLDERS.intersection(parts[:-1]):
            continue
        source = path.read_bytes()
        if b"worklet" not in source:
            continue
        try:
            defines = _defines_worklet(ast.parse(source, str(path)))
        except (SyntaxError, ValueError) as error:
            faults.append(_syntax_fault(error, path))
            continue
        if defines:
            stem = PurePosixPath(name).with_suffix("")
            yield ".".join(stem.parts[:-1] if stem.name == "__init__" else stem.parts), path


def _defines_worklet(module: ast.Module) -> bool:
    for statement in ast.walk(module):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in statement.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if getattr(called, "attr", getattr(called, "id", "")) == "worklet":
                    return True
    return False


def _syntax_fault(error: SyntaxError | ValueError, path: Path) -> DefinitionFault:
    line = getattr(error, "lineno", None) or 1
    said = getattr(error, "msg", None) or str(error)
    return definition_fault(f"it is no valid Python: {said}.", place=Place(str(path), line), type="syntax")


def _imported(tree: SourceTree, name: str, path: Path, folder: Path, faults: list[Fault]) -> ModuleType | None:
    try:
        return tree.module(name)
    except DefinitionError as error:
        faults.extend(error.faults or [definition_fault(error.detail, place=_place(error, path, folder))])
    except SyntaxError as error:
        faults.append(_syntax_fault(error, Path(error.filename) if error.filename else path))
    except ModuleNotFoundError as error:
        faults.append(
            definition_fault(
                f"it imports {error.name!r}, which the server's environment has not.",
                place=_place(error, path, folder),
                fix=f"install it where the server runs, or add {error.name}.py to the project",
                type="import",
            )
        )
    except (Exception, SystemExit) as error:
        said = str(error).strip().partition("\n")[0]
        faults.append(
            definition_fault(
                f"importing it raised {type(error).__name__}: {said}", place=_place(error, path, folder), type="import"
            )
        )
    return None


def _place(error: BaseException, path: Path, folder: Path) -> Place:
    """The innermost line of the project on the way to the error."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(f"{folder}/")]
    return Place(own[-1].filename, own[-1].lineno or 1) if own else Place(str(path), 1)


def _collect(module: ModuleType, path: Path, project: Project, faults: list[Fault]) -> None:
    for value in list(vars(module).values()):
        if not isinstance(value, Worklet) or value.function.__module__ != module.__name__:
            continue
        other = project.worklets.get(value.name)
        if other is not None and other is not value:
            faults.append(
                definition_fault(
                    f"the worklet {value.name!r} is defined here and at {other.place}.",
                    place=value.place,
                    fix="give one of them another name",
                )
            )
        project.worklets[value.name] = value


def _views(folder: Path, faults: list[Fault]) -> dict[str, dict[str, Any]]:
    views: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / VIEWS_FOLDER).glob("*.json")):
        try:
            document = json.loads(path.read_bytes())
        except ValueError as error:
            faults.append(definition_fault(f"it is no JSON: {error}.", place=Place(str(path), 1)))
            continue
        if isinstance(document, dict):
            views[path.stem] = document
        else:
            faults.append(definition_fault("a view is a JSON object.", place=Place(str(path), 1)))
    return views
