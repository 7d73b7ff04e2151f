"""What differs between two graphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .graph import GraphDocument, GraphNode

# What follows from the code and from where it stands.
_DERIVED = frozenset({"source", "input_schema", "output_schema", "description"})
_OF_THE_WHOLE = (
    "description", "tags", "timeout", "requirements", "python", "triggers", "inputs", "output", "output_type"
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A field that differs, as JSON data."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class GraphDifferences:
    """What differs; empty (and false) if nothing does.

    Attributes:
        worklet: the fields of the worklet itself.
        added, removed: ids of nodes.
        changed: the fields of each node that is in both, by its id.
        edges_added, edges_removed: pairs of a node and one that needs it.
    """

    worklet: tuple[Change, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)
    edges_added: tuple[tuple[str, str], ...] = ()
    edges_removed: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.worklet or self.added or self.removed or self.changed)


def graph_differences(before: GraphDocument, after: GraphDocument) -> GraphDifferences:
    """Compare two graphs. The order of nodes counts for nothing, nor do places and what follows from the code."""
    old, new = ({node.id: node for node in each.nodes} for each in (before, after))
    changed = {id: changes for id in old if id in new and (changes := _node_changes(old[id], new[id]))}
    return GraphDifferences(
        worklet=_changes(_whole(before), _whole(after)),
        added=tuple(id for id in new if id not in old),
        removed=tuple(id for id in old if id not in new),
        changed=changed,
        edges_added=tuple(edge for edge in after.edges if edge not in before.edges),
        edges_removed=tuple(edge for edge in before.edges if edge not in after.edges),
    )


def _whole(document: GraphDocument) -> dict[str, Any]:
    data = document.model_dump(mode="json", include=set(_OF_THE_WHOLE))
    for each in data["inputs"]:
        each.pop("schema", None)  # its type decides
    return {name: data[name] for name in _OF_THE_WHOLE}


def _node_changes(before: GraphNode, after: GraphNode) -> tuple[Change, ...]:
    old, new = (each.model_dump(mode="json", exclude=set(_DERIVED)) for each in (before, after))
    return _changes(old, new)


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(Change(name, old[name], new[name]) for name in old if old[name] != new[name])
