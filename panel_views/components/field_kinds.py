"""The components that take a value from their user."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import SchemaError

from .kind import CHANGE, VALUE, FieldProperties, FileAddress, ImageAddress, Kind, Label, Text

MediaType = Annotated[str, Field(pattern=r"^[a-z]+/([a-z0-9.+-]+|\*)$", max_length=100)]
Short = Annotated[str, Field(max_length=500)]
# A date, a time, or both with a `T` between, as browsers write them.
Moment = Annotated[
    str, Field(pattern=r"^(\d{4}-\d\d-\d\d)?T?(\d\d:\d\d(:\d\d(\.\d+)?)?)?$", min_length=5, max_length=30)
]


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a number, neither NaN nor infinite")
    return value


Finite = Annotated[float, AfterValidator(_finite)]


class Option(BaseModel):
    """Something to choose: the value, and the words for it."""

    model_config = ConfigDict(extra="forbid")
    value: Short | bool | Finite
    label: Label = ""


Options = Annotated[list[Option | Short | bool | Finite], Field(max_length=2_000)]
OptionValue = Short | bool | Finite | None


def _pattern(value: str) -> str:
    try:
        TypeAdapter(Annotated[str, Field(pattern=value)])
    except SchemaError as error:
        raise ValueError("must be a regular expression without look-around and back-references") from error
    return value


def _none_if_nothing(value: Any) -> Any:
    return None if value == "" else value


class Example(BaseModel):
    """A picture to try."""

    model_config = ConfigDict(extra="forbid")
    label: Label
    url: ImageAddress


class ImageInputProperties(FieldProperties):
    """A picture chosen by drop, dialog, paste or address."""

    label: Label = "Picture"
    value: ImageAddress | None = None
    accept: list[Annotated[str, Field(pattern=r"^image/[a-z0-9.+-]+$")]] = Field(
        default=["image/png", "image/jpeg", "image/webp", "image/gif"]
    )
    max_bytes: int = Field(default=20_000_000, ge=1_000, le=100_000_000)
    examples: list[Example] = Field(default=[], max_length=12)


class SliderProperties(FieldProperties):
    """A number by a slider."""

    label: Label = "Value"
    value: Finite = 0
    min: Finite = 0
    max: Finite = 100
    step: Annotated[Finite, Field(gt=0)] = 1
    unit: Annotated[str, Field(max_length=20)] = ""


class NumberProperties(FieldProperties):
    """A number by a field. With `blank` it may be left empty, and is null then."""

    label: Label = "Value"
    value: Finite | None = 0
    min: Finite = 0
    max: Finite = 100
    step: Annotated[Finite, Field(gt=0)] = 1
    unit: Annotated[str, Field(max_length=20)] = ""
    blank: bool = False


class TextInputProperties(FieldProperties):
    """A line of text. `pattern` is a regular expression that the whole value has to fit."""

    label: Label = "Text"
    value: Text | None = None
    placeholder: Label = ""
    mode: Literal["text", "email", "url", "search", "tel", "password"] = "text"
    min_length: int = Field(default=0, ge=0, le=20_000)
    max_length: int = Field(default=1_000, ge=1, le=20_000)
    pattern: Annotated[str, Field(max_length=200), AfterValidator(_pattern)] = ""
    pattern_help: Label = ""


class TextAreaProperties(FieldProperties):
    """Several lines of text, with a count where the length is limited."""

    label: Label = "Text"
    value: Text | None = None
    placeholder: Label = ""
    rows: int = Field(default=4, ge=2, le=40)
    min_length: int = Field(default=0, ge=0, le=20_000)
    max_length: int = Field(default=20_000, ge=1, le=20_000)


class DropdownProperties(FieldProperties):
    """One of many options, in little room."""

    label: Label = "Choose"
    options: Options = Field(default=[])
    value: OptionValue = None
    placeholder: Label = "Choose…"


class MultiSelectProperties(FieldProperties):
    """Any number of options, with a search where there are many."""

    label: Label = "Choose"
    options: Options = Field(default=[])
    value: list[OptionValue] = Field(default=[], max_length=2_000)
    min_items: int = Field(default=0, ge=0, le=2_000)
    max_items: int = Field(default=2_000, ge=1, le=2_000)


class RadioProperties(FieldProperties):
    """One of a few options, all in sight."""

    label: Label = "Choose"
    options: Options = Field(default=[])
    value: OptionValue = None
    style: Literal["list", "buttons"] = "list"


class CheckboxProperties(FieldProperties):
    """Yes or no. Where it is `required`, only yes will do."""

    label: Label = "Yes"
    value: bool = False
    style: Literal["checkbox", "switch"] = "checkbox"


class DateProperties(FieldProperties):
    """A date, a time of day, or both, as ISO 8601 writes them."""

    label: Label = "Date"
    mode: Literal["date", "time", "datetime"] = "date"
    value: Annotated[Moment | None, BeforeValidator(_none_if_nothing)] = None
    min: Moment | None = None
    max: Moment | None = None


class StoredUpload(BaseModel):
    """A file that was uploaded."""

    model_config = ConfigDict(extra="forbid")
    url: FileAddress
    name: Annotated[str, Field(max_length=200)] = ""
    size: int = Field(default=0, ge=0)
    type: Annotated[str, Field(max_length=200)] = ""


class FileInputProperties(FieldProperties):
    """Files by drop or dialog, with their progress. The value is a list of `url`, `name`, `size` and `type`."""

    label: Label = "Files"
    value: list[StoredUpload] = Field(default=[], max_length=50)
    accept: list[MediaType] = Field(default=[], max_length=30)
    multiple: bool = True
    max_bytes: int = Field(default=20_000_000, ge=1, le=1_000_000_000)
    max_files: int = Field(default=10, ge=1, le=50)


class CameraInputProperties(FieldProperties):
    """A picture from the camera."""

    label: Label = "Camera"
    value: FileAddress | None = None
    facing: Literal["user", "environment"] = "environment"
    max_width: int = Field(default=1_280, ge=64, le=4_096)


KINDS = (
    Kind("text_input", "Text input", TextInputProperties, VALUE, CHANGE | {"submit"}, (4, 2), category="input"),
    Kind("text_area", "Text area", TextAreaProperties, VALUE, CHANGE, (6, 3), category="input"),
    Kind("number", "Number", NumberProperties, VALUE, CHANGE, (3, 2), category="input"),
    Kind("slider", "Slider", SliderProperties, VALUE, CHANGE, (4, 2), category="input"),
    Kind("dropdown", "Dropdown", DropdownProperties, VALUE, CHANGE, (4, 2), category="input"),
    Kind("multi_select", "Multi-select", MultiSelectProperties, VALUE, CHANGE, (4, 4), category="input"),
    Kind("radio", "Radio", RadioProperties, VALUE, CHANGE, (4, 3), category="input"),
    Kind("checkbox", "Checkbox", CheckboxProperties, VALUE, CHANGE, (4, 1), category="input"),
    Kind("date", "Date and time", DateProperties, VALUE, CHANGE, (4, 2), category="input"),
    Kind("image_input", "Image input", ImageInputProperties, VALUE, CHANGE, (4, 6), category="input"),
    Kind("file_input", "File input", FileInputProperties, VALUE, CHANGE, (6, 4), category="input"),
    Kind("camera_input", "Camera", CameraInputProperties, VALUE, CHANGE, (6, 6), category="input"),
)
