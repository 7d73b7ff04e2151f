"""Threads in which models compute, a few for each model."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class ModelThreads:
    """Runs calls in at most `limit` threads, started when needed.

    They are daemons, unlike those of concurrent.futures: a model that never returns keeps its own threads busy, but
    neither those of other models nor the end of the process.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._started = 0
        self._open = 0

    async def run(self, call: Callable[[], T]) -> T:
        """The result of `call`. Cancelling stops the waiting; a call that has begun goes on to its end."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._open += 1  # queued or computing; a caller that gave up frees no thread
        if self._open > self._started and self._started < self._limit:
            self._started += 1
            threading.Thread(target=self._work, name=f"model {self._name}", daemon=True).start()
        self._jobs.put((loop, future, call))
        return await future

    def close(self) -> None:
        """Let the threads end once they are idle."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _work(self) -> None:
        use_one_native_thread()
        while (job := self._jobs.get()) is not None:
            loop, future, call = job
            result: Any = None
            error: BaseException | None = None
            try:
                result = None if future.cancelled() else call()
            except StopIteration as stopped:  # a future takes no StopIteration
                error = RuntimeError(f"StopIteration: {stopped}")
            except BaseException as raised:  # SystemExit of a model is that model's failure
                error = raised
            try:
                loop.call_soon_threadsafe(self._settle, future, result, error)
            except RuntimeError:  # the loop is closed: nobody waits
                return
            del job, future, call, result, error

    def _settle(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._open -= 1
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def use_one_native_thread() -> None:
    """Keep BLAS and OpenMP calls that this thread makes from starting threads of their own.

    A small model is quicker without them, and many at once would fight for the cores.
    """
    import threadpoolctl  # type: ignore[import-untyped]

    threadpoolctl.threadpool_limits(limits=1)
