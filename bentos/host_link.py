"""The app's side of the shared host: calls over its Unix socket that survive the host's restart."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ..connectors.errors import ModelFailed, NotFound, TookTooLong, Unavailable
from .bounds import LOAD_SECONDS
from .failures import from_data, too_long
from .manifest import Manifest
from .slots import Prediction, Served, Slot
from .socket_http import Answer, ConnectionLost, SocketClient
from .wire import MEDIA_TYPE, WireError, decode, encode

if TYPE_CHECKING:
    from .batching import Batcher
    from .turns import Turns

logger = logging.getLogger(__name__)

# How long a call waits for a host that is starting again.
HEAL_SECONDS = 60.0
# What a call over the socket may take beyond the model's own limit.
GRACE_SECONDS = 2.0
_PAUSE_SECONDS = 0.05


class HostDied(Exception):
    """The host was lost with a call in it, which is not sent again."""


class HostDiedTwice(ModelFailed):
    """The shared host died twice with the same call or load in it."""

    def __init__(self, tag: str, did: str) -> None:
        super().__init__(
            f"The model host died twice while {tag} {did}. Deploy it with isolate=True: then it has a process of its "
            "own, whose log tells more."
        )


class HostLink:
    """Speaks to the shared host.

    Args:
        socket: where it listens.
        key: the instance's internal key.
        heal_seconds: how long to wait for a host that is away before giving up.
        resend: whether a call is sent again after the host died with it. Where the host has one model, the call may
            be what killed it.
        load_seconds: how long loading may take.
    """

    def __init__(
        self,
        socket: Path,
        key: str,
        *,
        heal_seconds: float = HEAL_SECONDS,
        resend: bool = True,
        load_seconds: float = LOAD_SECONDS,
    ) -> None:
        self._client = SocketClient(socket, {"authorization": f"Bearer {key}", "content-type": MEDIA_TYPE})
        self._heal_seconds = heal_seconds
        self._resend = resend
        self._load_seconds = load_seconds
        self._loads: dict[str, asyncio.Task[None]] = {}

    async def health(self) -> dict[str, Any]:
        """What the host says of itself: `boot`, `pid`, `models`. Raises Unavailable."""
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                answer = await self._client.request("GET", "/health")
        except (ConnectionLost, TimeoutError) as error:
            raise Unavailable(f"The model host does not answer: {error or 'no answer in time'}.") from None
        health: dict[str, Any] = orjson.loads(answer.body)
        return health

    async def load(self, tag: str) -> None:
        """Have the host load a model, once however many ask. Raises ModelFailed, TookTooLong, Unavailable."""
        task = self._loads.get(tag)
        if task is None:
            task = self._loads[tag] = asyncio.create_task(self._load(tag), name=f"load {tag}")
            task.add_done_callback(lambda done: self._loaded(tag, done))
        await asyncio.shield(task)

    async def unload(self, tag: str) -> None:
        """Have the host let go of a model; one that is not there, or no host, is as good."""
        try:
            await self._client.request("DELETE", _path(tag))
        except ConnectionLost:
            return

    async def probe(self, tag: str, timeout: float) -> Any:
        """The model's answer to its sample, None if it has none. Raises ModelFailed, TookTooLong, Unavailable."""
        return await self._call(tag, "/probe", b"", timeout)

    async def call(self, tag: str, values: Mapping[str, Any], timeout: float) -> Any:
        """The model's answer. Raises BadInput, ModelFailed, TookTooLong, Unavailable; HostDied without `resend`."""
        try:
            return await self._call(tag, "/call", encode(values), timeout)
        except WireError as error:
            raise ModelFailed(f"The input of {tag} cannot be sent to its host: {error}.") from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _loaded(self, tag: str, task: asyncio.Task[None]) -> None:
        self._loads.pop(tag, None)
        if not task.cancelled():
            task.exception()  # seen, even if whoever asked has given up

    async def _load(self, tag: str) -> None:
        deadline = time.monotonic() + self._heal_seconds
        body = orjson.dumps({"tag": tag, "seconds": self._load_seconds})
        lost_in_flight = 0
        while True:
            try:
                async with asyncio.timeout(self._load_seconds + GRACE_SECONDS):
                    answer = await self._client.request("POST", "/models", body)
                break
            except ConnectionLost as error:
                lost_in_flight += error.sent
                if lost_in_flight > 1:
                    raise HostDiedTwice(tag, "was loaded") from None
                if time.monotonic() > deadline:
                    raise Unavailable(f"The model host is away ({error}), so {tag} cannot be loaded.") from None
                await asyncio.sleep(_PAUSE_SECONDS)
            except TimeoutError:
                raise TookTooLong(f"The model host did not load {tag} within {self._load_seconds:g} s.") from None
        _raise_error(answer)

    async def _call(self, tag: str, route: str, body: bytes, timeout: float) -> Any:
        """One call, repeated where the host was away or had lost the model.

        A call that may have reached the host is sent once more only: it may be what brought the host down.
        """
        deadline = time.monotonic() + timeout + GRACE_SECONDS
        lost_in_flight = 0
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise too_long(tag, timeout)
            header = f"x-timeout: {min(timeout, left):.3f}\r\n"
            try:
                async with asyncio.timeout(left):
                    try:
                        answer = await self._client.request("POST", _path(tag) + route, body, headers=header)
                    except ConnectionLost as error:
                        if not self._resend and error.sent:
                            raise HostDied(tag) from None
                        if not self._resend:
                            raise Unavailable(f"The process of {tag} is away.") from None
                        lost_in_flight += error.sent
                        if lost_in_flight > 1:
                            raise HostDiedTwice(tag, "computed this answer") from None
                        await self.load(tag)
                        continue
                    if answer.status == NotFound.status:
                        await self.load(tag)
                        continue
            except TimeoutError:
                raise too_long(tag, timeout) from None
            _raise_error(answer)
            try:
                return decode(answer.body)
            except WireError as error:
                raise ModelFailed(f"The model host's answer for {tag} is broken: {error}.") from None


class HostSlot:
    """A model in the shared host.

    Args:
        move_out: gives the slot of a process of the model's own, once its calls have brought the host down twice;
            None where it is not to have one.
    """

    tier = "shared-host"
    quick: Callable[[Any], Prediction] | None = None
    batcher: Batcher | None = None
    turns: Turns | None = None

    def __init__(
        self,
        tag: str,
        manifest: Manifest,
        link: HostLink,
        move_out: Callable[[HostSlot], Awaitable[Slot | None]] | None = None,
    ) -> None:
        self.tag = tag
        self.manifest = manifest
        self.name, _, self.version = tag.partition(":")
        self.signature = manifest.signature
        self.in_flight = 0
        self.served = Served()
        self._link = link
        self._move_out = move_out

    async def start(self) -> None:
        """Have the host load it."""
        await self._link.load(self.tag)

    async def probe(self, timeout: float) -> Any:
        """The answer to the sample."""
        return await self._link.probe(self.tag, timeout)

    async def call(self, values: Mapping[str, Any], timeout: float) -> Any:
        """The host's answer. If the host dies over it again, the model gets a process of its own, which is asked."""
        try:
            return await self._link.call(self.tag, values, timeout)
        except HostDiedTwice:
            own = await self._move_out(self) if self._move_out is not None else None
            if own is None:
                raise
        own.in_flight += 1
        try:
            return await own.call(values, timeout)
        finally:
            own.in_flight -= 1

    async def close(self) -> None:
        """Have the host let go of it."""
        await self._link.unload(self.tag)


def _path(tag: str) -> str:
    return "/models/" + tag.replace(":", "/")


def _raise_error(answer: Answer) -> None:
    if answer.status < 400:
        return
    try:
        data = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        data = {}
    if not isinstance(data, dict) or "kind" not in data:
        raise Unavailable(f"The model host answered {answer.status}: {answer.body[:200].decode(errors='replace')}")
    raise from_data(data)
