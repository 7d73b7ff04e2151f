"""`worklets up` outlives whoever reads its output, and ends in order when its terminal is closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fixtures_server import die_with_parent, free_port
from prefect_worklets.connectors.layout import DataDirectory

from prefect_worklets.doctor import read_status

pytestmark = pytest.mark.integration

START_SECONDS = 90


class Terminal:
    """An instance whose output goes into a pipe that the test can close. It starts no Prefect, to be quick."""

    def __init__(self, root: Path) -> None:
        self.data = DataDirectory(root)
        self.port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WORKLETS_")}
        environment["PREFECT_API_URL"] = f"http://127.0.0.1:{free_port()}/api"
        command = [str(Path(sys.executable).with_name("worklets")), "up", "--data", str(root), "--port", str(self.port)]
        reader, writer = os.pipe()
        self.process = subprocess.Popen(
            command, env=environment, stdout=writer, stderr=writer, start_new_session=True, preexec_fn=die_with_parent
        )
        os.close(writer)
        self.output = reader

    def states(self) -> dict[str, tuple[int | None, str]]:
        """Process id and state by name."""
        return {each["name"]: (each["pid"], each["state"]) for each in read_status(self.data)["processes"]}

    def is_ready(self) -> bool:
        """Whether the app answers."""
        assert self.process.poll() is None, f"it ended with {self.process.returncode}"
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/api/ready", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    started = Terminal(tmp_path / "data")
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


def wait_until(happens: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def test_goes_on_without_a_reader_and_ends_in_order_with_its_terminal(terminal: Terminal):
    os.read(terminal.output, 1)  # it has begun to talk
    os.close(terminal.output)  # as `worklets up 2>&1 | head` does
    wait_until(terminal.is_ready, START_SECONDS, "the app answers")

    before, _ = terminal.states()["recorder"]
    assert before is not None
    os.kill(before, signal.SIGKILL)

    def healed() -> bool:
        pid, state = terminal.states()["recorder"]
        return state == "ready" and pid not in (None, before)

    wait_until(healed, 30, "the killed process runs again")

    terminal.process.send_signal(signal.SIGHUP)
    assert terminal.process.wait(30) == 0
    assert not terminal.data.profile.exists()
    assert "stopped" in (terminal.data.root / "logs" / "up.log").read_text()
