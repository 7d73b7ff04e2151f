"""What is kept of a model's requests, as whoever deploys it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..connectors.errors import DefinitionError, Fault


class MonitorRule(BaseModel):
    """What is kept of a model's requests.

    Attributes:
        samples: whether any are.
        per_minute: at most so many.
        max_bytes: of one sample, as JSON; more rows than fit are left out.
        keep, days: at most so many samples, and none that is older.
        sensitive: inputs, outputs and columns whose values are never kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: bool = True
    per_minute: float = Field(default=60, gt=0, le=600)
    max_bytes: int = Field(default=20_000, ge=100, le=1_000_000)
    keep: int = Field(default=1_000, ge=1, le=100_000)
    days: float = Field(default=7, gt=0, le=365)
    sensitive: tuple[str, ...] = ()


def read_rule(given: bool | Mapping[str, Any] | None) -> MonitorRule | None:
    """The rule in `pw.deploy(monitor=...)`; None leaves the model's. Raises DefinitionError with every fault."""
    if given is None:
        return None
    try:
        return MonitorRule.model_validate({"samples": given} if isinstance(given, bool) else dict(given))
    except ValidationError as error:
        faults = [Fault(("monitor", *entry["loc"]), entry["msg"], entry["type"]) for entry in error.errors()]
        raise DefinitionError("This is not how samples can be kept.", faults=faults) from None
