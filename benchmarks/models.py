"""Models in numbers: what large arrays cost the server, how long a deploy takes, what many small models weigh.

`python -m benchmarks.models [--requests 20] [--rounds 3] [--deploys 10] [--models 20]` prints tables and writes them
with the raw figures and the machine's description below `benchmarks/results/`.

Processor time is that of the server's whole process tree: for us with Prefect, recorder, views and host, which take
a little while nothing is asked, too. While one server is measured, the other is stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import psutil
from prefect_worklets.bentos.npy import MEDIA_TYPE, read_npy, write_npy

import prefect_worklets as pw

from . import ours, subjects
from .figures import median, quantile
from .machine import describe
from .processes import Tree, free_port, weight
from .report import write
from .subject import HERE, REPOSITORY, train
from .subjects import BIN, Stage

SCALED = "scaled-bench"
ROWS = np.random.default_rng(7).normal(size=(25_000, 4))


class Scale:
    """The same as peers/bento_arrays.py."""

    def predict(self, rows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        """Scaled rows."""
        return rows * 0.5 + 0.25


@dataclass
class Way:
    """One way of sending 100,000 numbers and getting as many."""

    label: str
    tree: Tree
    url: str
    body: bytes
    headers: dict[str, str]
    read: Callable[[bytes], Any]
    often: int = 1  # a quick way is asked more often: the kernel counts in hundredths of a second
    seconds: float = 0.0  # processor time of all requests
    latencies: list[float] = field(default_factory=list)  # ms

    def ask(self, http: httpx.Client) -> None:
        """One request. Raises RuntimeError if the answer is not the right one."""
        began = time.perf_counter()
        answer = http.post(self.url, content=self.body, headers=self.headers)
        self.latencies.append(1000 * (time.perf_counter() - began))
        if answer.status_code != 200 or not np.allclose(self.read(answer.content), ROWS * 0.5 + 0.25):
            raise RuntimeError(f"{self.label} answered {answer.status_code}: {answer.text[:200]}")

    def measure(self, requests: int) -> None:
        """A round."""
        with self.tree.running(), httpx.Client(timeout=60) as http:
            self.ask(http)
            self.latencies.pop()
            before = processor_seconds(self.tree)
            for _ in range(requests * self.often):
                self.ask(http)
            self.seconds += processor_seconds(self.tree) - before


def processor_seconds(tree: Tree) -> float:
    """What the tree's processes have computed so far, in user and kernel mode."""
    total = 0.0
    for member in tree.members():
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def ways(stage: Stage, server: subjects.Server) -> list[Way]:
    """BentoML by JSON, and us by JSON and by .npy."""
    port = free_port()
    command = [str(BIN / "bentoml"), "serve", "benchmarks.peers.bento_arrays:Scale", "--port", str(port)]
    peer = subjects.Server("bentoml", "bentoml serve", stage.start("bentoml", command), port).ready()
    json_type = {"content-type": "application/json"}
    key = {"authorization": server.headers["authorization"]}
    npy = {"content-type": MEDIA_TYPE, "accept": MEDIA_TYPE}
    url = f"http://127.0.0.1:{server.port}/api/models/{SCALED}/predict"
    inputs = orjson.dumps({"inputs": ROWS.tolist()})
    rows = orjson.dumps({"rows": ROWS.tolist()})
    read_outputs = lambda body: orjson.loads(body)["outputs"]  # noqa: E731
    return [
        Way("bentoml serve, JSON", peer.tree, f"http://127.0.0.1:{port}/scale", rows, json_type, orjson.loads),
        Way("prefect-worklets, JSON", server.tree, url, inputs, json_type | key, read_outputs),
        Way("prefect-worklets, .npy", server.tree, url, write_npy(ROWS), npy | key, read_npy, often=5),
    ]


def measure_arrays(stage: Stage, server: subjects.Server, options: argparse.Namespace) -> list[Way]:
    """Rounds over all ways, each time another one first."""
    with pw.Client(data_dir=ours.data_directory(stage)) as client:
        client.deploy(Scale, SCALED, sample_input=ROWS[:1])
    found = ways(stage, server)
    for way in found:
        way.tree.freeze()
    for number in range(options.rounds):
        for way in found[number % len(found) :] + found[: number % len(found)]:
            print(f"arrays, round {number + 1} of {options.rounds}: {way.label}", file=sys.stderr, flush=True)
            way.measure(options.requests)
    return found


def measure_deploys(client: pw.Client, count: int) -> list[float]:
    """Seconds from `deploy` to the model's first answer, each time of a new model with a new content."""
    taken = []
    row = np.zeros((1, 4))
    for number in range(count + 1):
        model = train().set_params(C=1 + number / 100)
        began = time.perf_counter()
        client.deploy(model, f"deployed-bench-{number}", sample_input=row).predict(row)
        taken.append(time.perf_counter() - began)
    return taken[1:]  # the first one also imports what this process has not used yet


def measure_memory(client: pw.Client, tree: Tree, count: int) -> list[float]:
    """MB of the shared host's process with 1, 2, ... small models that have all been asked."""
    found = []
    row = np.zeros((1, 4))
    for number in range(count):
        name = f"small-bench-{number}"
        model = client.deploy(train().set_params(C=2 + number), name, sample_input=row, tier="shared-host")
        for _ in range(20):
            model.predict(row)
        found.append(weight(host_of(tree)).pss)
    return found


def host_of(tree: Tree) -> psutil.Process:
    """The shared host among the processes. Raises RuntimeError."""
    for member in tree.members():
        if "prefect_worklets.bentos.host" in member.cmdline():
            return member
    raise RuntimeError("There is no shared host among the processes.")


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """The figures to compare."""
    arrays = {
        label: {
            "processor_ms": round(1000 * way["seconds"] / len(way["latencies"]), 2),
            "p50_ms": round(median(way["latencies"]), 1),
        }
        for label, way in found["arrays"].items()
    }
    peer = arrays["bentoml serve, JSON"]["processor_ms"]
    for row in arrays.values():
        row["of_bentoml"] = round(row["processor_ms"] / peer, 3)
    memory = found["memory"]
    return {
        "arrays": arrays,
        "deploy_p50_s": round(median(found["deploys"]), 3),
        "deploy_p95_s": round(quantile(sorted(found["deploys"]), 0.95), 3),
        "host_mb_one": round(memory[0], 1),
        "host_mb_all": round(memory[-1], 1),
        "host_ratio": round(memory[-1] / memory[0], 2),
    }


def text(result: dict[str, Any]) -> str:
    """A page with the tables."""
    shown, settings, machine = result["summary"], result["settings"], result["machine"]
    lines = [
        "# Models",
        "",
        f"{machine['cpu']}, {machine['cores']} cores; load before: {settings['load_before']}; {result['taken_at']}.",
        "",
        "## 100,000 numbers in and as many out",
        "",
        "| server and form | processor time a request | of `bentoml serve` | latency, p50 |",
        "|---|---|---|---|",
    ]
    for label, row in shown["arrays"].items():
        cells = [label, f"{row['processor_ms']} ms", f"{row['of_bentoml']}", f"{row['p50_ms']} ms"]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "## Deploying and hosting",
        "",
        "| what | figure |",
        "|---|---|",
        f"| deploy of a LogisticRegression on a warm server, to its first answer, p50 | {shown['deploy_p50_s']} s |",
        f"| the same, p95 of {settings['deploys']} | {shown['deploy_p95_s']} s |",
        f"| shared host with one small model | {shown['host_mb_one']} MB |",
        f"| shared host with {settings['models']} small models | {shown['host_mb_all']} MB |",
        f"| ratio | {shown['host_ratio']} |",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--requests", type=int, default=20, help="in each round of each way")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deploys", type=int, default=10)
    parser.add_argument("--models", type=int, default=20, help="on the shared host")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="the folder for the results")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="wb-") as folder:
        stage = Stage(Path(folder), Path(folder) / "none")
        try:
            server = ours.start(stage)
            ours.prepare(server, stage, train())
            with pw.Client(data_dir=ours.data_directory(stage)) as client:
                deploys = measure_deploys(client, options.deploys)
                memory = measure_memory(client, server.tree, options.models)
            arrays = measure_arrays(stage, server, options)
        finally:
            stage.end()
    machine = describe(REPOSITORY)
    given = {name: value for name, value in vars(options).items() if name != "out"}
    figures = {
        "arrays": {way.label: {"seconds": way.seconds, "latencies": way.latencies} for way in arrays},
        "deploys": deploys,
        "memory": memory,
    }
    result = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {**given, "load_before": round(load_before, 2)},
        "machine": machine,
        "summary": summary(figures),
        "figures": figures,
    }
    page = text(result)
    print(page)
    print(*write(result, page, options.out, "models-"), sep="\n")


if __name__ == "__main__":
    main()
