"""The Prefect peers, from the benchmark's side: a server, a process that calls flows, and a served flow."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from ..processes import Tree, free_port
from ..subject import REPOSITORY
from ..subjects import BIN, Stage


@dataclass
class PrefectServer:
    """A Prefect server of the peers' own, as it comes, on SQLite."""

    tree: Tree
    api: str


def start_prefect(stage: Stage) -> PrefectServer:
    """Start a server; `Caller.start` waits for it."""
    port = free_port()
    command = [str(BIN / "prefect"), "server", "start", "--port", str(port), "--no-ui"]
    return PrefectServer(stage.start("prefect", command), f"http://127.0.0.1:{port}/api")


@dataclass
class Caller:
    """A process that calls the flow over and over, as a script of a user's would."""

    tree: Tree
    trees: list[Tree]
    right: list[dict[str, Any]]

    @classmethod
    def start(cls, stage: Stage, server: PrefectServer, right: list[dict[str, Any]]) -> Caller:
        """Wait for the server, start the process, and check its answers. Raises RuntimeError."""
        server.tree.wait_until(lambda: _healthy(server.api))
        command = [sys.executable, "-m", "benchmarks.peers.flow_calls"]
        tree = stage.start("prefect-caller", command, dialogue=True, PREFECT_API_URL=server.api)
        caller = cls(tree, [server.tree, tree], right)
        if caller._line() != "ready\n":
            raise RuntimeError(f"The process that calls the flow did not start:\n{tree.tail()}")
        for kind in ("call", "call-sync"):
            caller.measure(kind, 1)
        return caller

    def measure(self, kind: str, count: int) -> list[float]:
        """The latencies in ms of so many calls, one after the other. Raises RuntimeError on a wrong answer."""
        assert self.tree.process.stdin is not None
        self.tree.process.stdin.write(f"{kind} {count}\n".encode())
        self.tree.process.stdin.flush()
        line = self._line()
        if not line:
            raise RuntimeError(f"The process that calls the flow has ended:\n{self.tree.tail()}")
        outcome = json.loads(line)
        right = self.right[(count - 1) % len(self.right)]
        if kind != "deployment" and outcome["answer"] != right:
            raise RuntimeError(f"The Prefect flow answers {outcome['answer']}, and {right} is right.")
        return list(outcome["latencies"])

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Thaw Prefect's server and the caller, and freeze them again."""
        for tree in self.trees:
            tree.thaw()
        try:
            yield
        finally:
            self.freeze()

    def freeze(self) -> None:
        """Stop Prefect's server and the caller."""
        for tree in reversed(self.trees):
            tree.freeze()

    def _line(self) -> str:
        assert self.tree.process.stdout is not None
        return self.tree.process.stdout.readline().decode()


def start_served_flow(stage: Stage, server: PrefectServer, caller: Caller) -> None:
    """Serve the flow (`flow.serve`) from one more process, and wait until its deployment is known."""
    server.tree.thaw()
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "peers" / "flow.py")]
    tree = stage.start("prefect-served", command, PREFECT_API_URL=server.api)
    tree.wait_until(lambda: _known(server.api))
    caller.trees.append(tree)


def _healthy(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _known(api: str) -> bool:
    answer = httpx.get(f"{api}/deployments/name/classify/served", timeout=10)
    return answer.status_code == 200
