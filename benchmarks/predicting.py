"""Predictions a second: a forest of 100 trees at 32 clients, a LogisticRegression at one, beside `bentoml serve`.

`python -m benchmarks.predicting [--seconds 3] [--rounds 5]` prints a table and writes it with the raw figures and the
machine's description below `benchmarks/results/`. Each server is pinned to one processor, the load generator has
another, and while one is measured, the other is stopped. Ours runs whole, and is asked with a key.
"""

from __future__ import annotations

import argparse
import array
import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import numpy as np

import prefect_worklets as pw

from . import ours, subjects
from .figures import median, quantile
from .load import Plan
from .machine import describe
from .processes import free_port
from .report import write
from .subject import HERE, MODEL_FILE, REPOSITORY, train
from .subjects import BIN, Server, Stage

WARMUP = 0.5


@dataclass
class Side:
    """A server that answers for one model, asked by so many clients."""

    case: str
    server: Server
    bodies: list[bytes]
    clients: int
    rates: list[float] = field(default_factory=list)  # answers a second, one of each round
    latencies: list[float] = field(default_factory=list)  # ms

    def measure(self, folder: Path, sender: int, seconds: float) -> None:
        """One round. Raises RuntimeError if a request failed."""
        samples = folder / "samples"
        plan = Plan(
            host="127.0.0.1", port=self.server.port, path=self.server.path, concurrency=self.clients, seconds=seconds,
            bodies=[body.decode() for body in self.bodies], samples=str(samples), headers=self.server.headers,
            warmup=WARMUP,
        )  # fmt: skip
        path = folder / "plan.json"
        path.write_text(json.dumps(asdict(plan)))
        command = ["taskset", "--cpu-list", str(sender), sys.executable, "-m", "benchmarks.load", str(path)]
        with self.server.tree.running():
            done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=seconds + 120)
        if done.returncode:
            raise RuntimeError(f"The load generator failed: {done.stderr[-2000:]}")
        outcome = json.loads(done.stdout)
        if outcome["failures"]:
            raise RuntimeError(f"{self.server.label}: {outcome['failures']}")
        found = array.array("d")
        found.frombytes(samples.read_bytes())
        self.rates.append(outcome["measured"] / outcome["seconds"])
        self.latencies += found


def forest() -> Any:
    """A RandomForestClassifier of 100 trees on iris."""
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, random_state=0).fit(*load_iris(return_X_y=True))


def rows() -> list[list[list[float]]]:
    """Fifteen inputs of one row each."""
    from sklearn.datasets import load_iris

    found: list[list[list[float]]] = [[row] for row in load_iris().data[::10].tolist()]
    return found


def sides(stage: Stage, own: Server, case: str, model: Any, clients: int) -> list[Side]:
    """Both servers with one model, checked."""
    file = stage.folder / f"{case}.joblib"
    joblib.dump(model, file)
    port = free_port()
    command = [str(BIN / "bentoml"), "serve", "benchmarks.peers.bento_predict:Predict", "--port", str(port)]
    tree = stage.start(f"bentoml-{case}", command, **{MODEL_FILE: str(file)})
    peer = subjects.Server("bentoml", "bentoml serve", tree, port, "/predict").ready()
    with pw.Client(data_dir=ours.data_directory(stage)) as client:
        client.deploy(model, f"{case}-bench", sample_input=np.array(rows()[0]))
    mine = Server("worklets", "prefect-worklets", own.tree, own.port, f"/api/models/{case}-bench/predict", own.headers)
    for row in rows():
        right = model.predict(row).tolist()
        got = mine.ask(json.dumps({"inputs": row}).encode())["outputs"], peer.ask(json.dumps({"rows": row}).encode())
        if got != (right, right):
            raise RuntimeError(f"The servers answer {got} to {row}, and {right} is right.")
    return [
        Side(case, peer, [json.dumps({"rows": row}).encode() for row in rows()], clients),
        Side(case, mine, [json.dumps({"inputs": row}).encode() for row in rows()], clients),
    ]


def summary(measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for each side, with its rate as a multiple of the peer's in the same round."""
    found = []
    for side in measured:
        peer = next(other for other in measured if other["case"] == side["case"] and other["server"] == "bentoml serve")
        ratios = [mine / theirs for mine, theirs in zip(side["rates"], peer["rates"], strict=True)]
        found.append({
            "case": side["case"], "server": side["server"], "clients": side["clients"],
            "rate": round(median(side["rates"]), 1), "ratio": round(median(ratios), 2),
            "ratio_least": round(min(ratios), 2), "ratio_most": round(max(ratios), 2),
            "p50_ms": round(median(side["latencies"]), 2),
            "p99_ms": round(quantile(sorted(side["latencies"]), 0.99), 2),
        })  # fmt: skip
    return found


def text(result: dict[str, Any]) -> str:
    """A page with the table."""
    settings, machine = result["settings"], result["machine"]
    lines = [
        "# Predictions",
        "",
        f"{machine['cpu']}, {machine['cores']} cores; load before: {settings['load_before']}; {result['taken_at']}.",
        "",
        "| model | clients | server | a second | of `bentoml serve` (least, most) | p50 | p99 |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result["summary"]:
        ratio = f"{row['ratio']} ({row['ratio_least']}, {row['ratio_most']})"
        cells = [row["case"], row["clients"], row["server"], row["rate"], ratio]
        lines.append("| " + " | ".join(map(str, [*cells, f"{row['p50_ms']} ms", f"{row['p99_ms']} ms"])) + " |")
    return "\n".join(lines) + "\n"


def measure(stage: Stage, options: argparse.Namespace) -> list[Side]:
    """All rounds of all sides, in another order each time."""
    processors = sorted(os.sched_getaffinity(0))
    own = ours.start(stage)
    ours.prepare(own, stage, train())
    found = [*sides(stage, own, "forest-100", forest(), 32), *sides(stage, own, "logistic-regression", train(), 1)]
    for side in found:
        mine = side.server.port == own.port
        side.server.tree.pin(processors[-1], own.port if mine else None)
    for side in found:
        side.server.tree.freeze()
    order = random.Random(7)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        for side in order.sample(found, len(found)):
            side.measure(stage.folder, processors[0], options.seconds)
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predicting", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "results", help="the folder for the results")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="wb-") as folder:
        stage = Stage(Path(folder), Path(folder) / "none")
        try:
            found = measure(stage, options)
        finally:
            stage.end()
    machine = describe(REPOSITORY)
    measured = [
        {"case": side.case, "server": side.server.label, "clients": side.clients, "rates": side.rates,
         "latencies": side.latencies}
        for side in found
    ]  # fmt: skip
    result = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {"seconds": options.seconds, "rounds": options.rounds, "load_before": round(load_before, 2)},
        "machine": machine,
        "summary": summary(measured),
        "figures": [{key: value for key, value in side.items() if key != "latencies"} for side in measured],
    }
    page = text(result)
    print(page)
    print(*write(result, page, options.out, "predicting-"), sep="\n")


if __name__ == "__main__":
    main()
