"""Who answers for a model besides its live version: a split by weight, and a shadow that only listens."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..connectors.errors import BadInput, Fault, FaultList
from .shadow import Shadow


class ShadowRule(BaseModel):
    """A version that is asked what the live one is asked; its answers are compared and thrown away.

    Attributes:
        version: which.
        sample: the share of the requests, 0 to 1.
        tolerance: how far two numbers may lie apart, relative to the larger.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    sample: float = Field(default=1.0, gt=0, le=1)
    tolerance: float = Field(default=1e-6, ge=0)


class TrafficRule(BaseModel):
    """How a model's requests are shared out.

    Attributes:
        split: percent of the requests by version; the live version has the rest.
        shadow: the version that listens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: dict[str, float] = Field(default_factory=dict)
    shadow: ShadowRule | None = None

    @property
    def versions(self) -> list[str]:
        """Every version that it names, each once."""
        return list(dict.fromkeys([*self.split, *([self.shadow.version] if self.shadow else [])]))

    def __bool__(self) -> bool:
        return bool(self.split) or self.shadow is not None


def read_rule(given: Any, live: str | None) -> TrafficRule:
    """The rule in a request's body. Raises BadInput with every fault."""
    try:
        rule = TrafficRule.model_validate(given)
    except ValidationError as error:
        faults = [Fault(tuple(entry["loc"]), entry["msg"], entry["type"]) for entry in error.errors()]
        raise BadInput("The traffic rule doesn't fit.", faults=faults) from None
    found = FaultList()
    for version, percent in rule.split.items():
        if not 0 < percent <= 100:
            found.add(("split", version), f"{percent:g} is no share; it is percent, more than 0 and at most 100")
        if version == live:
            found.add(("split", version), "is the live version, which has what the others leave", fix="leave it out")
    if sum(rule.split.values()) > 100:
        found.add(("split",), f"the shares make {sum(rule.split.values()):g} percent, and 100 is all there is")
    if rule.shadow is not None and rule.shadow.version == live:
        found.add(("shadow", "version"), f"{live} is live, so it would be compared with itself")
    found.raise_if_any("The traffic rule doesn't fit.")
    return rule


@dataclass
class Traffic:
    """A rule at work.

    Attributes:
        rule: what was asked for.
        shadow: the one that listens, at work.
    """

    rule: TrafficRule
    shadow: Shadow | None = None
    _versions: list[str] = field(init=False)
    _limits: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._versions = list(self.rule.split)
        self._limits = list(accumulate(self.rule.split.values()))

    def pick(self) -> str | None:
        """The version for the next request; None for the live one."""
        if self._limits:
            drawn = random.random() * 100  # noqa: S311 - it shares out, it keeps no secret
            for version, limit in zip(self._versions, self._limits, strict=True):
                if drawn < limit:
                    return version
        return None

    def as_dict(self) -> Mapping[str, Any]:
        """The rule, and what the shadow has seen."""
        shadow = None
        if self.rule.shadow is not None:
            seen = self.shadow.counts() if self.shadow is not None else {}
            shadow = {**self.rule.shadow.model_dump(), **seen}
        return {"split": dict(self.rule.split), "shadow": shadow}
