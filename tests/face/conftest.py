"""A real HTTP app in a process of its own, with a profile, for the client and the command line."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.store import Store

from prefect_worklets.cli import main
from prefect_worklets.client import Client
from prefect_worklets.profile import Profile, write_profile

START_SECONDS = 90


@dataclass
class Instance:
    """A data directory whose profile leads to a running app."""

    data: DataDirectory
    url: str
    access: Access

    @property
    def environment(self) -> dict[str, str]:
        """For commands."""
        return {**clean_environment(), "WORKLETS_DATA_DIR": str(self.data.root)}

    def client(self, key: str | None = None) -> Client:
        """A client with the profile's key or another one."""
        return Client(self.url, key, self.data.root)

    def run(self, *arguments: str, input: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """The `worklets` command against this instance."""
        return call_worklets(*arguments, environment=self.environment, input=input, cwd=cwd)


def clean_environment() -> dict[str, str]:
    """The environment without what would name another server."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("WORKLETS_", "PREFECT_", "BENTOML_"))
    }


def run_worklets(
    *arguments: str, environment: dict[str, str], input: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [str(Path(sys.executable).with_name("worklets")), *arguments]
    return subprocess.run(command, env=environment, input=input, cwd=cwd, capture_output=True, text=True, timeout=100)


def call_worklets(
    *arguments: str, environment: dict[str, str], input: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The command's own `main` in this process: the same without the start of an interpreter."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(os, "environ", os.environ.copy())
        for name in set(os.environ) - set(environment):
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["worklets", *arguments])
        patch.setattr(sys, "path", sys.path.copy())
        patch.setattr(sys, "stdin", io.StringIO(input))
        if cwd is not None:
            patch.chdir(cwd)
        try:
            main()
            code: object = 0
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(arguments, int(str(code or 0)), out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The app alone, started once for this room's tests."""
    data = DataDirectory(tmp_path_factory.mktemp("w") / "data").prepare()
    store = Store(data.database_url)
    store.migrate()
    access = Access(store)
    port_file = data.root / "port"
    environment = {
        **clean_environment(),
        "WORKLETS_DATA_DIR": str(data.root),
        "WORKLETS_INTERNAL_KEY": "internal",
        "BENTOML_HOME": str(data.bentoml),
        "BENTOML_DO_NOT_TRACK": "true",
    }
    server = Path(__file__).with_name("app_process.py")
    log = (data.root / "app.log").open("w+b")
    process = subprocess.Popen([sys.executable, str(server), str(port_file)], env=environment, stdout=log, stderr=log)
    try:
        url = _wait_ready(process, port_file, data.root / "app.log")
        write_profile(data, Profile(url=url, key=access.create_key("profile", "admin"), pid=process.pid))
        yield Instance(data, url, access)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
        store.close()


def _wait_ready(process: subprocess.Popen[bytes], port_file: Path, log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if port_file.exists():
            url = f"http://127.0.0.1:{port_file.read_text()}"
            try:
                if httpx.get(f"{url}/api/ready", timeout=2, trust_env=False).is_success:
                    return url
            except httpx.HTTPError:
                pass
        time.sleep(0.05)
    raise AssertionError(f"the app did not become ready:\n{log.read_text()[-4000:]}")
