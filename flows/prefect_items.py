"""Items of maps by the task runner of a Prefect flow run: each item is a task run of its own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

from prefect import Flow, Task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext, TaskRunContext
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from ..connectors.errors import Unavailable
from .sending import ItemCall


def items_elsewhere() -> PrefectItems | None:
    """The items of the flow run under way; None where its task runner is the usual one, threads of this process."""
    context = FlowRunContext.get()
    if context is None or isinstance(context.task_runner, ThreadPoolTaskRunner):
        return None
    return PrefectItems(context.task_runner)


class PrefectItems:
    """Submits items to a task runner of Prefect (Dask, Ray, processes)."""

    def __init__(self, task_runner: TaskRunner[Any]) -> None:
        self._task_runner = task_runner
        # A runner starts its cluster at the first item, and is not made for two at once.
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="prefect-items")

    def runner(self, name: str | None) -> PrefectItems:
        """This runner, whatever the map says: who runs the flow has chosen it."""
        return self

    async def run(self, call: ItemCall, index: int, item: Any) -> Any:
        """What the call gives for an item, by the task runner.

        Raises:
            Unavailable: the runner's cluster can't be reached, or was lost on the way.
        """
        loop = asyncio.get_running_loop()
        within = contextvars.copy_context().run  # Prefect finds the flow run in the context
        try:
            future = await loop.run_in_executor(self._threads, within, self._submit, call, index, item)
        except (OSError, TimeoutError) as error:
            raise self._gone(error) from error
        done = asyncio.Event()
        try:
            future.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(done.set))
            await done.wait()
            value, failure = await loop.run_in_executor(self._threads, within, _outcome, future)
        except asyncio.CancelledError:
            cancel = getattr(getattr(future, "wrapped_future", None), "cancel", None)
            if cancel is not None:
                cancel()
            raise
        if isinstance(failure, CancelledError | asyncio.CancelledError):
            raise self._gone(failure) from failure
        if failure is not None:
            raise failure
        return call.value(value)

    def close(self) -> None:
        """Give the threads back; the runner is Prefect's to close."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _submit(self, call: ItemCall, index: int, item: Any) -> PrefectFuture[Any]:
        task: Task[[bytes, bytes], bytes] = Task(
            call.answer,
            name=call.name,
            task_run_name=f"{call.name}[{index}]",
            tags=["kind:item"],
            cache_policy=NO_CACHE,
            persist_result=False,
        )
        flow_run, task_run = FlowRunContext.get(), TaskRunContext.get()
        assert flow_run is not None
        # Prefect sends the flow and the task around along, which hold threads and connections, and the
        # flow's parameters, whose types the other machine need not have; what it needs of them are names and ids.
        names_only = {"flow": Flow(_nothing(), name=flow_run.flow.name if flow_run.flow else None), "parameters": {}}
        with flow_run.model_copy(update=names_only):
            if task_run is None:
                return self._sent(task, call.call, call.packed(item))
            around = Task(_nothing(), name=task_run.task.name)
            with task_run.model_copy(update={"task": around, "parameters": {}}):
                return self._sent(task, call.call, call.packed(item))

    def _sent(self, task: Task[[bytes, bytes], bytes], call: bytes, item: bytes) -> PrefectFuture[Any]:
        with self._lock:
            return task.submit(call, item)

    def _gone(self, error: BaseException) -> Unavailable:
        reason = f"{type(error).__name__}: {error}"[:200]
        return Unavailable(
            f"The task runner {self._task_runner.name!r} of the flow can't run items ({reason}); "
            "see whether its cluster is up, and whether the address given to it is right."
        )


def _outcome(future: PrefectFuture[Any]) -> tuple[Any, BaseException | None]:
    """Value and failure; a cancellation that is raised in a thread would look like the caller's own."""
    try:
        return future.result(), None
    except BaseException as error:
        return None, error


def _nothing() -> Any:
    """A function that goes by value, since the other machine need not have this package."""

    def nothing() -> None:
        return None

    return nothing
