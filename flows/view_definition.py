"""What a project's module defines views and their components by. The room of the views makes it; a project finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .faults import Place


@dataclass(frozen=True, eq=False)
class ViewDefinition:
    """A view that Python code wrote: its document as plain JSON, and where it is written."""

    slug: str
    document: dict[str, Any]
    place: Place


class ComponentDefinition:
    """Base of the classes by which authors define components of views."""

    @classmethod
    def definition(cls) -> dict[str, Any] | None:
        """The component as plain JSON, its script with it; None for a base. Raises DefinitionError with every fault."""
        return None
