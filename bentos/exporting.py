"""A package as a folder that stock BentoML builds, serves and puts into an image, without prefect-worklets."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..connectors.errors import BadInput, SetupError
from .manifest import Manifest, installed_versions, read_manifest

_PACKAGE = "prefect_worklets"
_ROOTS = {"bentos": Path(__file__).resolve().parent, "connectors": Path(__file__).resolve().parents[1] / "connectors"}
_START = "bentos.exported"
# What the copied code imports, beside BentoML. Frameworks come from the model's own manifest.
_RUNTIME = ("bentoml", "numpy", "orjson", "pillow", "pydantic", "python-multipart", "starlette", "threadpoolctl")
_BUILD_SECONDS = 600.0

_SERVICE = '''"""The model {tag}: `bentoml serve service:service` serves it. Made by `worklets models export`."""

from pathlib import Path

from prefect_worklets.bentos.exported import service_of

service = service_of(Path(__file__).parent / "model")
'''
_INIT = '''"""The part of prefect-worklets {version} that this model needs, copied: it need not be installed."""

from .connectors.images import Image

__all__ = ["Image"]
__version__ = "{version}"
'''
_README = """# {tag}

A model of prefect-worklets, for stock BentoML. It needs neither a worklets server nor the prefect-worklets package:
the code that reads, checks and answers lies in `prefect_worklets/`, and `requirements.txt` has the rest.

    pip install -r requirements.txt
    bentoml serve service:service        # POST /predict {{"inputs": ...}}
    bentoml build --version {version}     # then: bentoml serve {tag}
    bentoml containerize {tag}

The packages are pinned to the versions with which the model was packed; its Python was {python}.
"""


def write_context(package: Path, folder: Path) -> Manifest:
    """Write the folder for `bentoml build`: service.py, bentofile.yaml, requirements.txt, the model and the code.

    Args:
        package: the unpacked package of a version.
        folder: made; must not exist or be empty.

    Raises:
        BadInput: there is something in the folder, or the package has no version yet.
    """
    manifest = read_manifest(package)
    if manifest.version is None:
        raise BadInput(f"This package of {manifest.name} has no version, as it was never deployed; deploy it first.")
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder} is not empty; name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    tag = f"{manifest.name}:{manifest.version}"
    shutil.copytree(package, folder / "model")
    _copy_code(folder / _PACKAGE)
    (folder / "service.py").write_text(_SERVICE.format(tag=tag))
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements_of(manifest)))
    (folder / "bentofile.yaml").write_text(yaml.safe_dump(_bentofile(manifest), sort_keys=False, allow_unicode=True))
    (folder / "README.md").write_text(_README.format(tag=tag, version=manifest.version, python=manifest.python))
    return manifest


def build(context: Path, manifest: Manifest, home: Path) -> str:
    """Have BentoML build the folder into the store below `home`; returns the bento's tag.

    In a process of its own: BentoML reads `BENTOML_HOME` once, and building twice in one process mixes the two.

    Raises:
        SetupError: BentoML's own words.
    """
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bentoml", "build", "--version", str(manifest.version), str(context)]
    environment = {**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    try:
        done = subprocess.run(
            command, cwd=context, env=environment, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"`bentoml build` did not end within {_BUILD_SECONDS:g} s.") from None
    tag = f"{manifest.name}:{manifest.version}"
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-1000:]
        raise SetupError(f"`bentoml build` could not build {tag}: {said}")
    return tag


def requirements_of(manifest: Manifest) -> list[str]:
    """The packages of an exported model: what it was packed with, in these versions, and what the copied code needs.

    A model with an environment of its own keeps the requirements of that; the rest is then left to the resolver.
    """
    own: dict[str, str] = {}
    for line in manifest.serving.requirements:
        try:
            own[canonicalize_name(Requirement(line).name)] = line
        except InvalidRequirement:
            own[line] = line
    needed = (*_RUNTIME, "pandas") if _reads_tables(manifest) else _RUNTIME
    if own:
        runtime = {name: name for name in needed} | {"bentoml": _pinned("bentoml")}
    else:
        runtime = {name: f"{name}=={version}" for name, version in installed_versions(needed).items()}
        own = {canonicalize_name(name): f"{name}=={version}" for name, version in manifest.packages.items()}
    return sorted((runtime | own).values(), key=str.lower)


def _reads_tables(manifest: Manifest) -> bool:
    return any(field.columns or field.kind == "table" for field in manifest.signature.inputs)


def _pinned(name: str) -> str:
    return f"{name}=={importlib.metadata.version(name)}"


def _bentofile(manifest: Manifest) -> dict[str, object]:
    return {
        "name": manifest.name,
        "service": "service:service",
        "description": manifest.description or f"The model {manifest.name} {manifest.version}.",
        "labels": {**manifest.labels, "framework": manifest.framework, "content-hash": manifest.content_hash[:16]},
        "include": ["service.py", "README.md", "requirements.txt", "model/**", f"{_PACKAGE}/**"],
        # Locking would ask the network, and take the newest versions of what is not pinned.
        "python": {"requirements_txt": "./requirements.txt", "lock_packages": False},
        "docker": {"python_version": ".".join(manifest.python.split(".")[:2])},
    }


def _copy_code(folder: Path) -> None:
    """Copy what the service imports of this package, and nothing else."""
    for module in sorted(needed_modules()):
        source = _file_of(module)
        room, _, _ = module.partition(".")
        target = folder / room / source.relative_to(_ROOTS[room])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for room in _ROOTS:
        (folder / room / "__init__.py").touch()
    (folder / "__init__.py").write_text(_INIT.format(version=importlib.metadata.version("prefect-worklets")))


def needed_modules() -> set[str]:
    """The modules that the exported service imports, at any time, as `room.module`."""
    found, waiting = set(), [_START]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        waiting += _imports_of(module)
        parent = module.rpartition(".")[0]
        if "." in parent:
            waiting.append(parent)
    return found


def _imports_of(module: str) -> Iterator[str]:
    file = _file_of(module)
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for node in _at_run_time(ast.parse(file.read_text(), str(file))):
        base = package[: len(package) + 1 - node.level]
        # One level above the rooms is the package itself, whose `..connectors` is a room again.
        prefix = [*base, *(node.module.split(".") if node.module else [])]
        if prefix and _exists(prefix):
            yield ".".join(prefix)
        yield from (".".join([*prefix, alias.name]) for alias in node.names if _exists([*prefix, alias.name]))


def _at_run_time(node: ast.AST) -> Iterator[ast.ImportFrom]:
    """The relative imports that a run can reach: not those for type checkers alone."""
    if isinstance(node, ast.ImportFrom):
        if node.level:
            yield node
        return
    is_typing = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    children = node.orelse if is_typing and isinstance(node, ast.If) else ast.iter_child_nodes(node)
    for child in children:
        yield from _at_run_time(child)


def _exists(parts: list[str]) -> bool:
    if len(parts) < 2 or parts[0] not in _ROOTS:
        return False
    place = _ROOTS[parts[0]].joinpath(*parts[1:])
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def _file_of(module: str) -> Path:
    room, *rest = module.split(".")
    place = _ROOTS[room].joinpath(*rest)
    return place / "__init__.py" if (place / "__init__.py").is_file() else place.with_suffix(".py")
