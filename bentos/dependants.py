"""What needs a model: worklets and views, which this room doesn't know. Whoever knows them passes a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from ..connectors.errors import Conflict


@dataclass(frozen=True, slots=True)
class Dependant:
    """Something that needs a model.

    Attributes:
        kind: `worklet` or `view`.
        name: its name, or the view's slug.
        through: the worklet by which a view needs the model; empty for a worklet.
        live: whether what people use of it now needs the model.
    """

    kind: str
    name: str
    through: str = ""
    live: bool = True

    def as_dict(self) -> dict[str, str | bool]:
        """As JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"the {self.kind} {self.name}" + (f" (by {self.through})" if self.through else "")


DependantsOf = Callable[[str], Sequence[Dependant]]


def nobody(_name: str) -> Sequence[Dependant]:
    """For an instance without worklets and views."""
    return ()


def in_use(name: str, found: Sequence[Dependant]) -> Conflict:
    """The refusal to delete a model that something needs."""
    words = [str(each) for each in found[:10]] + ([f"{len(found) - 10} more"] if len(found) > 10 else [])
    return Conflict(
        f"The model {name} is needed by {', '.join(words)}. Change these first, or delete it all the same with "
        "?force=true (`worklets models delete --force`)."
    )
