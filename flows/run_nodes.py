"""Finds what is known of a node of a run: here while it goes on and just after, else in the store. Blocking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ..connectors.blanking import Blanks
from ..connectors.errors import NotFound
from ..connectors.store import Store
from ..connectors.tables import RunDetails
from .graph import GraphDocument, GraphNode
from .node_details import NodeDetails, lines_of, node_details
from .node_facts import argument_texts, node_settings
from .recent import RecentRuns
from .versions import WorkletVersions


class RunNodes:
    """Reads nodes of runs.

    Args:
        store: where the details of ended runs are.
        versions: gives the graphs.
        recent: runs that the store may not have yet.
        under_way: the details of a run that goes on, or waits, in this process; None if it does not.
        blanks: takes secrets out of those.
    """

    def __init__(
        self,
        store: Store,
        versions: WorkletVersions,
        recent: RecentRuns,
        under_way: Callable[[str], bytes | None],
        blanks: Blanks,
    ) -> None:
        self._store = store
        self._versions = versions
        self._recent = recent
        self._under_way = under_way
        self._blanks = blanks

    def node(self, run: Any, id: str, *, with_values: bool) -> tuple[GraphDocument, GraphNode, NodeDetails]:
        """A node of a run, with the graph that it belongs to.

        Args:
            run: the run's record or row.
            id: the node's.
            with_values: whether the caller may see values and logs.

        Raises:
            NotFound: the version is not there any more, or has no such node.
        """
        graph = GraphDocument.model_validate(self._versions.one(run.worklet, run.version).graph)
        node = next((each for each in graph.nodes if each.id == id), None)
        if node is None:
            raise NotFound(f"The worklet {run.worklet!r} has no node {id[:64]!r} in version {run.version}.")
        return graph, node, node_details(run, graph, node, self._details(run.id) if with_values else None)

    def as_dict(self, run: Any, id: str, *, with_values: bool) -> dict[str, Any]:
        """The same as JSON data. Raises NotFound."""
        graph, node, details = self.node(run, id, with_values=with_values)
        shown = asdict(details)
        return shown | {"arguments": argument_texts(node), "settings": node_settings(graph, id)}

    def lines(self, run: Any, after_us: int) -> list[tuple[int, str, str, str]]:
        """What the run's nodes have logged after a moment: (µs since 1970, node, level, text)."""
        return lines_of(self._details(run.id), run.started_us, after_us)

    def _details(self, run_id: str) -> bytes | None:
        recent = self._recent.get(run_id)
        if recent is not None and recent.details is not None:
            return recent.details
        with self._store.read() as session:
            row = session.get(RunDetails, run_id)
        return row.content if row is not None else self._blanks.json(self._under_way(run_id))
