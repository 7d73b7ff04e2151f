"""Turn a trained model into an API, a workflow and a page that people use: worklets for Prefect.

import prefect_worklets as pw

pw.deploy(model, "iris", sample_input=X[:1])

@pw.node
def features(flower: Flower) -> list[list[float]]: ...

@pw.worklet
def classify(flower: Flower) -> Answer:
    return label(pw.model("iris")(features(flower)))
"""

from __future__ import annotations

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import ui
    from .blocks import KafkaCluster, WorkletsDatabase, WorkletsServer
    from .client import Client, Model, deploy, zoo
    from .connectors.errors import (
        BadInput,
        Conflict,
        DefinitionError,
        Fault,
        ModelFailed,
        NodeFailed,
        NotAllowed,
        NotFound,
        NotSignedIn,
        SetupError,
        TookTooLong,
        TooLarge,
        Unavailable,
        WorkletsError,
    )
    from .connectors.images import Image
    from .flows.calling import call
    from .flows.context import RunContext
    from .flows.context import current as context
    from .flows.deciding import decide, switch
    from .flows.mapping import map
    from .flows.nodes import model, node, query, save
    from .flows.notifying import notify
    from .flows.recovering import recover
    from .flows.requesting import http
    from .flows.reviewing import Decision, review
    from .flows.secret_values import secret
    from .flows.triggers import cron
    from .flows.worklet import Worklet, worklet
    from .panel_views.templates import view_for
    from .written_views import page, view

__version__ = _version("prefect-worklets")

__all__ = [
    "BadInput",
    "Client",
    "Conflict",
    "Decision",
    "DefinitionError",
    "Fault",
    "Image",
    "KafkaCluster",
    "Model",
    "ModelFailed",
    "NodeFailed",
    "NotAllowed",
    "NotFound",
    "NotSignedIn",
    "RunContext",
    "SetupError",
    "TooLarge",
    "TookTooLong",
    "Unavailable",
    "Worklet",
    "WorkletsDatabase",
    "WorkletsError",
    "WorkletsServer",
    "call",
    "context",
    "cron",
    "decide",
    "deploy",
    "http",
    "map",
    "model",
    "node",
    "notify",
    "page",
    "query",
    "recover",
    "review",
    "save",
    "secret",
    "switch",
    "ui",
    "view",
    "view_for",
    "worklet",
    "zoo",
]

# Each name comes from its module at first use: `worklets --help` needs none of them, and waits for none.
_HOMES = {
    **dict.fromkeys(("KafkaCluster", "WorkletsDatabase", "WorkletsServer"), ".blocks"),
    **dict.fromkeys(("Client", "Model", "deploy", "zoo"), ".client"),
    **dict.fromkeys(("model", "node", "query", "save"), ".flows.nodes"),
    "Worklet": ".flows.worklet",
    "cron": ".flows.triggers",
    "call": ".flows.calling",
    **dict.fromkeys(("decide", "switch"), ".flows.deciding"),
    "http": ".flows.requesting",
    "recover": ".flows.recovering",
    "notify": ".flows.notifying",
    **dict.fromkeys(("Decision", "review"), ".flows.reviewing"),
    "map": ".flows.mapping",
    "secret": ".flows.secret_values",
    "view_for": ".panel_views.templates",
    **dict.fromkeys(("page", "view"), ".written_views"),
    "worklet": ".decorators",
    **dict.fromkeys(("RunContext", "context"), ".flows.context"),
    "Image": ".connectors.images",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "ui":  # a module
        value = globals()[name] = _import_module(".ui", __name__)
        return value
    home = _import_module(_HOMES.get(name, ".connectors.errors"), __name__)
    value = globals()[name] = getattr(home, "current" if name == "context" else name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
