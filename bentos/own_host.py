"""Models in processes of their own: isolated ones, and those with an environment of their own.

Each has a host like the shared one, on a socket of its own. A process that dies is started again at once; one that
dies again and again without an answer between is given up. One that hangs is killed and replaced. One that nobody
asks may be stopped, and is started again by the next call, which waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..connectors.errors import ModelFailed, TookTooLong, Unavailable
from ..connectors.layout import DataDirectory
from .bounds import UNBOUND, Bounds
from .host_link import HostDied, HostLink
from .manifest import Manifest
from .model_log import log_path, trim
from .slots import Prediction, Served
from .spawning import HostChild, Spawner

if TYPE_CHECKING:
    from .batching import Batcher
    from .turns import Turns

logger = logging.getLogger(__name__)

START_SECONDS = 60.0
# So many deaths without an answer between them are a loop.
DEATHS = 3
_PAUSE_SECONDS = 0.02
_LOOK_SECONDS = 0.1
_TAIL = 2_000
_END_SECONDS = 5.0
_HINTS = {
    "SIGSEGV": "a fault in native code; look for a library that does not fit",
    "SIGKILL": "killed from outside, perhaps for lack of memory",
    "SIGABRT": "native code gave up",
}


class OwnHostSlot:
    """A version of a model in a process of its own.

    Args:
        tag: `name:version`.
        tier: `isolated` or `own-environment`.
        spawner: starts its process.
        data: the instance's data directory.
        key: the instance's internal key.
        bounds: what it may take.
        idle_seconds: without a call for so long the process is stopped; None keeps it.
        gave_up: told, with the reason, when its process has died again and again.
    """

    quick: Callable[[Any], Prediction] | None = None
    batcher: Batcher | None = None
    turns: Turns | None = None

    def __init__(
        self,
        tag: str,
        manifest: Manifest,
        tier: str,
        spawner: Spawner,
        data: DataDirectory,
        key: str,
        *,
        bounds: Bounds = UNBOUND,
        idle_seconds: float | None = None,
        gave_up: Callable[[OwnHostSlot, str], None] | None = None,
    ) -> None:
        self.tag = tag
        self.tier = tier
        self.manifest = manifest
        self.name, _, self.version = tag.partition(":")
        self.signature = manifest.signature
        self.in_flight = 0
        self.served = Served()
        self.gave_up = gave_up
        self._spawner = spawner
        self._data = data
        self._key = key
        self._bounds = bounds
        self._idle_seconds = idle_seconds
        self._child: HostChild | None = None
        self._link: HostLink | None = None
        self._socket: Path | None = None
        self._starting = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._closed = False
        self._deaths = 0
        self._used_at = time.monotonic()

    @property
    def pid(self) -> int | None:
        """Its process; None while it has none."""
        return self._child.pid if self._child is not None and self._child.alive() else None

    @property
    def log(self) -> Path:
        """What its process prints."""
        return log_path(self._data.logs, self.name, self.version)

    # --- the slot -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the process and load the model in it. Raises what loading raises, and Unavailable."""
        await self._running()

    async def probe(self, timeout: float) -> Any:
        """The answer to the sample."""
        answer = await self._ask(lambda link: link.probe(self.tag, timeout))
        self._deaths = 0
        self._used_at = time.monotonic()
        return answer

    async def call(self, values: Mapping[str, Any], timeout: float) -> Any:
        """The answer. A process that does not give one in time is killed: it may hang for ever."""
        self._used_at = time.monotonic()
        try:
            answer = await self._ask(lambda link: link.call(self.tag, values, timeout))
        except TookTooLong:
            self._end_child("it did not answer in time")
            raise
        finally:
            self._used_at = time.monotonic()
        self._deaths = 0
        return answer

    async def _ask(self, ask: Callable[[HostLink], Awaitable[Any]]) -> Any:
        """Ask the process; a question that a dead one never had goes to the next."""
        last_try = False
        while True:
            link = self._link if self._link is not None and self.pid is not None else await self._running()
            child = self._child
            try:
                return await ask(link)
            except HostDied:
                await self._lost(child)
                raise ModelFailed(
                    f"The process of {self.tag} died while it computed this answer ({_ending(child)}). It gets a new "
                    "one; what it printed is in its log."
                ) from None
            except Unavailable:
                await self._lost(child)
                if last_try:
                    raise
                last_try = True

    async def _lost(self, child: HostChild | None) -> None:
        """Note that the process is gone, perhaps before the system tells, so that nobody else is sent there."""
        if child is None or self._child is not child:
            return
        child.kill()
        await child.wait(_END_SECONDS)
        if self._child is child:
            self._bury(child)

    async def close(self) -> None:
        """Stop the process."""
        self._closed = True
        if self._watching is not None:
            self._watching.cancel()
        child = self._child
        self._end_child("it was closed")
        if child is not None:
            await child.wait(_END_SECONDS)

    # --- the process ----------------------------------------------------------------------------------

    async def _running(self) -> HostLink:
        """The way to the process, which is started if there is none. Raises Unavailable once it is given up."""
        async with self._starting:
            if self._child is not None and not self._child.alive():
                self._bury(self._child)
            if self._link is not None:
                return self._link
            if self._closed:
                raise Unavailable(f"{self.tag} has stopped; ask again.")
            await self._spawn()
            assert self._link is not None
            if self._watching is None or self._watching.done():
                self._watching = asyncio.create_task(self._watch(), name=f"watch {self.tag}")
            return self._link

    async def _spawn(self) -> None:
        socket = self._data.socket(f"m-{secrets.token_hex(6)}")
        self._data.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        child = await self._spawner.spawn(self._data, socket, self._key, self.log, self._bounds.memory)
        self._child = child
        try:
            await self._listens(child, socket)
            link = HostLink(socket, self._key, heal_seconds=1.0, resend=False, load_seconds=self._bounds.load_seconds)
            await link.load(self.tag)
        except BaseException as error:
            self._child = None
            socket.unlink(missing_ok=True)
            died = not child.alive()
            child.kill()
            await child.wait(_END_SECONDS)
            if died and isinstance(error, Unavailable):
                reason = f"its process ended as it loaded the model ({_ending(child)})"
                raise ModelFailed(f"{self.tag} did not start: {reason}. {self._said()}".strip()) from None
            raise
        self._link, self._socket = link, socket

    async def _listens(self, child: HostChild, socket: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not await asyncio.to_thread(socket.exists):
            if not child.alive():
                raise ModelFailed(f"The process of {self.tag} ended as it started ({_ending(child)}): {self._said()}")
            if time.monotonic() > deadline:
                raise TookTooLong(f"The process of {self.tag} did not start within {START_SECONDS:g} s.")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _watch(self) -> None:
        """Replace a process that died; stop one that nobody asks."""
        while not self._closed:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._child is None:
                continue
            if not self._child.alive():
                try:
                    await self._running()
                except Exception as error:
                    logger.warning("%s did not come back: %s", self.tag, error)
                continue
            await asyncio.to_thread(trim, self.log)
            if self._is_idle():
                logger.info("%s has not been asked for %g s; its process ends", self.tag, self._idle_seconds)
                self._end_child("it was idle")

    def _bury(self, child: HostChild) -> None:
        """Note a death that nobody wanted, and give up after too many."""
        self._deaths += 1
        reason = f"Its process ended ({_ending(child)})"
        logger.warning("%s: %s; %d without an answer between. %s", self.tag, reason, self._deaths, self._said())
        self._end_child(reason)
        if self._deaths < DEATHS:
            return
        self._closed = True
        if self.gave_up is not None:
            self.gave_up(self, f"{reason}, {self._deaths} times without an answer between. {self._said()}".strip())

    def _is_idle(self) -> bool:
        if self._idle_seconds is None or self.in_flight:
            return False
        return time.monotonic() - self._used_at > self._idle_seconds

    def _end_child(self, reason: str) -> None:
        child, link, self._child, self._link = self._child, self._link, None, None
        if link is not None:
            link.close()
        if self._socket is not None:
            self._socket.unlink(missing_ok=True)
            self._socket = None
        if child is not None and child.alive():
            logger.info("ending the process of %s: %s", self.tag, reason)
            child.kill()

    def _said(self) -> str:
        """The end of its log."""
        try:
            return self.log.read_bytes()[-_TAIL:].decode(errors="replace").strip()
        except OSError:
            return ""


def _ending(child: HostChild | None) -> str:
    code = child.exit_code() if child is not None else None
    if code is None:
        return "killed"
    if code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            return f"{name}: {_HINTS[name]}" if name in _HINTS else name
    return f"status {code}"
