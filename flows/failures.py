"""What a node's failure means: whether to try again and when, what callers are told, what the record keeps."""

from __future__ import annotations

import traceback
from typing import Any

from ..connectors.blanking import Blanks
from ..connectors.errors import BadInput, DefinitionError, NodeFailed, TookTooLong, WorkletsError
from ..connectors.secrets import Secrets
from .steps import Step

SHORT = 500
# Seconds that a server may ask a node to wait before the next attempt; who asks for more makes it fail.
MOST_WAIT = 120.0


def worth_repeating(failure: BaseException) -> bool:
    """Whether another attempt may end better; a failure that knows says so by `repeatable`."""
    if getattr(failure, "wait", 0.0) > MOST_WAIT:
        return False
    return not isinstance(failure, BadInput) and getattr(failure, "repeatable", True) is True


def pause_before(failure: BaseException, backoff: float, attempt: int) -> float:
    """Seconds before the attempt after number `attempt`: the back-off, or what a failure's `wait` asks for."""
    return max(float(backoff * 2**attempt), float(getattr(failure, "wait", 0.0)))


def too_long(step: Step) -> TookTooLong:
    """The failure of a step that was not done within its timeout."""
    return TookTooLong(f"Node {step.id!r} took longer than its {step.timeout:g} seconds.")


def as_error(step: Step, failure: BaseException, secrets: Secrets | None) -> WorkletsError:
    """The error by which a step's failure is told: the first line of what it said, without secrets."""
    if isinstance(failure, DefinitionError) or not isinstance(failure, WorkletsError):
        said = str(failure).strip().partition("\n")[0]
        if secrets is not None:  # whoever called may not know them
            said = Blanks(lambda: secrets.values).text(said)
        said = said[:SHORT]
        name = type(failure).__name__
        error = NodeFailed(
            f"Node {step.id!r} failed: {name}: {said}" if said else f"Node {step.id!r} failed: {name}", node=step.id
        )
        error.__cause__ = failure
        return error
    return failure


def error_record(error: WorkletsError, node: str | None = None) -> dict[str, Any]:
    """An error for the run's record. `traceback` is for those who may read the code."""
    record: dict[str, Any] = {
        "type": error.slug,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "errors": [fault.as_dict() for fault in error.faults],
        "node": getattr(error, "node", node),
    }
    if error.__cause__ is not None:
        record["traceback"] = "".join(traceback.format_exception(error.__cause__))[-8_000:]
    return record
