"""Imports of a pushed source tree, so that several trees, and several versions of one, live in one process.

Each tree's modules are real modules below a package of its own, `worklets_project_<hash>`, so that pydantic, pickle
and tracebacks find them. Code in the tree goes on importing its siblings by their plain names (`from shapes import
Pair`), at the top and inside functions: its modules get an `__import__` that looks in their own tree first.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

PREFIX = "worklets_project_"


class SourceTree:
    """The modules of one source tree.

    Args:
        folder: where the tree lies.
        key: what tells it from other trees, as a rule the start of its content hash.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.package = _free_package(PREFIX + key, folder)
        self.names = _top_names(folder)
        self._builtins = {**vars(builtins), "__import__": self._import}
        self._finder = _Finder(self)

    def open(self) -> None:
        """Let the tree's modules be imported."""
        if self._finder not in sys.meta_path:
            sys.meta_path.insert(0, self._finder)
        if self.package not in sys.modules:
            package = ModuleType(self.package, "A pushed project.")
            package.__path__ = [str(self.folder)]
            sys.modules[self.package] = package

    def module(self, name: str) -> ModuleType:
        """Import a module of the tree by its plain name."""
        return importlib.import_module(f"{self.package}.{name}")

    def close(self) -> None:
        """Forget the tree's modules. What still holds their functions can go on calling them."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        for name in [name for name in sys.modules if name == self.package or name.startswith(self.package + ".")]:
            del sys.modules[name]

    def plain_name(self, module: str) -> str:
        """The name by which the tree's own code knows the module."""
        return module.removeprefix(self.package + ".")

    def prepare(self, module: ModuleType) -> None:
        """Give a module, before its code runs, the import that looks in its own tree first."""
        module.__dict__["__builtins__"] = self._builtins

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        top = name.partition(".")[0]
        if level or top not in self.names:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        full = f"{self.package}.{name}"
        if fromlist:
            return builtins.__import__(full, globals, locals, fromlist, 0)
        importlib.import_module(full)
        return sys.modules[f"{self.package}.{top}"]


class _Finder(MetaPathFinder):
    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(self._tree.package + "."):
            return None
        place = self._tree.folder.joinpath(*self._tree.plain_name(fullname).split("."))
        package, module = place / "__init__.py", place.with_name(place.name + ".py")
        if package.is_file():
            loader = _Loader(fullname, str(package), self._tree)
            return importlib.util.spec_from_file_location(
                fullname, package, loader=loader, submodule_search_locations=[str(place)]
            )
        if module.is_file():
            return importlib.util.spec_from_file_location(
                fullname, module, loader=_Loader(fullname, str(module), self._tree)
            )
        if place.is_dir():  # a package without __init__.py
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(place)]
            return spec
        return None


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, tree: SourceTree) -> None:
        super().__init__(fullname, path)
        self._tree = tree

    def exec_module(self, module: ModuleType) -> None:
        self._tree.prepare(module)
        super().exec_module(module)

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()  # a module that travels to another machine (flows/sending.py) leaves its tree behind

    def get_code(self, fullname: str) -> CodeType | None:
        # Straight from the source: a `__pycache__` would change a tree that is kept by its content.
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _free_package(name: str, folder: Path) -> str:
    """The package's name, with a number where a copy of the same tree in another folder has it."""
    candidate, count = name, 1
    while candidate in sys.modules and list(sys.modules[candidate].__path__) != [str(folder)]:
        count += 1
        candidate = f"{name}_{count}"
    return candidate


def _top_names(folder: Path) -> frozenset[str]:
    names = set()
    for path in folder.iterdir():
        if path.suffix == ".py":
            names.add(path.stem)
        elif path.is_dir() and path.name.isidentifier() and next(path.rglob("*.py"), None) is not None:
            names.add(path.name)
    return frozenset(names)
