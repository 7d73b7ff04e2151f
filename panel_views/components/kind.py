"""What a kind of component is, and the types that the kinds' properties share. Knows nothing of Panel."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from ..declarations import PROPERTY, RESERVED
from .thumbnails import THUMBNAILS

Text = Annotated[str, Field(max_length=20_000)]
Label = Annotated[str, Field(max_length=200)]
# An address on this server, an http(s) address or a picture as a data URL: never `javascript:`.
ImageAddress = Annotated[str, Field(max_length=30_000_000, pattern=r"^(/[^/]|https?://|data:image/)")]
# A file of this server: what plays or opens in the page comes from our own origin.
FileAddress = Annotated[str, Field(max_length=2_000, pattern=r"^/[^/\\]")]
Row = dict[str, JsonValue]
Rows = Annotated[list[Row], Field(max_length=50_000)]


def small_json(value: JsonValue) -> JsonValue:
    """The value, if a reader may give as much. Raises ValueError."""
    return _bounded(value, 200_000)


def _large(value: JsonValue) -> JsonValue:
    return _bounded(value, 1_500_000)


def _bounded(value: JsonValue, most: int) -> JsonValue:
    size = len(json.dumps(value, allow_nan=False))
    if size > most:
        raise ValueError(f"it has {size:,} characters as JSON; at most {most:,} go to a page")
    return value


SmallJson = Annotated[JsonValue, AfterValidator(small_json)]
LargeJson = Annotated[JsonValue, AfterValidator(_large)]
ANY_JSON: TypeAdapter[Any] = TypeAdapter(LargeJson)

Category = Literal["text", "input", "action", "data", "media", "layout"]


class Properties(BaseModel):
    """Base of a component's properties."""

    model_config = ConfigDict(extra="forbid")


class FieldProperties(Properties):
    """Base of the properties of whatever takes a value from its user."""

    label: Label = ""
    help: Label = ""
    required: bool = False
    disabled: bool = False
    error: Label | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of component; `name` is the `type` that documents write.

    `values` are readable by bindings, `events` trigger actions, `size` is the usual width and height in grid
    units, `container` may hold others, `category` is its place in the palette. Of one with `holds` an author has
    declared more (custom.py): any name may be one of these until the author's declaration is known, and the property
    `holds` has the fixed values of these properties.
    """

    name: str
    title: str
    properties: type[Properties]
    values: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    size: tuple[int, int] = (4, 2)
    container: bool = False
    category: Category = "data"
    holds: str | None = None

    @property
    def about(self) -> str:
        """What it is for, in a sentence."""
        return (self.properties.__doc__ or "").strip().splitlines()[0]

    @property
    def thumbnail(self) -> str:
        """An SVG drawing for the palette."""
        return THUMBNAILS[self.name]

    def takes(self, name: str) -> bool:
        """Whether a binding may give a property of this name."""
        return name in self.properties.model_fields or self._may_declare(name)

    def gives(self, name: str) -> bool:
        """Whether bindings may read a value of this name."""
        return name in self.values or self._may_declare(name)

    def fires(self, name: str) -> bool:
        """Whether there may be an event of this name."""
        return name in self.events or self._may_declare(name)

    def _may_declare(self, name: str) -> bool:
        return self.holds is not None and name not in RESERVED and re.fullmatch(PROPERTY, name) is not None

    def check(self, name: str, value: Any) -> Any:
        """The value of a property, coerced. Raises pydantic's ValidationError."""
        if name not in self.properties.model_fields:
            return ANY_JSON.validate_python(value)
        return _adapter(self.properties, name).validate_python(value)

    def default(self, name: str) -> Any:
        """The property's default; None for one that an author has declared."""
        info = self.properties.model_fields.get(name)
        return info.get_default(call_default_factory=True) if info is not None else None

    def names(self) -> list[str]:
        """Every property's name."""
        return list(self.properties.model_fields)


@cache
def _adapter(properties: type[Properties], name: str) -> TypeAdapter[Any]:
    info = properties.model_fields[name]
    # Annotated keeps the constraints that Field(...) put beside the annotation.
    annotation: Any = info.annotation
    return TypeAdapter(Annotated[annotation, *info.metadata] if info.metadata else annotation)


def fault_text(error: ValidationError) -> str:
    """A validation error as one line."""
    entries = error.errors(include_url=False, include_input=False)
    return "; ".join(entry["msg"].removeprefix("Value error, ") for entry in entries)


VALUE = frozenset({"value"})
CHANGE = frozenset({"change"})
