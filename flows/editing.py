"""Editing a worklet: a version's graph and code to begin with, what is wrong with a draft, and the draft as a push.

What is checked while somebody edits reads text alone. Code runs where it would if it were pushed: when the draft is
saved, published, or one of its nodes is tried, each time below the rights of a push.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import col, select

from ..bentos.environments import Wanted, check_requirements
from ..bentos.interpreters import check_python
from ..connectors.errors import BadInput, Conflict, DefinitionError, NotFound, SetupError
from ..connectors.store import Store
from ..connectors.tables import Worklet as WorkletRow
from ..connectors.tables import WorkletVersion
from .bundle import pack, source_files
from .documents import parsed_document, written_document
from .faults import DefinitionFault, definition_fault, did_you_mean, pointer_to
from .graph import GraphDocument
from .importing import import_document, without_definition
from .node_kinds import arguments_of, node_kinds, option_schema
from .project_modules import is_for_another_python
from .python_source import module_name
from .registry import PushedVersion, Registry
from .source_functions import SourceFunction, source_functions
from .versions import WorkletVersions

MOST_FILES = 60
MOST_TEXT = 200_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_FIRST_CODE = '"""The nodes of {name}."""\n\nimport prefect_worklets as pw\n'


class Draft(BaseModel):
    """What somebody is editing.

    Attributes:
        document: the graph document, whatever is wrong with it.
        files: the text of Python files by their names inside the project; others are as in `base`.
        base: the version that it was begun from; None for a new worklet.
        live: the version that was live then.
    """

    model_config = ConfigDict(extra="forbid")

    document: dict[str, Any]
    files: dict[str, str] = Field(default_factory=dict)
    base: int | None = Field(default=None, ge=1)
    live: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class Checked:
    """A draft as far as its text tells: the graph if it can be read, every fault, and what each node may be given."""

    document: GraphDocument | None
    faults: list[DefinitionFault]
    functions: Mapping[str, SourceFunction]

    def as_dict(self) -> dict[str, Any]:
        """As JSON data."""
        nodes = self.document.nodes if self.document is not None else ()
        return {
            "faults": [fault.as_dict() for fault in self.faults],
            "functions": [asdict(each) for each in self.functions.values()],
            "arguments": {node.id: arguments_of(node, self.functions) for node in nodes},
        }


class Edits:
    """Begins, checks and saves drafts. Blocking.

    Args:
        store, registry, versions: where worklets are.
    """

    def __init__(self, store: Store, registry: Registry, versions: WorkletVersions) -> None:
        self._store = store
        self._registry = registry
        self._versions = versions
        # Two that save at the same moment: the second is told, and doesn't undo the first.
        self._saving = threading.Lock()

    def begin(self, name: str, number: int | None = None) -> dict[str, Any]:
        """A draft of a version, of the live or else the newest one, or of a worklet that is not there yet; as JSON.

        Raises:
            BadInput: a new worklet can't be called so.
            NotFound: there is no such version.
        """
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name[:64]!r} is no worklet's name; use letters, digits, - and _, at most 63.")
        base = number or self._newest(name)
        if base is None:
            document: dict[str, Any] = {"version": 1, "name": name, "inputs": [], "nodes": []}
            files = {f"{module_name(name)}_nodes.py": _FIRST_CODE.format(name=name)}
        else:
            graph = GraphDocument.model_validate(self._versions.one(name, base).graph)
            document = written_document(graph)
            texts = {file: without_definition(text, name) for file, text in _texts(self._source(name, base)).items()}
            # The worklet's own function is written anew from the graph.
            files = {file: text for file, text in texts.items() if text is not None}
        draft = {"document": document, "files": files, "base": base, "live": self._live(name)}
        known = {"kinds": node_kinds(), "options": option_schema()}
        return {**draft, **known, **self.check(Draft(**draft)).as_dict()}

    def check(self, draft: Draft) -> Checked:
        """Every fault that the text of a draft tells; none of its code runs. Raises BadInput for files' names."""
        _check_files(draft.files)
        # What is in the words of a newer Python is told as it is saved, by the process that can read it.
        files = {file: text for file, text in draft.files.items() if not is_for_another_python(text)}
        functions, faults = source_functions(files)
        document, found = parsed_document(draft.document)
        faults += found
        if document is not None:
            told = {fault.pointer for fault in faults}
            faults += [each for each in _code_faults(document, functions, files) if each.pointer not in told]
            faults += _environment_faults(document)
        return Checked(document, faults, functions)

    @contextmanager
    def composed(self, name: str, draft: Draft, document: dict[str, Any] | None = None) -> Iterator[tuple[Path, Path]]:
        """The draft as a source tree, for as long as the block: its folder, and the module with the worklet.

        Args:
            name: the worklet's.
            draft: what to write.
            document: written instead of the draft's own.

        Raises:
            DefinitionError: with every fault.
            BadInput: files have wrong names.
        """
        checked = self.check(draft)
        if checked.faults and document is None:
            count = "a fault" if len(checked.faults) == 1 else f"{len(checked.faults)} faults"
            raise DefinitionError(f"The worklet {name!r} has {count}.", faults=checked.faults)
        folder = Path(tempfile.mkdtemp(prefix="worklets-edit-"))
        try:
            if draft.base is not None:
                for file, path in source_files(self._source(name, draft.base)):
                    _write(folder / file, path.read_bytes())
            for file, text in draft.files.items():
                _write(folder / file, text.encode())
            yield folder, self._written(document or draft.document, wanted_of(draft), folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _written(self, document: dict[str, Any], wanted: Wanted, folder: Path) -> Path:
        """The module with the worklet; its code runs in the worklet's own environment, if it has one."""
        if not wanted.own:
            return import_document(document, folder, replace=True)
        hosts = self._registry.hosts
        if hosts is None:
            raise SetupError("A worklet with an environment of its own is edited in the server (`worklets up`).")
        module: Path = hosts.wait(hosts.compose(wanted, document, folder))
        return module

    def save(self, name: str, draft: Draft, by: str | None, *, publish: bool) -> PushedVersion:
        """Push the draft: as a version that answers at once, or as a draft.

        Raises:
            DefinitionError: with every fault.
            Conflict: it was begun from a version of which there is a newer one by now, or the name is taken.
        """
        if draft.document.get("name") != name:
            raise BadInput(f"The document's name is {str(draft.document.get('name'))[:64]!r}, and should be {name!r}.")
        self._project(name, draft)  # told before any code runs
        with self.composed(name, draft) as (folder, _):
            bundle = pack(folder)
        with self._saving:
            pushed = self._registry.push(bundle, self._project(name, draft), by, draft=not publish)
        return next(each for each in pushed if each.worklet == name)

    def _project(self, name: str, draft: Draft) -> str:
        """The project that the draft is a push of. Raises Conflict where it would undo somebody else's push."""
        with self._store.read() as session:
            row = session.get(WorkletRow, name)
            if row is None:
                return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._") or "worklet"
            if draft.base is None:
                raise Conflict(f"There is a worklet {name!r} already; open it to edit it.")
            if row.live_version != draft.live:
                raise Conflict(
                    f"Version {row.live_version} of {name!r} has gone live since this was begun; open it again "
                    "and repeat the change."
                )
            number = WorkletVersion.number
            mine = select(WorkletVersion.project_hash).where(
                WorkletVersion.worklet_name == name, col(number).in_([draft.base, draft.live])
            )
            beside = (
                select(WorkletVersion.worklet_name)
                .join(WorkletRow, col(WorkletRow.name) == col(WorkletVersion.worklet_name))
                .where(
                    WorkletRow.project == row.project,
                    col(WorkletRow.live_version) == col(number),
                    col(WorkletVersion.project_hash).not_in(list(session.exec(mine))),
                )
            )
            others = [each for each in session.exec(beside) if each != name]
        if others:
            raise Conflict(
                f"Of the project {row.project!r} other versions of {', '.join(sorted(others))} are live than the ones "
                f"beside version {draft.base} of {name!r}, and this would replace them; push the sources instead."
            )
        return row.project

    def _live(self, name: str) -> int | None:
        with self._store.read() as session:
            row = session.get(WorkletRow, name)
            return row.live_version if row is not None else None

    def _newest(self, name: str) -> int | None:
        with self._store.read() as session:
            row = session.get(WorkletRow, name)
            if row is None or row.live_version is not None:
                return None if row is None else row.live_version
            numbers = select(WorkletVersion.number).where(WorkletVersion.worklet_name == name)
            return session.exec(numbers.order_by(col(WorkletVersion.number).desc())).first()

    def _source(self, name: str, number: int) -> Path:
        folder = self._versions.source(name, number)
        if folder is None:
            raise NotFound(f"The source of version {number} of {name!r} is not kept any more.")
        return folder


def wanted_of(draft: Draft) -> Wanted:
    """The environment of the draft's worklet. Raises DefinitionError for what is no requirement, or no Python."""
    given, python = draft.document.get("requirements"), draft.document.get("python")
    return Wanted(check_requirements(given) if isinstance(given, list) else (), check_python(python))


def _environment_faults(document: GraphDocument) -> list[DefinitionFault]:
    found: list[DefinitionFault] = []
    for pointer, check in (
        ("/requirements", lambda: check_requirements(document.requirements)),
        ("/python", lambda: check_python(document.python)),
    ):
        try:
            check()
        except DefinitionError as error:
            found += [definition_fault(f"{each.msg}.", fix=each.fix, pointer=pointer) for each in error.faults]
    return found


def _texts(folder: Path) -> dict[str, str]:
    """The Python files that can be shown in an editor."""
    found: dict[str, str] = {}
    for file, path in source_files(folder):
        if path.suffix != ".py" or path.stat().st_size > MOST_TEXT or len(found) >= MOST_FILES:
            continue
        try:
            found[file] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def _check_files(files: Mapping[str, str]) -> None:
    if len(files) > MOST_FILES or any(len(text) > MOST_TEXT for text in files.values()):
        raise BadInput(f"At most {MOST_FILES} files of {MOST_TEXT // 1000} kB can be edited here.")
    for file in files:
        path = PurePosixPath(file)
        parts = path.with_suffix("").parts
        if path.suffix != ".py" or str(path) != file or not all(part.isidentifier() for part in parts):
            raise BadInput(f"{file[:64]!r} is no Python file's name; write NAME.py, or FOLDER/NAME.py.")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _code_faults(
    document: GraphDocument, functions: Mapping[str, SourceFunction], files: Mapping[str, str]
) -> Iterator[DefinitionFault]:
    """What the nodes' code doesn't take, as far as its text tells."""
    modules = {each.removesuffix(".py").replace("/", ".") for each in files}
    for index, node in enumerate(document.nodes):
        if node.kind not in ("node", "map") or not node.function:
            continue
        function = functions.get(node.function)
        if function is None:
            if node.function.partition(":")[0] in modules:
                fix = did_you_mean(node.function, functions) or "put @pw.node above the function"
                pointer = pointer_to("nodes", index, "function")
                yield definition_fault(f"there is no node {node.function!r}.", node=node.id, fix=fix, pointer=pointer)
            continue
        yield from _argument_faults(index, node.id, set(node.arguments), function)


def _argument_faults(index: int, id: str, given: set[str], function: SourceFunction) -> Iterator[DefinitionFault]:
    names = {each.name for each in function.parameters}
    for name in sorted(given - names):
        pointer = pointer_to("nodes", index, "arguments", name)
        fix = did_you_mean(name, names) or "take it away"
        yield definition_fault(f"its code has no parameter {name!r}.", node=id, fix=fix, pointer=pointer)
    for each in function.parameters:
        if each.required and each.name not in given:
            pointer = pointer_to("nodes", index, "arguments", each.name)
            yield definition_fault(f"its argument {each.name!r} is missing.", node=id, pointer=pointer)
