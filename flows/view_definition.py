"""What a project's module defines a view by. The room of the views makes it; a project only finds it."""

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
