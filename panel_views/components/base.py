"""What every drawn component shares: its properties go to the browser as one dictionary, messages come back checked.

The JavaScript beside this module never reads a property as HTML (kit.js: `textContent` only), so hostile text is
text. The one exception is Markdown, whose HTML markdown.py makes.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent
from pydantic import BaseModel, ValidationError

from ..cells import Cell
from ..document import Component
from .kind import Kind
from .kinds import KINDS

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
SCRIPTS = sorted(FOLDER.glob("*.js"))
# pdf.js, as its project builds it.
PDFJS = FOLDER / "pdfjs"
# Part of the scripts' addresses, so that browsers may keep them for ever.
SCRIPTS_VERSION = hashlib.sha256(
    b"".join(path.read_bytes() for path in [*SCRIPTS, *sorted(PDFJS.glob("*.mjs"))])
).hexdigest()[:12]
UI_PATH = f"/views/ui/{SCRIPTS_VERSION}"


class Drawn(JSComponent):  # type: ignore[misc]  # Panel is not typed here
    """A component in the browser whose script is a file of this folder, served from our own origin.

    `address` is where the scripts are; `panel serve` has them elsewhere than the views process (served.py).
    """

    address: ClassVar[str] = UI_PATH

    @classmethod
    def script(cls) -> str:
        """The script's name, without its ending."""
        raise NotImplementedError

    @classmethod
    def _render_esm(cls, compiled: bool | str = True, server: bool = False) -> str:
        return f"{Drawn.address}/{cls.script()}.js"

    def _get_properties(self, doc: Any) -> dict[str, Any]:
        # "url": the browser imports the script from its address instead of from text in the page.
        return {**super()._get_properties(doc), "bundle": "url", "css_bundle": None}


class Events:
    """Where a component tells of what its user did."""

    def __init__(
        self,
        changed: Callable[[str, str, Any], None],
        fired: Callable[[str, str, Any], None],
        asked: Callable[[str, str, Any], None],
    ) -> None:
        self.changed = changed
        self.fired = fired
        self.asked = asked


class ViewComponent(Drawn):
    """A component of a document: shows cells, tells of values and events."""

    props = param.Dict(default={})
    status = param.Dict(default={})

    type: ClassVar[str] = ""

    def __init__(self, component: Component, events: Events) -> None:
        self._declared = component
        self._outlet = events
        self._complaint: str | None = None
        self.hidden = False  # by the document's condition
        self._troubles: dict[str, str] = {}
        self._plain = {name: self.kind().default(name) for name in self.kind().names()}
        self._plain = {**self._jsonable(self._plain), **component.properties}
        super().__init__(props=self._shown(), status={}, styles={"width": "100%", "height": "100%"})

    @classmethod
    def script(cls) -> str:
        """The script has the type's name."""
        return cls.type

    @classmethod
    def kind(cls) -> Kind:
        """What this class draws."""
        return KINDS[cls.type]

    @property
    def id(self) -> str:
        """The component's id in the document."""
        return self._declared.id

    @property
    def disabled(self) -> bool:
        """Whether its user can't change it."""
        return bool(self._plain.get("disabled"))

    def property(self, name: str) -> Any:
        """A property as it stands; None if there is no such."""
        return self._plain.get(name)

    def show_cell(self, name: str, cell: Cell) -> None:
        """Show a bound property's new value."""
        if cell.status != "error" or cell.value is not None:
            first = self._declared.properties.get(name, self.kind().default(name))
            self._plain = {**self._plain, name: first if cell.value is None else cell.value}
        self._troubles.pop(name, None)
        if name == "value":
            self._complaint = None
        if cell.status == "error" and cell.error:
            self._troubles[name] = str(cell.error.get("detail", ""))
        status = {**self.status, name: cell.status}
        self.param.update(props=self._shown(), status=status)

    def show_status(self, name: str, status: str) -> None:
        """Show only how a property stands."""
        self.status = {**self.status, name: status}

    def fault(self, message: str | None) -> None:
        """Show what is wrong with this component's value; None takes it away."""
        self._complaint = message
        self.props = self._shown()

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """What goes to the browser for these properties."""
        return props

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value that its user gave and that has the right type."""
        return None

    def ask(self, what: str, data: Any) -> None:
        """A question from the browser that is neither a value nor an event."""
        self._outlet.asked(self._declared.id, what, data)

    def takes_from_reader(self) -> frozenset[str]:
        """The values that the browser may give. One that is no property is one that the component itself tells of."""
        return self.kind().values.intersection(self.kind().names())

    def fires_for_reader(self) -> frozenset[str]:
        """The events that the browser may tell of."""
        return self.kind().events

    def read_event(self, event: str, data: Any) -> Any:
        """What an event of the browser means to actions. Raises LookupError, ValueError for nonsense."""
        return None

    def _shown(self) -> dict[str, Any]:
        props = self._jsonable(self._plain)
        if self._complaint is not None:
            props["error" if "error" in self._plain else "complaint"] = self._complaint
        props = self.transform(props)
        if self._troubles:
            props["fault"] = next(iter(self._troubles.values()))
        return props

    @staticmethod
    def _jsonable(props: dict[str, Any]) -> dict[str, Any]:
        return {name: _plain_json(value) for name, value in props.items()}

    def _handle_msg(self, data: Any) -> None:
        """What the browser sent is not to be trusted: only known names, only values that fit."""
        if not isinstance(data, dict):
            return
        name, event = data.get("value"), data.get("event")
        if isinstance(name, str) and name in self.takes_from_reader():
            self._receive(name, data.get("data"))
        elif isinstance(event, str) and event in self.fires_for_reader():
            try:
                payload = self.read_event(event, data.get("data"))
            except (LookupError, TypeError, ValueError):
                return
            self._outlet.fired(self._declared.id, event, payload)
        elif isinstance(data.get("ask"), str):
            try:
                self.ask(data["ask"], data.get("data"))
            except (LookupError, TypeError, ValueError):
                return

    def _receive(self, name: str, value: Any) -> None:
        try:
            checked = self.kind().check(name, value)
        except ValidationError:
            logger.info("The component %s got a value from a browser that does not fit.", self._declared.id)
            return
        self.accept(name, _plain_json(checked))

    def accept(self, name: str, value: Any) -> None:
        """Take a checked value as its user's, and tell of it. One that is refused stays in the field, unread."""
        complaint = self.complaint(value) if name == "value" else None
        self._complaint = complaint
        self._plain = {**self._plain, name: value}
        self.param.update(props=self._shown(), status={**self.status, name: "ready"})
        self._outlet.changed(self._declared.id, name, None if complaint else value)
        if "change" in self.kind().events and complaint is None:
            self._outlet.fired(self._declared.id, "change", {"value": value})

    def value(self) -> Any:
        """The value as it stands in the field, right or wrong."""
        return self._plain.get("value")

    def reset(self) -> None:
        """Put the first value back, without a word about faults."""
        self._complaint = None
        first = self._declared.properties.get("value", self.kind().default("value"))
        self._plain = {**self._plain, "value": first}
        self.props = {**self._shown(), "error": None}
        self._outlet.changed(self._declared.id, "value", first)


def _plain_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain_json(part) for part in value]
    return value.model_dump() if isinstance(value, BaseModel) else value
