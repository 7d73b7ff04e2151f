"""Components that authors write: their script draws them in the browser, their declarations say here what fits."""

from __future__ import annotations

import json
import logging
from typing import Any, ClassVar

from ..custom import CustomDefinition
from ..declarations import BINDABLE
from ..document import Component
from .base import Events, ViewComponent

logger = logging.getLogger(__name__)

# Below it the views process serves the scripts, each under the hash of its text.
SCRIPTS_PATH = "/views/custom"
MAX_GIVEN = 200_000  # characters of JSON that a reader's browser may send as a value, or with an event


class Custom(ViewComponent):
    """Draws `custom`: what fits the definition goes to the author's script.

    `scripts` is where the scripts are, and `missing` what is to be done where there is no definition; `panel serve` has
    both otherwise than the views process (served.py).

    Args:
        definition: the component's; None if nobody has pushed one of that name.
    """

    type = "custom"
    scripts: ClassVar[str] = SCRIPTS_PATH
    missing: ClassVar[str] = "its author pushes it by `pw.Client().push_component(...)`"

    def __init__(self, component: Component, events: Events, definition: CustomDefinition | None = None) -> None:
        self._definition = definition
        super().__init__(component, events)

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The properties by their names, and the script's address; or what is wrong with them."""
        definition, name = self._definition, props["component"]
        plain = {key: props.get(key) for key in ("label", "disabled", "complaint")}
        if definition is None:
            missing = f"There is no component {name!r} here; {self.missing}."
            return {**plain, "fault": missing if name else "Say which component it is."}
        # What stands beside the kind's own properties was bound by its name, or given by the reader.
        single = BINDABLE | (props.keys() - set(self.kind().names()) - {"complaint", "error"})
        given = {**(props["props"] or {}), **{key: props[key] for key in single if props[key] is not None}}
        faults = definition.faults(given)
        if faults:
            said = "; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in faults[:5])
            return {**plain, "fault": f"{definition.title} can't be drawn with this. {said}."}
        return {
            **plain,
            "script": f"{self.scripts}/{definition.hash}.js",
            "title": definition.title,
            "own": {**definition.defaults, **given},
            # So that the script's author is told in the browser what is refused here.
            "fires": sorted(definition.events),
            "gives": definition.readable,
        }

    def complaint(self, value: Any) -> str | None:
        """A reader's value has to fit the definition as well."""
        return self._misfit("value", value)

    def _misfit(self, name: str, value: Any) -> str | None:
        if self._definition is None or name not in self._definition.readable:
            return f"This component gives no {name}."
        faults = self._definition.faults({name: value})
        return faults[0].msg if faults else None

    def takes_from_reader(self) -> frozenset[str]:
        """`value`, and what the definition says beside it."""
        return frozenset(self._definition.readable) if self._definition is not None else frozenset()

    def fires_for_reader(self) -> frozenset[str]:
        """What the definition says; `change` comes by itself, with a value."""
        return frozenset(self._definition.events) if self._definition is not None else frozenset()

    def read_event(self, event: str, data: Any) -> Any:
        """What the script sent with an event, if it fits. What is no object is read as `value`.

        Raises ValueError: the script, or somebody in its place, sends what it may not.
        """
        wrong = "it is too much, or no JSON" if not _is_bounded(data) else None
        if wrong is None and self._definition is not None:
            wrong = self._definition.misfit(event, data)
        if wrong is not None:
            self._refuse(event, wrong)
            raise ValueError(wrong)
        if self.disabled:
            raise ValueError("it is disabled")
        return data if isinstance(data, dict) or data is None else {"value": data}

    def _receive(self, name: str, value: Any) -> None:
        # What does not fit, or is too much, is not the reader's: the script, or somebody in its place, has sent it.
        wrong = self._misfit(name, value) if _is_bounded(value) else "it is too much, or no JSON"
        if wrong is not None:
            self._refuse(name, wrong)
        elif name == "value" and not self.disabled:
            super()._receive(name, value)
        elif not self.disabled:
            self._plain = {**self._plain, name: value}
            self.param.update(props=self._shown(), status={**self.status, name: "ready"})
            self._outlet.changed(self._declared.id, name, value)

    def _refuse(self, name: str, wrong: str) -> None:
        logger.info("The component %s sent %s, which is refused: %s", self._declared.id, name, wrong[:300])


def _is_bounded(value: Any) -> bool:
    """Whether it is JSON, and no more than a reader may give."""
    try:
        return len(json.dumps(value, allow_nan=False)) <= MAX_GIVEN
    except (TypeError, ValueError, RecursionError):
        return False
