"""The components that need nothing beyond their properties: their scripts show text as text."""

from __future__ import annotations

from typing import ClassVar

from .base import ViewComponent


class Text(ViewComponent):
    """Draws `text`."""

    type = "text"
    _script: ClassVar[str] = "text"


class Slider(ViewComponent):
    """Draws `slider`."""

    type = "slider"
    _script: ClassVar[str] = "slider"


class Number(ViewComponent):
    """Draws `number`."""

    type = "number"
    _script: ClassVar[str] = "number"


class Button(ViewComponent):
    """Draws `button`."""

    type = "button"
    _script: ClassVar[str] = "button"


class Progress(ViewComponent):
    """Draws `progress`."""

    type = "progress"
    _script: ClassVar[str] = "progress"


class Image(ViewComponent):
    """Draws `image`."""

    type = "image"
    _script: ClassVar[str] = "image"


class ImageInput(ViewComponent):
    """Draws `image_input`. It asks for `import` when its user gives an address of another host."""

    type = "image_input"
    _script: ClassVar[str] = "image_input"


class Alert(ViewComponent):
    """Draws `alert`."""

    type = "alert"
    _script: ClassVar[str] = "alert"
