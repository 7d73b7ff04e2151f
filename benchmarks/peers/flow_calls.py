"""Calls the Prefect flow as often as it is told, directly or as a served deployment.

Reads lines `KIND COUNT` from its input and answers each with a line of JSON: the latencies in ms, and the last answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from prefect.deployments import run_deployment
from steps import Flower

from ..subject import flowers
from .flow import classify, classify_sync

DEPLOYMENT = "classify/served"


async def _call(flower: dict[str, float]) -> Any:
    return await classify(Flower(**flower))


async def _call_sync(flower: dict[str, float]) -> Any:
    return await asyncio.to_thread(classify_sync, Flower(**flower))


async def _run_deployment(flower: dict[str, float]) -> Any:
    run = await run_deployment(DEPLOYMENT, parameters={"flower": flower}, timeout=90, poll_interval=0.2)
    if run.state is None or not run.state.is_completed():
        raise RuntimeError(f"the served flow did not complete: {run.state}")
    return None


CALLS: dict[str, Callable[[dict[str, float]], Awaitable[Any]]] = {
    "call": _call,
    "call-sync": _call_sync,
    "deployment": _run_deployment,
}


async def measure(kind: str, count: int) -> dict[str, Any]:
    """Call `count` times, one after the other."""
    inputs = flowers()
    latencies, answer = [], None
    for index in range(count):
        start = time.perf_counter()
        answer = await CALLS[kind](inputs[index % len(inputs)])
        latencies.append((time.perf_counter() - start) * 1000)
    return {"latencies": latencies, "answer": answer}


async def answer_lines() -> None:
    """Measure what each line of the input asks for, until it ends."""
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        kind, count = line.split()
        print(json.dumps(await measure(kind, int(count))), flush=True)


if __name__ == "__main__":
    asyncio.run(answer_lines())
