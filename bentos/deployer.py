"""From a package to a live model: save, start, probe, swap, drain. What fails on the way leaves the old one serving."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from ..connectors.errors import Conflict, DefinitionError, Unavailable, WorkletsError
from ..connectors.layout import DataDirectory
from ..connectors.store import Store
from ..connectors.tables import ModelVersion
from .artifacts import ArtifactStore, prepare_bentoml
from .batching import Batcher, judge
from .bounds import UNBOUND, Bounds
from .environments import Environments
from .failures import model_failed
from .host_link import HostLink, HostSlot
from .host_watch import watch_host
from .intake import Intake
from .manifest import SAMPLE_FILE
from .own_host import OwnHostSlot
from .places import IDLE_SECONDS, Places
from .records import ModelRecords
from .router import Router
from .slots import InProcessSlot, Slot
from .tiers import IN_PROCESS_LIMIT, ISOLATED
from .turns import Turns
from .wire import decode
from .zoo import Weights, ZooEntry

logger = logging.getLogger(__name__)


class Deployer:
    """Brings versions up and down. Lives on one event loop, the router's.

    Args:
        store: where models and versions are recorded.
        data: where packages and the host's socket are.
        router: who asks the slots.
        internal_key: the secret that the shared host knows this process by.
        in_process_limit: packages over so many bytes go to the shared host.
        link: the way to the shared host; its socket in `data` if None.
        weights: where the zoo finds its files; fetched into `data` if None.
        environments: makes environments of models' own; below `data` if None.
        idle_seconds: the process of a model with its own environment is stopped after so long without a call.
        bounds: what a model may take.
    """

    def __init__(
        self,
        store: Store,
        data: DataDirectory,
        router: Router,
        *,
        internal_key: str = "",
        in_process_limit: int = IN_PROCESS_LIMIT,
        link: HostLink | None = None,
        weights: Weights | None = None,
        environments: Environments | None = None,
        idle_seconds: float | None = IDLE_SECONDS,
        bounds: Bounds = UNBOUND,
    ) -> None:
        self.records = ModelRecords(store)
        self.artifacts = ArtifactStore(data)
        self.router = router
        self._data = data
        self._weights = weights or Weights(data.weights)
        self._intake = Intake(data, self.records, self.artifacts, in_process_limit)
        self._bounds = bounds
        self._link = link or HostLink(data.socket("host"), internal_key, load_seconds=bounds.load_seconds)
        self.environments = environments or Environments(data.environments)
        self._places = Places(
            data, internal_key, self._link, self.environments, idle_seconds, self._gave_up, self._move_out, bounds
        )
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        # Told the model's name when its traffic rule ends because another version has become live.
        self.rule_ended: Callable[[str], None] = lambda name: None

    # --- life -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take over after a restart and begin to watch the host. `load_all` brings the models up."""
        prepare_bentoml(self._data)
        await asyncio.to_thread(self.records.settle_after_restart)
        self.router.starter = self.ensure
        self.spawn(watch_host(self._link, self._in_host, self._move_out))

    async def stop(self) -> None:
        """Stop deploying and let go of the models of this process. Those in the host stay loaded."""
        self.router.starter = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for slot in self.router.slots():
            if not isinstance(slot, HostSlot):
                await slot.close()
        self._link.close()

    async def load_all(self) -> None:
        """Bring every live version up. One that fails is logged and tried again when it is asked for."""
        rows = await asyncio.to_thread(self.records.all_live)
        await asyncio.gather(*(self._load_one(row) for row in rows))

    async def _load_one(self, row: ModelVersion) -> None:
        try:
            await self.ensure(row.model_name, None)
        except WorkletsError as error:
            logger.error("%s %s did not come up: %s", row.model_name, row.version, error)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something until it ends or the deployer stops."""
        self.keep(asyncio.get_running_loop().create_task(work))

    def keep(self, task: asyncio.Task[Any]) -> None:
        """End a task with the deployer."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- deploying ------------------------------------------------------------------------------------

    async def deploy(
        self,
        package: Path,
        *,
        name: str | None = None,
        version: str | None = None,
        tier: str = "auto",
        created_by: str | None = None,
    ) -> ModelVersion:
        """Make a package (a folder or a .tar.gz) the live version of its model, and return that version.

        A package that equals an earlier version (and asks for no version of its own) makes that one live again.

        Args:
            name: the model's name, if not the one packed.
            version: the version, if not the one packed; the next patch number if there is neither.
            tier: `auto`, `in-process` or `shared-host`.
            created_by: the principal's id.

        Raises:
            BadInput: it is no whole package, or a name, version or tier is not allowed.
            Conflict: the version exists.
            DefinitionError: it failed to start or its probe; the version is marked failed, and the old one serves on.
        """
        row = await self.receive(package, name=name, version=version, tier=tier, created_by=created_by)
        return await self.bring_live(row)

    async def deploy_entry(
        self, entry: ZooEntry, *, name: str | None = None, tier: str = "auto", created_by: str | None = None
    ) -> ModelVersion:
        """Package and deploy an entry of the zoo. Raises SetupError, and what `deploy` raises."""
        folder = await asyncio.to_thread(entry.package, self._weights)
        try:
            return await self.deploy(folder, name=name, tier=tier, created_by=created_by)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def receive(
        self,
        package: Path,
        *,
        name: str | None = None,
        version: str | None = None,
        tier: str = "auto",
        created_by: str | None = None,
    ) -> ModelVersion:
        """Check and save a package; `bring_live` does the rest. Raises BadInput, Conflict."""
        return await self._intake.receive(package, name, version, tier, created_by)

    async def bring_live(self, row: ModelVersion) -> ModelVersion:
        """Start, probe and swap. Raises DefinitionError, Unavailable; the version is then marked failed."""
        async with self._lock(row.model_name):
            old = self.router.live(row.model_name)
            try:
                slot = await self._started(row)
            except WorkletsError as error:
                raise await self._failed(row, error, old) from error
            return await self._make_live(row, slot)

    async def _started(self, row: ModelVersion) -> Slot:
        """A slot that has answered the sample; one that is loaded already is taken as it is. Raises WorkletsError."""
        loaded = self._loaded(row)
        if loaded is not None:
            return loaded
        is_new = row.status in ("packaged", "failed")
        row = await self._update(row, status="starting", error=None)
        if is_new:
            await self._places.try_alone(row)
        slot = await self._slot(row)  # may take minutes: an environment may have to be made
        try:
            await slot.start()
            answer = await slot.probe(self._bounds.probe_seconds)
            if answer is not None:
                slot.signature.dump(answer)  # what cannot be sent to a caller is no answer
                slot.signature = slot.signature.with_outputs_of(answer)
            batching = await self._batched(row, slot)
        except BaseException as error:
            await slot.close()
            if isinstance(error, Exception):
                raise model_failed(row.bento_tag, error) from error
            raise
        signature = slot.signature.model_dump(mode="json")
        described = {**row.manifest, "signature": signature, "batching": batching}
        await self._update(row, status="probed", manifest=described)
        return slot

    async def _batched(self, row: ModelVersion, slot: Slot) -> dict[str, Any]:
        """Have the slot's calls put together, if that is wanted and right; says whether, and why."""
        path = await asyncio.to_thread(self.artifacts.folder, row.bento_tag) / SAMPLE_FILE
        sample = await asyncio.to_thread(lambda: decode(path.read_bytes()) if path.exists() else None)
        wanted = slot.manifest.serving.batch
        here = slot if isinstance(slot, InProcessSlot) else None
        # What a quick model saves is less than the way to a thread and back, so that it is tried without.
        call = here.call_here if here is not None and here.quick is not None else slot.call
        verdict = await judge(wanted, slot.signature, sample, call)
        if verdict.rule is not None:
            slot.batcher = Batcher(row.bento_tag, slot.call, verdict.rule)
            slot.turns = Turns(here, verdict.rule) if here is not None else None
        return {"max_size": verdict.rule.max_size if verdict.rule else None, "reason": verdict.reason}

    async def _slot(self, row: ModelVersion) -> Slot:
        folder = await asyncio.to_thread(self.artifacts.folder, row.bento_tag)
        return await self._places.slot(row, folder)

    def _gave_up(self, slot: OwnHostSlot, reason: str) -> None:
        self.spawn(self._replace_failed(slot, reason))

    async def _replace_failed(self, slot: Slot, reason: str) -> None:
        """Mark a version failed whose process will not stay, and let the one before it answer, if there is one."""
        async with self._lock(slot.name):
            was_live = self.router.live(slot.name) is slot
            if was_live or self.router.warm(slot.name).get(slot.version) is slot:
                self.router.drop(slot.name, slot.version)
            await slot.close()
            logger.error("%s %s is given up: %s", slot.name, slot.version, reason)
            row = await asyncio.to_thread(self.records.version, slot.name, slot.version)
            await self._update(row, status="failed", error=reason)
        if was_live:
            try:
                back = await self.rollback(slot.name)
                logger.error("%s: %s answers again", slot.name, back.version)
            except WorkletsError as error:
                logger.error("%s has no version that can answer in its place: %s", slot.name, error)

    async def _move_out(self, slot: HostSlot) -> Slot | None:
        """Give a version whose calls bring the shared host down a process of its own, for good. Raises WorkletsError.

        Another model whose calls were in the host both times is moved as well: it is answered there, and nobody
        but itself can end its process any more. One that does not start there either is given up, and the version
        before it answers. One that is not answering yet, or no longer, is left to whoever deploys it: None.
        """
        if all((slot.name, slot.version) != (other.name, other.version) for other in self.router.slots()):
            return None  # before the lock: a deployment that tries the model holds it
        async with self._lock(slot.name):
            row = await asyncio.to_thread(self.records.version, slot.name, slot.version)
            loaded = self._loaded(row)
            if loaded is not slot:
                return loaded
            logger.error("%s has a process of its own from now on: the model host died twice under it", slot.tag)
            await self._update(row, tier=ISOLATED, tier_reason="the model host died twice while it loaded or computed")
            own = self._places.isolated(slot.tag, slot.manifest)
            own.signature, own.served = slot.signature, slot.served
            if isinstance(slot.batcher, Batcher):
                own.batcher = Batcher(slot.tag, own.call, slot.batcher.rule)
            try:
                await own.start()
            except WorkletsError as error:
                await own.close()
                self.spawn(self._replace_failed(slot, error.detail))
                raise
            if self.router.live(slot.name) is slot:
                self.router.swap(slot.name, own)
            else:
                self.router.keep_warm(own)
        self.spawn(self._leave(slot))
        return own

    async def _leave(self, slot: HostSlot) -> None:
        await self.router.drain(slot)
        await slot.close()

    async def bring_warm(self, row: ModelVersion) -> ModelVersion:
        """Start and probe a version that is to answer by its own name only. Raises what `bring_live` raises."""
        async with self._lock(row.model_name):
            try:
                slot = await self._started(row)
            except WorkletsError as error:
                raise await self._failed(row, error, self.router.live(row.model_name)) from error
            if self.router.live(row.model_name) is slot:
                return row
            self.router.keep_warm(slot)
            return await self._update(row, status="warm", error=None)

    async def _make_live(self, row: ModelVersion, slot: Slot) -> ModelVersion:
        before = self.router.live(row.model_name)
        await asyncio.to_thread(self.records.set_live, row.model_name, row.version)
        if before is None or before.version != row.version:
            # What was shared out was shared with the version before: that is decided now.
            self.router.share(row.model_name, None)
            self.rule_ended(row.model_name)
        old = self.router.swap(row.model_name, slot)
        others = [other for other in self.router.warm(row.model_name).values() if other is not old]
        self.spawn(self._retire(old, others))
        return await asyncio.to_thread(self.records.version, row.model_name, row.version)

    async def _retire(self, old: Slot | None, others: list[Slot]) -> None:
        """Let the slot that was live drain and stay warm, for a quick way back; the ones before it end."""
        if old is not None and old.version in self.router.warm(old.name):
            await self.router.drain(old)
            await asyncio.to_thread(self.records.drained, old.name, old.version)
        for slot in others:
            if self.router.warm(slot.name).get(slot.version) is slot:
                self.router.drop(slot.name, slot.version)
                await self._end(slot)

    async def _end(self, slot: Slot, status: str = "stopped") -> None:
        if not await self.router.drain(slot):
            logger.warning("%s %s still has calls; it is closed under them", slot.name, slot.version)
        await slot.close()
        await self._set_status(slot, status)

    async def _failed(self, row: ModelVersion, error: WorkletsError, old: Slot | None) -> WorkletsError:
        reason = str(error)
        await self._update(row, status="failed", error=reason)
        serving = f"{old.version} still answers" if old is not None else "no version answers"
        message = f"{row.model_name} {row.version} did not become live, and {serving}. The reason: {error.detail}"
        kind = Unavailable if isinstance(error, Unavailable) else DefinitionError
        return kind(message, faults=error.faults)

    # --- changing what is live ------------------------------------------------------------------------

    async def promote(self, name: str, version: str) -> ModelVersion:
        """Make a version live. Raises NotFound, DefinitionError, Unavailable."""
        row = await asyncio.to_thread(self.records.version, name, version)
        return await self.bring_live(row)

    async def rollback(self, name: str) -> ModelVersion:
        """Make the version before the live one live. Raises NotFound, Conflict, DefinitionError."""
        return await self.promote(name, (await asyncio.to_thread(self.records.before_live, name)).version)

    async def delete(self, name: str) -> None:
        """Delete a model with all its versions and packages. Calls in flight are answered first. Raises NotFound."""
        async with self._lock(name):
            tags = await asyncio.to_thread(self.records.delete_model, name)
            live = self.router.live(name)
            loaded = [*self.router.warm(name).values(), *([live] if live else [])]
            for slot in loaded:
                self.router.drop(name, slot.version)
            for slot in loaded:
                await self.router.drain(slot)
                await slot.close()
            for tag in tags:
                await asyncio.to_thread(self.artifacts.delete, tag)

    async def ensure(self, name: str, version: str | None) -> Slot:
        """The slot of a version (the live one if None), brought up if it is not loaded.

        Raises:
            NotFound: there is none. Conflict: that version failed or is on its way.
            ModelFailed, TookTooLong, Unavailable: it did not start.
        """
        async with self._lock(name):
            records = self.records
            find = records.live if version is None else records.version
            row = await asyncio.to_thread(find, *((name,) if version is None else (name, version)))
            loaded = self._loaded(row)
            if loaded is not None:
                return loaded
            if version is not None and row.status in ("failed", "packaged", "starting"):
                raise Conflict(f"{name} {version} is {row.status}" + (f": {row.error}" if row.error else "") + ".")
            is_live = row.status == "live" or version is None
            try:
                slot = await self._started(row)
            except WorkletsError as error:
                # A live version is tried again whenever it is asked for.
                await self._update(row, status="failed" if is_live else "stopped", error=str(error))
                raise
            if is_live:
                self.router.swap(name, slot)
                await self._update(row, status="live", error=None)
            else:
                self.router.keep_warm(slot)
                await self._update(row, status="warm")
            return slot

    # --- small ones -----------------------------------------------------------------------------------

    def _loaded(self, row: ModelVersion) -> Slot | None:
        live = self.router.live(row.model_name)
        if live is not None and live.version == row.version:
            return live
        return self.router.warm(row.model_name).get(row.version)

    def _in_host(self) -> list[HostSlot]:
        return [slot for slot in self.router.slots() if isinstance(slot, HostSlot)]

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    async def _update(self, row: ModelVersion, **changes: Any) -> ModelVersion:
        return await asyncio.to_thread(self.records.update_version, row.id, **changes)

    async def _set_status(self, slot: Slot, status: str) -> None:
        try:
            row = await asyncio.to_thread(self.records.version, slot.name, slot.version)
            await self._update(row, status=status)
        except WorkletsError:  # deleted meanwhile
            return
