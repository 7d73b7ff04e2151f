"""A real Prefect server for tests: `prefect_server`, one a test run, on a free port, with a database of its own.

It dies with the test process, even when that is killed. A test may kill, stop and start it, but leaves it running.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1
_CACHE = Path(__file__).parent.parent / ".cache"
_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
    # As `worklets up` sets them: by default each event is a transaction of its own.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "500",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "2",
}


def give_database(home: Path) -> None:
    """Put an empty Prefect database into `home`, if it has none: making its tables takes a server five seconds.

    It is made once for each version of Prefect, by Prefect itself, and kept in `.cache`.
    """
    place = home / "prefect.db"
    if place.exists():
        return
    _CACHE.mkdir(exist_ok=True)
    kept = _CACHE / f"prefect-{version('prefect')}.db"
    with (_CACHE / "prefect.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the test processes begin at the same time
        if not kept.exists():
            _make_database(kept)
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, place)


def _make_database(kept: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "prefect.db"
        url = f"sqlite+aiosqlite:///{made}"
        environment = {**os.environ, **_SETTINGS, "PREFECT_HOME": folder, "PREFECT_API_DATABASE_CONNECTION_URL": url}
        command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        with contextlib.closing(sqlite3.connect(made)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        part = kept.with_suffix(".part")
        shutil.copyfile(made, part)
        part.rename(kept)


class PrefectServer:
    """A Prefect server in `home`, which keeps its port, and its database there or at `database`, over restarts."""

    def __init__(self, home: Path, database: str | None = None) -> None:
        self.home = home
        self._database = {} if database is None else {"PREFECT_API_DATABASE_CONNECTION_URL": database}
        self.log = home / "server.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The API's address, as PREFECT_API_URL names it."""
        return f"{self.ui_url}/api"

    @property
    def ui_url(self) -> str:
        """The address of the pages."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it answers. Raises RuntimeError with its log if it doesn't."""
        if not self._database:
            give_database(self.home)
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the server. Call it in the main thread: it dies with the thread that started it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        environment = {
            **kept,
            **_SETTINGS,
            **self._database,
            "PREFECT_HOME": str(self.home),
            "PREFECT_UI_API_URL": self.url,
            # Its pages hold the address; by default it writes them into its own installation.
            "PREFECT_UI_STATIC_DIRECTORY": str(self.home / "ui"),
        }
        command = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
        parent = os.getpid()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"],
                stdout=output,
                stderr=output,
                env=environment,
                cwd=self.home,
                start_new_session=True,
                preexec_fn=lambda: _die_with(parent),
            )

    def wait_ready(self) -> None:
        """Return when the server answers. Raises RuntimeError with its log if it doesn't."""
        assert self._process is not None
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Prefect did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server properly."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server with whatever it has not stored."""
        self._end(signal.SIGKILL)

    def forget_everything(self) -> None:
        """Delete the database of the stopped server."""
        for file in self.home.glob("prefect.db*"):
            file.unlink()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the API; its answer. Raises httpx.HTTPStatusError."""
        response = httpx.request(method, f"{self.url}{path}", json=body, timeout=30)
        response.raise_for_status()
        return response.json() if response.content else None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server for this test run."""
    home = tmp_path_factory.mktemp("prefect")
    server = PrefectServer(home)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os._exit(1)
