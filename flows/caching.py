"""Results that nodes keep for a while, so that the same arguments give them at once. In the memory of one process."""

from __future__ import annotations

import hashlib
import itertools
import logging
import pickle
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cachetools import TLRUCache

from .context import RunContext
from .steps import NOT_QUICK, Getter, Step, Values, WrappedStep

if TYPE_CHECKING:
    from .graph import GraphNode

logger = logging.getLogger(__name__)

CACHE_BYTES = 64_000_000
CACHEABLE: Final = ("node", "map", "query", "http")
# What an entry costs besides its content.
_OVERHEAD = 200
_MISS: Final = object()
_serials = itertools.count()


@dataclass(frozen=True, slots=True)
class _Kept:
    content: bytes
    seconds: float


class ResultCache:
    """Results by node and arguments; the ones that were not asked for longest make room.

    Each is kept pickled: whoever takes one may change it, and its size is known. Nothing of it leaves this process.

    Args:
        size: bytes that it may take.
    """

    def __init__(self, size: int = CACHE_BYTES) -> None:
        self._most = size // 8  # one that leaves no room for others is not worth keeping
        self._lock = threading.Lock()
        self._kept: TLRUCache[Any, _Kept] = TLRUCache(
            size,
            ttu=lambda key, value, now: now + value.seconds,
            timer=time.monotonic,
            getsizeof=lambda value: len(value.content) + _OVERHEAD,
        )

    def get(self, key: Any) -> Any:
        """The result, a copy of its own; `_MISS` if there is none, or none any more."""
        with self._lock:
            kept = self._kept.get(key)
        return pickle.loads(kept.content) if kept is not None else _MISS  # noqa: S301 - made by put()

    def put(self, key: Any, value: Any, seconds: float) -> None:
        """Keep a result, unless it can't be pickled or is too large."""
        try:
            content = pickle.dumps(value, protocol=5)
        except Exception as error:  # whatever the value's own reducers raise
            logger.info("a result is not kept: %s", error)
            return
        if len(content) <= self._most:
            with self._lock:
                self._kept[key] = _Kept(content, seconds)


class CachedStep(WrappedStep):
    """A step whose result is kept for its arguments."""

    def __init__(self, step: Step, arguments: Sequence[Getter], seconds: float) -> None:
        super().__init__(step)
        self._arguments = list(arguments)
        self._seconds = seconds
        self._serial = next(_serials)  # of another version's node, nothing is taken
        self._was_hit = False

    def try_quick(self, values: Values, context: RunContext) -> Any:
        """What is kept, or what the step gives."""
        key = self._key(values)
        value = self._known(key, context)
        self._was_hit = value is not _MISS
        if self._was_hit:
            return value
        value = self._step.try_quick(values, context)
        if value is not NOT_QUICK:
            self._keep(key, value, context)
        return value

    def note_on_loop(self, took_ns: int) -> None:
        """Tell the step how long it took, if it was asked."""
        if not self._was_hit:
            self._step.note_on_loop(took_ns)

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """What is kept, or what the step gives."""
        key = self._key(values)
        value = self._known(key, context)
        if value is _MISS:
            value = await self._step.run(values, context, executor)
            self._keep(key, value, context)
        return value

    def _key(self, values: Values) -> Any:
        try:
            content = pickle.dumps([getter(values) for getter in self._arguments], protocol=5)
        except Exception:  # an argument that can't be pickled: the node runs
            return None
        return self._serial, hashlib.blake2b(content, digest_size=20).digest()

    def _known(self, key: Any, context: RunContext) -> Any:
        return _MISS if key is None or context.engine is None else context.engine.cache.get(key)

    def _keep(self, key: Any, value: Any, context: RunContext) -> None:
        if key is not None and context.engine is not None:
            context.engine.cache.put(key, value, self._seconds)


def faults_of(node: GraphNode) -> Iterator[tuple[str, str | None]]:
    """What is wrong with a node's `cache`: pairs of fault and fix."""
    if node.cache is None:
        return
    if node.kind not in CACHEABLE:
        fix = f"take cache away; nodes of the kind {', '.join(CACHEABLE)} may have it"
        yield f"what a {node.kind} node gives is never kept.", fix
    elif node.kind == "http" and node.settings.get("method") not in ("GET", "HEAD"):
        yield f"a {node.settings.get('method')} is sent each time.", "take cache away"
