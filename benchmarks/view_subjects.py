"""The three apps under test: how each is started, and how its sessions are held open."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from .processes import Tree, free_port
from .subject import REPOSITORY
from .subjects import BIN, Stage
from .view_project import VIEW, WORKLET

PEERS = REPOSITORY / "benchmarks" / "view_peers"
_OPEN_SECONDS = 600


@dataclass
class App:
    """A page with a button and a text."""

    name: str
    tree: Tree
    url: str
    sessions: list[str]
    cookies: list[dict[str, str]] = field(default_factory=list)

    def ready(self) -> App:
        """Itself, once the page is there."""
        self.tree.wait_until(self._answers)
        return self

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url, timeout=5).status_code < 400
        except httpx.HTTPError:
            return False

    @contextmanager
    def holding(self, number: int, log: Path) -> Iterator[None]:
        """So many sessions of other people's, open and idle. Raises RuntimeError."""
        command = [part.replace("NUMBER", str(number)) for part in self.sessions]
        with log.open("wb") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=REPOSITORY, text=True
            )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            said = process.stdout.readline().strip()
            if said != str(number):
                raise RuntimeError(f"{self.name}: {said!r} of {number} sessions opened; {log.read_text()[-1500:]}")
            yield
        finally:
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def peers_python(folder: Path) -> Path:
    """The interpreter of an environment with Gradio and Streamlit, which is made if it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        print("installing Gradio and Streamlit in an environment of their own", file=sys.stderr)
        subprocess.run([BIN / "uv", "venv", "-q", "--python", sys.executable, folder], check=True)
        subprocess.run([BIN / "uv", "pip", "install", "-q", "--python", python, "gradio", "streamlit"], check=True)
    return python


def versions(python: Path) -> dict[str, str]:
    """What is measured against."""
    code = "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in ('gradio', 'streamlit')}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def gradio(stage: Stage, python: Path) -> App:
    """Gradio, as its documentation starts it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    tree = stage.start("gradio", [str(python), str(PEERS / "gradio_app.py"), str(port)], GRADIO_ANALYTICS_ENABLED="0")
    return App("gradio", tree, url, [str(python), str(PEERS / "gradio_sessions.py"), url, "NUMBER"])


def streamlit(stage: Stage, python: Path) -> App:
    """Streamlit, as its documentation starts it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(python), "-m", "streamlit", "run", str(PEERS / "streamlit_app.py"), "--server.port", str(port)]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true", "--browser.gatherUsageStats", "false"]
    tree = stage.start("streamlit", [*command, "--server.fileWatcherType", "none"])
    return App("streamlit", tree, url, [str(python), str(PEERS / "streamlit_sessions.py"), url, "NUMBER"])


def ours(stage: Stage, view_processes: int = 1) -> App:
    """`worklets up`, whole, with the worklet pushed, the view published, and somebody signed in."""
    import prefect_worklets as pw

    port, data = free_port(), stage.folder / "data"
    command = [str(BIN / "worklets"), "up", "--data", str(data), "--port", str(port)]
    tree = stage.start("worklets", command, WORKLETS_VIEW_PROCESSES=str(view_processes))
    log = stage.folder / "worklets.log"
    tree.wait_until(lambda: "Ready." in log.read_text(errors="replace"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "count.py").write_text(WORKLET)
        with pw.Client(data_dir=data) as client:
            client.push(folder, name="count")
            client.publish_view(VIEW)
    done = subprocess.run(
        [str(BIN / "worklets"), "login", "--data", str(data), "--json"], capture_output=True, text=True, check=True
    )
    signed = httpx.post(json.loads(done.stdout)["url"])
    cookie = signed.cookies["worklets_session"]
    url = f"http://127.0.0.1:{port}/views/count"
    sessions = [sys.executable, "-m", "benchmarks.view_sessions", url, "NUMBER", f"worklets_session={cookie}"]
    cookies = [{"name": "worklets_session", "value": cookie, "url": url}]
    return App("worklets", tree, url, sessions, cookies)
