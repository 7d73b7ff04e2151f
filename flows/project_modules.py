"""A project's modules as their text has them: which define worklets or views, and what these want. None is run."""

from __future__ import annotations

import ast
import contextlib
import io
import tokenize
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..bentos.environments import Wanted, check_requirements
from ..bentos.interpreters import check_python, is_servers
from ..connectors.errors import DefinitionError, Fault
from .bundle import source_files
from .faults import DefinitionFault, Place, definition_fault

_SKIPPED_FOLDERS = frozenset({"tests", "test", "docs"})
_SKIPPED_FILES = frozenset({"setup.py", "conftest.py"})
_WRITTEN_OUT = {
    "requirements": ("a list of texts", 'write requirements=["pandas==2.1.*"]'),
    "python": ("a text", 'write python="3.12"'),
}
_SEVERAL = {"requirements": "requirements", "python": "versions of Python"}
_BEFORE_A_LINE = frozenset({tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING})


@dataclass(frozen=True)
class WorkletModule:
    """A module that defines worklets or views: its name, its file, and the environment that its worklets want."""

    name: str
    path: Path
    wanted: Wanted
    line: int = 1


def worklet_modules(
    folder: Path, faults: list[Fault], *, only: Collection[str] | None = None
) -> Iterator[WorkletModule]:
    """The modules that define worklets or views, by their source. The others come in when these import them.

    Args:
        folder: the source tree.
        faults: takes what is wrong.
        only: the modules to look at: those of other environments may be in the words of another Python.
    """
    for name, path in source_files(folder):
        parts = PurePosixPath(name).parts
        if path.suffix != ".py" or path.name in _SKIPPED_FILES or path.name.startswith("test_"):
            continue
        stem = PurePosixPath(name).with_suffix("")
        module = ".".join(stem.parts[:-1] if stem.name == "__init__" else stem.parts)
        if _SKIPPED_FOLDERS.intersection(parts[:-1]) or (only is not None and module not in only):
            continue
        source = path.read_bytes()
        if b"worklet" not in source:  # a view's module imports prefect_worklets
            continue
        try:
            parsed = ast.parse(source, str(path))
        except (SyntaxError, ValueError) as error:
            wanted, line = _wanted(_decorators_by_tokens(source), path, [])
            if wanted.python is None:
                faults.append(syntax_fault(error, path))
            else:  # the server's Python may be older than its words: its own process reads it
                yield WorkletModule(module, path, wanted, line)
            continue
        decorators, view = _worklet_decorators(parsed), _view_line(parsed)
        if decorators or view:
            wanted, line = _wanted(decorators, path, faults)
            if wanted.own and view:
                theirs = "requirements" if wanted.requirements else "another Python"
                what = f"a view is written beside worklets with {theirs}, whose module only their process imports."
                fix = "write it in a module of its own"
                faults.append(definition_fault(what, place=Place(str(path), view), fix=fix))
            yield WorkletModule(module, path, wanted, line)


def is_for_another_python(text: str) -> bool:
    """Whether a module that this Python can't parse has worklets that run on another one."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return _wanted(_decorators_by_tokens(text.encode()), Path(), [])[0].python is not None
    return False


def _view_line(module: ast.Module) -> int | None:
    """The line of the first call of `pw.view`, by whatever name the module imports it."""
    package, function = set(), set()
    for statement in ast.walk(module):
        if isinstance(statement, ast.Import):
            package |= {each.asname or each.name for each in statement.names if each.name == "prefect_worklets"}
        elif isinstance(statement, ast.ImportFrom) and statement.module == "prefect_worklets":
            function |= {each.asname or each.name for each in statement.names if each.name == "view"}
    for call in ast.walk(module):
        if not isinstance(call, ast.Call):
            continue
        called = call.func
        if isinstance(called, ast.Name) and called.id in function:
            return call.lineno
        named = isinstance(called, ast.Attribute) and called.attr == "view" and called.value
        if isinstance(named, ast.Name) and named.id in package:
            return call.lineno
    return None


def _worklet_decorators(module: ast.Module) -> list[ast.expr]:
    found = []
    for statement in ast.walk(module):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            found += [decorator for decorator in statement.decorator_list if _is_worklet(decorator)]
    return found


def _is_worklet(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return bool(getattr(called, "attr", getattr(called, "id", "")) == "worklet")


def _decorators_by_tokens(source: bytes) -> list[ast.expr]:
    """The worklets' decorators in source that this Python can't parse, as far as its tokens can be told."""
    found: list[ast.expr] = []
    text: list[str] | None = None
    line, fresh = 1, True
    try:
        for token in tokenize.tokenize(io.BytesIO(source).readline):
            if text is not None and token.type == tokenize.NEWLINE:
                with contextlib.suppress(SyntaxError, ValueError):
                    decorator = ast.parse(" ".join(text), mode="eval").body
                    found += [ast.increment_lineno(decorator, line - 1)] if _is_worklet(decorator) else []
                text = None
            elif text is not None and token.type not in (tokenize.NL, tokenize.COMMENT):
                text.append(token.string)
            elif token.type == tokenize.OP and token.string == "@" and fresh:
                text, line = [], token.start[0]
            fresh = token.type in _BEFORE_A_LINE
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass  # what stands before it has been found
    return found


def _wanted(decorators: Sequence[ast.expr], path: Path, faults: list[Fault]) -> tuple[Wanted, int]:
    """What a module's worklets want, and the line that says so. Read, not run: only the environment can run it."""
    named: dict[str, dict[Any, int]] = {each: {} for each in _READ}
    for decorator in decorators:
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if keyword.arg not in named:
                continue
            place = Place(str(path), keyword.value.lineno)
            try:
                value = _READ[keyword.arg](ast.literal_eval(keyword.value))
            except DefinitionError as error:
                faults.extend(definition_fault(f"{fault.msg}.", fix=fault.fix, place=place) for fault in error.faults)
                continue
            except (ValueError, TypeError):
                kind, fix = _WRITTEN_OUT[keyword.arg]
                what = f"{keyword.arg} is read before the module is run, so it is {kind} written out here."
                faults.append(definition_fault(what, place=place, fix=fix))
                continue
            if value:
                named[keyword.arg].setdefault(value, keyword.value.lineno)
    for arg, found in named.items():
        if len(found) > 1:
            what = f"the worklets of one module share an environment, and these name different {_SEVERAL[arg]}."
            place = Place(str(path), max(found.values()))
            faults.append(definition_fault(what, place=place, fix="put them into modules of their own"))
    requirements, python = (next(iter(found), None) for found in named.values())
    line = next((line for found in named.values() for line in found.values()), 1)
    return Wanted(requirements or (), None if is_servers(python) else python), line


def _requirements(value: Any) -> tuple[str, ...]:
    return check_requirements(value if isinstance(value, list | tuple) else [value])


_READ: dict[str, Callable[[Any], Any]] = {"requirements": _requirements, "python": check_python}


def syntax_fault(error: SyntaxError | ValueError, path: Path) -> DefinitionFault:
    """The fault of a file that is no valid Python."""
    line = getattr(error, "lineno", None) or 1
    said = getattr(error, "msg", None) or str(error)
    return definition_fault(f"it is no valid Python: {said}.", place=Place(str(path), line), type="syntax")
