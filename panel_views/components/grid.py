"""The page: components on a grid of twelve columns; and which class draws which kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import param
from panel.custom import Children

from .base import Drawn, ViewComponent
from .chart import Chart
from .code import Code
from .containers import Card, Container, Form, Group, Modal, Tabs, with_visible
from .controls import Alert, Button, Divider, Image, Metric, Progress, Text
from .custom import Custom
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
from .map import Map
from .markdown import Markdown
from .media import Annotation, Audio, Chat, Iframe, Log, Pdf, Video
from .table import Table

DRAWN: dict[str, type[ViewComponent]] = {
    drawn.type: drawn
    for drawn in (
        Alert,
        Annotation,
        Audio,
        Button,
        CameraInput,
        Chart,
        Chat,
        Checkbox,
        Code,
        Custom,
        Date,
        Divider,
        Dropdown,
        FileInput,
        Gallery,
        Iframe,
        Image,
        ImageInput,
        JsonTree,
        Log,
        Map,
        Markdown,
        Metric,
        MultiSelect,
        Number,
        Pdf,
        Progress,
        Radio,
        Slider,
        Table,
        Text,
        TextArea,
        TextInput,
        Video,
    )
}


CONTAINERS: dict[str, type[Container]] = {drawn.type: drawn for drawn in (Card, Form, Group, Modal, Tabs)}


_TAB = re.compile(r"[0-9a-f]{32}")


class Grid(Drawn):
    """Draws a page.

    Args:
        on_tab: told which tab of the browser it is in.
    """

    objects = Children(default=[])
    cells = param.List(default=[])
    props = param.Dict(default={})
    status = param.Dict(default={})

    def __init__(self, on_tab: Callable[[str], None] = lambda tab: None, **params: Any) -> None:
        self._on_tab = on_tab
        super().__init__(**params)

    def _handle_msg(self, data: Any) -> None:
        tab = data.get("tab") if isinstance(data, dict) else None
        if isinstance(tab, str) and _TAB.fullmatch(tab):
            self._on_tab(tab)

    def tell(self, what: str, data: dict[str, Any]) -> None:
        """Have the browser do something that no component shows (see page.js)."""
        self._send_msg({"what": what, "data": data})

    def show_inside(self, id: str, visible: bool) -> None:
        """Show or hide one of what stands on it."""
        self.cells = with_visible(self.cells, id, visible)

    @classmethod
    def script(cls) -> str:
        """One script with the card."""
        return "grid"
