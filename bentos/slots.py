"""Slots: where a version of a model answers. The router speaks to them and knows nothing else of models."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..connectors.errors import BadInput
from ..connectors.meters import Meter
from .bounds import LOAD_SECONDS
from .failures import model_failed
from .hosted import HostedModel
from .manifest import Manifest
from .model_log import speaking
from .signature import Signature
from .threads import use_one_native_thread

if TYPE_CHECKING:
    from .batching import Batcher
    from .turns import Turns

# On the event loop below this; off it above. Between them a slot stays where it is.
QUICK_NS = 300_000
SLOW_NS = 500_000
# One call counts for at most this much, so that a single pause (garbage collection) moves nothing.
_CAP_NS = 2_000_000
# A call that takes longer than this without computing waits for something, or for its turn on a busy machine.
# The one does it nearly every time, the other now and then: more than this share of the calls is the one.
_WAITS_NS = 20_000_000
_WAITS_SHARE = 0.3
_WEIGHT = 0.1
# Asking for a thread's computing time is a system call. So it is asked only for the calls after one that took long.
_WATCHED_CALLS = 64


class Prediction(NamedTuple):
    """A model's answer and who gave it."""

    outputs: Any
    model: str
    version: str


class Offered(Protocol):
    """Takes what was asked and answered, or lets it pass. Never raises and never waits."""

    pause: float

    def offer(self, values: Mapping[str, Any], outputs: Any, seconds: float) -> None:
        """A call with an answer."""
        ...


class Served:
    """What a slot has answered since it was loaded.

    Attributes:
        answered: the calls that have an answer, by how long they took.
        failed: the calls that ended otherwise, by the name of what they raised.
        sampler: is offered what was asked and answered; None where nobody keeps samples.
    """

    __slots__ = ("answered", "failed", "sampler")

    def __init__(self) -> None:
        self.answered = Meter()
        self.failed: dict[str, int] = {}
        self.sampler: Offered | None = None

    def fail(self, error: BaseException) -> None:
        """Count a call that raised."""
        name = type(error).__name__
        self.failed[name] = self.failed.get(name, 0) + 1


class Slot(Protocol):
    """A loaded version of a model.

    Attributes:
        in_flight: calls that have not been answered; a slot is closed at zero.
        quick: the call for the event loop, or None where it belongs elsewhere. Ask anew for each call.
        served: what it has answered.
        batcher: puts its calls together; None where each goes alone.
        turns: does it for calls on the event loop.
    """

    name: str
    version: str
    tier: str
    manifest: Manifest
    signature: Signature
    in_flight: int
    quick: Callable[[Any], Prediction] | None
    served: Served
    batcher: Batcher | None
    turns: Turns | None

    async def start(self) -> None:
        """Load the model. Raises ModelFailed, TookTooLong, Unavailable."""
        ...

    async def probe(self, timeout: float) -> Any:
        """Its answer to its sample; None if it has no sample. Raises ModelFailed, TookTooLong, Unavailable."""
        ...

    async def call(self, values: Mapping[str, Any], timeout: float) -> Any:
        """Its answer to values that `signature.parse` gave. Raises ModelFailed, TookTooLong, Unavailable."""
        ...

    async def close(self) -> None:
        """Unload."""
        ...


class InProcessSlot:
    """A model in the HTTP app's own process.

    While its calls are measured quick they are plain function calls on the event loop, else they run in its threads.
    Code of a user's own always does: what it does with the next input, no measurement tells.
    """

    tier = "in-process"
    batcher: Batcher | None = None
    turns: Turns | None = None

    def __init__(self, model: HostedModel, *, load_seconds: float = LOAD_SECONDS) -> None:
        self.model = model
        self._load_seconds = load_seconds
        self.manifest = model.manifest
        self.name, _, self.version = model.tag.partition(":")
        self.signature = model.manifest.signature
        self.in_flight = 0
        self.served = Served()
        self.quick: Callable[[Any], Prediction] | None = None
        self._average_ns = float(_CAP_NS)
        self._waits = 0.0
        self._watched = _WATCHED_CALLS

    async def start(self) -> None:
        """Load the model in one of its threads."""
        await self.model.load(self._load_seconds)
        use_one_native_thread()

    async def probe(self, timeout: float) -> Any:
        """The answer to the sample; its first calls also tell how quick it is."""
        values = await self.model.sample(timeout)
        if values is None:
            return None
        answer = await self.model.predict(values, timeout)
        # The first call pays for imports and caches; the best of the next few is its pace.
        best = min([await self._timed(values, timeout) for _ in range(3)])
        self._average_ns = best
        self._choose_place()
        return answer

    async def call(self, values: Mapping[str, Any], timeout: float) -> Any:
        """The answer, from a thread."""
        clock, loaded = time.perf_counter_ns, self.model.loaded
        took = 0

        def predict() -> Any:
            nonlocal took
            began = clock()
            answer = loaded.predict(values)
            took = clock() - began
            return answer

        answer = await self.model.in_thread(predict, timeout)
        self._note(took)
        return answer

    async def call_here(self, values: Mapping[str, Any], timeout: float) -> Any:
        """The answer, from the event loop's own thread and uncounted: to find out what a quick model is capable of."""
        try:
            return self.model.loaded.predict(values)
        except BaseException as error:
            raise model_failed(self.model.tag, error) from error

    async def close(self) -> None:
        """Let go of the model."""
        self.quick = None
        self.model.close()

    def joined(self, inputs: Any) -> Awaitable[Prediction]:
        """The answer, with those of other calls of this turn of the event loop. Raises BadInput, at once."""
        assert self.turns is not None
        return self.turns.join(self._parsed(inputs))

    def compute(self, values: Mapping[str, Any], calls: int = 1) -> tuple[Any, int]:
        """The model's outputs, here and now, and the nanoseconds they took. Raises ModelFailed.

        Of `calls` that are asked together a failure is not counted: each is asked again.
        """
        watched = self._watched > 0
        began, began_computing = time.perf_counter_ns(), time.thread_time_ns() if watched else 0
        try:
            speaking.log = self.model.log
            outputs = self.model.loaded.predict(values)
        except BaseException as error:  # SystemExit or KeyboardInterrupt of a model would end the app
            failure = model_failed(self.model.tag, error)
            if calls == 1:
                self.model.note(error)
                self.served.fail(failure)
            raise failure from error
        finally:
            speaking.log = None
        computed = time.thread_time_ns() - began_computing if watched else None
        took = time.perf_counter_ns() - began
        self._note_call(took, computed, calls)
        return outputs, took

    def answered(self, values: Mapping[str, Any], outputs: Any, took_ns: int) -> Prediction:
        """Note that a call has its answer, and give that."""
        self.served.answered.add(took_ns * 1e-9)
        if self.served.sampler is not None:
            self.served.sampler.offer(values, outputs, took_ns * 1e-9)
        return Prediction(outputs, self.name, self.version)

    def _call_now(self, inputs: Any) -> Prediction:
        values = self._parsed(inputs)
        if self.turns is not None:
            self.turns.count()
        return self.answered(values, *self.compute(values))

    def _parsed(self, inputs: Any) -> Mapping[str, Any]:
        try:
            return self.signature.parse(inputs)
        except BadInput as error:
            self.served.fail(error)
            raise

    def _note_call(self, took: int, computed: int | None, calls: int) -> None:
        """On a busy machine the time that passes tells of other processes; so it is computing that counts."""
        self._waits += _WEIGHT * ((took > _WAITS_NS) - self._waits)
        waits = self._waits >= _WAITS_SHARE
        if took > QUICK_NS * calls:
            self._watched = _WATCHED_CALLS
            if computed is None and not waits:
                return  # it may have been another process; the next call tells
        elif self._watched:
            self._watched -= 1
        self._note((took if waits or computed is None else computed) // calls)

    def _note(self, took_ns: int) -> None:
        self._average_ns += _WEIGHT * (min(took_ns, _CAP_NS) - self._average_ns)
        if (self._average_ns > SLOW_NS) if self.quick is not None else (self._average_ns < QUICK_NS):
            self._choose_place()

    def _choose_place(self) -> None:
        quick = self._average_ns < QUICK_NS and not self.signature.heavy and self.manifest.framework != "custom"
        self.quick = self._call_now if quick else None

    async def _timed(self, values: Mapping[str, Any], timeout: float) -> int:
        clock, loaded = time.perf_counter_ns, self.model.loaded

        def predict() -> int:
            began = clock()
            loaded.predict(values)
            return clock() - began

        took: int = await self.model.in_thread(predict, timeout)
        return took
