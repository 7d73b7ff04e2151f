"""Finds the flow run by which Prefect knows a run: the run's id is its idempotency key (flows/prefect_shape.py)."""

from __future__ import annotations

import httpx

from ...connectors.errors import Unavailable


class FlowRunLookup:
    """Asks one Prefect server. Blocking; safe to share between threads.

    Args:
        url: the API's address, as PREFECT_API_URL names it.
        api_key: PREFECT_API_KEY, for Prefect Cloud.
        auth_string: PREFECT_API_AUTH_STRING, `user:password`.
        timeout: seconds; somebody waits for the page.
    """

    def __init__(
        self, url: str, *, api_key: str | None = None, auth_string: str | None = None, timeout: float = 5.0
    ) -> None:
        self._url = url.rstrip("/") + "/flow_runs/filter"
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._auth = httpx.BasicAuth(*auth_string.split(":", 1)) if auth_string and ":" in auth_string else None
        self._timeout = timeout

    def __call__(self, run_id: str) -> str | None:
        """The flow run's id; None if Prefect has none. Raises Unavailable."""
        question = {"flow_runs": {"idempotency_key": {"any_": [run_id]}}, "limit": 1}
        try:
            answer = httpx.post(self._url, json=question, headers=self._headers, auth=self._auth, timeout=self._timeout)
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"Prefect can't be asked just now ({type(error).__name__}); try again.") from None
        return str(found[0]["id"]) if found else None
