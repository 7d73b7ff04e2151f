"""A loaded model with its threads, wherever it is: what the slots in the app and the services in the host share."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..connectors.errors import DefinitionError, TookTooLong, WorkletsError
from .failures import model_failed, too_long
from .frameworks import Loaded, framework_named
from .manifest import SAMPLE_FILE, Manifest, read_manifest
from .model_log import ModelLog, speaking
from .signature import Values
from .threads import ModelThreads
from .wire import decode

logger = logging.getLogger(__name__)


class HostedModel:
    """A model in memory. Its calls run in threads of its own.

    Args:
        tag: `name:version`.
        folder: its package.
        limit: how many of its calls may compute at once, unless the package says.
        log: keeps what it prints and raises; None leaves that to the process's own output.
    """

    def __init__(self, tag: str, folder: Path, *, limit: int, log: ModelLog | None = None) -> None:
        self.tag = tag
        self.folder = folder
        self.log = log
        self.manifest: Manifest = read_manifest(folder)
        self._threads = ModelThreads(tag, self.manifest.serving.max_concurrency or limit)
        self._loaded: Loaded | None = None

    @property
    def loaded(self) -> Loaded:
        """The model. Raises RuntimeError before `load`."""
        if self._loaded is None:
            raise RuntimeError(f"{self.tag} is not loaded yet")
        return self._loaded

    async def load(self, timeout: float) -> None:
        """Bring it into memory. Raises ModelFailed, TookTooLong."""

        def load() -> Loaded:
            return framework_named(self.manifest.framework).load(self.folder, self.manifest)

        try:
            self._loaded = await self.in_thread(load, timeout)
        except TookTooLong:
            raise TookTooLong(
                f"The model {self.tag} did not load within {timeout:g} s. If it needs longer, set "
                "WORKLETS_MODEL_LOAD_SECONDS; if it waits for something, end that."
            ) from None

    async def predict(self, values: Mapping[str, Any], timeout: float) -> Any:
        """Its answer. Raises ModelFailed, TookTooLong, and BadInput where the model itself refuses the input."""
        loaded = self.loaded
        return await self.in_thread(lambda: loaded.predict(values), timeout)

    async def sample(self, timeout: float) -> Values | None:
        """Values to try it with: the packed sample, or the model's own; None if there is neither."""
        values: Values | None = await self.in_thread(self._sample, timeout)
        return values

    async def in_thread(self, call: Callable[[], Any], timeout: float) -> Any:
        """Run in one of the model's threads. Raises ModelFailed for what it raises, TookTooLong."""
        try:
            async with asyncio.timeout(timeout) as deadline:
                return await self._threads.run(call if self.log is None else functools.partial(self._heard, call))
        except TimeoutError as error:
            if deadline.expired():  # else it is the model's own
                raise too_long(self.tag, timeout) from None
            raise model_failed(self.tag, error) from error
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a model may raise SystemExit
            self.note(error)
            raise model_failed(self.tag, error) from error

    def note(self, error: BaseException) -> None:
        """Keep the traceback of what the model raised, for whoever wrote it."""
        if isinstance(error, WorkletsError):  # it says all there is to say to the caller
            return
        if self.log is not None:
            self.log.failed(error)
        else:
            logger.error("%s raised", self.tag, exc_info=error)

    def _heard(self, call: Callable[[], Any]) -> Any:
        speaking.log = self.log
        try:
            return call()
        finally:
            speaking.log = None

    def is_outdated(self) -> bool:
        """Whether another package lies under the tag now: the model was deleted and deployed anew."""
        return read_manifest(self.folder).content_hash != self.manifest.content_hash

    def close(self) -> None:
        """Let go of the model; calls that have begun still end."""
        self._threads.close()

    def _sample(self) -> Values | None:
        path = self.folder / SAMPLE_FILE
        if path.exists():
            values: Values = decode(path.read_bytes())
            return values
        own = self.loaded.sample()
        if own is None:
            return None
        if not isinstance(own, Mapping):
            raise DefinitionError(f"sample() of {self.tag} gave a {type(own).__name__}; give a dict of inputs.")
        return self.manifest.signature.parse(own)
