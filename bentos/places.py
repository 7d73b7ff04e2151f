"""Where a version's slot is: which kind of slot each tier has, and what it is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from ..connectors.layout import DataDirectory
from ..connectors.tables import ModelVersion
from .bounds import Bounds
from .environments import Environments
from .host_link import HostLink, HostSlot
from .hosted import HostedModel
from .manifest import Manifest
from .model_log import ModelLog, log_path
from .own_host import OwnHostSlot
from .slots import InProcessSlot, Slot
from .spawning import CommandSpawner, ForkSpawner
from .tiers import IN_PROCESS, ISOLATED, OWN_ENVIRONMENT, SHARED_HOST

IDLE_SECONDS = 900.0
CUSTOM = "custom"
_IN_PROCESS_THREADS = 2


class Places:
    """Makes slots; starting them is the deployer's.

    Args:
        data: the instance's data directory.
        key: the instance's internal key.
        link: the way to the shared host.
        environments: makes environments of models' own.
        idle_seconds: the process of a model with its own environment is stopped after so long without a call.
        gave_up: told when a process of a model's own has died again and again.
        move_out: gives a model that brings the shared host down a process of its own.
        bounds: what a model may take.
    """

    def __init__(
        self,
        data: DataDirectory,
        key: str,
        link: HostLink,
        environments: Environments,
        idle_seconds: float | None,
        gave_up: Callable[[OwnHostSlot, str], None],
        move_out: Callable[[HostSlot], Awaitable[Slot | None]],
        bounds: Bounds,
    ) -> None:
        self._data = data
        self._key = key
        self._link = link
        self._environments = environments
        self._idle_seconds = idle_seconds
        self._gave_up = gave_up
        self._move_out = move_out
        self._bounds = bounds
        self._forks: ForkSpawner | None = None

    async def slot(self, row: ModelVersion, folder: Path) -> Slot:
        """The slot for a version whose package lies in `folder`. Raises DefinitionError for a failed environment."""
        manifest = Manifest.model_validate(row.manifest)
        if row.tier == IN_PROCESS:
            log = ModelLog(log_path(self._data.logs, row.model_name, row.version))
            return InProcessSlot(
                HostedModel(row.bento_tag, folder, limit=_IN_PROCESS_THREADS, log=log),
                load_seconds=self._bounds.load_seconds,
            )
        if row.tier == ISOLATED:
            return self.isolated(row.bento_tag, manifest)
        if row.tier == OWN_ENVIRONMENT:
            return await self._with_environment(row.bento_tag, manifest)
        return HostSlot(row.bento_tag, manifest, self._link, self._move_out)

    def isolated(self, tag: str, manifest: Manifest) -> OwnHostSlot:
        """The slot of a process of the model's own."""
        self._forks = self._forks or ForkSpawner()
        return OwnHostSlot(
            tag, manifest, ISOLATED, self._forks, self._data, self._key, bounds=self._bounds, gave_up=self._gave_up
        )

    async def try_alone(self, row: ModelVersion) -> None:
        """Load a version and have it answer its sample in a process of its own, before it enters one that it shares.

        Only code of the user's own: what ends its process, fills the memory or never returns as it loads, does so
        there. Raises ModelFailed, TookTooLong, Unavailable.
        """
        manifest = Manifest.model_validate(row.manifest)
        if row.tier not in (IN_PROCESS, SHARED_HOST) or manifest.framework != CUSTOM:
            return
        slot = self.isolated(row.bento_tag, manifest)
        try:
            await slot.start()
            await slot.probe(self._bounds.probe_seconds)
        finally:
            await slot.close()

    async def _with_environment(self, tag: str, manifest: Manifest) -> Slot:
        requirements = manifest.serving.requirements
        # Now, so that a failed install fails the version with the installer's words.
        await self._environments.ensure(requirements)

        async def python() -> Path:
            return (await self._environments.ensure(requirements)).python

        return OwnHostSlot(
            tag, manifest, OWN_ENVIRONMENT, CommandSpawner(python), self._data, self._key,
            bounds=self._bounds, idle_seconds=self._idle_seconds, gave_up=self._gave_up,
        )  # fmt: skip
