"""The router: which slot answers for a model's name. A swap is one assignment, so that no request falls between."""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ..connectors.errors import NotFound, WorkletsError
from .large_json import is_large
from .signature import Signature
from .slots import InProcessSlot, Prediction, Slot
from .traffic import Traffic

DEFAULT_TIMEOUT = 60.0
# Inputs above these go to a thread even where the model is quick with a row.
_MANY_ROWS = 500
_MANY_VALUES = 20_000
_DRAIN_PAUSE = 0.01

Starter = Callable[[str, "str | None"], Awaitable[Slot]]


class Router:
    """Answers for models by name. Lives on one event loop; nothing here blocks or locks.

    Attributes:
        starter: brings a version up that is asked for and not loaded; the deployer sets it. None refuses such calls.
    """

    def __init__(self) -> None:
        self.starter: Starter | None = None
        self._live: dict[str, Slot] = {}
        self._warm: dict[tuple[str, str], Slot] = {}
        self._traffic: dict[str, Traffic] = {}

    # --- asking ---------------------------------------------------------------------------------------

    def quick(self, name: str, version: str | None = None) -> Callable[[Any], Prediction] | None:
        """The call that may run on the event loop, if the model is loaded here and measured quick.

        Ask anew for each call: a model may turn slow, or another version live. The call raises BadInput, ModelFailed.
        """
        slot = self._live.get(name)
        if version is not None:
            if slot is None or slot.version != version:
                slot = self._warm.get((name, version))
        elif name in self._traffic:
            return self._quick_by_traffic(name, slot)
        if slot is None or (slot.turns is not None and slot.turns.gathering):
            return None
        return slot.quick

    def joined(self, name: str, inputs: Any, version: str | None = None) -> Awaitable[Prediction] | None:
        """The answer of a quick model to calls of this turn of the event loop, while there are many; else None.

        Raises:
            BadInput: the inputs do not fit; said at once.
        """
        slot = self._find(name, version)
        if name in self._traffic or not isinstance(slot, InProcessSlot):
            return None
        if slot.quick is None or slot.turns is None or not slot.turns.gathering or not _small(inputs):
            return None
        return slot.joined(inputs)

    def _quick_by_traffic(self, name: str, live: Slot | None) -> Callable[[Any], Prediction] | None:
        traffic = self._traffic[name]
        slots = {each: self._warm.get((name, each), live) for each in traffic.rule.split}
        if live is None or any(slot is None or slot.quick is None for slot in (live, *slots.values())):
            return None  # drawn once, by `predict`: drawing here and there again would shift the shares
        version = traffic.pick()
        slot = live if version is None else slots[version]
        call = slot.quick if slot is not None else None
        if call is None or traffic.shadow is None:
            return call
        offer = traffic.shadow.offer

        def mirrored(inputs: Any) -> Prediction:
            answer = call(inputs)
            offer(inputs, answer)
            return answer

        return mirrored

    async def predict(
        self, name: str, inputs: Any, version: str | None = None, *, timeout: float | None = None
    ) -> Prediction:
        """The model's answer; by its live version unless `version` is given.

        Raises:
            NotFound: no such model or version.
            BadInput: the inputs do not fit its signature; every fault is listed.
            ModelFailed, TookTooLong, Unavailable.
        """
        traffic = self._traffic.get(name) if version is None else None
        drawn = traffic.pick() if traffic is not None else None
        slot = (
            (self._warm.get((name, drawn)) if drawn is not None else None)
            or self._find(name, version)
            or await self._start(name, version)
        )
        # No await between finding and counting: a slot that counts a call is not closed.
        slot.in_flight += 1
        try:
            quick = slot.quick
            if quick is not None and _small(inputs):
                joined = self.joined(name, inputs, version)
                answer = quick(inputs) if joined is None else await joined
            else:
                answer = await self._ask(slot, inputs, timeout or slot.manifest.serving.timeout or DEFAULT_TIMEOUT)
        finally:
            slot.in_flight -= 1
        if traffic is not None and traffic.shadow is not None:
            traffic.shadow.offer(inputs, answer)
        return answer

    async def _ask(self, slot: Slot, inputs: Any, timeout: float) -> Prediction:
        signature, began = slot.signature, time.perf_counter()
        try:
            in_thread = signature.heavy or is_large(inputs)
            values = await asyncio.to_thread(signature.parse, inputs) if in_thread else signature.parse(inputs)
            outputs = await (slot.batcher or slot).call(values, timeout)
        except WorkletsError as error:
            slot.served.fail(error)
            raise
        took = time.perf_counter() - began
        slot.served.answered.add(took)
        if slot.served.sampler is not None:
            slot.served.sampler.offer(values, outputs, took)
        return Prediction(outputs, slot.name, slot.version)

    def names(self) -> list[str]:
        """The models that are live, by name."""
        return sorted(self._live)

    def signature(self, name: str, version: str | None = None) -> Signature:
        """What a loaded model takes and answers. Raises NotFound."""
        slot = self._find(name, version)
        if slot is None:
            raise self._unknown(name, version)
        return slot.signature

    def live(self, name: str) -> Slot | None:
        """The slot that answers for a name."""
        return self._live.get(name)

    def warm(self, name: str) -> dict[str, Slot]:
        """The loaded slots of other versions, by version."""
        return {version: slot for (of, version), slot in self._warm.items() if of == name}

    def traffic(self, name: str) -> Traffic | None:
        """How a model's requests are shared out; None if the live version has them all."""
        return self._traffic.get(name)

    def slots(self) -> list[Slot]:
        """Every loaded slot."""
        return [*self._live.values(), *self._warm.values()]

    # --- changing (the deployer does) -----------------------------------------------------------------

    def swap(self, name: str, slot: Slot) -> Slot | None:
        """Make `slot` answer from now on; returns the one that did, which stays warm under its version."""
        old = self._live.get(name)
        self._live[name] = slot
        self._warm.pop((name, slot.version), None)
        if old is not None and old is not slot and old.version != slot.version:
            self._warm[name, old.version] = old
        return old if old is not slot else None

    def keep_warm(self, slot: Slot) -> None:
        """Answer for a version that is not live."""
        self._warm[slot.name, slot.version] = slot

    def share(self, name: str, traffic: Traffic | None) -> Traffic | None:
        """Share a model's requests out from now on; returns how they were shared before.

        Its versions are loaded already; one that is dropped later leaves its share to the live one.
        """
        before = self._traffic.pop(name, None)
        if traffic is not None:
            self._traffic[name] = traffic
        return before

    def drop(self, name: str, version: str) -> Slot | None:
        """Answer for a version no longer; returns its slot, for draining and closing."""
        slot = self._live.get(name)
        if slot is not None and slot.version == version:
            return self._live.pop(name)
        return self._warm.pop((name, version), None)

    async def drain(self, slot: Slot, timeout: float = DEFAULT_TIMEOUT) -> bool:
        """Wait until the slot has answered all its calls; False if it still has some after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while slot.in_flight or (slot.turns is not None and slot.turns.waiting):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_DRAIN_PAUSE)
        return True

    def _find(self, name: str, version: str | None) -> Slot | None:
        slot = self._live.get(name)
        if version is None or (slot is not None and slot.version == version):
            return slot
        return self._warm.get((name, version))

    async def _start(self, name: str, version: str | None) -> Slot:
        if self.starter is None:
            raise self._unknown(name, version)
        return await self.starter(name, version)

    def _unknown(self, name: str, version: str | None) -> NotFound:
        if name in self._live:
            return NotFound(f"The model {name} has no version {version!r} loaded; its live version is "
                            f"{self._live[name].version}.")  # fmt: skip
        return NotFound(unknown_model(name, self.names()))


def unknown_model(name: str, known: list[str]) -> str:
    """The message for a model that does not exist, with names that look like it."""
    close = difflib.get_close_matches(name, known, 3)
    hint = f"did you mean {' or '.join(close)}?" if close else "`worklets models list` shows them."
    return f"There is no model {name[:64]!r}; {hint}"


def _small(inputs: Any) -> bool:
    if type(inputs) is dict and len(inputs) == 1:
        (inputs,) = inputs.values()
    size = getattr(inputs, "size", None)
    if isinstance(size, int):
        return size <= _MANY_VALUES
    return not isinstance(inputs, list | tuple | dict) or len(inputs) <= _MANY_ROWS
