"""The packages of deployed models, in a BentoML model store below the data directory.

BentoML's store is not atomic and finds `n:ab` by prefix, so: our own lock around every change, exact tags, and our
tables as the truth of what exists.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..connectors.errors import NotFound
from ..connectors.layout import DataDirectory
from .manifest import MANIFEST_FILE, Manifest, check_name, check_version
from .telemetry import send_none

logger = logging.getLogger(__name__)


def prepare_bentoml(data: DataDirectory) -> None:
    """Set BentoML's environment of this process. It reads it once, at import, so this comes first."""
    if "bentoml" in sys.modules and os.environ.get("BENTOML_HOME") != str(data.bentoml):
        logger.warning("bentoml was imported before its settings were made; its own defaults hold.")
    os.environ["BENTOML_HOME"] = str(data.bentoml)
    os.environ["BENTOML_DO_NOT_TRACK"] = "true"
    send_none()


class ArtifactStore:
    """Saves and finds packages by `name:version`. Blocking; safe between threads and processes."""

    def __init__(self, data: DataDirectory) -> None:
        self._home = data.bentoml
        self._models = data.bentoml / "models"

    def save(self, package: Path, manifest: Manifest, version: str) -> str:
        """Keep a package and return its tag. Whatever an interrupted save left under the tag is replaced."""
        tag = f"{check_name(manifest.name)}:{check_version(version)}"
        with self._locked():
            shutil.rmtree(self._place(tag), ignore_errors=True)
            self._create(tag, package, manifest)
            stored = manifest.model_copy(update={"version": version})
            _write_atomically(self._place(tag) / MANIFEST_FILE, stored.model_dump_json(indent=2).encode())
        return tag

    def _create(self, tag: str, package: Path, manifest: Manifest) -> None:
        os.environ.setdefault("BENTOML_HOME", str(self._home))
        os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
        import bentoml  # 0.2 s: only a process that deploys pays it
        from bentoml._internal.models.model import ModelStore

        self._models.mkdir(parents=True, exist_ok=True)
        facts = {"framework": manifest.framework, "format": manifest.format, "content_hash": manifest.content_hash}
        # The store is given, as BentoML's own is one for the whole process.
        store = ModelStore(self._models)
        with bentoml.models.create(tag, labels=dict(manifest.labels), metadata=facts, _model_store=store) as model:
            shutil.copytree(package, model.path, dirs_exist_ok=True)

    def folder(self, tag: str) -> Path:
        """The package's folder, to read only. Raises NotFound."""
        folder = self._place(tag)
        if not (folder / MANIFEST_FILE).is_file():
            raise NotFound(f"The package {tag} is not in {self._models}; restore it from a backup or deploy it again.")
        return folder

    def delete(self, tag: str) -> None:
        """Remove a package; one that is gone already is no error."""
        with self._locked():
            folder = self._place(tag)
            shutil.rmtree(folder, ignore_errors=True)
            latest = folder.parent / "latest"
            if latest.is_file() and latest.read_text().strip() == folder.name:
                others = sorted(path.name for path in folder.parent.iterdir() if path.is_dir())
                # `bentoml models list` fails on a pointer to nothing.
                latest.write_text(others[-1]) if others else shutil.rmtree(folder.parent, ignore_errors=True)

    def _place(self, tag: str) -> Path:
        name, _, version = tag.partition(":")
        return self._models / check_name(name) / check_version(version)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._home.mkdir(parents=True, exist_ok=True)
        with (self._home / "worklets.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _write_atomically(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)
