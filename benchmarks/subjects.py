"""The servers under test: how each is started, and where it answers."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from .processes import Tree, free_port
from .subject import MODEL_FILE, REPOSITORY

BIN = Path(sys.executable).parent


@dataclass
class Server:
    """Something that answers the benchmark's requests over HTTP."""

    name: str
    label: str
    tree: Tree
    port: int
    path: str = "/classify"
    headers: dict[str, str] = field(default_factory=dict)
    # Of a tree of several processes, pin only the one that answers: it is the one that stands for a peer.
    pin_listener_only: bool = False

    def ask(self, body: bytes) -> Any:
        """The decoded answer to one request. Raises httpx.HTTPError, also for a status that is no success."""
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}{self.path}",
            content=body,
            headers={"content-type": "application/json", **self.headers},
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json()

    def ready(self) -> Server:
        """Itself, once it takes connections. Raises RuntimeError."""
        self.tree.wait_until(self.listening)
        return self

    def listening(self) -> bool:
        """Whether the port takes connections."""
        try:
            httpx.get(f"http://127.0.0.1:{self.port}/", timeout=2)
        except httpx.HTTPError:
            return False
        return True


class Stage:
    """Starts the servers, with a folder of its own for all that they write, and ends them."""

    def __init__(self, folder: Path, model_file: Path) -> None:
        self.folder = folder
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "WORKLETS_"))},
            MODEL_FILE: str(model_file),
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "benchmarks" / "project")]),
            "BENTOML_DO_NOT_TRACK": "true",
            "BENTOML_HOME": str(folder / "bentoml"),
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_HOME": str(folder / "prefect"),
        }
        self.trees: list[Tree] = []

    def start(self, name: str, command: list[str], *, dialogue: bool = False, **environment: str) -> Tree:
        """Start a command; it ends with the stage."""
        tree = Tree(
            name,
            command,
            self.folder / f"{name}.log",
            {**self.environment, **environment},
            self.folder,
            dialogue=dialogue,
        )
        self.trees.append(tree)
        return tree

    def end(self) -> None:
        """End everything, the newest first."""
        for tree in reversed(self.trees):
            tree.end()


def uvicorn(stage: Stage, name: str, label: str, module: str) -> Server:
    """A peer on uvicorn, as quick as it is set up by hand: uvloop, httptools, no access log."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.peers.{module}:app", "--port", str(port)]
    quick = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return Server(name, label, stage.start(name, command + quick), port)


def bentoml(stage: Stage) -> Server:
    """`bentoml serve` as it comes."""
    port = free_port()
    command = [str(BIN / "bentoml"), "serve", "benchmarks.peers.bento_service:Classify", "--port", str(port)]
    return Server("bentoml", "bentoml serve", stage.start("bentoml", command), port)


def fixed_answer(stage: Stage) -> Server:
    """The generator's own limit."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.peers.fixed_answer", str(port)]
    return Server("fixed-answer", "fixed answer (the generator's limit)", stage.start("fixed-answer", command), port)
