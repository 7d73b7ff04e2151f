"""`pw.worklet`: as in flows, and a direct call of it asks the running server's models."""

from __future__ import annotations

from functools import partial, update_wrapper

from .client_models import ClientModels
from .flows.worklet import worklet as _worklet

# A partial adds no frame of its own, by which faults in a definition are placed.
worklet = update_wrapper(partial(_worklet, models=ClientModels()), _worklet)
