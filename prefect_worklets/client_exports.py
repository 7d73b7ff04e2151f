"""A version of a model, fetched from the server and made into what stock BentoML takes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .bentos.archive import unarchive
from .bentos.exporting import build, write_context
from .bentos.package import check_package
from .client_http import Connection, segment


def export(connection: Connection, name: str, version: str, folder: Path) -> Path:
    """Write the folder that `bentoml build`, `serve` and `containerize` take. Raises NotFound, NotAllowed, BadInput."""
    with _package(connection, name, version) as package:
        write_context(package, folder)
    return folder


def export_bento(connection: Connection, name: str, version: str, home: Path) -> str:
    """Build a bento into the BentoML store below `home`; returns its tag. Raises SetupError, and as `export`."""
    with _package(connection, name, version) as package:
        context = package.parent / "bento"
        return build(context, write_context(package, context), home)


@contextmanager
def _package(connection: Connection, name: str, version: str) -> Iterator[Path]:
    """The package's folder, checked, for as long as it is needed."""
    scratch = Path(tempfile.mkdtemp(prefix="worklets-export-"))
    try:
        archived = scratch / "package.tar.gz"
        with archived.open("wb") as file:
            path = f"/api/models/{segment(name)}/versions/{segment(version)}/package"
            headers = connection.download(path, file)
        package = unarchive(archived, scratch / "package", sha256=headers["x-content-sha256"])
        check_package(package)
        yield package
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
