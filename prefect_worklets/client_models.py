"""The server's models for worklets that run here: a direct call, a notebook, a flow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .connectors.images import Image
from .flows.context import Answer

if TYPE_CHECKING:
    from .client import Client

# Arrays of these come back from JSON as they were.
_NUMBERS = ("int", "uint", "float", "bool")


class ClientModels:
    """Asks a running server's models over HTTP; what they answer is what a worklet in the server would get.

    Args:
        client: the server; by default the one that `Client()` finds at the time of a question.
    """

    def __init__(self, client: Client | None = None) -> None:
        self._given = client
        self._made: tuple[tuple[str, str], Client] | None = None
        self._lock = threading.Lock()
        self._outputs: dict[tuple[str, str], Sequence[Mapping[str, Any]]] = {}

    def quick(self, name: str, version: str | None = None) -> Callable[[Any], Any] | None:
        """None: another process is never quick."""
        return None

    def joined(self, name: str, inputs: Any, version: str | None = None) -> Awaitable[Any] | None:
        """None: what is gathered is gathered there."""
        return None

    async def predict(
        self,
        name: str,
        inputs: Any,
        version: str | None = None,
        *,
        timeout: float | None = None,
    ) -> Answer:
        """The model's answer. Raises SetupError (no server is known), and what `Model.predict` raises."""
        return await asyncio.to_thread(self._ask, name, inputs, version, timeout)

    def _ask(self, name: str, inputs: Any, version: str | None, timeout: float | None) -> Answer:
        client = self._found()
        asked = name if version is None else f"{name}@{version}"
        answer = client.models[asked].answer(inputs, timeout=timeout)
        fields = self._described(client, answer["model"], answer["version"])
        return Answer(_restored(answer["outputs"], fields), answer["model"], answer["version"])

    def _found(self) -> Client:
        if self._given is not None:
            return self._given
        from .client import Client, find_server

        # Looked up each time: a server that was started again has another key.
        place = find_server()
        with self._lock:
            if self._made is None or self._made[0] != place:
                self._made = place, Client(*place)
                self._outputs.clear()
            return self._made[1]

    def _described(self, client: Client, name: str, version: str) -> Sequence[Mapping[str, Any]]:
        """The outputs of a version, as its signature has them."""
        known = self._outputs.get((name, version))
        if known is None:
            details = client.models[f"{name}@{version}"].details()
            known = self._outputs[name, version] = tuple(details["signature"]["outputs"])
        return known


def _restored(outputs: Any, fields: Sequence[Mapping[str, Any]]) -> Any:
    """The outputs as the model gave them: arrays, tables and pictures again."""
    by_name = {field["name"]: field for field in fields}
    if isinstance(outputs, dict) and by_name and set(outputs) <= set(by_name):
        return {name: _value(value, by_name[name]) for name, value in outputs.items()}
    return _value(outputs, fields[0]) if len(fields) == 1 else outputs


def _value(value: Any, field: Mapping[str, Any]) -> Any:
    if value is None:
        return None
    if field["kind"] == "image":
        return Image(value).array()
    if field["kind"] == "array" and str(field.get("dtype")).startswith(_NUMBERS):
        import numpy as np

        return np.array(value, dtype=field["dtype"])
    if field["kind"] == "table":
        import pandas as pd

        return pd.DataFrame(value)
    return value
