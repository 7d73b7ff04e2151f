"""Runs that are done later: accepted → done, and how many a second, beside a flow that Prefect serves.

`python -m benchmarks.submitted [--runs 20] [--many 200]` prints a table and writes it with the raw figures and the
machine's description below `benchmarks/results/`. The same three steps throughout. Ours runs whole, with its own
Prefect and recorder at work. A run that Prefect starts is timed from the request that creates the flow run until
Prefect's API shows its last state, asked for every 20 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import joblib

import prefect_worklets as pw

from . import ours
from .figures import median, quantile
from .machine import describe
from .peers.caller import start_prefect
from .subject import HERE, REPOSITORY, flowers, train
from .subjects import Stage

_LOOK_SECONDS = 0.02
_FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.submitted", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="one after the other, of each kind")
    parser.add_argument("--served", type=int, default=5, help="of the served flow, each of which takes seconds")
    parser.add_argument("--many", type=int, default=200, help="all at once, for the rate")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="the folder for the results")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="wb-") as folder:
        model_file = Path(folder) / "model.joblib"
        model = train()
        joblib.dump(model, model_file)
        stage = Stage(Path(folder), model_file)
        try:
            figures = measure(stage, model, options)
        finally:
            stage.end()
    machine = describe(REPOSITORY)
    result = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {"runs": options.runs, "many": options.many, "load_before": round(load_before, 2)},
        "machine": machine,
        "figures": figures,
    }
    page = text(result)
    print(page)
    path = options.out / f"submitted-{result['taken_at'][:10]}-{machine['id']}"
    options.out.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    path.with_suffix(".md").write_text(page)
    print(path.with_suffix(".md"))


def measure(stage: Stage, model: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of each run by kind, and runs a second."""
    figures: dict[str, Any] = {"seconds": {}, "rate": {}}
    server = ours.start(stage)
    ours.prepare(server, stage, model)
    data = ours.data_directory(stage)
    inputs = flowers()
    with pw.Client(data_dir=data) as client:
        worklet = client.worklets[ours.WORKLET]
        submit = lambda number: worklet.submit(inputs[number % len(inputs)]).result(timeout=60)  # noqa: E731
        figures["seconds"]["submitted to worklets"] = timed(submit, options.runs)
        began = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            runs = list(pool.map(lambda number: worklet.submit(inputs[number % len(inputs)]), range(options.many)))
        for run in runs:
            run.result(timeout=300)
        figures["rate"]["submitted to worklets"] = options.many / (time.perf_counter() - began)
    api = _prefect(data)["url"]
    while _prefect(data)["backlog"]:  # what was submitted is recorded first: it is not what is measured next
        time.sleep(1)
    with StartedByPrefect(api, f"{ours.WORKLET}/worklets") as ours_there:
        figures["seconds"]["worklet started by Prefect"] = timed(ours_there.run, options.runs)
        figures["rate"]["worklet started by Prefect"] = ours_there.rate(options.many)
    server.tree.end()
    prefect = start_prefect(stage)
    prefect.tree.wait_until(lambda: _answers(f"{prefect.api}/health"))
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "peers" / "flow.py")]
    served = stage.start("prefect-served", command, PREFECT_API_URL=prefect.api)
    served.wait_until(lambda: _answers(f"{prefect.api}/deployments/name/classify/served"))
    with StartedByPrefect(prefect.api, "classify/served") as theirs:
        figures["seconds"]["flow served by Prefect"] = timed(theirs.run, options.served)
    return figures


class StartedByPrefect:
    """Starts a deployment by Prefect's API, and waits for the end of its flow runs."""

    def __init__(self, api: str, deployment: str) -> None:
        self._http = httpx.Client(base_url=api, timeout=60)
        found = self._http.get(f"/deployments/name/{deployment}").raise_for_status().json()
        self._id = found["id"]

    def __enter__(self) -> StartedByPrefect:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def run(self, number: int) -> None:
        """One flow run, to its end. Raises RuntimeError where it does not complete."""
        self._wait(self._create(number))

    def rate(self, many: int) -> float:
        """Flow runs a second, from the first that is created until the last has ended."""
        began = time.perf_counter()
        ids = [self._create(number) for number in range(many)]
        for id in ids:
            self._wait(id)
        return many / (time.perf_counter() - began)

    def _create(self, number: int) -> str:
        inputs = flowers()
        # With its key, asking again is harmless.
        body = {"parameters": {"flower": inputs[number % len(inputs)]}, "idempotency_key": uuid4().hex}
        return str(self._ask("POST", f"/deployments/{self._id}/create_flow_run", body)["id"])

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer; a Prefect whose database is busy is asked again, as any client does."""
        for _ in range(500):
            try:
                answer = self._http.request(method, path, json=body)
            except httpx.TransportError:
                time.sleep(_LOOK_SECONDS)
                continue
            if answer.status_code != 503:
                return answer.raise_for_status().json()
            time.sleep(_LOOK_SECONDS)
        raise RuntimeError(f"Prefect does not answer {method} {path}.")

    def _wait(self, id: str) -> None:
        while True:
            run = self._ask("GET", f"/flow_runs/{id}")
            if run["state_type"] in _FINAL:
                break
            time.sleep(_LOOK_SECONDS)
        if run["state_type"] != "COMPLETED":
            raise RuntimeError(f"A flow run ended as {run['state_name']}: {run['state']['message']}")


def timed(work: Callable[[int], object], count: int) -> list[float]:
    """The seconds of each of so many calls, after one that does not count."""
    work(0)
    found = []
    for number in range(1, count + 1):
        began = time.perf_counter()
        work(number)
        found.append(time.perf_counter() - began)
    return found


def text(result: dict[str, Any]) -> str:
    """The page of the results."""
    figures = result["figures"]
    lines = [
        "# Runs that are done later",
        "",
        f"Taken at {result['taken_at']} on {result['machine']['id']}; the load before: "
        f"{result['settings']['load_before']}.",
        "",
        "| | p50 s | p95 s | runs a second |",
        "|---|---:|---:|---:|",
    ]
    for kind, seconds in figures["seconds"].items():
        rate = figures["rate"].get(kind)
        shown = f"{rate:.1f}" if rate is not None else "-"
        lines.append(f"| {kind} | {median(seconds):.3f} | {quantile(sorted(seconds), 0.95):.3f} | {shown} |")
    return "\n".join([*lines, ""])


def _prefect(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data / "run" / "recorder.json").read_text())["prefect"]
    return found


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
