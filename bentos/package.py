"""Packing a model: a folder with `manifest.json`, a sample and the framework's files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from ..connectors.errors import BadInput, DefinitionError, Fault
from .archive import archive, unarchive
from .drift import REFERENCE_FILE, reference_of
from .environments import check_requirements
from .frameworks import framework_of
from .frameworks.custom import FILES_FOLDER
from .manifest import (
    MAX_SHOWN_SAMPLE,
    SAMPLE_FILE,
    Manifest,
    Serving,
    check_name,
    check_version,
    content_hash,
    installed_versions,
    read_manifest,
)
from .monitor_rule import MonitorRule, read_rule
from .signature import Signature
from .wire import WireError, encode

__all__ = ["archive", "check_package", "pack", "unarchive"]

INSTALLED = "installed"


def pack(
    model: Any,
    name: str,
    *,
    version: str | None = None,
    sample_input: Any = None,
    metadata: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    files: Iterable[str | Path] = (),
    signature: Signature | None = None,
    description: str = "",
    credit: str = "",
    requirements: Iterable[str] = (),
    isolate: bool = False,
    timeout: float | None = None,
    max_concurrency: int | None = None,
    batch: Literal["auto"] | bool | Mapping[str, Any] = "auto",
    monitor: bool | Mapping[str, Any] | None = None,
    reference: Any = None,
    folder: Path | None = None,
) -> Path:
    """Write a package and return its folder.

    Args:
        model: a fitted scikit-learn estimator, an ONNX model or path, an object or class with `predict`, a function,
            or the place of a class: 'module:Class', 'path/to/file.py:Class'.
        version: None leaves it to the server: the next patch version.
        sample_input: an input to try the model with; it also tells types and shapes.
        metadata: facts to keep; `method` chooses the method of a scikit-learn model (`predict_proba`).
        files: files and folders to pack beside the code; a class's `load(folder)` finds them by their names.
        signature: overrides what would be inferred.
        credit: whose work it is and its licence, for people to read.
        requirements: what an environment of the model's own holds, as `name==version`; the string 'installed' names
            the packages of the model as they are installed here. The server's environment if empty.
        isolate: give it a process of its own.
        monitor: what is kept of its requests; see MonitorRule.
        reference: inputs to compare with what it is asked later; by default the sample, if it has rows enough.
        timeout: seconds that a call may take.
        max_concurrency: how many of its calls may compute at once.
        batch: whether calls that come while another computes go to the model as one array: "auto" where the server
            finds that right and quicker, True or {"max_size": rows} demands it, False never.
        folder: where to write; must not exist or be empty. A new temporary folder if None.

    Raises:
        DefinitionError, BadInput: with every fault found.
    """
    check_name(name)
    if version is not None:
        check_version(version)
    serving = _serving(requirements, isolate, timeout, max_concurrency, batch)
    framework = framework_of(model)
    metadata = _plain(metadata or {}, "metadata")
    rule = read_rule(monitor)
    own_folder = folder is None
    folder = Path(tempfile.mkdtemp(prefix="worklets-package-")) if folder is None else folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        described = signature or framework.describe(model, sample_input, metadata)
        saved = framework.save(model, folder, metadata)
        _copy_files(files, folder / FILES_FOLDER)
        shown = _write_sample(sample_input, described, folder)
        _write_reference(sample_input if reference is None else reference, described, folder, rule)
        packages = installed_versions(saved.packages)
        if requirements == INSTALLED:
            pinned = tuple(f"{package}=={found}" for package, found in packages.items())
            serving = serving.model_copy(update={"requirements": pinned})
        manifest = Manifest(
            name=name,
            version=version,
            framework=framework.name,
            format=saved.format,
            entry=saved.entry,
            packages=packages,
            signature=described,
            sample=shown,
            metadata=metadata,
            labels={str(key): str(value) for key, value in (labels or {}).items()},
            description=description,
            credit=credit,
            serving=serving,
            monitor=rule,
        )
        manifest.write(folder)
    except BaseException:
        if own_folder:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _serving(
    requirements: Iterable[str], isolate: bool, timeout: float | None, max_concurrency: int | None, batch: Any
) -> Serving:
    wanted = () if requirements == INSTALLED else check_requirements(_listed(requirements))
    try:
        return Serving(
            requirements=wanted, isolate=isolate, timeout=timeout, max_concurrency=max_concurrency, batch=batch
        )
    except ValidationError as error:
        faults = [Fault(tuple(entry["loc"]), entry["msg"], entry["type"]) for entry in error.errors()]
        raise DefinitionError("The model cannot be served like that.", faults=faults) from None


def _listed(requirements: Iterable[str]) -> list[str]:
    if isinstance(requirements, str):
        raise DefinitionError(f"requirements is a list, such as [{requirements!r}], or the word {INSTALLED!r}.")
    return list(requirements)


def check_package(folder: Path) -> Manifest:
    """The manifest of a package whose files are as they were packed. Raises BadInput, DefinitionError."""
    manifest = read_manifest(folder)
    check_name(manifest.name)
    if manifest.version is not None:
        check_version(manifest.version)
    if content_hash(folder, manifest) != manifest.content_hash:
        raise BadInput("The package's files are not those of its manifest; pack and send it again.")
    return manifest


def _write_reference(given: Any, signature: Signature, folder: Path, rule: MonitorRule | None) -> None:
    """Keep what the inputs look like, to find drift later. Raises DefinitionError if they don't fit the model."""
    if given is None:
        return
    try:
        values = signature.parse(given)
    except BadInput as error:
        raise DefinitionError("The reference does not fit the model's inputs.", faults=error.faults) from None
    found = reference_of(values, signature, rule.sensitive if rule else ())
    if found is not None:
        (folder / REFERENCE_FILE).write_bytes(orjson.dumps(found.model_dump()))


def _write_sample(sample: Any, signature: Signature, folder: Path) -> Any:
    """Keep the exact sample in a file, and return it as JSON if it is small."""
    if sample is None:
        return None
    try:
        values = signature.parse(sample)
        content = encode(values)
    except WireError as error:
        raise DefinitionError(f"The sample input cannot be kept: {error}.") from None
    except BadInput as error:
        raise DefinitionError("The sample input does not fit the model.", faults=error.faults) from None
    (folder / SAMPLE_FILE).write_bytes(content)
    if len(content) > MAX_SHOWN_SAMPLE:
        return None
    return _as_json({field.name: _dumped(values[field.name]) for field in signature.inputs if field.name in values})


def _dumped(value: Any) -> Any:
    from .writing import dump

    return dump(value, ())


def _as_json(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))


def _plain(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = _as_json(dict(value))
        return plain
    except TypeError as error:
        raise DefinitionError(f"{what} must be plain data (texts, numbers, lists, dicts): {error}.") from None


def _copy_files(files: Iterable[str | Path], folder: Path) -> None:
    missing = []
    for file in map(Path, files):
        if file.is_dir():
            shutil.copytree(file, folder / file.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / file.name)
        else:
            missing.append(Fault(("files", str(file)), "there is no such file or folder"))
    if missing:
        raise DefinitionError("Some files to pack do not exist.", faults=missing)
