"""Which worklets ask a model, and which views run these or ask it themselves. Blocking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlmodel import col, select

from ..bentos.dependants import Dependant
from ..connectors.store import Store
from ..connectors.tables import View, ViewDraft, ViewVersion, Worklet, WorkletVersion


def dependants_of_model(store: Store, name: str) -> list[Dependant]:
    """The worklets whose live version asks the model, then the views (published or drafted) that run one or ask it."""
    with store.read() as session:
        graphs = session.exec(
            select(col(Worklet.name), col(WorkletVersion.graph)).join(
                WorkletVersion,
                (col(WorkletVersion.worklet_name) == col(Worklet.name))
                & (col(WorkletVersion.number) == col(Worklet.live_version)),
            )
        ).all()
        published = session.exec(
            select(col(View.slug), col(ViewVersion.document)).join(
                ViewVersion,
                (col(ViewVersion.view_slug) == col(View.slug)) & (col(ViewVersion.number) == col(View.published)),
            )
        ).all()
        drafts = session.exec(select(col(ViewDraft.view_slug), col(ViewDraft.document))).all()
    worklets = sorted(worklet for worklet, graph in graphs if _asks(graph, name))
    wanted = set(worklets)
    found = [Dependant("worklet", worklet) for worklet in worklets]
    live = {(slug, by) for slug, document in published for by in _ways(document, wanted, name)}
    drafted = {(slug, by) for slug, document in drafts for by in _ways(document, wanted, name)} - live
    found += [Dependant("view", slug, worklet) for slug, worklet in sorted(live)]
    return found + [Dependant("view", slug, worklet, live=False) for slug, worklet in sorted(drafted)]


def _asks(graph: Any, name: str) -> bool:
    """Whether a node of the graph, be it inside another node, asks the model: in any version, or in a fixed one."""
    for part in _objects(graph):
        settings = part.get("settings")
        if isinstance(settings, dict) and str(settings.get("model", "")).partition("@")[0] == name:
            return True
    return False


def _ways(document: Any, worklets: set[str], model: str) -> set[str]:
    """By which of these worklets a view needs the model; the empty text where it asks the model itself."""
    named = {str(part.get("model", "")).partition("@")[0] for part in _objects(document)}
    return (_runs(document) & worklets) | ({""} if model in named else set())


def _runs(document: Any) -> set[str]:
    """The worklets that a view's document names."""
    return {part["worklet"] for part in _objects(document) if isinstance(part.get("worklet"), str)}


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
