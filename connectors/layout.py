"""Where everything lies below the one data directory. Nothing is written outside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError

# sockaddr_un.sun_path holds 108 bytes on Linux, 104 on macOS, the closing zero included.
_SOCKET_PATH_LIMIT = 103


@dataclass(frozen=True)
class DataDirectory:
    """The layout of a data directory. Creating the object creates nothing; `prepare` does."""

    root: Path

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the default store."""
        return f"sqlite:///{self.root / 'worklets.db'}"

    @property
    def files(self) -> Path:
        """Uploaded and produced files, by content hash."""
        return self.root / "files"

    @property
    def bentoml(self) -> Path:
        """BENTOML_HOME: the artifact store of the models."""
        return self.root / "bentoml"

    @property
    def weights(self) -> Path:
        """Fetched files of zoo models, by SHA-256."""
        return self.root / "weights"

    @property
    def prefect(self) -> Path:
        """PREFECT_HOME of the embedded Prefect server."""
        return self.root / "prefect"

    @property
    def projects(self) -> Path:
        """Pushed sources, one folder a content hash."""
        return self.root / "projects"

    @property
    def journal(self) -> Path:
        """Run records on their way into the store."""
        return self.root / "journal"

    @property
    def results(self) -> Path:
        """What the nodes of submitted runs gave, until the run has ended."""
        return self.root / "results"

    @property
    def run(self) -> Path:
        """Sockets and process ids of the running instance."""
        return self.root / "run"

    @property
    def dask(self) -> Path:
        """What a local Dask cluster can't keep in memory."""
        return self.root / "dask"

    @property
    def environments(self) -> Path:
        """Virtual environments of models and worklets, by the hash of their lock."""
        return self.root / "environments"

    @property
    def logs(self) -> Path:
        """What the processes of single models print."""
        return self.root / "logs"

    @property
    def secret_key(self) -> Path:
        """The instance's secret, from which signing keys are derived; mode 0600."""
        return self.root / "secret.key"

    @property
    def profile(self) -> Path:
        """Address and key of the running server, for `pw.Client` and the command line; mode 0600."""
        return self.root / "profile.json"

    def socket(self, name: str) -> Path:
        """The path of the Unix socket `name`. Raises SetupError where the system could not bind it."""
        path = self.run / f"{name}.sock"
        if len(os.fsencode(path)) > _SOCKET_PATH_LIMIT:
            raise SetupError(
                f"The data directory's path is too long for Unix sockets ({path}); choose a shorter one with --data."
            )
        return path

    def prepare(self) -> DataDirectory:
        """Create the folders, readable by their owner alone."""
        for folder in (
            self.root,
            self.files,
            self.bentoml,
            self.prefect,
            self.projects,
            self.journal,
            self.run,
        ):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self
