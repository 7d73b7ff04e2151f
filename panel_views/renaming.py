"""A component's new id, wherever the document says the old one."""

from __future__ import annotations

import re
from typing import Any

from .document import Page, ViewDocument

# The keys whose text is a component's id; `id` and `parent` are those of components, the rest of what reads them.
_NAMES = frozenset({"component", "parent"})


def renamed(document: ViewDocument, id: str, to: str) -> ViewDocument:
    """The document with a component's id changed in the component, its children, bindings, actions and expressions."""
    pattern = re.compile(rf"\bcomponents\.{re.escape(id)}\b")

    def follow(value: Any) -> Any:
        if isinstance(value, list):
            return [follow(part) for part in value]
        if not isinstance(value, dict):
            return value
        found = {}
        for key, part in value.items():
            if key in _NAMES and part == id:
                found[key] = to
            elif key == "expr" and isinstance(part, str):
                found[key] = pattern.sub(f"components.{to}", part)
            else:
                found[key] = follow(part)
        return found

    pages = []
    for page in document.pages:
        fields = page.model_dump(mode="json", exclude_unset=True, by_alias=True)
        for component in fields.get("components", []):
            # Properties hold the author's own values, among which a key may be called `component` by chance.
            kept = component.pop("properties", None)
            component.update(follow(component))
            if kept is not None:
                component["properties"] = kept
            if component["id"] == id:
                component["id"] = to
        pages.append(Page.model_validate(fields))
    return document.model_copy(update={"pages": pages})
