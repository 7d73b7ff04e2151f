"""Models given by where their code lies, `module:Class` or `file.py:Class`: copied into the package, loaded from it."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ...connectors.errors import DefinitionError

CODE_FOLDER = "code"
# Import state (sys.path, sys.modules) belongs to the whole process.
_lock = threading.RLock()


@dataclass(frozen=True)
class Source:
    """Where a model's code lies: `root` holds the files to copy, `module` is imported from there."""

    root: Path
    files: tuple[Path, ...]
    module: str
    attribute: str


def find_source(spec: str) -> Source:
    """The source named by `module:Class` or `path/to/file.py:Class`. Raises DefinitionError."""
    place, colon, attribute = spec.rpartition(":")
    if not colon or not attribute.isidentifier():
        raise DefinitionError(f"{spec!r} names no class; write 'module:Class' or 'path/to/file.py:Class'.")
    if place.endswith(".py"):
        file = Path(place).resolve()
        if not file.is_file():
            raise DefinitionError(f"There is no file {place}; the path is relative to where you run this.")
        return Source(file.parent, (file,), file.stem, attribute)
    top = place.partition(".")[0]
    found = importlib.util.find_spec(top)
    if found is None or found.origin is None:
        raise DefinitionError(f"There is no module {top!r} to import; run this where it can be imported.")
    origin = Path(found.origin).resolve()
    if found.submodule_search_locations:
        files = tuple(sorted(path for path in origin.parent.rglob("*.py") if "__pycache__" not in path.parts))
        return Source(origin.parent.parent, files, place, attribute)
    return Source(origin.parent, (origin,), place, attribute)


def copy_source(source: Source, folder: Path) -> None:
    """Copy the files below `folder/code`, as they lay below the root."""
    for file in source.files:
        target = folder / CODE_FOLDER / file.relative_to(source.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def load_attribute(root: Path, module: str, attribute: str) -> Any:
    """The class or function, from a fresh import below `root`.

    Two versions of one module can be loaded side by side: neither stays in `sys.modules`. Hence code must import
    its own sibling modules at the top, not later inside a function.

    Raises:
        DefinitionError: the module raises at import, or has no such attribute.
    """
    with _lock, _importing_from(root):
        try:
            loaded: ModuleType = importlib.import_module(module)
        except Exception as error:  # the user's code runs here and may raise anything
            raise DefinitionError(f"Importing {module} failed: {type(error).__name__}: {error}") from error
        if not hasattr(loaded, attribute):
            raise DefinitionError(f"{module} has no {attribute!r}.")
        return getattr(loaded, attribute)


@contextmanager
def _importing_from(root: Path) -> Iterator[None]:
    own = {path.stem for path in root.glob("*.py")} | {path.name for path in root.iterdir() if path.is_dir()}
    aside = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in own}
    for name in aside:
        del sys.modules[name]
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    # A `__pycache__` would change a package that is kept by its content, and could outlive the code it was made from.
    writes_no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_no_bytecode
        sys.path.remove(str(root))
        for name in [name for name in sys.modules if name.partition(".")[0] in own]:
            del sys.modules[name]
        sys.modules.update(aside)
