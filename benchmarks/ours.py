"""The subject that it is all about: `worklets up`, whole, with a pushed worklet and a deployed model."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from .processes import free_port
from .subject import MODEL_NAME, PROJECT
from .subjects import BIN, Server, Stage

WORKLET = "classify"


def data_directory(stage: Stage) -> Path:
    """Where the measured instance keeps everything."""
    return stage.folder / "data"


def start(stage: Stage) -> Server:
    """Start everything that `worklets up` starts, with a Prefect server and a recorder of its own."""
    port = free_port()
    command = [str(BIN / "worklets"), "up", "--data", str(data_directory(stage)), "--port", str(port)]
    tree = stage.start("worklets", command)
    path = f"/api/worklets/{WORKLET}/invoke"
    return Server("worklet", "prefect-worklets", tree, port, path, pin_listener_only=True)


def prepare(server: Server, stage: Stage, model: Any) -> None:
    """Wait until it is ready, deploy the model, push the worklet, and make a key. Raises WorkletsError."""
    import prefect_worklets as pw

    data = data_directory(stage)
    server.tree.wait_until(lambda: (data / "profile.json").exists() and _ready(server) and _recording(data))
    with pw.Client(data_dir=data) as client:
        client.deploy(model, MODEL_NAME, sample_input=np.zeros((1, 4)))
        client.push(PROJECT, name="benchmark")
    command = [str(BIN / "worklets"), "keys", "create", "benchmark", "--data", str(data), "--json"]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=stage.environment)
    server.headers["authorization"] = f"Bearer {json.loads(made.stdout)['key']}"


def _ready(server: Server) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{server.port}/api/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _recording(data: Path) -> bool:
    """Whether the recorder has found Prefect: else runs would be measured that nobody records."""
    try:
        return bool(json.loads((data / "run" / "recorder.json").read_text())["prefect"]["prefect_up"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def recorded(server: Server, stage: Stage, sent: int, limit: float) -> dict[str, Any]:
    """How many runs the store holds, and Prefect, when the load is over, and `limit` seconds later at most.

    Raises RuntimeError if the store does not come to hold exactly the runs that were sent.
    """
    database = data_directory(stage) / "worklets.db"
    at_end = _counts(database)
    began = time.monotonic()
    with server.tree.running():
        now = at_end
        while time.monotonic() - began < limit and (now["in_store"] != sent or now["waiting"]):
            time.sleep(0.2)
            now = _counts(database)
    waited = time.monotonic() - began
    if now["in_store"] != sent:
        raise RuntimeError(f"{sent} runs were sent, and the store has {now['in_store']}.")
    return {
        "sent": sent,
        "at_end_of_load": at_end,
        "later": now,
        "waited_s": round(waited, 1),
        "to_prefect_per_s": round((now["in_prefect"] - at_end["in_prefect"]) / waited, 1) if waited else None,
    }


def _counts(database: Path) -> dict[str, int]:
    """Runs of the worklet in the store; of these, how many Prefect has, how many were left out, how many wait."""
    query = (
        "SELECT count(*), sum(recorded_us > 0), sum(recorded_us = -1), sum(recorded_us IS NULL OR recorded_us = -2) "
        "FROM run WHERE worklet = ?"
    )
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        row = connection.execute(query, (WORKLET,)).fetchone()
    return dict(zip(("in_store", "in_prefect", "sampled_out", "waiting"), (value or 0 for value in row), strict=True))
