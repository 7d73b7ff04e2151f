"""A worker as a process: `python -m prefect_worklets.worker_process`, which is what `worklets worker` runs."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import orjson

from .connectors.errors import SetupError
from .connectors.layout import DataDirectory
from .connectors.prefect_api import PrefectApi
from .flows.prefect_shape import WORK_POOL
from .flows.record_process import STATUS_FILE

_LOOK_SECONDS = 0.3


def prefect_api_url(data: DataDirectory) -> str:
    """Where Prefect's API is: PREFECT_API_URL, else where the running server records. Raises SetupError."""
    given = os.environ.get("PREFECT_API_URL")
    if given:
        return given
    try:
        told = orjson.loads((data.run / STATUS_FILE).read_bytes())
        return str(told["prefect"]["url"])
    except (OSError, ValueError, KeyError, TypeError):
        raise SetupError(
            f"No server on {data.root} says where Prefect is; start it with `worklets up`, or set PREFECT_API_URL."
        ) from None


def run_worker(*, pool: str = WORK_POOL, name: str | None = None, limit: int | None = None) -> None:
    """Run a worker until SIGINT or SIGTERM. PREFECT_API_URL is set by now."""
    # Prefect reads its settings as it is imported.
    from .worker import WorkletsWorker

    async def work() -> None:
        await _prefect_is_up()
        task = asyncio.create_task(WorkletsWorker(work_pool_name=pool, name=name, limit=limit).start())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(work())


async def _prefect_is_up() -> None:
    # A worker that finds no Prefect as it begins looks again only after half a minute.
    async with PrefectApi(os.environ["PREFECT_API_URL"]) as api:
        while True:
            if await api.healthy():
                return
            await asyncio.sleep(_LOOK_SECONDS)


def main(arguments: list[str] | None = None) -> int:
    """Run the process; its exit status."""
    parser = argparse.ArgumentParser(prog="worker_process", description="A Prefect worker of the type worklets.")
    parser.add_argument("--data", type=Path, required=True, help="the data directory")
    parser.add_argument("--pool", default=WORK_POOL, help="the work pool")
    parser.add_argument("--name", default=None, help="the worker's name in Prefect")
    options = parser.parse_args(arguments)
    os.environ["PREFECT_API_URL"] = prefect_api_url(DataDirectory(options.data))
    run_worker(pool=options.pool, name=options.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
