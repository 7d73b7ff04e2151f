"""What starts a worklet besides a call: times and topics. Plain data in the graph document."""

from __future__ import annotations

from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..connectors.errors import BadInput, Fault
from .faults import did_you_mean

_CRON_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))


class Cron(BaseModel):
    """Run at times given as a cron line, in a time zone, with these inputs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    on: Literal["cron"] = "cron"
    schedule: str
    timezone: str = "UTC"
    inputs: dict[str, Any] = Field(default_factory=dict)

    @field_validator("schedule")
    @classmethod
    def _five_fields(cls, line: str) -> str:
        fields = line.split()
        if len(fields) != len(_CRON_FIELDS):
            names = ", ".join(name for name, _, _ in _CRON_FIELDS)
            raise ValueError(f"a cron line has five fields ({names}), and {line!r} has {len(fields)}")
        for text, (name, low, high) in zip(fields, _CRON_FIELDS, strict=True):
            numbers = [int(part) for part in text.replace("-", ",").replace("/", ",").split(",") if part.isdigit()]
            if any(number > high for number in numbers) or ("/" not in text and any(n < low for n in numbers)):
                raise ValueError(f"{name} is {low} to {high}, and {line!r} says {text!r}")
        return " ".join(fields)

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"there is no time zone {name!r}. {did_you_mean(name, available_timezones())}")
        return name


class Kafka(BaseModel):
    """Run for every record of a topic; `output` names the topic that takes the results."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    on: Literal["kafka"] = "kafka"
    topic: str = Field(min_length=1, max_length=249, pattern=r"^[A-Za-z0-9._-]+$")
    group: str | None = None
    output: str | None = Field(default=None, max_length=249, pattern=r"^[A-Za-z0-9._-]+$")


Trigger = Cron | Kafka


def cron(schedule: str, *, timezone: str = "UTC", inputs: dict[str, Any] | None = None) -> Cron:
    """A trigger by time: `cron("0 6 * * *")` is every day at six. Raises BadInput."""
    try:
        return Cron(schedule=schedule, timezone=timezone, inputs=inputs or {})
    except ValidationError as error:
        raise BadInput("The cron trigger doesn't fit.", faults=_faults(error)) from None


def kafka(topic: str, *, group: str | None = None, output: str | None = None) -> Kafka:
    """A trigger by a topic's records. Raises BadInput."""
    try:
        return Kafka(topic=topic, group=group, output=output)
    except ValidationError as error:
        raise BadInput("The Kafka trigger doesn't fit.", faults=_faults(error)) from None


def _faults(error: ValidationError) -> list[Fault]:
    return [Fault(tuple(entry["loc"]), entry["msg"], entry["type"]) for entry in error.errors(include_url=False)]
