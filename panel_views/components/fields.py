"""The components that take a value: what they refuse, and why. Their scripts show text as text."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import Field, TypeAdapter, ValidationError

from .base import ViewComponent

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_ADDRESS = re.compile(r"https?://[^\s/]+\S*")


class FieldComponent(ViewComponent):
    """Base of the fields: nothing is a fault where the field is required."""

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value that has the right type."""
        if value in (None, "", []):
            return "Fill this in." if self._plain.get("required") else None
        return self.check_value(value)

    def check_value(self, value: Any) -> str | None:
        """What is wrong with a value that is there."""
        return None


class TextInput(FieldComponent):
    """Draws `text_input`. It fires `submit` when its user presses Enter."""

    type = "text_input"

    def check_value(self, value: str) -> str | None:
        """Length, form and pattern."""
        fault = length_fault(value, self._plain["min_length"], self._plain["max_length"])
        if fault is None and self._plain["mode"] == "email" and not _EMAIL.fullmatch(value):
            fault = "Enter an e-mail address, such as ada@example.org."
        if fault is None and self._plain["mode"] == "url" and not _ADDRESS.fullmatch(value):
            fault = "Enter an address that begins with https:// or http://."
        if fault is None and self._plain["pattern"] and not _fits(self._plain["pattern"], value):
            fault = self._plain["pattern_help"] or "This does not have the form that is asked for."
        return fault

    def read_event(self, event: str, data: Any) -> Any:
        """The value as it stands. Raises ValueError where it is not one to submit."""
        fault = self.complaint(self._plain["value"])
        if fault is not None:
            self.fault(fault)
            raise ValueError(fault)
        return {"value": self._plain["value"]}


class TextArea(FieldComponent):
    """Draws `text_area`."""

    type = "text_area"

    def check_value(self, value: str) -> str | None:
        """Its length."""
        return length_fault(value, self._plain["min_length"], self._plain["max_length"])


class Number(FieldComponent):
    """Draws `number`."""

    type = "number"

    def complaint(self, value: Any) -> str | None:
        """Nothing is a fault, unless it may be left empty."""
        if value is None and not self._plain.get("blank"):
            return "Enter a number."
        return super().complaint(value)

    def check_value(self, value: float) -> str | None:
        """Its range."""
        low, high = self._plain["min"], self._plain["max"]
        return None if low <= value <= high else f"Enter a number from {low:g} to {high:g}."


class Slider(Number):
    """Draws `slider`."""

    type = "slider"


class Checkbox(FieldComponent):
    """Draws `checkbox`."""

    type = "checkbox"

    def complaint(self, value: bool) -> str | None:
        """Required means that only yes will do."""
        return "Tick this to go on." if self._plain["required"] and not value else None


class Choice(FieldComponent):
    """Base of what chooses from `options`: a value that is none of them was not chosen in the page."""

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The options, each with its label."""
        return {**props, "options": options_of(props["options"])}

    def check_value(self, value: Any) -> str | None:
        """Whether it is one of the options."""
        known = [option["value"] for option in options_of(self._plain["options"])]
        given = value if isinstance(value, list) else [value]
        return None if all(one in known for one in given) else "Choose one of the options."


class Dropdown(Choice):
    """Draws `dropdown`."""

    type = "dropdown"


class Radio(Choice):
    """Draws `radio`."""

    type = "radio"


class MultiSelect(Choice):
    """Draws `multi_select`."""

    type = "multi_select"

    def check_value(self, value: list[Any]) -> str | None:
        """How many, and whether each is one of the options."""
        least, most = self._plain["min_items"], self._plain["max_items"]
        if len(value) < least:
            return f"Choose at least {least}."
        if len(value) > most:
            return f"Choose at most {most}."
        return super().check_value(value)


class Date(FieldComponent):
    """Draws `date`."""

    type = "date"

    _FORMS: ClassVar[dict[str, str]] = {
        "date": r"\d{4}-\d\d-\d\d",
        "time": r"\d\d:\d\d(:\d\d(\.\d+)?)?",
        "datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?",
    }

    def check_value(self, value: str) -> str | None:
        """Its form and range; ISO 8601 sorts as text."""
        if not re.fullmatch(self._FORMS[self._plain["mode"]], value):
            return {"date": "Enter a date.", "time": "Enter a time.", "datetime": "Enter a date and a time."}[
                self._plain["mode"]
            ]
        if self._plain["min"] is not None and value < self._plain["min"]:
            return f"Not before {self._plain['min'].replace('T', ' ')}."
        if self._plain["max"] is not None and value > self._plain["max"]:
            return f"Not after {self._plain['max'].replace('T', ' ')}."
        return None


class ImageInput(FieldComponent):
    """Draws `image_input`. It asks for `import` when its user gives an address of another host."""

    type = "image_input"


class FileInput(FieldComponent):
    """Draws `file_input`. The browser has checked kinds and sizes; what it says of them is checked here again."""

    type = "file_input"

    def check_value(self, value: list[Any]) -> str | None:
        """How many, how large, and of which kinds."""
        most, limit = (self._plain["max_files"] if self._plain["multiple"] else 1), self._plain["max_bytes"]
        if len(value) > most:
            return f"At most {most} can be given."
        for file in value:
            if file["size"] > limit:
                return f"{file['name'] or 'A file'} has {file['size']:,} bytes; at most {limit:,} are taken."
            if not _accepted(file["type"], self._plain["accept"]):
                return f"{file['name'] or 'A file'} is of a kind that is not taken here."
        return None


class CameraInput(FieldComponent):
    """Draws `camera_input`."""

    type = "camera_input"


def length_fault(value: str, least: int, most: int) -> str | None:
    """What is wrong with a text's length."""
    if len(value) < least:
        return f"Write at least {least} characters; there are {len(value)}."
    if len(value) > most:
        return f"Write at most {most} characters; there are {len(value)}."
    return None


def options_of(options: Any) -> list[dict[str, Any]]:
    """Each option with its value and its words."""
    made = []
    for option in options or []:
        value, label = (option["value"], option.get("label", "")) if isinstance(option, dict) else (option, "")
        words = label or ({True: "Yes", False: "No"}[value] if isinstance(value, bool) else f"{value}")
        made.append({"value": value, "label": words})
    return made


def _accepted(kind: str, accept: list[str]) -> bool:
    return not accept or any(kind == one or (one.endswith("/*") and kind.startswith(one[:-1])) for one in accept)


def _fits(pattern: str, value: str) -> bool:
    # pydantic's engine has no back-tracking: no text of a stranger can keep it busy.
    try:
        TypeAdapter(Annotated[str, Field(pattern=rf"^(?:{pattern})$")]).validate_python(value)
    except ValidationError:
        return False
    return True
