"""A real `worklets up --demo`, started once a session on free ports, and gone with it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from fixtures_prefect import give_database

READY_SECONDS = 120
STOP_SECONDS = 30
_PR_SET_PDEATHSIG = 1
_Answer = TypeVar("_Answer")


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def die_with_parent() -> None:
    """Run in the child before exec: a killed pytest leaves no server behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def persistently(call: Callable[[], _Answer], seconds: float = 60) -> _Answer:
    """What any client does whose request meets a server that is being started again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@dataclass
class Server:
    """A running instance, as its user meets it."""

    data_dir: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """The address of the HTTP app."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def profile(self) -> dict[str, Any]:
        """What `worklets up` wrote for clients."""
        found: dict[str, Any] = json.loads((self.data_dir / "profile.json").read_text())
        return found

    @property
    def key(self) -> str:
        """The profile's API key."""
        return str(self.profile["key"])

    @property
    def environment(self) -> dict[str, str]:
        """For commands that talk to this instance."""
        # Tests in this process may have set the store of BentoML for themselves.
        inherited = {name: value for name, value in os.environ.items() if name != "BENTOML_HOME"}
        return {**inherited, "WORKLETS_DATA_DIR": str(self.data_dir)}

    def client(self, **options: Any) -> httpx.Client:
        """An HTTP client with the profile's key."""
        options.setdefault("timeout", 60)
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.key}"}, **options)

    def worklets(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the `worklets` command against this instance."""
        command = [str(Path(sys.executable).with_name("worklets")), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=check)

    @property
    def prefect_url(self) -> str:
        """The address of the Prefect API that this instance records in."""
        found: str = json.loads((self.data_dir / "run/recorder.json").read_text())["prefect"]["url"]
        return found

    def ask_prefect(self, method: str, path: str, body: Any = None, seconds: float = 90) -> Any:
        """What Prefect answers. On SQLite it is slow now and then, or busy, or just started again: it is asked anew."""
        return persistently(lambda: self._prefect_answer(method, path, body), seconds)

    def _prefect_answer(self, method: str, path: str, body: Any) -> Any:
        response = httpx.request(method, f"{self.prefect_url}{path}", json=body, timeout=30)
        return response.raise_for_status().json()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until the API says that it is ready and the demo's worklet is there."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                announced = "Ready." in self.log.read_text()
                if announced and httpx.get(f"{self.url}/api/ready", timeout=2).status_code == 200 and self._has_demo():
                    return
            except (httpx.HTTPError, OSError, ValueError):
                pass
            time.sleep(0.1)
        raise AssertionError(f"the server did not become ready:\n{self.log.read_text()[-6000:]}")

    def _has_demo(self) -> bool:
        if not (self.data_dir / "profile.json").exists():
            return False
        with self.client(timeout=5) as client:
            return client.get("/api/worklets/stylize").status_code == 200

    def stop(self) -> None:
        """Ctrl-C, and wait until it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start_server(
    data_dir: Path, port: int | None = None, *arguments: str, demo: bool = True, settings: dict[str, str] | None = None
) -> Server:
    """Start an instance with these environment variables; the caller stops it."""
    port = port or free_port()
    data_dir.mkdir(parents=True, exist_ok=True)
    give_database(data_dir / "prefect")
    log = data_dir.with_suffix(".log")
    command = [str(Path(sys.executable).with_name("worklets")), "up", "--data", str(data_dir), "--port", str(port)]
    command += ["--demo"] * demo + list(arguments)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WORKLETS_", "PREFECT_"))}
    environment |= settings or {}
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=stream, env=environment, preexec_fn=die_with_parent, start_new_session=True
        )
    return Server(data_dir, port, process, log)


def restart(server: Server) -> None:
    """Stop an instance and start it again, at its address and on its data."""
    server.stop()
    server.process = start_server(server.data_dir, server.port).process
    server.wait_ready()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running demo instance that the whole session shares; a test that harms it starts its own."""
    instance = start_server(tmp_path_factory.mktemp("demo") / "data")
    try:
        instance.wait_ready()
        yield instance
    finally:
        instance.stop()
