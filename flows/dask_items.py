"""Items of maps on a Dask cluster: the one that the server is configured with, or a local one.

A client of Dask and not Prefect's task runner: that one reports every item to Prefect's API, which only a flow run
wants. Dask is imported at the first item, so that serving needs none of it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..connectors.errors import SetupError, Unavailable
from .sending import ItemCall

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

INSTALL = "pip install 'prefect-worklets[dask]'"
# Seconds to wait for a cluster that does not answer.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class _Outcome:
    value: bytes | None = None
    error: BaseException | None = None
    lost: bool = False


class DaskItems:
    """A Dask cluster, connected at its first item, once for this process.

    Args:
        address: of its scheduler, as `tcp://host:8786`; None starts a cluster on this machine.
        workers: processes of that one; None is one a core.
        folder: where that one keeps what doesn't fit in memory.
    """

    def __init__(self, address: str | None = None, *, workers: int | None = None, folder: Path | None = None) -> None:
        self._address = address
        self._workers = workers
        self._folder = folder
        self._client: Client | None = None
        self._open = ExitStack()
        self._lock = threading.Lock()
        # Of its own: what waits for a cluster that is gone holds up nothing else.
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="dask-items")

    def runner(self, name: str | None) -> DaskItems | None:
        """This cluster for maps that say `runner="dask"`."""
        return self if name == "dask" else None

    async def run(self, call: ItemCall, index: int, item: Any) -> Any:
        """What the call gives for an item, on the cluster.

        Raises:
            SetupError: Dask is not installed, or a local cluster doesn't start.
            Unavailable: the cluster does not answer, or was lost on the way.
        """
        loop = asyncio.get_running_loop()
        client, future = await loop.run_in_executor(self._threads, self._submit, call, index, item)
        done = asyncio.Event()
        try:
            future.add_done_callback(lambda _: _tell(loop, done.set))
            await done.wait()
            outcome = await loop.run_in_executor(self._threads, _outcome, future)
        finally:
            if not done.is_set():
                future.cancel()  # nobody waits any more
        if outcome.lost:
            self._forget(client)
            raise self._gone(outcome.error) from outcome.error
        if outcome.error is not None:
            raise outcome.error
        assert outcome.value is not None
        return call.value(outcome.value)

    def close(self) -> None:
        """Leave the cluster, and end it if it is a local one; blocking."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._client = None
            self._open.close()

    def _submit(self, call: ItemCall, index: int, item: Any) -> tuple[Client, Future]:
        packed = call.packed(item)
        client = self._connected(call)
        try:
            # Not pure: the same item a second time is worked out again, as everywhere.
            key = f"{call.name}-{index}-{uuid4().hex}"
            return client, client.submit(call.answer, call.call, packed, key=key, pure=False)
        except Exception as error:
            self._forget(client)
            raise self._gone(error) from error

    def _connected(self, call: ItemCall) -> Client:
        with self._lock:
            if self._client is not None and self._client.status == "running":
                return self._client
            self._open.close()
            try:
                import distributed
            except ModuleNotFoundError as error:
                raise SetupError(
                    f"The map {call.name!r} runs on Dask, which is not installed here ({error}): {INSTALL}"
                ) from None
            # Its information is a line for each step of each call.
            logging.getLogger("distributed").setLevel(logging.WARNING)
            place = self._address or self._local(distributed)
            try:
                self._client = self._open.enter_context(
                    distributed.Client(place, timeout=_PATIENCE, set_as_default=False)
                )
            except (OSError, ValueError, ImportError) as error:
                self._open.close()
                raise self._gone(error) from error
            logger.info("maps use the Dask cluster at %s", self._client.scheduler.address)
            return self._client

    def _local(self, distributed: Any) -> Any:
        """A cluster of this machine. Only this process can reach it: its connections want a certificate of its own."""
        try:
            return self._open.enter_context(
                distributed.LocalCluster(
                    n_workers=self._workers,
                    threads_per_worker=1,
                    processes=True,
                    security=True,
                    # No pages of Dask's; its scheduler listens for HTTP all the same, so not at a port of somebody's.
                    scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                    local_directory=str(self._folder) if self._folder is not None else None,
                )
            )
        except Exception as error:
            raise SetupError(
                f"A local Dask cluster does not start ({type(error).__name__}: {error}); "
                "give the address of one in WORKLETS_DASK_ADDRESS."
            ) from error

    def _forget(self, client: Client) -> None:
        """Connect anew for the next item."""
        with self._lock:
            if self._client is client:
                self._client = None

    def _gone(self, error: BaseException | None) -> Unavailable:
        reason = f"{type(error).__name__}: {error}"[:200] if error is not None else "its connection was lost"
        if self._address is None:
            return Unavailable(f"The local Dask cluster was lost ({reason}). The next run starts another.")
        return Unavailable(
            f"The Dask cluster at {self._address} does not answer ({reason}). Start it (`dask scheduler`, "
            "`dask worker`), or correct WORKLETS_DASK_ADDRESS and start the server again."
        )


def _outcome(future: Future) -> _Outcome:
    """How a call on the cluster ended, as a value: a cancellation raised in a thread would look like the caller's."""
    failed = future.status == "error"
    try:
        return _Outcome(value=future.result(timeout=_PATIENCE))
    except BaseException as error:
        return _Outcome(error=error, lost=not failed)


def _tell(loop: asyncio.AbstractEventLoop, done: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(done)
