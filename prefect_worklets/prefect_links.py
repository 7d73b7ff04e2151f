"""From a run to its page in Prefect."""

from __future__ import annotations

from uuid import UUID

import httpx

from .connectors.errors import Unavailable

_SECONDS = 3.0


class FlowRunFinder:
    """Finds the flow run that was recorded for a run: its idempotency key is the run's id.

    Args:
        api_url: the address of Prefect's API; None finds nothing.
    """

    def __init__(self, api_url: str | None) -> None:
        self._api_url = api_url.rstrip("/") if api_url else None

    def __call__(self, run_id: str) -> str | None:
        """The flow run's id, None if Prefect has no such run (yet). Blocking. Raises Unavailable."""
        if self._api_url is None:
            return None
        # One that Prefect started has the flow run's own id.
        wanted = {"operator": "or_", "idempotency_key": {"any_": [run_id]}, "id": {"any_": [str(UUID(run_id))]}}
        query = {"flow_runs": wanted, "limit": 1}
        try:
            answer = httpx.post(f"{self._api_url}/flow_runs/filter", json=query, timeout=_SECONDS, trust_env=False)
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"Prefect at {self._api_url} does not answer ({error}); try again in a moment.") from None
        return str(found[0]["id"]) if found else None
