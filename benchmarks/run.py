"""The benchmark: every subject in one run, in interleaved rounds, so that noise meets all alike.

`python -m benchmarks.run [--quick] [--without NAME]...` prints a table and writes it with the raw figures
and the machine's description below `benchmarks/results/`.

Each subject serves from one process, pinned to one processor; the load generator has another. While one subject
is measured, the processes of all others are stopped. Ours runs whole: signed in by key, each run recorded, its
own Prefect and recorder at work meanwhile.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import joblib

from . import ours, report, subjects
from .figures import Round, round_of
from .load import Plan
from .machine import describe
from .peers.caller import Caller, start_prefect, start_served_flow
from .processes import Weight
from .subject import HERE, REPOSITORY, bodies, expected, flowers, train
from .subjects import Server, Stage

CONCURRENCIES = (1, 32)


@dataclass(frozen=True)
class Effort:
    """How long to measure. Times in seconds."""

    rounds: int
    seconds: float
    warmup: float
    flow_calls: int
    flow_calls_sync: int
    deployments: int
    settle: float


QUICK = Effort(rounds=2, seconds=0.5, warmup=0.2, flow_calls=4, flow_calls_sync=0, deployments=1, settle=5)
FULL = Effort(rounds=7, seconds=2.0, warmup=0.5, flow_calls=10, flow_calls_sync=1, deployments=3, settle=30)


@dataclass
class Figures:
    """Everything that was measured."""

    rounds: list[Round] = field(default_factory=list)
    prefect: dict[str, list[float]] = field(default_factory=dict)  # latencies in ms by kind of call
    memory: dict[str, list[Weight]] = field(default_factory=dict)
    memory_after: dict[str, list[Weight]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    recorded: dict[str, Any] | None = None


class Bench:
    """One run of the benchmark."""

    def __init__(self, effort: Effort, folder: Path, seed: int) -> None:
        self._effort = effort
        self._folder = folder
        self._order = random.Random(seed)
        self.figures = Figures()
        processors = sorted(os.sched_getaffinity(0))
        # The last processor serves, the first one sends. With one alone, both share it: say so, and measure.
        self._sender, self._server = processors[0], processors[-1]

    def check(self, server: Server, right: list[dict[str, Any]]) -> None:
        """Every answer must be the right one before anything is measured. Raises RuntimeError."""
        for flower, body, answer in zip(flowers(), bodies(), right, strict=True):
            got = server.ask(body)
            if got != answer:
                raise RuntimeError(f"{server.label} answers {got} to {flower}, and {answer} is right.")
        self.figures.sent[server.name] = self.figures.sent.get(server.name, 0) + len(right)

    def settle(self, servers: list[Server], caller: Caller | None) -> None:
        """Weigh, pin and freeze everything."""
        for server in servers:
            self.figures.memory[server.name] = server.tree.weigh()
            server.tree.pin(self._server, server.port if server.pin_listener_only else None)
            server.tree.freeze()
        if caller is not None:
            caller.tree.pin(self._server)
            caller.freeze()

    def rounds(self, servers: list[Server], caller: Caller | None) -> None:
        """Measure all, in another order each round."""
        for number in range(self._effort.rounds):
            turns: list[tuple[Server, int] | str] = [(s, c) for s in servers for c in CONCURRENCIES]
            if caller is not None:
                turns += ["call", "call-sync"] if self._effort.flow_calls_sync else ["call"]
            self._order.shuffle(turns)
            print(f"round {number + 1} of {self._effort.rounds}", file=sys.stderr, flush=True)
            for turn in turns:
                if isinstance(turn, tuple):
                    self._load(*turn, number)
                elif caller is not None:
                    self._call(caller, turn)

    def generator_limit(self, server: Server) -> None:
        """What the generator can do against a server that computes nothing."""
        server.tree.pin(self._server)
        for concurrency in CONCURRENCIES:
            self._load(server, concurrency, 0)

    def deployments(self, caller: Caller) -> None:
        """Run the served flow by `run_deployment`: seconds each, so few, and last."""
        with caller.running():
            calls = caller.measure("deployment", self._effort.deployments)
        self.figures.prefect["deployment"] = calls

    def _call(self, caller: Caller, kind: str) -> None:
        count = self._effort.flow_calls if kind == "call" else self._effort.flow_calls_sync
        with caller.running():
            caller.measure(kind, 1)  # the first call after standing still finds its connections timed out
            self.figures.prefect.setdefault(kind, []).extend(caller.measure(kind, count))

    def _load(self, server: Server, concurrency: int, number: int) -> None:
        samples = self._folder / "samples"
        plan = Plan(
            host="127.0.0.1",
            port=server.port,
            path=server.path,
            bodies=[body.decode() for body in bodies()],
            concurrency=concurrency,
            seconds=self._effort.seconds,
            warmup=self._effort.warmup,
            samples=str(samples),
            headers=server.headers,
        )
        with server.tree.running():
            outcome = self._send(plan)
        if outcome["failures"]:
            raise RuntimeError(
                f"{server.label} at {concurrency} clients failed: {outcome['failures']}.\n{server.tree.tail()}"
            )
        latencies = array.array("d", samples.read_bytes())
        if not latencies:
            raise RuntimeError(f"{server.label} answered nothing within {plan.seconds} s.")
        self.figures.sent[server.name] = self.figures.sent.get(server.name, 0) + outcome["sent"]
        timing = {"seconds": outcome["seconds"], "generator_busy": outcome["generator_busy"]}
        self.figures.rounds.append(round_of(server.name, concurrency, number, latencies, **timing))

    def _send(self, plan: Plan) -> dict[str, Any]:
        file = self._folder / "plan.json"
        file.write_text(json.dumps(asdict(plan)))
        command = [sys.executable, "-m", "benchmarks.load", str(file)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True, start_new_session=True
        ) as process:
            os.sched_setaffinity(process.pid, {self._sender})
            _go_first(process.pid)
            output, _ = process.communicate(timeout=plan.seconds + plan.warmup + 60)
        if process.returncode:
            raise RuntimeError(f"The load generator ended with status {process.returncode}.")
        return dict(json.loads(output))


def _go_first(pid: int) -> None:
    """What a subject does in the background must not hold up the clock that measures it; needs root, else it isn't."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, -10)
        Path(f"/proc/{pid}/autogroup").write_text("-10")


def start_all(stage: Stage, without: set[str], model: Any) -> tuple[list[Server], Server | None]:
    """Start every HTTP subject at once, and wait for all. The second value is ours."""
    starters = {
        "fastapi-def": lambda: subjects.uvicorn(stage, "fastapi-def", "FastAPI, def", "fastapi_def"),
        "fastapi-async": lambda: subjects.uvicorn(stage, "fastapi-async", "FastAPI, async def", "fastapi_async"),
        "starlette": lambda: subjects.uvicorn(stage, "starlette", "Starlette + orjson, bare", "starlette_bare"),
        "bentoml": lambda: subjects.bentoml(stage),
    }
    mine = None if "worklet" in without else ours.start(stage)
    servers = [start() for name, start in starters.items() if name not in without]
    for server in servers:
        server.tree.wait_until(server.listening)
    if mine is not None:
        ours.prepare(mine, stage, model)
        servers.append(mine)
    return servers, mine


def measure(effort: Effort, without: set[str], seed: int, folder: Path) -> Bench:
    """Start, check, measure and end everything."""
    model = train()
    model_file = folder / "model.joblib"
    joblib.dump(model, model_file)
    right = expected(model)
    stage = Stage(folder, model_file)
    bench = Bench(effort, folder, seed)
    try:
        prefect = None if "prefect" in without else start_prefect(stage)
        servers, mine = start_all(stage, without, model)
        caller = None if prefect is None else Caller.start(stage, prefect, right)
        for server in servers:
            bench.check(server, right)
        bench.settle(servers, caller)
        bench.generator_limit(subjects.fixed_answer(stage).ready())
        bench.rounds(servers, caller)
        for server in servers:
            bench.figures.memory_after[server.name] = server.tree.weigh()
        if mine is not None:
            bench.figures.recorded = ours.recorded(mine, stage, bench.figures.sent["worklet"], effort.settle)
        if caller is not None and prefect is not None and effort.deployments:
            start_served_flow(stage, prefect, caller)
            bench.deployments(caller)
    finally:
        stage.end()
    return bench


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="about a minute, for a first look; else about five")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="leave out fastapi-async, starlette, bentoml, prefect or worklet (may be repeated)",
    )
    parser.add_argument("--seed", type=int, default=8700, help="of the order within the rounds")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="the folder for the results")
    options = parser.parse_args()
    if "fastapi-def" in options.without:
        parser.error("fastapi-def is what the others are compared with; it can't be left out")
    began, load_before = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="wb-") as folder:
        bench = measure(QUICK if options.quick else FULL, set(options.without), options.seed, Path(folder))
    took = round(time.monotonic() - began, 1)
    settings = {"quick": options.quick, "seed": options.seed, "took_s": took, "load_before": round(load_before, 2)}
    result = report.result(bench.figures, describe(REPOSITORY), settings)
    text = report.text(result)
    print(text)
    for path in report.write(result, text, options.out):
        print(path)


if __name__ == "__main__":
    main()
