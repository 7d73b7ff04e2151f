"""A worklet as a Prefect flow: the same plan and the same engine, each node a Prefect task.

Prefect is imported here alone, so that serving needs none of it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from prefect import Flow, State, Task, allow_failure

from ..connectors.errors import TookTooLong
from .context import RunContext, Services
from .engine import Engine
from .failures import pause_before, worth_repeating
from .plan import Plan
from .prefect_items import items_elsewhere
from .steps import CodeStep, Step, Values, WrappedStep

if TYPE_CHECKING:
    from .worklet import Worklet


def make_flow(worklet: Worklet[Any, Any], services: Callable[[], Services] | None = None) -> Flow[..., Any]:
    """The Prefect flow of a worklet, with its name, parameters, description and time limit.

    Args:
        worklet: the worklet.
        services: gives what the nodes may ask for, when a run begins; None gives the worklet's own models.
    """
    given = services or (lambda: Services(models=worklet.reachable_models()))

    async def run(*args: Any, **kwargs: Any) -> Any:
        bound = worklet.shape.signature.bind(*args, **kwargs)
        inputs = worklet.input.from_call(bound.arguments)
        elsewhere = items_elsewhere()
        services = given()
        engine = Engine(services=replace(services, elsewhere=elsewhere) if elsewhere is not None else services)
        try:
            result = await engine.run(_as_tasks(worklet.plan), inputs, engine.context(worklet.name, run_id=_run_id()))
        finally:
            engine.close()
            if elsewhere is not None:
                elsewhere.close()
        if result.error is not None:
            raise result.error
        return result.output

    run.__name__ = run.__qualname__ = worklet.function.__name__
    run.__module__ = worklet.function.__module__
    run.__doc__ = worklet.function.__doc__
    # Prefect reads the parameters' schema from the signature; the types are resolved already.
    parameters = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY if each.keyword_only else inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=each.default,
            annotation=each.hint,
        )
        for each in worklet.shape.parameters
    ]
    run.__signature__ = inspect.Signature(parameters, return_annotation=worklet.shape.returns)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.hint for each in worklet.shape.parameters}
    return Flow(
        run,
        name=worklet.name,
        description=worklet.graph.description or None,
        timeout_seconds=worklet.graph.timeout,
        validate_parameters=False,  # the worklet's own check does it, and names the fields
    )


def _run_id() -> str | None:
    """The flow run's id without dashes, so that a retried flow run saves its rows once."""
    from prefect.runtime import flow_run

    id = flow_run.id
    return str(id).replace("-", "") if id else None


def _as_tasks(plan: Plan) -> Plan:
    """The same plan with each step run as a Prefect task, which makes the retries and keeps the time."""
    states: dict[int, State[Any]] = {}
    steps = tuple(_TaskStep(step, position, states) for position, step in enumerate(plan.steps))
    return replace(plan, steps=steps)


class _TaskStep(WrappedStep):
    def __init__(self, step: Step, position: int, states: dict[int, State[Any]]) -> None:
        super().__init__(step)
        # The task has the retries and the limit: the engine must not add its own.
        self.retries, self.backoff, self.timeout = 0, 0.0, None
        self._position = position
        self._states = states

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """Run the step as a task of the flow run under way."""
        step = self._step
        task: Task[[], Any] = Task(
            _named(partial(_run_step, step, values, context, executor), step.id),
            name=step.id,
            tags=[f"kind:{step.kind}"],
            retries=step.retries,
            retry_delay_seconds=_delays(step.retries, step.backoff),
            retry_condition_fn=_worth_repeating,
            timeout_seconds=step.timeout,
            persist_result=False,
        )
        # The states of what it needs draw the edges in Prefect's run graph.
        # One that failed counts as well: the engine goes on from it only where the graph says how.
        before = [allow_failure(self._states[needed]) for needed in sorted(self.needs)]
        state: State[Any] = await task(return_state=True, wait_for=before)
        self._states[self._position] = state
        try:
            return await state.result()
        except TimeoutError as error:
            if step.timeout is None:
                raise
            raise TookTooLong(f"Node {step.id!r} took longer than its {step.timeout:g} seconds.") from error


async def _worth_repeating(task: Task[..., Any], run: Any, state: State[Any]) -> bool:
    failure = await state.result(raise_on_failure=False)
    if isinstance(failure, BaseException) and worth_repeating(failure):
        # A task's delays are fixed beforehand; what a failure asks for comes before them.
        await asyncio.sleep(pause_before(failure, 0.0, 0))
        return True
    return False


async def _run_step(step: Step, values: Values, context: RunContext, executor: Executor) -> Any:
    if isinstance(step, CodeStep) and step.pace.quick:
        return step.try_quick(values, context)
    return await step.run(values, context, executor)


def _named(work: Callable[[], Coroutine[Any, Any, Any]], name: str) -> Callable[[], Coroutine[Any, Any, Any]]:
    async def call() -> Any:
        return await work()

    call.__name__ = call.__qualname__ = name
    return call


def _delays(retries: int, backoff: float) -> Sequence[float] | float:
    return [backoff * 2**attempt for attempt in range(retries)] if retries and backoff else 0.0
