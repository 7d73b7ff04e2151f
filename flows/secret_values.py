"""`pw.secret(NAME)`: a secret, read inside a node while its run is under way."""

from __future__ import annotations

import os

from ..connectors.errors import DefinitionError, SetupError
from ..connectors.secrets import Secrets
from .context import CURRENT
from .faults import caller_place, definition_fault
from .trace import current_trace

_ENVIRONMENT = "WORKLETS_SECRET_"


def secret(name: str) -> str:
    """A secret in clear. For the code of nodes.

    In the server it is what `worklets secrets set NAME` keeps. A direct call in your own process takes the environment
    variable `WORKLETS_SECRET_NAME`.

    Raises:
        SetupError: there is none of that name, or it was encrypted with another key.
        DefinitionError: asked for in a worklet's function, where it would become part of the graph.
    """
    if current_trace() is not None:
        what = f"pw.secret({name!r}) is asked for while the worklet is traced, so that it would stand in the graph."
        fault = definition_fault(what, place=caller_place(), fix="ask for it inside a node")
        raise DefinitionError("A worklet is defined wrongly.", faults=[fault])
    run = CURRENT.get()
    return secret_value(run.services.secrets if run is not None else None, name)


def secret_value(kept: Secrets | None, name: str) -> str:
    """A secret of the server, or of the environment where there is none. Raises SetupError."""
    if kept is not None:
        return kept.value(name)
    found = os.environ.get(f"{_ENVIRONMENT}{name}")
    if found is None:
        raise SetupError(f"There is no secret {name[:64]!r} here; set {_ENVIRONMENT}{name[:64]} for a direct call.")
    return found
