"""The page and the card: components on a grid of twelve columns."""

from __future__ import annotations

import param
from panel.custom import Children

from ..document import Component
from .base import Drawn, ViewComponent
from .chart import Chart
from .code import Code
from .controls import Alert, Button, Divider, Image, Metric, Progress, Text
from .fields import (
    CameraInput,
    Checkbox,
    Date,
    Dropdown,
    FileInput,
    ImageInput,
    MultiSelect,
    Number,
    Radio,
    Slider,
    TextArea,
    TextInput,
)
from .gallery import Gallery
from .json_tree import JsonTree
from .markdown import Markdown
from .table import Table

DRAWN: dict[str, type[ViewComponent]] = {
    drawn.type: drawn
    for drawn in (
        Alert,
        Button,
        CameraInput,
        Chart,
        Checkbox,
        Code,
        Date,
        Divider,
        Dropdown,
        FileInput,
        Gallery,
        Image,
        ImageInput,
        JsonTree,
        Markdown,
        Metric,
        MultiSelect,
        Number,
        Progress,
        Radio,
        Slider,
        Table,
        Text,
        TextArea,
        TextInput,
    )
}


class Grid(Drawn):
    """Draws a page, or a `card` on it."""

    objects = Children(default=[])
    cells = param.List(default=[])
    props = param.Dict(default={})

    @classmethod
    def script(cls) -> str:
        """One script for both."""
        return "grid"


def cell_of(component: Component) -> dict[str, object]:
    """What the grid needs to know of a component."""
    return {"id": component.id, "type": component.type, **component.at.model_dump()}
