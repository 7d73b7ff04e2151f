"""What the engine costs a node: chains of nodes that do nearly nothing, against the same functions called one by one.

`python -m benchmarks.engine [--rounds 30]` runs chains of 1 and of 21 nodes in this process, interleaved with plain
calls. The cost a node is the difference between the chains, less that of the calls. It prints a table and writes it
with the raw figures below `benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

from prefect_worklets.flows.engine import Engine
from prefect_worklets.flows.execution import Execution

import prefect_worklets as pw

from .figures import median
from .machine import describe
from .report import write
from .subject import HERE, REPOSITORY

SHORT, LONG = 1, 21
CALLS = 300
KINDS = ("quick code", "decision and join", "async code", "code in a thread")
HOP = "a thread without the engine (run_in_executor)"


@pw.node(quick=True)
def quick(x: int) -> int:
    """On the event loop."""
    return x + 1


@pw.node(quick=False)
def threaded(x: int) -> int:
    """In a thread."""
    return x + 1


@pw.node
async def awaited(x: int) -> int:
    """A coroutine."""
    return x + 1


def plain(x: int) -> int:
    """The same without a node around it."""
    return x + 1


def chain(kind: str, length: int) -> pw.Worklet[[int], int]:
    """A worklet of so many nodes, one after the other."""
    steps: dict[str, Callable[[Any], Any]] = {
        "quick code": quick,
        "async code": awaited,
        "code in a thread": threaded,
        "decision and join": lambda x: pw.decide(x, lambda: x, lambda: 0),
    }

    def body(x: int) -> int:
        return reduce(lambda value, _: steps[kind](value), range(length), x)

    return pw.worklet(body)


async def microseconds(engine: Engine, worklet: pw.Worklet[[int], int]) -> float:
    """Of one run."""
    began = time.perf_counter_ns()
    for _ in range(CALLS):
        execution: Execution = worklet.execution(engine, [1], engine.context(worklet.name))
        if not execution.advance() and not await execution.join():
            await execution.finish()
    return (time.perf_counter_ns() - began) / CALLS / 1000


def calls(length: int) -> float:
    """Microseconds of so many plain calls."""
    began = time.perf_counter_ns()
    for _ in range(CALLS):
        reduce(lambda value, _: plain(value), range(length), 1)
    return (time.perf_counter_ns() - began) / CALLS / 1000


async def hops(length: int) -> float:
    """Microseconds of so many calls in a thread, by asyncio's own means: the peer of code in a thread."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as executor:
        await loop.run_in_executor(executor, plain, 1)
        began = time.perf_counter_ns()
        for _ in range(CALLS):
            value = 1
            for _ in range(length):
                value = await loop.run_in_executor(executor, plain, value)
        return (time.perf_counter_ns() - began) / CALLS / 1000


async def measure(rounds: int) -> dict[str, list[float]]:
    """Microseconds a node, by kind, one figure a round."""
    engine = Engine()
    found: dict[str, list[float]] = {"a plain call": [], **{kind: [] for kind in KINDS}, HOP: []}
    chains = {(kind, length): chain(kind, length) for kind in KINDS for length in (SHORT, LONG)}
    for _ in range(rounds):
        alone = (calls(LONG) - calls(SHORT)) / (LONG - SHORT)
        found["a plain call"].append(alone)
        for kind in KINDS:
            short, long = [await microseconds(engine, chains[kind, length]) for length in (SHORT, LONG)]
            nodes = 2 if kind == "decision and join" else 1
            found[kind].append((long - short) / (LONG - SHORT) / nodes - alone)
        found[HOP].append((await hops(LONG) - await hops(SHORT)) / (LONG - SHORT))
    engine.close()
    return found


def text(result: dict[str, Any]) -> str:
    """A page with the table."""
    machine, settings = result["machine"], result["settings"]
    lines = [
        "# The engine's cost a node",
        "",
        f"{machine['cpu']}, {machine['cores']} cores; load before: {settings['load_before']}; {result['taken_at']}.",
        "",
        f"Microseconds over a plain call, in {settings['rounds']} interleaved rounds of {CALLS} runs.",
        "",
        "| node | p50 | least | most |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {kind} | {row['p50_us']} | {row['least_us']} | {row['most_us']} |"
        for kind, row in result["summary"].items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    import uvloop

    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path, default=HERE / "results", help="the folder for the results")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    figures = uvloop.run(measure(options.rounds))
    result = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {"rounds": options.rounds, "load_before": round(load_before, 2)},
        "machine": describe(REPOSITORY),
        "summary": {
            kind: {"p50_us": round(median(each), 2), "least_us": round(min(each), 2), "most_us": round(max(each), 2)}
            for kind, each in figures.items()
        },
        "figures": figures,
    }
    page = text(result)
    print(page)
    print(*write(result, page, options.out, "engine-"), sep="\n")


if __name__ == "__main__":
    main()
