"""Each worklet's flow and deployment in Prefect, made when needed and kept up to date."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict

from ..connectors.errors import NotFound, Unavailable, WorkletsError
from ..connectors.prefect_api import PrefectApi
from .graph import GraphDocument
from .outbox import Outbox
from .prefect_shape import JOB_TEMPLATE, WORK_POOL, WORKER_TYPE, deployment_spec

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 2.0
_MOST_GRAPHS = 500
# A version is immutable, but one that isn't in the store yet may come.
_FORGET_MISSING_AFTER_S = 5.0


class Deployments:
    """Knows the deployments' ids and the versions' graphs."""

    def __init__(self, outbox: Outbox, api: PrefectApi) -> None:
        self._outbox = outbox
        self._api = api
        self._ids: dict[str, tuple[str, int]] = {}
        self._graphs: OrderedDict[tuple[str, int], tuple[GraphDocument | None, float]] = OrderedDict()
        self._looked_at = float("-inf")
        self._lock = asyncio.Lock()
        # Versions that Prefect refused; told once, and tried again when a run of theirs comes.
        self._unfit: set[tuple[str, int]] = set()
        self._pool_known = False

    async def refresh(self) -> None:
        """Bring the deployments of worklets with a new live version up to date; looks every few seconds."""
        if time.monotonic() - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        if not self._pool_known:  # before any worklet is there: a worker may be started already
            async with self._lock:
                await self._put_pool()
        for name, version in await asyncio.to_thread(self._outbox.live_worklets):
            known = self._ids.get(name)
            if (known is None or known[1] != version) and (name, version) not in self._unfit:
                try:
                    await self._put(name, version)
                except Unavailable:
                    raise
                except WorkletsError as error:
                    self._unfit.add((name, version))
                    logger.error("Worklet %s version %d can't be shown in Prefect: %s", name, version, error)

    async def id(self, worklet: str, version: int) -> str:
        """The id of the worklet's deployment; it is made, in that version, if Prefect doesn't have it."""
        known = self._ids.get(worklet)
        return known[0] if known else await self._put(worklet, version)

    def forget(self, worklet: str) -> None:
        """Prefect doesn't have the worklet's deployment any more."""
        self._ids.pop(worklet, None)

    def forget_all(self) -> None:
        """Prefect may have none of the deployments any more."""
        self._ids.clear()
        self._pool_known = False
        self._looked_at = float("-inf")

    async def graph(self, worklet: str, version: int) -> GraphDocument | None:
        """The graph of a version; None if the store has none."""
        key = (worklet, version)
        cached = self._graphs.get(key)
        if cached is not None and (cached[0] is not None or time.monotonic() - cached[1] < _FORGET_MISSING_AFTER_S):
            self._graphs.move_to_end(key)
            return cached[0]
        graph = await asyncio.to_thread(self._outbox.graph, worklet, version)
        self._graphs[key] = (graph, time.monotonic())
        while len(self._graphs) > _MOST_GRAPHS:
            self._graphs.popitem(last=False)
        return graph

    async def _put_pool(self) -> None:
        if not self._pool_known:
            described = "Runs of worklets, which the worklets server does with what it has loaded."
            await self._api.put_work_pool(WORK_POOL, WORKER_TYPE, described, JOB_TEMPLATE)
            self._pool_known = True

    async def _put(self, worklet: str, version: int) -> str:
        async with self._lock:
            known = self._ids.get(worklet)
            if known is not None and known[1] == version:
                return known[0]
            await self._put_pool()
            graph = await self.graph(worklet, version)
            try:
                made = await self._api.put_deployment(deployment_spec(worklet, version, graph))
            except Unavailable:
                raise
            except NotFound:  # Prefect has another database by now, without our pool
                self._pool_known = False
                await self._put_pool()
                made = await self._api.put_deployment(deployment_spec(worklet, version, graph))
            except WorkletsError:
                if graph is None:
                    raise
                # A schema that Prefect can't take must not keep the worklet's runs out of it.
                made = await self._api.put_deployment(deployment_spec(worklet, version, None))
            self._ids[worklet] = (made.id, version)
            return made.id
