"""What components there are. Knows nothing of Panel.

The document is checked against these in the HTTP app, which must not load Panel; the classes that draw a
component stand beside this module, one file a component.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from .container_kinds import KINDS as CONTAINER_KINDS
from .data_kinds import KINDS as DATA_KINDS
from .field_kinds import KINDS as FIELD_KINDS
from .kind import ImageAddress, Kind, Label, Properties, Text, fault_text
from .media_kinds import KINDS as MEDIA_KINDS

__all__ = ["KINDS", "Kind", "fault_text"]


class MarkdownProperties(Properties):
    """Text with Markdown; HTML in it is shown, not run."""

    text: Text = ""


class TextProperties(Properties):
    """A line or paragraph of plain text."""

    text: Text | int | float | None = ""
    style: Literal["title", "heading", "body", "muted"] = "body"


class ButtonProperties(Properties):
    """Something to press."""

    label: Label = "Run"
    busy_label: Label = ""
    style: Literal["primary", "secondary", "danger"] = "primary"
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


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("markdown", "Markdown", MarkdownProperties, size=(12, 2), category="text"),
        Kind("text", "Text", TextProperties, size=(6, 1), category="text"),
        Kind("button", "Button", ButtonProperties, events=frozenset({"click"}), size=(3, 1), category="action"),
        Kind("progress", "Progress", ProgressProperties, size=(6, 1), category="text"),
        Kind("image", "Image", ImageProperties, size=(6, 8), category="media"),
        Kind(
            "gallery",
            "Gallery",
            GalleryProperties,
            frozenset({"selected"}),
            frozenset({"select"}),
            size=(12, 5),
            category="media",
        ),
        Kind("alert", "Alert", AlertProperties, size=(12, 2), category="text"),
        *FIELD_KINDS,
        *DATA_KINDS,
        *MEDIA_KINDS,
        *CONTAINER_KINDS,
    )
}
