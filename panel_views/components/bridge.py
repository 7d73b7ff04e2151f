"""Between a view in a frame and the page around it: parameters come in, events go out. It shows nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from .base import Drawn

MAX_PARAMETERS = 50
MAX_LENGTH = 2_000
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


class Bridge(Drawn):
    """The part of the page that speaks with the page around it.

    Args:
        take: told of new parameters.
    """

    _script: ClassVar[str] = "bridge"

    @classmethod
    def script(cls) -> str:
        """The script's name, without its ending."""
        return cls._script

    def __init__(self, take: Callable[[dict[str, Any]], None]) -> None:
        self._take = take
        super().__init__(styles={"display": "none"})

    def send(self, event: str, data: Any) -> None:
        """Tell the page around it of an event."""
        self._send_msg({"event": event, "data": data})

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and isinstance(data.get("params"), dict):
            self._take(checked_parameters(data["params"]))


def checked_parameters(given: dict[Any, Any]) -> dict[str, Any]:
    """Those that may be parameters: a name, and a short text, a number, or yes or no. Others are dropped."""
    kept: dict[str, Any] = {}
    for name, value in given.items():
        fits = isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= MAX_LENGTH)
        if isinstance(name, str) and _NAME.fullmatch(name) and fits and len(kept) < MAX_PARAMETERS:
            kept[name] = value
    return kept
