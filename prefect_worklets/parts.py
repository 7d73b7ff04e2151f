"""The parts of the HTTP app: made once from the settings, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sqlmodel import Session

from .bentos.bounds import Bounds
from .bentos.deployer import Deployer
from .bentos.drift_watch import DriftWatch
from .bentos.monitoring import SampleBook
from .bentos.pulse import Pulse
from .bentos.rollout import Rollouts
from .bentos.router import Router
from .bentos.zoo import Weights
from .connectors.access import Access
from .connectors.blanking import Blanks, blanked_output
from .connectors.egress import Egress
from .connectors.files import FileStore
from .connectors.images import ImageLoader
from .connectors.meters import Meters
from .connectors.outgoing import Outgoing
from .connectors.passwords import Passwords
from .connectors.secret import derived_key
from .connectors.secrets import Secrets, secrets_cipher
from .connectors.shares import Shares
from .connectors.store import Store
from .connectors.web import Guard
from .flows.callbacks import Callbacks
from .flows.calling import WorkletCalls
from .flows.changes import Changes
from .flows.checkpoints import Checkpoints
from .flows.context import Services
from .flows.dask_items import DaskItems
from .flows.editing import Edits
from .flows.engine import LATER_SECONDS, Engine
from .flows.journal import Journal
from .flows.later import LaterRuns
from .flows.observing import kept_lines
from .flows.project_hosts import ProjectHosts
from .flows.recent import RecentRuns
from .flows.registry import Registry
from .flows.remote_calls import CallAnswers
from .flows.reviews import Reviews
from .flows.run_nodes import RunNodes
from .flows.schedules import Schedules
from .flows.submitted import SubmittedRuns
from .flows.trying import NodeTrial
from .flows.versions import WorkletVersions
from .panel_views.checks import parse
from .panel_views.custom import push_in
from .panel_views.frames import FrameOrigins
from .panel_views.publishing import publish_in
from .settings import Settings

logger = logging.getLogger(__name__)


class Parts:
    """Everything that the routes need. Making it opens nothing but the store's engine."""

    def __init__(self, settings: Settings) -> None:
        data = settings.data.prepare()
        internal_key = settings.internal_key.get_secret_value() if settings.internal_key else None
        self.settings = settings
        self.data = data
        self.store = Store(settings.store_url)
        key = settings.secrets_key.get_secret_value() if settings.secrets_key else None
        self.secrets = Secrets(self.store, secrets_cipher(data, key))
        self.blanks = Blanks(lambda: self.secrets.values)
        self.access = Access(self.store, internal_key)
        self.passwords = Passwords(self.store, self.access)
        self.shares = Shares(self.store, derived_key(data, "shares"), self.passwords)
        self.guard = Guard(self.access, self.shares)
        self.files = FileStore(self.store, data.files)
        self.egress = Egress(allow_private=settings.allow_private)
        self.images = ImageLoader(self.files, self.egress)
        self.router = Router()
        self.pulse = Pulse(self.router)
        self.samples = SampleBook(self.store, self.router)
        weights = Weights(data.weights, settings.zoo_mirror)
        self.deployer = Deployer(
            self.store,
            data,
            self.router,
            internal_key=internal_key or "",
            weights=weights,
            idle_seconds=settings.idle_seconds,
            bounds=Bounds(settings.model_load_seconds, settings.model_memory),
        )
        self.drift = DriftWatch(self.store, self.deployer.records, self.deployer.artifacts)
        self.outgoing = Outgoing(self.egress, settings.http_hosts)
        self.rollouts = Rollouts(self.store, self.deployer)
        self.hosts = ProjectHosts(
            data, self.deployer.environments, self.router,
            idle_seconds=settings.idle_seconds, options=_host_options(settings),
            variables={"WORKLETS_DATABASE_URL": settings.store_url},
        )  # fmt: skip
        self.frames = FrameOrigins(settings.frame_origins)
        self.registry = Registry(
            self.store, data.projects, partial(take_views, self.frames), self.hosts, take_components
        )
        self.journal = Journal(data.journal, blanks=self.blanks)
        self.recent = RecentRuns(blanks=self.blanks)
        self.run_meters: Meters[tuple[str, str]] = Meters()
        self.reviews = Reviews(self.store, blanks=self.blanks)
        self.dask = DaskItems(settings.dask_address, workers=settings.dask_workers, folder=data.dask)
        services = Services(
            models=self.router, store=self.store, files=self.files, images=self.images, outgoing=self.outgoing,
            secrets=self.secrets, calls=WorkletCalls(self.registry, self.journal, self.recent, self.run_meters),
            reviews=self.reviews, elsewhere=self.dask,
        )  # fmt: skip
        self.engine = Engine(services=services, threads=settings.threads, timeout=settings.timeout)
        self.queue = SubmittedRuns(self.store)
        self.checkpoints = Checkpoints(data.results)
        # Of its own: runs that nobody waits for take no thread from those that somebody does.
        self.later_engine = Engine(services=services, threads=settings.threads, timeout=LATER_SECONDS)
        self.hosts.calls = CallAnswers(self.engine, self.later_engine, self.checkpoints)
        self.changes = Changes()
        self.later = LaterRuns(
            self.queue, self.registry, self.later_engine, self.checkpoints, self.journal, self.recent,
            at_once=settings.runs_at_once, meters=self.run_meters, changes=self.changes,
        )  # fmt: skip
        self.reviews.woken = self.later.wake
        self.versions = WorkletVersions(self.store, data.projects)
        self.edits = Edits(self.store, self.registry, self.versions)
        self.node_trial = NodeTrial(self.edits, self.engine, self.blanks, self.hosts)
        self.run_nodes = RunNodes(self.store, self.versions, self.recent, self.later.details, self.blanks)
        self.callbacks = Callbacks(self.store, self.outgoing, bytes.fromhex(derived_key(data, "callbacks").decode()))
        self.schedules = Schedules(
            self.store, self.registry, self.queue, catch_up=settings.catch_up, submitted=self.later.wake
        )
        # True once the models and worklets that were live before are live again.
        self.ready = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start what runs beside the requests, and stop it afterwards."""
        await asyncio.to_thread(self.store.migrate)
        await asyncio.to_thread(self.secrets.refresh)
        await asyncio.to_thread(self.files.sweep)
        await self.deployer.start()
        self.hosts.start()
        self.registry.starting = True
        background = [asyncio.create_task(self._load_and_work(), name="load, then work")]
        background.append(asyncio.create_task(self.registry.watch(), name="watch registry"))
        background.append(asyncio.create_task(self.secrets.watch(), name="watch secrets"))
        background.append(asyncio.create_task(self.pulse.run(), name="pulse of models"))
        background.append(asyncio.create_task(self.samples.run(), name="samples of models"))
        background.append(asyncio.create_task(self.drift.run(), name="drift of models"))
        try:
            with blanked_output(self.blanks), kept_lines():
                yield
        finally:
            for task in background:
                task.cancel()
            for task in background:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await self.hosts.stop()
            await self.deployer.stop()
            await self.outgoing.close()
            self.engine.close()
            self.later_engine.close()
            await asyncio.to_thread(self.dask.close)
            self.journal.close()
            self.store.close()

    async def _load_and_work(self) -> None:
        await self._load()
        # Not before: a schedule whose worklet is not loaded looks like one whose worklet is gone.
        await asyncio.gather(self.later.run(), self.schedules.run(), self.reviews.watch(), self.callbacks.run())

    async def _load(self) -> None:
        """Worklets first: one whose model is still coming up says so by itself."""
        try:
            try:
                await asyncio.to_thread(self.registry.load_all)
            finally:
                self.registry.starting = False
            await self.deployer.load_all()
            await self.rollouts.restore()
        except Exception:
            logger.exception("not everything that was live could be loaded; see `worklets doctor`")
        # What is loaded by now lives as long as the process: a collection need not look at it again, which would
        # hold up a request for tens of milliseconds.
        gc.collect()
        gc.freeze()
        self.ready = True


def _host_options(settings: Settings) -> list[str]:
    options = ["--threads", str(settings.threads), "--timeout", str(settings.timeout)]
    options += [f"--dask-address={settings.dask_address}"] if settings.dask_address else []
    options += [f"--dask-workers={settings.dask_workers}"] if settings.dask_workers else []
    options += [f"--allow-private={each}" for each in settings.allow_private]
    return [*options, *(f"--http-host={each}" for each in settings.http_hosts)]


def take_views(frames: FrameOrigins, session: Session, documents: Mapping[str, dict[str, Any]], by: str | None) -> None:
    """Publish a push's views in the push's own transaction. Raises DefinitionError."""
    for given in documents.values():
        document = parse(given)
        frames.check(document)
        publish_in(session, document, by, by_name="a push", source="project")


def take_components(session: Session, components: Mapping[str, dict[str, Any]], by: str | None) -> None:
    """Push the components of a project's views in the push's own transaction. Raises DefinitionError."""
    # Always in the same order: two pushes of the same ones then wait for each other, and never both at once.
    for name in sorted(components):
        push_in(session, components[name], by, "a push")
