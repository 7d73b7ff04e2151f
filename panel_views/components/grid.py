"""The page and the card: components on a grid of twelve columns."""

from __future__ import annotations

from typing import ClassVar

import param
from panel.custom import Children

from ..document import Component
from .base import Drawn
from .controls import Alert, Button, Image, ImageInput, Number, Progress, Slider, Text
from .gallery import Gallery
from .markdown import Markdown

DRAWN = {
    drawn.type: drawn for drawn in (Alert, Button, Gallery, Image, ImageInput, Markdown, Number, Progress, Slider, Text)
}


class Grid(Drawn):
    """Draws a page, or a `card` on it."""

    objects = Children(default=[])
    cells = param.List(default=[])
    props = param.Dict(default={})

    _script: ClassVar[str] = "grid"


def cell_of(component: Component) -> dict[str, object]:
    """What the grid needs to know of a component."""
    return {"id": component.id, "type": component.type, **component.at.model_dump()}
