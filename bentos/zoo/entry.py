"""What an entry of the zoo is, and how its weights are found and checked."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...connectors.errors import SetupError

INSTALL = "pip install 'prefect-worklets[zoo]'"


@dataclass(frozen=True)
class ZooEntry:
    """A ready model.

    Attributes:
        name: under which it is deployed.
        credit: whose work and weights it is, and their licences.
        requires: the distribution that carries the weights.
        packer: makes the package; blocking.
    """

    name: str
    title: str
    description: str
    credit: str
    requires: str
    packer: Callable[[ZooEntry], Path]

    def package(self) -> Path:
        """The folder of a new package. Blocking. Raises SetupError if the weights are missing or not the known ones."""
        return self.packer(self)

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "credit": self.credit,
            "requires": self.requires,
        }


def installed_file(module: str, path: str, sha256: str, distribution: str) -> Path:
    """A file of an installed package, checked. The package is not imported. Raises SetupError."""
    found = importlib.util.find_spec(module)
    folders = list(found.submodule_search_locations or ()) if found else []
    file = Path(folders[0]) / path if folders else None
    if file is None or not file.is_file():
        raise SetupError(f"The zoo needs {distribution}, which is not installed: {INSTALL}")
    with file.open("rb") as opened:
        actual = hashlib.file_digest(opened, "sha256").hexdigest()
    if actual != sha256:
        raise SetupError(f"{file.name} of {distribution} is not the known file (SHA-256 {actual}); {INSTALL}")
    return file
