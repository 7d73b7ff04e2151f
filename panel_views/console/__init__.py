"""The console: server-rendered pages over the API."""

from .links import ConsoleLinks
from .mount import routes

__all__ = ["ConsoleLinks", "routes"]
