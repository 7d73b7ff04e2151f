"""The worklets server as Prefect's worker sees it: hand over a flow run, look at it, pause and cancel it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from .client import find_server
from .client_http import CONNECT_SECONDS, error_of
from .connectors.errors import NotSignedIn, SetupError, Unavailable

# For how long the server keeps a question open while nothing happens.
WAIT_SECONDS = 25


class WorkerServer:
    """The server of the environment or of the profile, found again when that was started anew."""

    def __init__(self) -> None:
        self._http: httpx.AsyncClient | None = None

    async def begin(
        self, flow_run_id: UUID, worklet: str, parameters: dict[str, Any], attempt: UUID, *, start: bool = True
    ) -> dict[str, Any]:
        """The run of this attempt at a flow run, which is queued if there is none.

        Args:
            flow_run_id: Prefect's id of the flow run.
            worklet: the worklet to run.
            parameters: the flow run's.
            attempt: the id of the state by which Prefect wanted it run.
            start: whether to queue one.

        Raises:
            NotFound: there is no such worklet; or, with `start=False`, no such run.
            BadInput: the parameters don't fit the worklet.
            Unavailable: the server can't be reached; try again.
        """
        body = {"worklet": worklet, "parameters": parameters, "attempt": str(attempt), "start": start}
        answer: dict[str, Any] = await self._send("PUT", f"/api/prefect/flow-runs/{flow_run_id}", json=body)
        return answer

    async def look(self, run_id: str, seen: str) -> dict[str, Any]:
        """The run, once its state is another one than `seen`, or after a while. Raises NotFound, Unavailable."""
        query = {"seen": seen, "wait": WAIT_SECONDS}
        answer: dict[str, Any] = await self._send("GET", f"/api/runs/{run_id}", params=query)
        return answer

    async def cancel(self, run_id: str) -> None:
        """Cancel the run. Raises Conflict where it has ended, Unavailable."""
        await self._send("POST", f"/api/runs/{run_id}/cancel")

    async def pause(self, run_id: str) -> None:
        """Let the run rest. Raises Conflict where it has ended, Unavailable."""
        await self._send("POST", f"/api/runs/{run_id}/pause")

    async def resume(self, run_id: str) -> None:
        """Let the run go on. Raises Conflict where it is not paused, Unavailable."""
        await self._send("POST", f"/api/runs/{run_id}/resume")

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _send(self, method: str, path: str, **options: Any) -> Any:
        try:
            self._http = http = self._http or _connected()
        except SetupError as error:  # it is not up yet
            raise Unavailable(error.detail) from None
        try:
            response = await http.request(method, path, **options)
        except (httpx.HTTPError, RuntimeError) as error:
            # Started again it may have another address and another key.
            if self._http is http:
                await self.close()
            raise Unavailable(f"The worklets server at {http.base_url} can't be reached ({error}).") from None
        if response.is_success:
            return response.json()
        problem = error_of(response)
        if isinstance(problem, NotSignedIn):
            if self._http is http:
                await self.close()
            raise Unavailable(f"The worklets server at {http.base_url} does not know the key: {problem.detail}")
        raise problem


def _connected() -> httpx.AsyncClient:
    url, key = find_server()
    return httpx.AsyncClient(
        base_url=url,
        headers={"authorization": f"Bearer {key}", "user-agent": "prefect-worklets worker"},
        timeout=httpx.Timeout(WAIT_SECONDS + 10, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=500, max_keepalive_connections=50),
        trust_env=urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"),
    )
