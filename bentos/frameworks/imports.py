"""Which installed distributions a model's code imports."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def modules_of_sources(paths: Iterable[Path]) -> set[str]:
    """The top-level modules that these Python files import, anywhere in them."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


def modules_of_object(model: Any) -> set[str]:
    """The top-level modules that the code of a function, class or instance refers to, and those of its attributes."""
    found: set[str] = set()
    owner = model if isinstance(model, type | types.FunctionType) else type(model)
    functions = [owner] if isinstance(owner, types.FunctionType) else list(_methods(owner))
    for function in functions:
        _modules_of_code(function.__code__, function.__globals__, found)
    for held in getattr(model, "__dict__", {}).values() if not isinstance(model, type) else ():
        found.add(type(held).__module__.partition(".")[0])
    return found - {"builtins", "__main__"}


def _methods(owner: type) -> Iterable[types.FunctionType]:
    for base in owner.__mro__[:-1]:
        for member in vars(base).values():
            function = getattr(member, "__func__", member)
            if isinstance(function, types.FunctionType):
                yield function


def _modules_of_code(code: types.CodeType, names: dict[str, Any], found: set[str]) -> None:
    for name in code.co_names:
        value = names.get(name)
        if isinstance(value, types.ModuleType):
            found.add(value.__name__.partition(".")[0])
        elif value is not None:
            found.add((getattr(value, "__module__", None) or "builtins").partition(".")[0])
        elif name.partition(".")[0] in sys.modules:  # `import torch` inside the function
            found.add(name.partition(".")[0])
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _modules_of_code(constant, names, found)


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return {name: list(owners) for name, owners in importlib.metadata.packages_distributions().items()}


def distributions_of(modules: Iterable[str]) -> tuple[str, ...]:
    """The distributions that install these modules; the standard library and local files have none."""
    owners = _distributions()
    wanted = [name for name in modules if name not in sys.stdlib_module_names]
    return tuple(sorted({owner for name in wanted for owner in owners.get(name, [])}))
