"""The components for documents, sound, pictures and talk."""

from __future__ import annotations

from typing import Any

from ..document import Component
from ..frames import FrameOrigins
from .base import Events, ViewComponent
from .fields import FieldComponent
from .markdown import to_html

MAX_MESSAGE = 20_000  # characters that its user may send in a chat


class Pdf(ViewComponent):
    """Draws `pdf`: pdf.js, which is shipped beside the scripts, reads it in the browser."""

    type = "pdf"


class Audio(ViewComponent):
    """Draws `audio`."""

    type = "audio"


class Video(ViewComponent):
    """Draws `video`."""

    type = "video"


class Iframe(ViewComponent):
    """Draws `iframe`; an address that may not be shown, bound or written, stays here.

    Args:
        origins: the sites that may be shown; by default none.
    """

    type = "iframe"

    def __init__(self, component: Component, events: Events, origins: FrameOrigins | None = None) -> None:
        self._origins = origins or FrameOrigins()
        super().__init__(component, events)

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The address, or why it is not shown."""
        refused = self._origins.refusal(props["source"]) if props["source"] else None
        if refused is None:
            return props
        return {**props, "source": None, "fault": f"{refused[0]}: {refused[1]}."}


class Chat(ViewComponent):
    """Draws `chat`. Only what is not its user's may be Markdown, and becomes HTML here."""

    type = "chat"

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The messages as they are shown."""
        return {**props, "messages": [_said(message) for message in props["messages"] or []]}

    def read_event(self, event: str, data: Any) -> Any:
        """What was written. Raises ValueError if that is nothing, or may not be now."""
        if not isinstance(data, str) or not data.strip() or len(data) > MAX_MESSAGE:
            raise ValueError(f"a message has 1 to {MAX_MESSAGE} characters")
        if self._plain["busy"] or self._plain["disabled"]:
            raise ValueError("the chat takes nothing just now")
        return {"text": data.strip()}


class Log(ViewComponent):
    """Draws `log`: only the newest lines go to the browser."""

    type = "log"

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The newest lines, and how many there are."""
        lines = props["lines"] or []
        lines = lines.splitlines() if isinstance(lines, str) else lines
        newest = [line[:2_000] for line in lines[-props["max_lines"] :]]
        while sum(map(len, newest)) > 1_000_000:
            newest = newest[len(newest) // 2 :]
        return {**props, "lines": newest, "total": len(lines)}


class Annotation(FieldComponent):
    """Draws `annotation`."""

    type = "annotation"

    def check_value(self, value: list[Any]) -> str | None:
        """Marks are inside the picture, of a kind that is offered, and have one of the labels, where there are any."""
        labels = self._plain["labels"]
        for mark in value:
            if mark["kind"] not in self._plain["tools"]:
                return f"A {mark['kind']} can't be set here."
            if labels and mark["label"] not in labels:
                return "Choose one of the labels."
            if mark["x"] + mark["w"] > 1.001 or mark["y"] + mark["h"] > 1.001:
                return "A mark reaches out of the picture."
        return None


def _said(message: Any) -> dict[str, Any]:
    role, text = message.get("role", "assistant"), str(message.get("text", ""))
    shown = {"html": to_html(text)} if role == "assistant" else {"text": text}
    return {"role": role, "name": str(message.get("name", "")), **shown}
