"""What a project's module defines views and their components by. The room of the views makes it; a project finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .faults import Place


class ComponentDefinition:
    """Base of the classes by which authors define components of views."""

    @classmethod
    def definition(cls) -> dict[str, Any] | None:
        """The component as plain JSON, its script with it; None for a base. Raises DefinitionError with every fault."""
        return None


@dataclass(frozen=True, eq=False)
class ViewDefinition:
    """A view that Python code wrote: its document as plain JSON, where it is written, and its authors' components."""

    slug: str
    document: dict[str, Any]
    place: Place
    components: tuple[type[ComponentDefinition] | Mapping[str, Any], ...] = ()

    def definitions(self) -> list[dict[str, Any]]:
        """Those components as plain JSON. Raises DefinitionError."""
        found = [one.definition() if isinstance(one, type) else dict(one) for one in self.components]
        return [one for one in found if one is not None]
