from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prefect_worklets.bentos import api
from prefect_worklets.bentos.deployer import Deployer
from prefect_worklets.bentos.package import pack
from prefect_worklets.bentos.router import Router
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.egress import Egress
from prefect_worklets.connectors.files import FileStore
from prefect_worklets.connectors.images import ImageLoader
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.web import ON_BEHALF_HEADER, Guard
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from starlette.applications import Starlette

KEY = "the-internal-key"


@pytest.fixture(scope="session")
def iris() -> tuple[np.ndarray, np.ndarray]:
    return load_iris(return_X_y=True)


@pytest.fixture(scope="session")
def logreg(iris: Any) -> LogisticRegression:
    return LogisticRegression(max_iter=500).fit(*iris)


@pytest.fixture
def iris_package(logreg: Any, iris: Any, tmp_path: Path) -> Path:
    return pack(logreg, "iris", sample_input=iris[0][:1], folder=tmp_path / "iris-package")


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    return DataDirectory(tmp_path / "d").prepare()


@pytest.fixture
def store(data: DataDirectory) -> Iterator[Store]:
    store = Store(data.database_url)
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def router() -> Router:
    return Router()


@pytest.fixture
async def deployer(store: Store, data: DataDirectory, router: Router) -> AsyncIterator[Deployer]:
    deployer = Deployer(store, data, router, internal_key=KEY)
    await deployer.start()
    yield deployer
    await deployer.stop()


@pytest.fixture
def files(store: Store, data: DataDirectory) -> FileStore:
    return FileStore(store, data.files)


@pytest.fixture
async def client(store: Store, data: DataDirectory, router: Router, deployer: Deployer, files: FileStore) -> Any:
    access = Access(store, KEY)
    keys = {role: access.create_key(role, role=role) for role in ("viewer", "operator", "builder")}
    routes = api.routes(
        router,
        deployer,
        Guard(access),
        data,
        images=ImageLoader(files, Egress(max_bytes=1_000_000, timeout=2)),
        predict_limit=200_000,
        upload_limit=500_000,
    )
    transport = httpx.ASGITransport(Starlette(routes=routes))
    headers = {"authorization": f"Bearer {keys['builder']}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as client:
        client.keys = keys  # type: ignore[attr-defined]
        client.on_behalf = {  # type: ignore[attr-defined]
            "authorization": f"Bearer {KEY}", ON_BEHALF_HEADER: access.ensure_user("vera", "viewer").id
        }  # fmt: skip
        yield client


@dataclass
class HostProcess:
    """The real shared host in a process of its own."""

    data: DataDirectory
    process: subprocess.Popen[bytes] | None = None
    log: list[Path] = field(default_factory=list)

    def start(self) -> None:
        command = [sys.executable, "-m", "prefect_worklets.bentos.host", "--data", str(self.data.root)]
        log = self.data.root / "host.log"
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, env={**os.environ, "WORKLETS_INTERNAL_KEY": KEY}, stdout=out, stderr=out
            )

    def wait_ready(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not self.data.socket("host").exists():
            assert self.process is not None
            assert self.process.poll() is None, (self.data.root / "host.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


@contextmanager
def running_host(data: DataDirectory) -> Iterator[HostProcess]:
    host = HostProcess(data)
    host.start()
    try:
        host.wait_ready()
        yield host
    finally:
        host.stop()


@pytest.fixture(scope="session")
def make_host() -> Callable[[DataDirectory], Any]:
    return running_host


@pytest.fixture
def host(data: DataDirectory) -> Iterator[HostProcess]:
    with running_host(data) as host:
        yield host


@pytest.fixture
async def thing(host: Any, deployer: Any, write_model: Any) -> Any:
    """A model in the shared host that fails as it is told."""
    body = """
def predict(self, what: str = "", x: float = 1.0):
    if what == "raise": raise ValueError("no such luck")
    if what == "refuse": return object()
    if what == "exit": raise SystemExit("bye")
    if what == "die": os._exit(3)
    if what == "sleep": time.sleep(x)
    return {"x": x, "array": np.arange(3, dtype=np.float32), "nan": float("nan"), "pid": os.getpid()}
"""
    return await deployer.deploy(write_model("thing", body), tier="shared-host")


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., Path]:
    """Packs a class from source: `write_model("name", "def predict(self, x: float): ...")`."""

    def write(name: str, body: str, **options: Any) -> Path:
        number = len(list(tmp_path.glob("source-*")))
        folder = tmp_path / f"source-{number}"
        folder.mkdir()
        lines = "\n".join("    " + line for line in body.strip().splitlines())
        (folder / "thing.py").write_text(f"import os\nimport time\n\nimport numpy as np\n\n\nclass Thing:\n{lines}\n")
        return pack(f"{folder / 'thing.py'}:Thing", name, folder=folder / "package", **options)

    return write
