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

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

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
from .flows.context import RunContext
from .flows.context import current as context
from .flows.nodes import model, node, save
from .flows.worklet import Worklet, worklet

if TYPE_CHECKING:
    from .client import Client, Model, deploy, zoo

__version__ = _version("prefect-worklets")

__all__ = [
    "BadInput",
    "Client",
    "Conflict",
    "DefinitionError",
    "Fault",
    "Image",
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
    "WorkletsError",
    "context",
    "deploy",
    "model",
    "node",
    "save",
    "worklet",
    "zoo",
]

_LAZY = frozenset({"Client", "Model", "deploy", "zoo"})


def __getattr__(name: str) -> Any:
    # The client needs an HTTP library and the packaging of models: only those who use it wait for its import.
    if name in _LAZY:
        from . import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
