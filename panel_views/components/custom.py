"""Components that authors write: their script draws them in the browser, their schema says here what fits."""

from __future__ import annotations

import json
from typing import Any

from ..custom import CustomDefinition
from ..declarations import BINDABLE
from ..document import Component
from .base import Events, ViewComponent

# Below it the views process serves the scripts, each under the hash of its text.
SCRIPTS_PATH = "/views/custom"
MAX_GIVEN = 200_000  # characters of JSON that a reader's browser may send as a value


class Custom(ViewComponent):
    """Draws `custom`: what fits the definition goes to the author's script.

    Args:
        definition: the component's; None if nobody has pushed one of that name.
    """

    type = "custom"

    def __init__(self, component: Component, events: Events, definition: CustomDefinition | None = None) -> None:
        self._definition = definition
        super().__init__(component, events)

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The properties by their names, and the script's address; or what is wrong with them."""
        definition, name = self._definition, props["component"]
        plain = {key: props.get(key) for key in ("label", "disabled", "complaint")}
        if definition is None:
            missing = f"There is no component {name!r} here; its author pushes it by `pw.Client().push_component(...)`."
            return {**plain, "fault": missing if name else "Say which component it is."}
        given = {**(props["props"] or {}), **{key: props[key] for key in BINDABLE if props[key] is not None}}
        faults = definition.faults(given)
        if faults:
            said = "; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in faults[:5])
            return {**plain, "fault": f"{definition.title} can't be drawn with this. {said}."}
        return {
            **plain,
            "script": f"{SCRIPTS_PATH}/{definition.hash}.js",
            "title": definition.title,
            "own": {**definition.defaults, **given},
        }

    def complaint(self, value: Any) -> str | None:
        """A reader's value has to fit the definition as well."""
        if self._definition is None or "value" not in self._definition.own:
            return "This component takes no value."
        faults = self._definition.faults({"value": value})
        return faults[0].msg if faults else None

    def _receive(self, name: str, value: Any) -> None:
        # What does not fit, or is too much, is not the reader's: the script, or somebody in its place, has sent it.
        if self._plain["disabled"] or len(json.dumps(value)) > MAX_GIVEN or self.complaint(value) is not None:
            return
        super()._receive(name, value)
