"""What components there are: their properties, readable values, events and usual size. Knows nothing of Panel.

The document is checked against these in the HTTP app, which must not load Panel; the classes that draw a
component stand beside this module, one file a component.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from .thumbnails import THUMBNAILS

Text = Annotated[str, Field(max_length=20_000)]
Label = Annotated[str, Field(max_length=200)]
# An address on this server, an http(s) address or a picture as a data URL: never `javascript:`.
ImageAddress = Annotated[str, Field(max_length=30_000_000, pattern=r"^(/[^/]|https?://|data:image/)")]


class Properties(BaseModel):
    """Base of a component's properties."""

    model_config = ConfigDict(extra="forbid")


class MarkdownProperties(Properties):
    """Text with Markdown; HTML in it is shown, not run."""

    text: Text = ""


class TextProperties(Properties):
    """A line or paragraph of plain text."""

    text: Text | int | float | None = ""
    style: Literal["title", "heading", "body", "muted"] = "body"


class CardProperties(Properties):
    """A surface that holds other components on a grid of its own."""

    title: Label = ""
    description: Annotated[str, Field(max_length=1000)] = ""


class Example(BaseModel):
    """A picture to try."""

    model_config = ConfigDict(extra="forbid")
    label: Label
    url: ImageAddress


class ImageInputProperties(Properties):
    """A picture chosen by drop, dialog, paste or address."""

    label: Label = "Picture"
    help: Label = ""
    value: ImageAddress | None = None
    accept: list[Annotated[str, Field(pattern=r"^image/[a-z0-9.+-]+$")]] = [
        "image/png",
        "image/jpeg",
        "image/webp",
        "image/gif",
    ]
    max_bytes: int = Field(default=20_000_000, ge=1_000, le=100_000_000)
    examples: list[Example] = Field(default=[], max_length=12)
    error: Label | None = None


class SliderProperties(Properties):
    """A number by a slider."""

    label: Label = "Value"
    help: Label = ""
    value: float = 0
    min: float = 0
    max: float = 100
    step: float = Field(default=1, gt=0)
    unit: Annotated[str, Field(max_length=20)] = ""
    error: Label | None = None


class NumberProperties(SliderProperties):
    """A number by a field."""


class ButtonProperties(Properties):
    """Something to press."""

    label: Label = "Run"
    busy_label: Label = ""
    style: Literal["primary", "secondary"] = "primary"
    busy: bool = False
    disabled: bool = False
    hint: Label = ""


class ProgressProperties(Properties):
    """A bar that shows that something is under way; it fills against the time that it usually takes."""

    active: bool = False
    label: Label = ""
    expected_seconds: float = Field(default=0, ge=0, le=3600)


class ImageProperties(Properties):
    """A picture with its caption and a download link."""

    source: ImageAddress | None = None
    alt: Label = ""
    caption: Label | None = None
    placeholder: Label = "Nothing to show yet"
    loading_label: Label = "Working…"
    download_name: Annotated[str, Field(pattern=r"^[\w. -]{1,100}$")] = "image.png"


class GalleryProperties(Properties):
    """Earlier results as pictures; pressing one tells which."""

    items: list[dict[str, JsonValue]] | None = Field(default=None, max_length=500)
    image: Label = "data.image"
    caption: Label = ""
    empty: Label = "Nothing here yet"


class AlertProperties(Properties):
    """A message, or the fault of a run."""

    text: Text | None = ""
    style: Literal["info", "success", "warning", "error"] = "info"
    problem: dict[str, JsonValue] | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of component; `name` is the `type` that documents write.

    `values` are readable by bindings, `events` trigger actions, `size` is the usual width and height in grid
    units, `container` may hold others.
    """

    name: str
    title: str
    properties: type[Properties]
    values: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    size: tuple[int, int] = (4, 2)
    container: bool = False

    @property
    def thumbnail(self) -> str:
        """An SVG drawing for the palette."""
        return THUMBNAILS[self.name]

    def check(self, name: str, value: Any) -> Any:
        """The value of a property, coerced. Raises pydantic's ValidationError."""
        return _adapter(self.properties, name).validate_python(value)

    def default(self, name: str) -> Any:
        """The property's default."""
        return self.properties.model_fields[name].get_default(call_default_factory=True)

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
    return "; ".join(entry["msg"] for entry in error.errors(include_url=False, include_input=False))


_VALUE = frozenset({"value"})
_CHANGE = frozenset({"change"})

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("markdown", "Markdown", MarkdownProperties, size=(12, 2)),
        Kind("text", "Text", TextProperties, size=(6, 1)),
        Kind("card", "Card", CardProperties, size=(6, 8), container=True),
        Kind("image_input", "Image input", ImageInputProperties, _VALUE, _CHANGE, size=(4, 6)),
        Kind("slider", "Slider", SliderProperties, _VALUE, _CHANGE, size=(4, 2)),
        Kind("number", "Number", NumberProperties, _VALUE, _CHANGE, size=(3, 2)),
        Kind("button", "Button", ButtonProperties, events=frozenset({"click"}), size=(3, 1)),
        Kind("progress", "Progress", ProgressProperties, size=(6, 1)),
        Kind("image", "Image", ImageProperties, size=(6, 8)),
        Kind("gallery", "Gallery", GalleryProperties, frozenset({"selected"}), frozenset({"select"}), size=(12, 5)),
        Kind("alert", "Alert", AlertProperties, size=(12, 2)),
    )
}
