"""What actions read, and what can be wrong with those about modals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..connectors.errors import Fault
from .document import (
    Action,
    ApiBinding,
    Binding,
    CancelRun,
    CloseModal,
    Copy,
    Decide,
    Download,
    ModelBinding,
    Navigate,
    Notify,
    OpenModal,
    QueryBinding,
    Remove,
    RunWorklet,
    Save,
    SendEvent,
    SetState,
    SubmitRun,
    ViewDocument,
)
from .faults import Loc, unknown


def action_bindings(action: Action) -> Iterator[tuple[Loc, Binding]]:
    """What an action reads, with the place of each in it."""
    if action.when is not None:
        yield ("when",), action.when
    for name, binding in _alone(action).items():
        if binding is not None:
            yield (name,), binding
    for field, bindings in _named(action).items():
        for name, binding in bindings.items():
            yield (field, name), binding


def _alone(action: Action) -> Mapping[str, Binding | None]:
    if isinstance(action, SetState | ModelBinding):
        return {"value": action.value}
    if isinstance(action, SendEvent):
        return {"data": action.data}
    if isinstance(action, Save):
        return {"values": action.values}
    if isinstance(action, Notify | Copy):
        return {"text": action.text}
    if isinstance(action, CancelRun):
        return {"run": action.run}
    if isinstance(action, Download):
        return {"source": action.source}
    if isinstance(action, Decide):
        return {"review": action.review, "decision": action.decision}
    return {}


def _named(action: Action) -> Mapping[str, Mapping[str, Binding]]:
    if isinstance(action, RunWorklet | SubmitRun | ModelBinding):
        return {"input": action.input}
    if isinstance(action, Navigate | QueryBinding | ApiBinding):
        return {"params": action.params}
    return {"row": action.row} if isinstance(action, Save | Remove) else {}


def states_of(action: Action) -> Iterator[tuple[str, str]]:
    """The states that an action puts something into, with the field that names each."""
    for field in ("into", "progress", "log", "state"):
        key = getattr(action, field, None)
        if key is not None:
            yield field, key


def of_submitted(loc: Loc, action: SubmitRun) -> Iterator[Fault]:
    """Of beginning a durable run."""
    if action.log is not None and action.log in (action.into, action.progress):
        said = f"{action.log!r} takes the answer or the progress already"
        yield Fault((*loc, "log"), said, "action", "give the lines a state of their own")


def of_modal(document: ViewDocument, loc: Loc, action: OpenModal | CloseModal) -> Iterator[Fault]:
    """Of opening and closing: there has to be such a modal on the page, and nothing else that opens it."""
    page = document.pages[int(loc[1])]
    modals = {part.id: part for part in page.components if part.type == "modal"}
    if action.modal not in modals:
        yield unknown((*loc, "modal"), "modal on this page", action.modal, sorted(modals))
    elif "open" in modals[action.modal].bindings:
        said = f"{action.modal!r} is open as what its `open` is bound to says"
        yield Fault((*loc, "modal"), said, "action", "change that instead, or take the binding away")
