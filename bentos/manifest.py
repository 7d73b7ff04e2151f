"""What a package says of itself: `manifest.json` beside the model's files."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..connectors.errors import BadInput, DefinitionError, Fault
from .monitor_rule import MonitorRule
from .signature import Signature

MANIFEST_FILE = "manifest.json"
SAMPLE_FILE = "sample.bin"
MAX_NAME = 63
# A sample larger than this stays in its file and out of the manifest, which every listing reads.
MAX_SHOWN_SAMPLE = 20_000
_NAME = re.compile(r"[a-z0-9]([-._a-z0-9]*[a-z0-9])?")


class BatchRule(BaseModel):
    """How calls to a model are put together.

    Attributes:
        max_size: rows in one call to the model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_size: int = Field(default=64, ge=2, le=4096)


class Serving(BaseModel):
    """How a model wants to be served.

    Attributes:
        requirements: what its own environment has to hold; empty for the server's environment.
        isolate: whether it wants a process of its own.
        timeout: seconds that a call may take; None leaves it to the server.
        max_concurrency: how many of its calls may compute at once; None leaves it to the server.
        batch: whether calls that come while another computes go to the model as one; "auto" where that is found to
            be right and quicker.
    """

    requirements: tuple[str, ...] = ()
    isolate: bool = False
    timeout: float | None = Field(default=None, gt=0, le=3600)
    max_concurrency: int | None = Field(default=None, ge=1, le=1024)
    batch: Literal["auto"] | bool | BatchRule = "auto"


class Manifest(BaseModel):
    """A package's description.

    Attributes:
        framework: which of bentos/frameworks loads it; `format` and `entry` are that framework's own.
        python, packages: the environment in which it was packed.
        sample: the sample input as JSON, if it is small; the exact one is in `sample.bin`.
        monitor: what is to be kept of its requests ; None leaves it as it is.
        content_hash: SHA-256 over the files and this description, apart from name and version.
    """

    name: str
    version: str | None = None
    framework: str
    format: str
    entry: dict[str, Any] = Field(default_factory=dict)
    python: str = Field(default_factory=platform.python_version)
    packages: dict[str, str] = Field(default_factory=dict)
    signature: Signature
    sample: Any = None
    description: str = ""
    credit: str = ""
    serving: Serving = Field(default_factory=Serving)
    metadata: dict[str, Any] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    monitor: MonitorRule | None = None
    content_hash: str = ""
    size_bytes: int = 0

    def write(self, folder: Path) -> None:
        """Write `manifest.json`, with the hash and size of what lies in `folder`."""
        self.size_bytes = sum(path.stat().st_size for path in _content_files(folder))
        self.content_hash = content_hash(folder, self)
        (folder / MANIFEST_FILE).write_bytes(orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_INDENT_2))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a package. Raises BadInput if there is none or it is broken."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    except FileNotFoundError:
        raise BadInput("This is no model package: it has no manifest.json; `pw.deploy` makes and sends one.") from None
    except ValidationError as error:
        faults = [Fault(tuple(entry["loc"]), entry["msg"], entry["type"]) for entry in error.errors()]
        raise BadInput("The package's manifest.json is broken.", faults=faults) from None


def content_hash(folder: Path, manifest: Manifest) -> str:
    """SHA-256 over every file of the package and over what the manifest says apart from its name and version."""
    digest = hashlib.sha256()
    said = manifest.model_dump(mode="json", exclude={"name", "version", "content_hash", "size_bytes"})
    if manifest.serving == Serving():
        del said["serving"]  # packages from before there was a choice keep their hash
    elif manifest.serving.batch == "auto":
        del said["serving"]["batch"]
    if manifest.monitor is None:
        del said["monitor"]
    digest.update(orjson.dumps(said, option=orjson.OPT_SORT_KEYS))
    for path in _content_files(folder):
        with path.open("rb") as file:
            inner = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{inner}\n".encode())
    return digest.hexdigest()


def _content_files(folder: Path) -> list[Path]:
    # BentoML writes model.yaml beside our files.
    left_out = {folder / MANIFEST_FILE, folder / "model.yaml"}
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in left_out)


def installed_versions(distributions: Iterable[str]) -> dict[str, str]:
    """The versions of these distributions in this environment; those that are not installed are left out."""
    found = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


def check_name(name: str) -> str:
    """The name, if BentoML's store takes it. Raises DefinitionError."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{name!r} is no name for a model: use 1 to {MAX_NAME} lower-case letters, digits, '-', '_' or '.', "
            "and start and end with a letter or digit."
        )
    return name


def check_version(version: str) -> str:
    """The version, if BentoML's store takes it. Raises DefinitionError."""
    if version == "latest" or len(version) > MAX_NAME or not _NAME.fullmatch(version):
        raise DefinitionError(
            f"{version!r} is no version: use lower-case letters, digits, '-', '_' or '.' such as 1.0.0 "
            f"(at most {MAX_NAME}; `latest` is taken)."
        )
    return version


def next_version(existing: Iterable[str]) -> str:
    """The version after the newest of these: its patch number plus one; 1.0.0 if there is none of the form a.b.c."""
    numbers = [tuple(map(int, match.groups())) for match in map(_SEMANTIC.fullmatch, existing) if match]
    if not numbers:
        return "1.0.0"
    major, minor, patch = max(numbers)
    return f"{major}.{minor}.{patch + 1}"


_SEMANTIC = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})")
