"""What a run's code can ask about its run, and the way from a node to the models."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ..connectors.access import Principal
from ..connectors.errors import DefinitionError, SetupError
from ..connectors.files import FileStore
from ..connectors.images import ImageLoader
from ..connectors.outgoing import Outgoing
from ..connectors.secrets import Secrets
from ..connectors.store import Store
from .pausing import Pauses
from .waiting import wait_for

if TYPE_CHECKING:
    from ..connectors.tables import TableRow
    from .calling import Call
    from .checkpoints import Checkpoints
    from .engine import Engine
    from .journal import RunRecord
    from .registry import LiveWorklet
    from .reviews import Reviews
    from .saving import SaveStep
    from .sending import Elsewhere

T = TypeVar("T")


class Answer(NamedTuple):
    """A model's answer, of the same layout as `bentos.router.Prediction`."""

    outputs: Any
    model: str
    version: str


class Models(Protocol):
    """Where model nodes get their answers; `bentos.router.Router` is one."""

    def quick(self, name: str, version: str | None = None) -> Callable[[Any], Any] | None:
        """A call that answers at once on the event loop, or None if there is none for this model."""
        ...

    def joined(self, name: str, inputs: Any, version: str | None = None) -> Awaitable[Any] | None:
        """The answer of a model that gathers the calls of this turn of the event loop; None if it does not."""
        ...

    async def predict(
        self,
        name: str,
        inputs: Any,
        version: str | None = None,
        *,
        timeout: float | None = None,
    ) -> Any:
        """The model's answer: something with `outputs`, `model` and `version`."""
        ...


class Calls(Protocol):
    """Where call nodes find other worklets; `calling.WorkletCalls` is one."""

    async def result(self, call: Call, given: Any, body: bytes, context: RunContext) -> Any:
        """What the called worklet gives for a value, whose JSON is `body`. Raises what `Call.run` raises."""
        ...

    async def find(self, name: str, version: int | None) -> LiveWorklet:
        """A worklet's live version, or a fixed one. Raises NotFound, Unavailable."""
        ...

    async def record(self, record: RunRecord) -> None:
        """Keep how a called run ended."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What an engine gives to its runs; None where this process has none."""

    models: Models | None = None
    store: Store | None = None
    files: FileStore | None = None
    images: ImageLoader | None = None
    outgoing: Outgoing | None = None
    calls: Calls | None = None
    secrets: Secrets | None = None
    reviews: Reviews | None = None
    elsewhere: Elsewhere | None = None
    pauses: Pauses = field(default_factory=Pauses)


class RunContext:
    """The run that a node's code is part of.

    Attributes:
        run_id: the run's id, as in `x-run-id`.
        worklet: the worklet's name.
        version: the worklet's version; 0 for a direct call.
        principal: who started it; None for a direct call.
        model_versions: the version of each model that has answered so far, by the model's name.
    """

    __slots__ = (
        "_began",
        "called",
        "callers",
        "checkpoints",
        "engine",
        "failures",
        "lines",
        "model_versions",
        "node",
        "principal",
        "root",
        "run_id",
        "services",
        "unsaved",
        "version",
        "worklet",
    )  # fmt: skip

    def __init__(
        self, run_id: str, worklet: str, version: int, principal: Principal | None, services: Services
    ) -> None:
        self.run_id = run_id
        self.worklet = worklet
        self.version = version
        self.principal = principal
        self.services = services
        self.model_versions: dict[str, str] = {}
        # For call nodes: what runs this, what keeps its results, who called it, and how often each node has called.
        self.engine: Engine | None = None
        self.checkpoints: Checkpoints | None = None
        self.callers: tuple[str, ...] = ()
        self.called: dict[str, int] = {}
        # The submitted run, where this one was called by another.
        self.root: str | None = None
        # What people see of its nodes: failed attempts by node, and (µs, node, level, text) of what was logged.
        self.node: str | None = None  # whose quick code runs or ran last
        self.failures: dict[str, list[str]] | None = None
        self.lines: deque[tuple[int, str, str, str]] | None = None
        # Rows that save nodes have gathered, by the node's id; written when the run ends (flows/saving.py).
        self.unsaved: dict[str, tuple[SaveStep, list[TableRow]]] = {}
        self._began = time.perf_counter()

    @property
    def is_pausing(self) -> bool:
        """Whether the submitted run that this is part of is to begin no more nodes."""
        return self.services.pauses.asked(self.root or self.run_id)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._began

    @property
    def files(self) -> FileStore:
        """The file store. Raises SetupError where this process has none."""
        return _present(self.services.files, "file store")

    @property
    def images(self) -> ImageLoader:
        """What `await image.load(...)` wants. Raises SetupError where this process has none."""
        return _present(self.services.images, "image loader")

    @property
    def store(self) -> Store:
        """The store. Raises SetupError where this process has none."""
        return _present(self.services.store, "store")

    @property
    def owner(self) -> str | None:
        """Whose rows and files this run's are."""
        return self.principal.id if self.principal is not None else None

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines name the worklet and the run."""
        return _RunLogger(logging.getLogger(f"worklets.runs.{self.worklet}"), {"run": self.run_id})


class _RunLogger(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        run = self.extra["run"] if self.extra else ""
        return f"[run {run}] {msg}", kwargs


NO_MODELS = (
    "No models can be reached from here; call the worklet through `pw.Client()`, "
    "or give them with `worklet.with_models(...)`."
)
CURRENT: ContextVar[RunContext | None] = ContextVar("worklets_run", default=None)
# The node whose awaited code runs; set for code and maps alone.
NODE: ContextVar[str | None] = ContextVar("worklets_node", default=None)
_MODELS: ContextVar[Models | None] = ContextVar("worklets_models", default=None)


def current() -> RunContext:
    """The run that this code is part of. Raises SetupError outside a run."""
    found = CURRENT.get()
    if found is None:
        raise SetupError("No run is under way here; ask for it inside a node, while its worklet runs.")
    return found


@contextmanager
def using_models(models: Models) -> Iterator[None]:
    """Direct calls of worklets inside the block get their models from here."""
    token = _MODELS.set(models)
    try:
        yield
    finally:
        _MODELS.reset(token)


def given_models() -> Models | None:
    """The models that `using_models` set, if it did."""
    return _MODELS.get()


def ask_model(name: str, inputs: Any, version: str | None) -> Any:
    """The outputs of a model, for plain code that is not part of a run; blocking.

    Raises:
        DefinitionError: it is asked inside a node.
        SetupError: no models can be reached from here.
    """
    if CURRENT.get() is not None:
        raise DefinitionError(
            f"The model {name!r} is called inside a node; call it in the worklet's function "
            "and pass its result to the node, so that the graph shows it."
        )
    models = _MODELS.get()
    if models is None:
        raise SetupError(NO_MODELS)
    call = models.quick(name, version)
    answer = call(inputs) if call is not None else wait_for(models.predict(name, inputs, version))
    return answer.outputs


def _present(service: T | None, what: str) -> T:
    if service is None:
        raise SetupError(f"This process has no {what}; run the worklet in the server (`worklets up`).")
    return service
