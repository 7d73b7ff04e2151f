"""Where the console's links lead outside of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit


def _no_flow_run(_run_id: str) -> str | None:
    return None


@dataclass(frozen=True)
class ConsoleLinks:
    """Addresses beside the console's own.

    Args:
        prefect_ui: the address of Prefect's pages, as the reader's browser reaches it; None hides the links.
        flow_run: says by which flow run Prefect knows a run, from the run's id; None if it does not know it. May
            block and raise WorkletsError; asked only when somebody follows the link.
        public_url: the address under which people reach this instance, for the snippets; None takes the request's.
    """

    prefect_ui: str | None = None
    flow_run: Callable[[str], str | None] = _no_flow_run
    public_url: str | None = None

    def prefect_run(self, run_id: str) -> str | None:
        """The page of a run in Prefect, None if Prefect has no such run. Blocking. Raises what `flow_run` raises."""
        base = self.prefect
        flow_run = self.flow_run(run_id) if base else None
        return f"{base}/runs/flow-run/{quote(flow_run, safe='')}" if flow_run else None

    @property
    def prefect(self) -> str | None:
        """Prefect's pages, without the closing slash; None unless it is an http(s) address."""
        if not self.prefect_ui or urlsplit(self.prefect_ui).scheme not in ("http", "https"):
            return None
        return self.prefect_ui.rstrip("/")


def local_path(wanted: str | None, default: str = "/console") -> str:
    """`wanted` if it is a path on this server, else `default`: a login must not lead to another site."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\", "/login", "/logout")):
        return default
    if any(not letter.isprintable() or letter == "\\" for letter in wanted):
        return default
    parts = urlsplit(wanted)
    return default if parts.scheme or parts.netloc else wanted
