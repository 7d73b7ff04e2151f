"""Rolling a version out bit by bit: shares of the requests, a shadow, and what a shadow answered otherwise."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from sqlmodel import col, delete, select

from ..connectors.errors import WorkletsError
from ..connectors.store import Store
from ..connectors.tables import Model, ShadowDifference
from .deployer import Deployer
from .records import ModelRecords
from .shadow import Difference, Shadow
from .slots import Prediction
from .traffic import Traffic, TrafficRule, read_rule

logger = logging.getLogger(__name__)

# The newest differences of a model that are kept.
KEPT = 200
SHADOW_TIMEOUT = 60.0


class Rollouts:
    """Sets and shows how the requests of models are shared out.

    Args:
        store: where rules and differences are.
        deployer: brings versions up; it ends a model's rule when another version becomes live.
    """

    def __init__(self, store: Store, deployer: Deployer) -> None:
        self._store = store
        self._deployer = deployer
        self._records: ModelRecords = deployer.records
        self._shadows: dict[str, asyncio.Task[None]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        deployer.rule_ended = self._stop_shadow

    async def restore(self) -> None:
        """Share out as before a restart. A rule whose version does not come up is kept, and tried at the next start."""
        for name, rule in await asyncio.to_thread(self._stored):
            try:
                await self._apply(name, rule)
            except WorkletsError as error:
                logger.error("the requests of %s are not shared out as they were: %s", name, error)

    async def set(self, name: str, given: Any) -> dict[str, Any]:
        """Share a model's requests out; the versions are up and have answered their sample before one gets any.

        Raises:
            BadInput: the rule does not fit; every fault is listed.
            NotFound: no such model or version.
            Conflict, ModelFailed, TookTooLong, Unavailable: a version does not come up; nothing has changed then.
        """
        async with self._locks.setdefault(name, asyncio.Lock()):
            live = (await asyncio.to_thread(self._records.live, name)).version
            rule = read_rule(given, live)
            for version in rule.versions:
                await self._deployer.ensure(name, version)
            await asyncio.to_thread(self._store_rule, name, rule)
            await self._apply(name, rule)
        return await self.show(name)

    async def clear(self, name: str) -> dict[str, Any]:
        """Give all requests back to the live version. Raises NotFound."""
        return await self.set(name, {})

    async def show(self, name: str) -> dict[str, Any]:
        """The rule, what each version has answered, and what the shadow has seen. Raises NotFound."""
        model = await asyncio.to_thread(self._records.model, name)
        router = self._deployer.router
        traffic = router.traffic(name)
        shown = dict(traffic.as_dict()) if traffic is not None else {"split": {}, "shadow": None}
        live = router.live(name)
        slots = {**router.warm(name), **({live.version: live} if live is not None else {})}
        left = 100 - sum(shown["split"].values())
        shares = {model.live_version: left} if model.live_version is not None else {}
        return {
            "model": name,
            "live_version": model.live_version,
            **shown,
            "versions": [
                {
                    "version": version,
                    "percent": {**shares, **shown["split"]}.get(version, 0),
                    "answered": slot.served.answered.count,
                    "failed": sum(slot.served.failed.values()),
                }
                for version, slot in sorted(slots.items())
            ],
        }

    def differences(self, name: str, limit: int = 50) -> list[dict[str, Any]]:
        """What a model's shadow answered otherwise, newest first. Blocking. Raises NotFound."""
        self._records.model(name)
        query = select(ShadowDifference).where(ShadowDifference.model_name == name)
        with self._store.read() as session:
            rows = session.exec(query.order_by(col(ShadowDifference.created_at).desc()).limit(limit)).all()
            return [row.model_dump(mode="json", exclude={"model_name"}) for row in rows]

    # --- inside ---------------------------------------------------------------------------------------

    async def _apply(self, name: str, rule: TrafficRule) -> None:
        for version in rule.versions:
            await self._deployer.ensure(name, version)
        self._stop_shadow(name)
        if not rule:
            self._deployer.router.share(name, None)
            return
        shadow = None
        if rule.shadow is not None:
            shadow = self._shadow(name, rule)
            self._shadows[name] = asyncio.create_task(shadow.run(), name=f"shadow of {name}")
            self._deployer.keep(self._shadows[name])
        self._deployer.router.share(name, Traffic(rule, shadow))

    def _shadow(self, name: str, rule: TrafficRule) -> Shadow:
        assert rule.shadow is not None
        version = rule.shadow.version

        async def ask(inputs: Any) -> Prediction:
            return await self._deployer.router.predict(name, inputs, version, timeout=SHADOW_TIMEOUT)

        def record(difference: Difference) -> None:
            self._keep(name, difference)

        return Shadow(version, ask, record, sample=rule.shadow.sample, tolerance=rule.shadow.tolerance)

    def _stop_shadow(self, name: str) -> None:
        task = self._shadows.pop(name, None)
        if task is not None:
            task.cancel()

    def _keep(self, name: str, difference: Difference) -> None:
        with self._store.session() as session:
            session.add(ShadowDifference(model_name=name, **vars(difference)))
            session.flush()
            newest = (
                select(ShadowDifference.id)
                .where(ShadowDifference.model_name == name)
                .order_by(col(ShadowDifference.created_at).desc())
            )
            kept = list(session.exec(newest.limit(KEPT)))
            if len(kept) == KEPT:
                of_model = col(ShadowDifference.model_name) == name
                session.exec(delete(ShadowDifference).where(of_model, col(ShadowDifference.id).not_in(kept)))

    def _stored(self) -> list[tuple[str, TrafficRule]]:
        with self._store.read() as session:
            rows = session.exec(select(Model)).all()
        return [(row.name, TrafficRule.model_validate(row.traffic)) for row in rows if row.traffic]

    def _store_rule(self, name: str, rule: TrafficRule) -> None:
        self._records.update_model(name, {"traffic": rule.model_dump(mode="json") if rule else None})
