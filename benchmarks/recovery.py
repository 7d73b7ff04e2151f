"""How long the next request waits after a model's process has crashed, or was killed because it hung.

`python -m benchmarks.recovery [--times 10]` deploys a model that does both when it is asked to, in each place that has
a process to lose, and times the request that comes right after: of the same model, and of a healthy neighbour on the
shared host. It prints a table and writes it with the raw figures below `benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

import prefect_worklets as pw

from . import ours, subjects
from .figures import median
from .machine import describe
from .report import write
from .subject import HERE, REPOSITORY, train
from .subjects import Stage

PATIENCE_SECONDS = {"crash": 10.0, "hang": 0.5}
NEIGHBOUR = "neighbour-bench"
PLACES: dict[str, dict[str, Any]] = {
    "isolated": {"isolate": True},
    "own environment": {"requirements": ["humanize"]},
    "shared host": {"tier": "shared-host"},
}


class Fragile:
    """Crashes or hangs when it is asked to."""

    def predict(self, how: str = "") -> int:
        """The process that answers."""
        if how == "crash":
            ctypes.string_at(0)
        if how == "hang":
            time.sleep(600)
        return os.getpid()


class Caller:
    """Asks models over HTTP."""

    def __init__(self, server: subjects.Server) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=server.headers, timeout=60)

    def ask(self, name: str, expected: set[int], how: str = "") -> float:
        """Seconds until the answer. Raises RuntimeError for another status."""
        began = time.perf_counter()
        answer = self._http.post(f"/api/models/{name}/predict", json={"inputs": {"how": how}})
        if answer.status_code not in expected:
            raise RuntimeError(f"{name}, {how or 'well'}: {answer.status_code} {answer.text[:300]}")
        return time.perf_counter() - began


def measure(client: pw.Client, caller: Caller, times: int) -> dict[str, list[float]]:
    """Seconds that each next request took, by what had happened before it."""
    client.deploy(Fragile, NEIGHBOUR, tier="shared-host")
    found: dict[str, list[float]] = {}
    for place, options in PLACES.items():
        for how, status in (("crash", 502), ("hang", 504)):
            if place == "shared host" and how == "hang":
                continue  # it keeps a thread of its model busy, and no process is lost
            label = f"{place}, {how}"
            print(f"recovery: {label}", file=sys.stderr, flush=True)
            taken = found[label] = []
            beside = found.setdefault("a neighbour on the shared host, crash", []) if place == "shared host" else None
            name = ""
            for number in range(times):
                if not name or place == "shared host":  # one that crashes the shared host is moved out of it
                    name = f"fragile-{place.replace(' ', '-')}-{how}-{number}"
                    client.deploy(Fragile, name, timeout=PATIENCE_SECONDS[how], **options)
                caller.ask(name, {200})
                caller.ask(name, {status}, how)
                if beside is not None:
                    beside.append(caller.ask(NEIGHBOUR, {200}))
                taken.append(caller.ask(name, {200}))
    return found


def text(result: dict[str, Any]) -> str:
    """A page with the table."""
    machine, settings = result["machine"], result["settings"]
    lines = [
        "# Recovery",
        "",
        f"{machine['cpu']}, {machine['cores']} cores; load before: {settings['load_before']}; {result['taken_at']}.",
        "",
        f"Seconds that the request right after takes; each {settings['times']} times.",
        "",
        "| what has lost its process, and how | p50 | longest |",
        "|---|---|---|",
    ]
    lines += [f"| {label} | {row['p50_s']} s | {row['longest_s']} s |" for label, row in result["summary"].items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--times", type=int, default=10, help="each")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="the folder for the results")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="wb-") as folder:
        stage = Stage(Path(folder), Path(folder) / "none")
        try:
            server = ours.start(stage)
            ours.prepare(server, stage, train())
            with pw.Client(data_dir=ours.data_directory(stage)) as client:
                figures = measure(client, Caller(server), options.times)
        finally:
            stage.end()
    result = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {"times": options.times, "load_before": round(load_before, 2)},
        "machine": describe(REPOSITORY),
        "summary": {
            label: {"p50_s": round(median(taken), 3), "longest_s": round(max(taken), 3)}
            for label, taken in figures.items()
        },
        "figures": figures,
    }
    page = text(result)
    print(page)
    print(*write(result, page, options.out, "recovery-"), sep="\n")


if __name__ == "__main__":
    main()
