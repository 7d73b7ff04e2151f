"""The components that need nothing beyond their properties: their scripts show text as text."""

from __future__ import annotations

from .base import ViewComponent


class Text(ViewComponent):
    """Draws `text`."""

    type = "text"


class Button(ViewComponent):
    """Draws `button`."""

    type = "button"


class Progress(ViewComponent):
    """Draws `progress`."""

    type = "progress"


class Image(ViewComponent):
    """Draws `image`."""

    type = "image"


class Alert(ViewComponent):
    """Draws `alert`."""

    type = "alert"


class Metric(ViewComponent):
    """Draws `metric`."""

    type = "metric"


class Divider(ViewComponent):
    """Draws `divider`."""

    type = "divider"
