"""`worklets up` as a whole: side by side, through kills, and away without a trace."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fixtures_server import Server, free_port, start_server

pytestmark = pytest.mark.integration

HEAL_SECONDS = 90  # Prefect alone needs ten seconds of a processor to start


def wait_until(happens: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true answer of `happens`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = happens()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def processes(server: Server) -> dict[str, dict[str, Any]]:
    """The processes by name, as `worklets status --json` tells them."""
    answer = json.loads(server.worklets("status", "--json").stdout)
    return {each["name"]: each for each in answer["processes"]}


def descendants(pid: int) -> set[int]:
    """Every process that has this one above it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def classify(server: Server) -> httpx.Response:
    """A run that needs the app alone."""
    with server.client() as client:
        return client.get("/api/worklets")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An instance that these tests may harm."""
    instance = start_server(tmp_path_factory.mktemp("own") / "data")
    try:
        instance.wait_ready()
        yield instance
    finally:
        instance.stop()


class TestUp:
    def test_prints_the_links(self, own: Server):
        text = wait_until(lambda: "Ready." in own.log.read_text() and own.log.read_text(), 60, "the links")
        assert re.search(rf"{own.url}/login/\S+", text)
        assert f"{own.url}/views/stylize" in text
        assert "curl -sS" in text
        assert "Prefect UI" in text

    def test_the_profile_is_for_its_owner_alone(self, own: Server):
        assert (own.data_dir / "profile.json").stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("name", ["app", "host", "views", "recorder", "worker", "prefect"])
    def test_heals_a_killed_process(self, own: Server, name: str):
        wait_until(lambda: processes(own)[name]["state"] == "ready", HEAL_SECONDS, f"{name} is ready")
        before = processes(own)[name]
        os.kill(before["pid"], signal.SIGKILL)

        def healed() -> bool:
            now = processes(own)[name]
            return now["state"] == "ready" and now["pid"] not in (None, before["pid"])

        wait_until(healed, HEAL_SECONDS, f"{name} runs again")
        assert wait_until(lambda: _is_ok(own), HEAL_SECONDS, "the API answers")

    def test_a_second_one_on_the_same_data_says_who_has_it(self, own: Server):
        other = start_server(own.data_dir.parent / "data", free_port())
        # Both write the same log file; the second one ends by itself.
        assert other.process.wait(30) == 1
        assert f"in use by process {own.process.pid}" in own.log.read_text()

    def test_two_run_side_by_side(self, own: Server, tmp_path: Path):
        other = start_server(tmp_path / "data", demo=False)
        try:
            wait_until(lambda: _is_ready(other), 90, "the second instance is ready")
            assert _is_ok(own)
            assert processes(own)["app"]["pid"] != processes(other)["app"]["pid"]
            with other.client() as client:
                assert client.get("/api/models").json()["models"] == []
        finally:
            other.stop()
        assert _is_ok(own)


class TestPorts:
    def test_a_taken_port_that_was_asked_for_is_an_error_with_the_way_out(self, tmp_path: Path):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = start_server(tmp_path / "data", port)
            assert server.process.wait(30) == 1
            assert re.search(rf"Port {port} is taken.*--port \d+ is free", server.log.read_text())


class TestEnd:
    def test_ctrl_c_stops_every_process(self, tmp_path: Path):
        server = start_server(tmp_path / "data", demo=False)
        wait_until(lambda: _is_ready(server), 90, "ready")
        started = descendants(server.process.pid)
        assert len(started) >= 5
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(40) == 0
        assert [pid for pid in started if alive(pid)] == []
        assert not (tmp_path / "data" / "profile.json").exists()

    def test_a_killed_supervisor_leaves_no_orphan(self, tmp_path: Path):
        server = start_server(tmp_path / "data", demo=False)
        wait_until(lambda: _is_ready(server), 90, "ready")
        started = descendants(server.process.pid)
        assert len(started) >= 5
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not any(alive(pid) for pid in started), 10, "all are gone")


def _is_ok(server: Server) -> bool:
    try:
        return classify(server).status_code == 200
    except httpx.HTTPError:
        return False


def _is_ready(server: Server) -> bool:
    try:
        return (server.data_dir / "profile.json").exists() and httpx.get(
            f"{server.url}/api/ready", timeout=2
        ).status_code == 200
    except httpx.HTTPError:
        return False
