"""Plain BentoML: its own command lists, builds and serves what was deployed, without a server of ours."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import prefect_worklets as pw

from .conftest import Instance, clean_environment

BENTOML = str(Path(sys.executable).with_name("bentoml"))


@pytest.fixture(scope="module")
def flowers(instance: Instance) -> Iterator[pw.Model]:
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    with instance.client() as client:
        deployed = client.deploy(model, "flowers-to-go", sample_input=X[:1], version="1.2.0")
        yield deployed
        client.models["flowers-to-go"].delete()


def bentoml(home: Path, *arguments: str) -> str:
    environment = {**clean_environment(), "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    done = subprocess.run([BENTOML, *arguments], env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def serving(home: Path, target: str, log: Path) -> Iterator[httpx.Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**clean_environment(), "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    command = [BENTOML, "serve", target, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=log.parent)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            deadline = time.monotonic() + 90
            while not _ready(client):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def test_bentoml_lists_builds_and_serves(instance: Instance, flowers: pw.Model, tmp_path: Path) -> None:
    home = instance.data.bentoml
    assert "flowers-to-go:1.2.0" in bentoml(home, "models", "list")
    made = instance.run("models", "export", "flowers-to-go@1.2.0", "--bento", "--json")
    assert json.loads(made.stdout) == {"tag": "flowers-to-go:1.2.0", "store": str(home)}, made.stderr
    assert "flowers-to-go:1.2.0" in bentoml(home, "list")
    X = load_iris().data
    rows, broken = {"inputs": X[::10].tolist()}, {"inputs": [[1, "a", 2, 3]]}
    with serving(home, "flowers-to-go:1.2.0", tmp_path / "serve.log") as served:
        with httpx.Client(headers={"authorization": f"Bearer {_key(instance)}"}, timeout=30) as ours:
            path = f"{instance.url}/api/models/flowers-to-go/predict"
            for body, status in ((rows, 200), (broken, 400)):
                theirs, answer = served.post("/predict", json=body), ours.post(path, json=body)
                assert theirs.status_code == answer.status_code == status
                assert theirs.json() == answer.json()
                assert theirs.headers.get("x-model-version") == answer.headers.get("x-model-version")
        assert served.get("/docs.json").json()["info"]["title"] == "flowers-to-go"


def test_a_folder_to_build_elsewhere(instance: Instance, flowers: pw.Model, tmp_path: Path) -> None:
    made = instance.run("models", "export", "flowers-to-go", "--output", str(tmp_path / "out"))
    assert (made.returncode, made.stdout.strip()) == (0, str(tmp_path / "out")), made.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "README.md", "bentofile.yaml", "model", "prefect_worklets", "requirements.txt", "service.py",
    }  # fmt: skip
    again = instance.run("models", "export", "flowers-to-go", "--output", str(tmp_path / "out"))
    assert (again.returncode, "is not empty" in again.stderr) == (1, True)


def test_misuse(instance: Instance, flowers: pw.Model, tmp_path: Path) -> None:
    assert instance.run("models", "export", "flowers-to-go").returncode == 2
    assert instance.run("models", "export", "flowers-to-go", "--bento", "--output", str(tmp_path)).returncode == 2
    for name in ("flowers-to-go@9.9.9", "no-such-model"):
        refused = instance.run("models", "export", name, "--output", str(tmp_path / "x"))
        assert (refused.returncode, "Error" in refused.stderr or refused.stderr != "") == (1, True)
    assert os.listdir(tmp_path) == []


def test_only_builders_get_a_models_files(instance: Instance, flowers: pw.Model, tmp_path: Path) -> None:
    key = instance.access.replace_key("export-operator", "operator")
    with instance.client(key) as client, pytest.raises(pw.NotAllowed):
        client.models["flowers-to-go"].export(tmp_path / "x")


def _key(instance: Instance) -> str:
    return instance.access.replace_key("export", "operator")
