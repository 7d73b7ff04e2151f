"""Fixtures of the room: a store, a small document, and the views process beside an HTTP neighbour."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.store import Store
from prefect_worklets.panel_views.publishing import publish

HERE = Path(__file__).parent
STYLIZE = Path(__file__).parents[2] / "prefect_worklets" / "demo" / "project" / "views" / "stylize.json"
INTERNAL_KEY = "key-between-the-processes-of-this-test"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'views.db'}")
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def stylize() -> dict[str, Any]:
    return json.loads(STYLIZE.read_text())


@pytest.fixture
def small() -> dict[str, Any]:
    """A document with one of each sort of binding."""
    return {
        "version": 1,
        "slug": "small",
        "title": "Small",
        "state": [{"name": "result"}, {"name": "size", "scope": "user", "default": 3}],
        "pages": [
            {
                "id": "main",
                "components": [
                    {
                        "id": "amount",
                        "type": "slider",
                        "at": {"x": 0, "y": 0, "w": 6, "h": 1},
                        "bindings": {"value": {"state": "user.size"}},
                        "actions": {"change": [{"do": "set_state", "state": "user.size", "value": {"event": "value"}}]},
                    },
                    {
                        "id": "go",
                        "type": "button",
                        "at": {"x": 6, "y": 0, "w": 6, "h": 1},
                        "bindings": {"busy": {"state": "session.result", "status": "loading"}},
                        "actions": {
                            "click": [
                                {
                                    "do": "run_worklet",
                                    "worklet": "double",
                                    "into": "session.result",
                                    "input": {"amount": {"component": "amount"}},
                                },
                                {"do": "refresh", "table": "doubled"},
                            ]
                        },
                    },
                    {
                        "id": "shown",
                        "type": "text",
                        "at": {"x": 0, "y": 1, "w": 12, "h": 1},
                        "bindings": {"text": {"state": "session.result", "path": "total"}},
                    },
                    {
                        "id": "half",
                        "type": "text",
                        "at": {"x": 0, "y": 2, "w": 12, "h": 1},
                        "bindings": {"text": {"expr": "components.amount.value / 2"}},
                    },
                    {
                        "id": "rows",
                        "type": "gallery",
                        "at": {"x": 0, "y": 3, "w": 12, "h": 3},
                        "bindings": {"items": {"table": "doubled", "limit": 2}},
                        "actions": {
                            "select": [{"do": "set_state", "state": "session.result", "value": {"event": "data"}}]
                        },
                    },
                    {
                        "id": "trouble",
                        "type": "alert",
                        "at": {"x": 0, "y": 6, "w": 12, "h": 1},
                        "bindings": {"problem": {"state": "session.result", "status": "error"}},
                    },
                    {
                        "id": "who",
                        "type": "text",
                        "at": {"x": 0, "y": 7, "w": 12, "h": 1},
                        "bindings": {"text": {"user": "name"}},
                    },
                ],
            }
        ],
    }


def write_examples(folder: Path) -> None:
    """Plain pictures under the names that the demo's view offers."""
    folder.mkdir()
    for number, name in enumerate(("temple", "flower", "waves", "mosaic", "strokes")):
        Image.new("RGB", (96, 64), (40 * number, 90, 200 - 40 * number)).save(folder / f"{name}.jpg")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Instance:
    """The views process and its neighbour, and what a test may ask of them."""

    data: DataDirectory
    store: Store
    port: int
    views_port: int
    views: subprocess.Popen[bytes]
    neighbour: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(self, document: dict[str, Any]) -> None:
        publish(self.store, document)

    def session(self, name: str, role: str = "operator") -> str:
        """A cookie for the user of that name."""
        access = Access(self.store)
        return access.create_session(access.ensure_user(name, role).id)

    def restart_views(self) -> None:
        stop(self.views)
        self.views = start_views(self.data, self.port, self.views_port)
        wait_for(f"http://127.0.0.1:{self.views_port}/views/-/health", self.views)


def start_views(
    data: DataDirectory, port: int, views_port: int, number: int = 0, frames: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "prefect_worklets.panel_views.server", "--data", str(data.root)]
    command += ["--port", str(views_port), "--api", f"http://127.0.0.1:{port}", "--origin", f"http://127.0.0.1:{port}"]
    command += ["--origin", f"http://127.0.0.1:{views_port}", "--number", str(number)]
    command += [f"--frame-origin={origin}" for origin in frames]
    environment = {**os.environ, "WORKLETS_INTERNAL_KEY": INTERNAL_KEY}
    with (data.root / "views.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the process behind {url} ended with {process.returncode}"
        try:
            if httpx.get(url, timeout=2).status_code < 500:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer within {seconds} seconds")


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def running_instance(folder: Path, frames: Sequence[str] = ()) -> Iterator[Instance]:
    """Both processes, until the block ends."""
    data = DataDirectory(folder).prepare()
    store = Store(data.database_url)
    store.migrate()
    publish(store, json.loads(STYLIZE.read_text()))
    write_examples(data.root / "demo")
    port, views_port = free_port(), free_port()
    views = start_views(data, port, views_port, frames=frames)
    command = [sys.executable, str(HERE / "neighbour.py"), str(data.root), str(port), str(views_port)]
    with (data.root / "neighbour.log").open("ab") as log:
        neighbour = subprocess.Popen(command, stdout=log, stderr=log)
    running = Instance(data, store, port, views_port, views, neighbour)
    try:
        wait_for(f"{running.url}/login", neighbour)
        wait_for(f"http://127.0.0.1:{views_port}/views/-/health", views)
        yield running
    finally:
        stop(running.views)
        stop(neighbour)
        store.close()


@pytest.fixture(scope="session")
def shared_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The instance of the files that neither stop it nor set it up in another way; each names its views as it likes."""
    with running_instance(tmp_path_factory.mktemp("views")) as running:
        yield running


@pytest.fixture(scope="module")
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """What the tests of a file see: the shared one, unless the file says `INSTANCE_OF_ITS_OWN = True`."""
    if not getattr(request.module, "INSTANCE_OF_ITS_OWN", False):
        yield request.getfixturevalue("shared_instance")
        return
    with running_instance(tmp_path_factory.mktemp("views")) as running:
        yield running
