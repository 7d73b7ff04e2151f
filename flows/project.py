"""A project: a folder of Python files and views. Loading finds its worklets and tells every fault at once."""

from __future__ import annotations

import json
import tomllib
import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ..bentos.environments import Wanted
from ..connectors.errors import DefinitionError, Fault, SetupError
from ..connectors.outgoing import is_host_pattern
from .bundle import tree_hash
from .faults import Place, definition_fault, relative_to
from .graph import GraphDocument
from .isolation import SourceTree
from .project_hosts import ProjectHosts, Tree
from .project_modules import WorkletModule, syntax_fault, worklet_modules
from .remote import RemoteWorklet
from .requesting import host_fault
from .view_definition import ComponentDefinition, ViewDefinition
from .worklet import Worklet

VIEWS_FOLDER = "views"
SETTINGS_FILE = "pyproject.toml"


@dataclass
class Project:
    """A loaded source tree.

    Attributes:
        folder: where it lies.
        content_hash: of its files.
        worklets: by name; those of modules with requirements of their own stand in for the ones in their process.
        views: documents: of `views/*.json` by file name without suffix, and what `pw.view` wrote by slug.
        components: of views, by name: the classes of authors that the modules have or import.
    """

    folder: Path
    content_hash: str
    worklets: dict[str, Worklet[Any, Any] | RemoteWorklet] = field(default_factory=dict)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    components: dict[str, dict[str, Any]] = field(default_factory=dict)
    tree: SourceTree | None = None

    def graph(self, name: str) -> GraphDocument:
        """A worklet's graph, in which files and functions are named as inside the project."""
        document = self.worklets[name].graph
        if isinstance(self.worklets[name], RemoteWorklet):
            return document  # its process has named them so
        prefix = str(self.folder) + "/"
        nodes = []
        for node in document.nodes:
            changes: dict[str, Any] = {}
            if node.source is not None:
                changes["source"] = node.source.model_copy(update={"file": node.source.file.removeprefix(prefix)})
            if node.function is not None and self.tree is not None:
                changes["function"] = self.tree.plain_name(node.function)
            if isinstance(returns := node.settings.get("returns"), str):
                changes["settings"] = {**node.settings, "returns": self._plain_type(returns)}
            nodes.append(node.model_copy(update=changes))
        inputs = tuple(each.model_copy(update={"type": self._plain_type(each.type)}) for each in document.inputs)
        output_type = self._plain_type(document.output_type)
        return document.model_copy(update={"nodes": tuple(nodes), "inputs": inputs, "output_type": output_type})

    def _plain_type(self, text: str | None) -> str | None:
        return text if text is None or self.tree is None else text.replace(f"{self.tree.package}.", "")


def load_project(
    folder: Path,
    content_hash: str | None = None,
    *,
    hosts: ProjectHosts | None = None,
    only: Collection[str] | None = None,
) -> Project:
    """Import a source tree and collect its worklets and views. Blocking.

    Args:
        folder: the tree.
        content_hash: its hash if known; worked out if None.
        hosts: the processes for modules with requirements of their own.
        only: the modules to import, whatever they require: this is such a process.

    Raises:
        DefinitionError: with every fault of every file: what doesn't parse, import or hold together.
        SetupError: a module has requirements, and there are no hosts here.
    """
    folder = folder.resolve()
    key = content_hash or tree_hash(folder)
    project = Project(folder, key)
    faults: list[Fault] = []
    tree = SourceTree(folder, key[:16])
    # A tree of the same content that was loaded before is used as it is.
    tree.open()
    apart: dict[Wanted, list[WorkletModule]] = {}
    for found in worklet_modules(folder, faults, only=only):
        if only is None and found.wanted.own:
            apart.setdefault(found.wanted, []).append(found)
            continue
        module = _imported(tree, found.name, found.path, folder, faults)
        if module is not None:
            _collect(module, found.path, project, faults)
    limit_requests(project, faults)
    if not faults:
        for wanted, modules in apart.items():
            _load_apart(project, modules, wanted, hosts, faults)
    project.tree = tree
    _views(project, faults)
    if faults:
        tree.close()
        raise DefinitionError("The project can't be loaded.", faults=relative_to(_once(faults), folder))
    return project


def _load_apart(
    project: Project,
    modules: Sequence[WorkletModule],
    wanted: Wanted,
    hosts: ProjectHosts | None,
    faults: list[Fault],
) -> None:
    """Let a process of their environment load modules, and take in what stands for their worklets."""
    if hosts is None:
        raise SetupError(
            f"{modules[0].path.name} wants {wanted}, an environment that only the server makes; push the project to it."
        )
    folder = Tree(project.folder, project.content_hash, tuple(each.name for each in modules), wanted)
    try:
        loaded = hosts.wait(hosts.load(folder))
    except DefinitionError as error:
        place = Place(str(modules[0].path), modules[0].line)
        faults.extend(error.faults or [definition_fault(error.detail, place=place, type="requirements")])
        return
    for name, graph in loaded.graphs.items():
        if name in project.worklets:
            faults.append(
                definition_fault(
                    f"the worklet {name!r} is defined more than once.",
                    place=Place(str(modules[0].path), modules[0].line),
                    fix="give one of them another name",
                )
            )
        project.worklets[name] = RemoteWorklet(
            graph, folder, hosts, has_images=name in loaded.images, body=loaded.bodies[name]
        )


def load_file(path: Path) -> Project:
    """Import one file of a source tree, with what it imports, and collect its worklets.

    Raises:
        DefinitionError: with every fault; its siblings are not looked at.
    """
    folder = path.resolve().parent
    project = Project(folder, tree_hash(folder))
    faults: list[Fault] = []
    project.tree = tree = SourceTree(folder, project.content_hash[:16])
    tree.open()
    module = _imported(tree, path.stem, path.resolve(), folder, faults)
    if module is not None:
        _collect(module, path, project, faults)
    if faults:
        tree.close()
        raise DefinitionError(f"{path} can't be loaded.", faults=relative_to(_once(faults), folder))
    return project


def _once(faults: list[Fault]) -> list[Fault]:
    # A broken sibling fails every module that imports it.
    return list(dict.fromkeys(faults))


def _imported(tree: SourceTree, name: str, path: Path, folder: Path, faults: list[Fault]) -> ModuleType | None:
    try:
        return tree.module(name)
    except DefinitionError as error:
        faults.extend(error.faults or [definition_fault(error.detail, place=_place(error, path, folder))])
    except SyntaxError as error:
        faults.append(syntax_fault(error, Path(error.filename) if error.filename else path))
    except ModuleNotFoundError as error:
        faults.append(
            definition_fault(
                f"it imports {error.name!r}, which this environment has not.",
                place=_place(error, path, folder),
                fix=f"install it where the server runs, name it in the worklet's requirements=[...], "
                f"or add {error.name}.py to the project",
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
        if isinstance(value, ViewDefinition):
            other_view = project.views.setdefault(value.slug, value.document)
            if other_view is not value.document:
                what = f"another view is named {value.slug!r}."
                faults.append(definition_fault(what, place=value.place, fix="give one of them another name"))
            for component in value.components:
                _collect_component(component, path, project, faults)
            continue
        if isinstance(value, type) and issubclass(value, ComponentDefinition):
            _collect_component(value, path, project, faults)
            continue
        if not isinstance(value, Worklet) or value.function.__module__ != module.__name__:
            continue
        other = project.worklets.get(value.name)
        if isinstance(other, Worklet) and other is not value:
            faults.append(
                definition_fault(
                    f"the worklet {value.name!r} is defined here and at {other.place}.",
                    place=value.place,
                    fix="give one of them another name",
                )
            )
        project.worklets[value.name] = value


def _collect_component(
    found: type[ComponentDefinition] | Mapping[str, Any], path: Path, project: Project, faults: list[Fault]
) -> None:
    try:
        definition = found.definition() if isinstance(found, type) else dict(found)
    except DefinitionError as error:
        # Each module that imports the class has it.
        faults += [fault for fault in error.faults if fault not in faults]
        return
    if definition is None:
        return
    name = str(definition.get("name"))
    other = project.components.setdefault(name, definition)
    if other != definition:
        what = f"another component is named {name!r}."
        faults.append(definition_fault(what, place=Place(str(path), 1), fix="give one of the classes another name"))


def limit_requests(project: Project, faults: list[Fault]) -> None:
    """Hold the worklets' requests to `http_hosts` under `[tool.worklets]` in the project's pyproject.toml."""
    path = project.folder / SETTINGS_FILE
    if not path.is_file():
        return
    try:
        settings = tomllib.loads(path.read_text()).get("tool", {}).get("worklets", {})
    except (ValueError, AttributeError) as error:
        faults.append(definition_fault(f"it is no TOML: {error}.", place=Place(str(path), 1)))
        return
    hosts = settings.get("http_hosts", []) if isinstance(settings, dict) else []
    if not isinstance(hosts, list) or not all(isinstance(host, str) and is_host_pattern(host) for host in hosts):
        what = f"http_hosts under [tool.worklets] is {hosts!r}."
        fix = 'write a list of hosts: ["api.example.com", "*.example.org"]'
        faults.append(definition_fault(what, place=Place(str(path), 1), fix=fix))
        return
    for worklet in project.worklets.values() if hosts else ():
        assert isinstance(worklet, Worklet)  # those of other environments are held to it in their processes
        for node in worklet.graph.nodes:
            found = host_fault(node, hosts) if node.kind == "http" else None
            if found is not None:
                place = Place(node.source.file, node.source.line) if node.source else worklet.place
                faults.append(definition_fault(found[0], fix=found[1], node=node.id, place=place))
        worklet.limit_requests(hosts)


def _views(project: Project, faults: list[Fault]) -> None:
    written = {document.get("slug") for document in project.views.values()}
    for path in sorted((project.folder / VIEWS_FOLDER).glob("*.json")):
        try:
            document = json.loads(path.read_bytes())
        except ValueError as error:
            faults.append(definition_fault(f"it is no JSON: {error}.", place=Place(str(path), 1)))
            continue
        if not isinstance(document, dict):
            faults.append(definition_fault("a view is a JSON object.", place=Place(str(path), 1)))
        elif document.get("slug") in written:
            what = f"the view {document['slug']!r} is in this file and in Python code."
            faults.append(definition_fault(what, place=Place(str(path), 1), fix="keep one of them"))
        else:
            project.views[path.stem] = document
