"""Calls of other worklets by those that have a process of their own: the app runs them, as if it had the caller."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from ..connectors.errors import SetupError, WorkletsError
from .calling import Call
from .channel import Channel, as_error, as_message, principal_data, principal_of
from .checkpoints import Checkpoints
from .context import RunContext
from .engine import Engine
from .steps import Suspended

if TYPE_CHECKING:
    from .journal import RunRecord
    from .registry import LiveWorklet


class Questions:
    """What a process asks the app over its channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The app's answer. Raises the error that it answers, WireError for what can't be sent, ConnectionError."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._channel.send({**message, "ask": number})
            found: dict[str, Any] = await answer
        except asyncio.CancelledError:
            with contextlib.suppress(ConnectionError):
                await self._channel.send({"unask": number})
            raise
        finally:
            self._waiting.pop(number, None)
        if found.get("error") is not None:
            raise as_error(found["error"])
        return found

    def answered(self, message: dict[str, Any]) -> None:
        """Take in an answer."""
        waiting = self._waiting.get(message["answer"])
        if waiting is not None and not waiting.done():
            waiting.set_result(message)


class AppCalls:
    """In a project's process: the app's worklets."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    async def result(self, call: Call, given: Any, body: bytes, context: RunContext) -> Any:
        """What the called worklet gives, from its JSON. Raises what it raises there."""
        attempt = context.called[call.id] = context.called.get(call.id, 0) + 1
        found = await self._questions.ask(
            {
                "call": {"id": call.id, "worklet": call.worklet, "version": call.version, "by_name": call.by_name},
                "body": body,
                "attempt": attempt,
                "run": context.run_id,
                "caller": context.worklet,
                "caller_version": context.version,
                "principal": principal_data(context.principal),
                "callers": list(context.callers),
                "root": context.root,
                "kept": context.checkpoints is not None,
            }
        )
        if found.get("suspended"):
            context.called[call.id] -= 1  # the same attempt goes on
            raise Suspended(call.id)
        return orjson.loads(found["output"])

    async def find(self, name: str, version: int | None) -> LiveWorklet:
        """No worklet runs here for another one."""
        raise SetupError(f"The worklet {name!r} is in the app.")

    async def record(self, record: RunRecord) -> None:
        """The app records what it runs."""


class CallAnswers:
    """In the app: runs what worklets in other processes call.

    Args:
        engine: runs what somebody waits for.
        later_engine: runs what is part of a submitted run.
        checkpoints: where the results of submitted runs are kept.
    """

    def __init__(self, engine: Engine, later_engine: Engine, checkpoints: Checkpoints) -> None:
        self._engine = engine
        self._later_engine = later_engine
        self._checkpoints = checkpoints

    async def answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """How the called run ended: `output` (JSON), `suspended`, or `error`."""
        engine = self._later_engine if message["kept"] else self._engine
        principal = principal_of(message["principal"])
        context = engine.context(message["caller"], message["caller_version"], principal, message["run"])
        context.callers, context.root = tuple(message["callers"]), message["root"]
        context.checkpoints = self._checkpoints if message["kept"] else None
        call = Call(**message["call"])
        context.called[call.id] = message["attempt"] - 1
        try:
            return {"output": (await call.run(context, message["body"])).output}
        except Suspended:
            return {"suspended": True}
        except WorkletsError as error:
            return {"error": as_message(error)}
