"""The components for documents, sound, pictures, places and talk."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from ..frames import MAX_ADDRESS, checked_address
from .field_kinds import Finite
from .kind import CHANGE, VALUE, FieldProperties, FileAddress, ImageAddress, Kind, Label, Properties, Rows, Text

Share = Annotated[Finite, Field(ge=0, le=1)]

# What a page in a frame may ask its reader for.
Permission = Literal["fullscreen", "clipboard-write", "camera", "microphone", "geolocation"]
FrameAddress = Annotated[str, Field(max_length=MAX_ADDRESS), AfterValidator(checked_address)]


class PdfProperties(Properties):
    """A PDF file of this server, page by page, with text that can be selected."""

    label: Label = ""
    source: FileAddress | None = None
    empty: Label = "No document to show"
    download_name: Annotated[str, Field(pattern=r"^[\w. -]{1,100}$")] = "document.pdf"


class AudioProperties(Properties):
    """A sound of this server, to listen to."""

    label: Label = ""
    source: FileAddress | None = None
    empty: Label = "Nothing to listen to yet"


class VideoProperties(Properties):
    """A film of this server, to look at."""

    label: Label = ""
    source: FileAddress | None = None
    empty: Label = "Nothing to look at yet"


class Message(BaseModel):
    """What somebody said in a chat."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["user", "assistant", "system"] = "assistant"
    text: Text = ""
    name: Label = ""


class ChatProperties(Properties):
    """A talk: messages, whose answers may be Markdown, and a field to write the next one."""

    label: Label = ""
    messages: list[Message] | None = Field(default=None, max_length=1_000)
    placeholder: Label = "Write a message"
    empty: Label = "Say something to begin"
    busy: bool = False
    disabled: bool = False


class LogProperties(Properties):
    """Lines as they come, with their levels in colour, a search, and the end in sight."""

    label: Label = ""
    lines: list[Annotated[str, Field(max_length=10_000)]] | Annotated[str, Field(max_length=2_000_000)] | None = None
    follow: bool = True
    max_lines: int = Field(default=2_000, ge=10, le=10_000)
    empty: Label = "Nothing was written yet"


class Mark(BaseModel):
    """A mark on a picture: places and sizes are shares of its width and height. A `label` is for the whole."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["box", "point", "label"]
    label: Label = ""
    x: Share = 0
    y: Share = 0
    w: Share = 0
    h: Share = 0


class AnnotationProperties(FieldProperties):
    """A picture on which its user draws boxes, sets points, and says what it is."""

    label: Label = "Picture"
    source: ImageAddress | None = None
    labels: list[Label] = Field(default=[], max_length=50)
    tools: list[Literal["box", "point", "label"]] = Field(default=["box", "point"], min_length=1)
    value: list[Mark] = Field(default=[], max_length=1_000)
    empty: Label = "No picture to mark"


class MapProperties(Properties):
    """Places from rows, and GeoJSON shapes, on an outline of the world that needs no other server."""

    label: Label = ""
    help: Label = ""
    rows: Rows | None = None
    latitude: Label = "lat"
    longitude: Label = "lon"
    text: Label = ""
    color: Label = ""
    geojson: dict[str, JsonValue] | None = None
    empty: Label = "No places to show"


class IframeProperties(Properties):
    """Another page in a frame: of this server's address, or of a site that WORKLETS_FRAME_ORIGINS lists."""

    label: Label = ""
    source: FrameAddress | None = None
    title: Label = ""
    allow: list[Permission] = Field(default=["fullscreen"], max_length=5)
    empty: Label = "Nothing to show yet"


KINDS = (
    Kind("pdf", "PDF", PdfProperties, size=(6, 10), category="media"),
    Kind("audio", "Audio", AudioProperties, size=(6, 2), category="media"),
    Kind("video", "Video", VideoProperties, size=(6, 6), category="media"),
    Kind("iframe", "Frame", IframeProperties, size=(12, 8), category="media"),
    Kind("annotation", "Annotation", AnnotationProperties, VALUE, CHANGE, (6, 9), category="input"),
    Kind("map", "Map", MapProperties, frozenset({"picked"}), frozenset({"pick"}), (6, 7), category="data"),
    Kind("chat", "Chat", ChatProperties, events=frozenset({"send"}), size=(6, 8), category="input"),
    Kind("log", "Log", LogProperties, size=(12, 6), category="data"),
)
