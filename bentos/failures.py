"""Errors on their way from a model to its caller, in one process or between two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..connectors.errors import (
    BadInput,
    Fault,
    ModelFailed,
    NotFound,
    TookTooLong,
    TooLarge,
    Unavailable,
    WorkletsError,
)

_KINDS: dict[str, type[WorkletsError]] = {
    kind.__name__: kind for kind in (BadInput, ModelFailed, NotFound, TookTooLong, TooLarge, Unavailable)
}
MAX_MESSAGE = 500


def model_failed(tag: str, error: BaseException) -> WorkletsError:
    """The error to show for what a model raised; our own errors pass as they are."""
    if isinstance(error, WorkletsError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name:
        return ModelFailed(
            f"The model {tag} needs the module {error.name}, which its environment does not have; deploy it with "
            "requirements=[...] that bring it, or with requirements='installed'."
        )
    if isinstance(error, MemoryError):
        said = f" ({error})" if str(error) else ""
        return ModelFailed(
            f"The model {tag} ran out of memory{said}; send less at once, take a smaller model, or let its process "
            "have more (WORKLETS_MODEL_MEMORY)."
        )
    message = str(error)
    if len(message) > MAX_MESSAGE:
        message = message[:MAX_MESSAGE] + "..."
    return ModelFailed(f"The model {tag} raised {type(error).__name__}: {message or 'no message'}")


def too_long(tag: str, seconds: float) -> TookTooLong:
    """The error for a model that did not answer in time."""
    return TookTooLong(f"The model {tag} did not answer within {seconds:g} s; send less at once, or raise the timeout.")


def to_data(error: WorkletsError) -> dict[str, Any]:
    """The error as JSON, for the other process."""
    kind = type(error).__name__
    if kind not in _KINDS:
        kind = next((name for name, known in _KINDS.items() if isinstance(error, known)), "ModelFailed")
    return {"kind": kind, "detail": error.detail, "faults": [fault.as_dict() for fault in error.faults]}


def from_data(data: Mapping[str, Any]) -> WorkletsError:
    """The error that the other process sent."""
    faults = [
        Fault(tuple(entry["loc"]), entry["msg"], entry.get("type", "invalid"), entry.get("fix"))
        for entry in data.get("faults", [])
    ]
    return _KINDS.get(data.get("kind", ""), ModelFailed)(str(data.get("detail", "no detail")), faults=faults)
