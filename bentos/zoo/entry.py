"""What an entry of the zoo is, and how it becomes a package."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ...connectors.errors import SetupError
from ..package import pack
from ..signature import Signature
from .weights import Source, Weights, installed_version

INSTALL = "pip install 'prefect-worklets[zoo]'"


@dataclass(frozen=True)
class ZooEntry:
    """A ready model.

    Attributes:
        name: under which it is deployed.
        task: what it is for, in a few words: `text`, `image` and so on, for the listing.
        credit: whose work and weights it is, and their licences.
        module, attribute: the class that serves it, in a file that stands alone.
        files: the package's files by name, and where each comes from.
        signature: what it takes and answers.
        packages: the distributions that must be installed where it runs, besides those of every server.
        prepare: turns a fetched file into the packaged one, by file name: `(fetched, target) -> None`.
    """

    name: str
    title: str
    task: str
    description: str
    credit: str
    module: ModuleType
    attribute: str
    files: Mapping[str, Source]
    signature: Signature
    packages: tuple[str, ...] = ()
    prepare: Mapping[str, Callable[[Path, Path], None]] = field(default_factory=dict)

    @property
    def requires(self) -> str:
        """Where the weights come from."""
        return ", ".join(sorted({source.origin for source in self.files.values()}))

    def package(self, weights: Weights) -> Path:
        """The folder of a new package. Blocking. Raises SetupError if weights are missing or not the known ones."""
        missing = [name for name in self.packages if installed_version(name) is None]
        if missing:
            raise SetupError(f"{self.name} needs {' and '.join(missing)}, which is not installed here: {INSTALL}")
        with tempfile.TemporaryDirectory(prefix="worklets-zoo-") as place:
            folder = Path(place)
            for target, source in self.files.items():
                fetched = weights.file(source)
                prepare = self.prepare.get(target)
                if prepare is None:
                    (folder / target).symlink_to(fetched)
                else:
                    prepare(fetched, folder / target)
            return pack(
                f"{self.module.__file__}:{self.attribute}",
                self.name,
                sample_input=getattr(self.module, self.attribute)().sample(),
                signature=self.signature,
                files=[folder / target for target in self.files],
                description=self.description,
                credit=self.credit,
                labels={"source": "zoo", "task": self.task},
            )

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "task": self.task,
            "description": self.description,
            "credit": self.credit,
            "requires": self.requires,
        }
