"""The console: server-rendered pages over the API."""

from .flow_runs import FlowRunLookup
from .links import ConsoleLinks
from .mount import routes

__all__ = ["ConsoleLinks", "FlowRunLookup", "routes"]
