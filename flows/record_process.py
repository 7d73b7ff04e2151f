"""The recorder's process: `python -m prefect_worklets.flows.record_process --data DIR --prefect-api-url URL`.

Ingest runs in a thread, the recorder on the event loop. Counters go to `run/recorder.json` every second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from ..connectors.layout import DataDirectory
from ..connectors.prefect_api import PrefectApi
from ..connectors.store import Store
from .ingest import Ingest
from .outbox import Outbox
from .prefect_artifacts import Artifacts
from .prefect_logs import Logs
from .recorder import Recorder

logger = logging.getLogger(__name__)

STATUS_FILE = "recorder.json"
# Answering requests comes first on a busy machine.
_NICENESS = 10


class RecordProcess:
    """Ingest and recorder on one store, until `stop` is called.

    Args:
        data: the data directory.
        store: the store; closed at the end.
        api: Prefect; None only takes the journal in.
        max_runs_per_second: a limit on what is sent to Prefect.
        public_url: where people reach the files that runs answer with; None sends no artifacts.
    """

    def __init__(
        self,
        data: DataDirectory,
        store: Store,
        api: PrefectApi | None,
        *,
        max_runs_per_second: float | None = None,
        public_url: str | None = None,
    ) -> None:
        self.data = data
        self.store = store
        self.api = api
        self._stop = asyncio.Event()
        self._stop_ingest = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.artifacts = Artifacts(api, store, public_url) if api is not None and public_url is not None else None
        self.logs = Logs(api, store) if api is not None else None
        self.recorder = (
            Recorder(
                Outbox(store),
                api,
                max_runs_per_second=max_runs_per_second,
                artifacts=self.artifacts,
                logs=self.logs,
            )
            if api is not None
            else None
        )
        self.ingest = Ingest(store, data.journal, on_rows=self._wake_recorder)

    def stop(self) -> None:
        """End soon; what is under way is done again at the next start."""
        self._stop.set()

    async def run(self) -> None:
        """Work until `stop` is called."""
        thread = threading.Thread(target=self.ingest.run, args=(self._stop_ingest,), name="ingest", daemon=True)
        thread.start()
        status = asyncio.create_task(self._keep_status())
        try:
            if self.recorder is not None:
                await self.recorder.run(self._stop)
            else:
                await self._stop.wait()
        finally:
            status.cancel()
            self._stop_ingest.set()
            await asyncio.to_thread(thread.join)
            with contextlib.suppress(OSError):
                self._write_status(running=False)
            if self.api is not None:
                await self.api.close()
            self.store.close()

    def status(self, *, running: bool = True) -> dict[str, Any]:
        """The counters, as they stand in the status file."""
        ingest = self.ingest.counters
        found: dict[str, Any] = {
            "time": time.time(),
            "pid": os.getpid(),
            "running": running,
            "rss_bytes": _resident_bytes(),
            "ingest": asdict(ingest),
            "prefect": None,
        }
        if self.recorder is not None and self.api is not None:
            counters = asdict(self.recorder.counters)
            if self.artifacts is not None:
                counters |= {"artifacts": self.artifacts.sent, "artifacts_left_out": self.artifacts.left_out}
            if self.logs is not None:
                counters |= {"log_lines": self.logs.sent, "log_lines_left_out": self.logs.left_out}
            found["prefect"] = {"url": _without_password(self.api.url), "backlog": self.recorder.backlog, **counters}
        return found

    def _wake_recorder(self) -> None:
        if self.recorder is not None:
            # The loop may be closed already while the journal's last lines are taken in.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.recorder.wake)

    async def _keep_status(self) -> None:
        complained = False
        while True:
            try:
                if self.recorder is not None:
                    await self.recorder.look_at_backlog()
                self._write_status()
                complained = False
            except Exception as error:
                if not complained:
                    logger.error("The recorder's status can't be written: %s", error)
                complained = True
            await asyncio.sleep(1.0)

    def _write_status(self, *, running: bool = True) -> None:
        target = self.data.run / STATUS_FILE
        draft = target.with_suffix(".tmp")
        draft.write_bytes(orjson.dumps(self.status(running=running), option=orjson.OPT_INDENT_2))
        draft.replace(target)


def main(arguments: list[str] | None = None) -> int:
    """Run the process; answers its exit status."""
    options = _options(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    asyncio.run(_serve(options))
    return 0


async def _serve(options: argparse.Namespace) -> None:
    data = DataDirectory(options.data).prepare()
    store = Store(options.database_url or data.database_url)
    api = None
    if options.prefect_api_url:
        api = PrefectApi(
            options.prefect_api_url,
            api_key=os.environ.get("PREFECT_API_KEY"),
            auth_string=os.environ.get("PREFECT_API_AUTH_STRING"),
        )
    process = RecordProcess(
        data, store, api, max_runs_per_second=options.max_runs_per_second, public_url=options.public_url
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop)
    await process.run()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="record_process", description="Journal to run table to Prefect.")
    parser.add_argument("--data", type=Path, required=True, help="the data directory")
    parser.add_argument(
        "--database-url",
        default=os.environ.get("WORKLETS_DATABASE_URL"),
        help="the store; by default the one in the data directory",
    )
    parser.add_argument("--prefect-api-url", default=os.environ.get("PREFECT_API_URL"), help="http://host:4200/api")
    parser.add_argument("--public-url", default=None, help="where people reach this server; for pictures in Prefect")
    parser.add_argument("--max-runs-per-second", type=float, default=None, help="send no more than this to Prefect")
    return parser.parse_args(arguments)


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        # Elsewhere than on Linux: the most that it ever was.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


if __name__ == "__main__":
    sys.exit(main())
