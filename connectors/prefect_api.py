"""A small client of Prefect's public REST API: only the routes that recording needs.

It doesn't import prefect, which costs 100 MB and seconds of start-up.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx
import orjson

from .errors import BadInput, Conflict, NotFound, SetupError, Unavailable, WorkletsError

# Prefect takes no more flow runs than these in one request.
BULK_LIMIT = 100
FINAL_STATES = frozenset({"COMPLETED", "FAILED", "CANCELLED", "CRASHED"})
_PASSING_STATUS = frozenset({408, 429, 502, 503, 504})
_LONGEST_WAIT_S = 5.0
_PAGE = 200


class PrefectState(NamedTuple):
    """A state to set: `type` is Prefect's (COMPLETED, FAILED, ...), `name` what people read."""

    type: str
    name: str
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        """The state as Prefect takes it."""
        return {"type": self.type, "name": self.name, "message": self.message or None}


@dataclass(frozen=True)
class DeploymentSpec:
    """What a deployment shall look like. `version` is shown, and tells whether Prefect's is up to date."""

    flow: str
    name: str
    version: str
    description: str = ""
    tags: Sequence[str] = ()
    parameter_schema: Mapping[str, Any] = field(default_factory=dict)
    work_pool: str | None = None


class Deployment(NamedTuple):
    """A deployment as Prefect has it."""

    id: str
    version: str | None


@dataclass(frozen=True)
class FlowRunSpec:
    """A flow run to create. Prefect keeps one for each `key` of a flow, however often it is sent."""

    key: str
    name: str
    state: PrefectState
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    labels: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The flow run as Prefect takes it."""
        return {
            "name": self.name,
            "idempotency_key": self.key,
            "state": self.state.as_json(),
            "parameters": self.parameters,
            # The record holds what was really run; a shortened picture need not fit the schema.
            "enforce_parameter_schema": False,
            "tags": list(self.tags),
            "labels": self.labels,
        }


class CreatedRun(NamedTuple):
    """The answer for one flow run of a bulk request: its id, or why there is none."""

    id: str | None
    error: str | None


class FlowRun(NamedTuple):
    """A flow run as Prefect has it."""

    id: str
    state_type: str
    start_time: datetime | None

    @property
    def is_final(self) -> bool:
        """Whether its state is a last one."""
        return self.state_type in FINAL_STATES


class PrefectApi:
    """Speaks to one Prefect server. Use it as an async context manager, or call `close`.

    Args:
        url: the API's address, as PREFECT_API_URL names it (`http://host:4200/api`).
        api_key: PREFECT_API_KEY, for Prefect Cloud.
        auth_string: PREFECT_API_AUTH_STRING, `user:password` of a server with basic authentication.
        timeout: seconds for one request.
        attempts: how often a request is tried while Prefect says 503 or 429 or can't be reached.

    Every method raises Unavailable where Prefect can't be reached or is overloaded, NotFound, Conflict or BadInput
    where it refuses, SetupError where it wants credentials, and WorkletsError where Prefect itself fails.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        auth_string: str | None = None,
        timeout: float = 30.0,
        attempts: int = 4,
    ) -> None:
        self.url = url.rstrip("/")
        headers = {"content-type": "application/json", "user-agent": "prefect-worklets"}
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        auth = httpx.BasicAuth(*auth_string.split(":", 1)) if auth_string and ":" in auth_string else None
        self._attempts = attempts
        self._client = httpx.AsyncClient(
            base_url=self.url,
            headers=headers,
            auth=auth,
            # Reading the certificates takes 10 MB, which plain HTTP has no use for; redirects are not followed.
            verify=self.url.startswith("https:"),
            timeout=httpx.Timeout(timeout, connect=5.0),
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=4),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def healthy(self) -> bool:
        """Whether the server answers at all."""
        try:
            response = await self._client.get("/health", timeout=5.0)
        except httpx.HTTPError:
            return False
        return response.status_code == 200

    async def put_deployment(self, spec: DeploymentSpec) -> Deployment:
        """Create the flow and the deployment, or bring the deployment up to date. Its schedules are left alone."""
        body = {
            "version": spec.version,
            "description": spec.description,
            "tags": list(spec.tags),
            "parameter_openapi_schema": spec.parameter_schema,
            **({"work_pool_name": spec.work_pool} if spec.work_pool is not None else {}),
        }
        known = await self.find_deployment(spec.flow, spec.name)
        if known is not None:
            # A POST would replace the schedules too.
            await self._send("PATCH", f"/deployments/{known.id}", body)
            return Deployment(known.id, spec.version)
        flow = await self._send("POST", "/flows/", {"name": spec.flow})
        made = await self._send("POST", "/deployments/", {**body, "name": spec.name, "flow_id": flow["id"]})
        return Deployment(made["id"], spec.version)

    async def put_work_pool(self, name: str, type: str, description: str, template: Mapping[str, Any]) -> None:
        """Create a work pool; one that is there already is left as it is."""
        body = {"name": name, "type": type, "description": description, "base_job_template": template}
        try:
            await self._send("GET", f"/work_pools/{name}")
        except NotFound:
            with contextlib.suppress(Conflict):
                await self._send("POST", "/work_pools/", body)

    async def find_deployment(self, flow: str, name: str) -> Deployment | None:
        """The deployment `flow/name`, or None."""
        try:
            found = await self._send("GET", f"/deployments/name/{flow}/{name}")
        except NotFound:
            return None
        return Deployment(found["id"], found.get("version"))

    async def create_flow_runs(self, deployment_id: str, runs: Sequence[FlowRunSpec]) -> list[CreatedRun]:
        """Create up to 100 flow runs in their state, in order. Raises NotFound if the deployment is gone."""
        path = f"/deployments/{deployment_id}/create_flow_run/bulk"
        answer = await self._send("POST", path, [run.as_json() for run in runs])
        return [CreatedRun(result.get("flow_run_id"), result.get("error")) for result in answer["results"]]

    async def create_flow_run(self, deployment_id: str, run: FlowRunSpec) -> FlowRun:
        """Create one flow run, or answer with the one that has its key already, in the state that it has by now."""
        made = await self._send("POST", f"/deployments/{deployment_id}/create_flow_run", run.as_json())
        start = made.get("start_time")
        return FlowRun(made["id"], made["state_type"], datetime.fromisoformat(start) if start else None)

    async def set_state(self, flow_run_id: str, state: PrefectState) -> None:
        """Set a flow run's state, past Prefect's rules on which may follow which."""
        body = {"state": state.as_json(), "force": True}
        await self._send("POST", f"/flow_runs/{flow_run_id}/set_state", body)

    async def send_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Hand over events. Prefect stores them some time later, and drops them where its queue is full."""
        if events:
            await self._send("POST", "/events", events)

    async def create_artifact(self, artifact: Mapping[str, Any]) -> None:
        """Store one artifact. Raises BadInput for one that Prefect refuses."""
        await self._send("POST", "/artifacts/", artifact)

    async def artifact_keys(self, flow_run_ids: Iterable[str]) -> set[tuple[str, str]]:
        """The (flow run, key) of the artifacts that these flow runs have."""
        found: set[tuple[str, str]] = set()
        body: dict[str, Any] = {"artifacts": {"flow_run_id": {"any_": sorted(flow_run_ids)}}, "limit": _PAGE}
        while True:
            page = await self._send("POST", "/artifacts/filter", {**body, "offset": len(found)})
            found |= {(each["flow_run_id"], each["key"]) for each in page}
            if len(page) < _PAGE:
                return found

    async def create_logs(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Store log lines, all or none of them. Raises BadInput for those that Prefect refuses."""
        await self._send("POST", "/logs/", lines)

    async def log_lines(self, flow_run_ids: Iterable[str]) -> set[tuple[str, datetime, str]]:
        """The (flow run, time, text) of the log lines that these flow runs have."""
        found: set[tuple[str, datetime, str]] = set()
        body: dict[str, Any] = {"logs": {"flow_run_id": {"any_": sorted(flow_run_ids)}}, "limit": _PAGE}
        offset = 0
        while True:
            page = await self._send("POST", "/logs/filter", {**body, "offset": offset})
            found |= {
                (each["flow_run_id"], datetime.fromisoformat(each["timestamp"]), each["message"]) for each in page
            }
            offset += len(page)
            if len(page) < _PAGE:
                return found

    async def count_flow_runs(self, ids: Sequence[str]) -> int:
        """How many of these flow runs Prefect has."""
        count: int = await self._send("POST", "/flow_runs/count", {"flow_runs": {"id": {"any_": list(ids)}}})
        return count

    async def known_flow_runs(self, ids: Sequence[str]) -> set[str]:
        """Which of these flow runs Prefect has."""
        found: set[str] = set()
        for start in range(0, len(ids), _PAGE):
            wanted = {"flow_runs": {"id": {"any_": list(ids[start : start + _PAGE])}}, "limit": _PAGE}
            found |= {run["id"] for run in await self._send("POST", "/flow_runs/filter", wanted)}
        return found

    async def count_task_runs(self, flow_run_ids: Sequence[str]) -> int:
        """How many task runs of these flow runs Prefect has stored."""
        count: int = await self._send("POST", "/task_runs/count", {"flow_runs": {"id": {"any_": list(flow_run_ids)}}})
        return count

    async def _send(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else orjson.dumps(body)
        for attempt in range(1, self._attempts + 1):
            try:
                response = await self._client.request(method, path, content=content)
            except httpx.HTTPError as error:
                problem: WorkletsError = Unavailable(
                    f"Prefect at {self.url} can't be reached ({type(error).__name__}: {error}); "
                    "see whether it runs and PREFECT_API_URL is right."
                )
                wait = 0.05 * 2**attempt
            else:
                if response.is_success:
                    return orjson.loads(response.content) if response.content else None
                problem = _problem_of(self.url, method, path, response)
                wait = _asked_wait_s(response, 0.05 * 2**attempt)
            if not isinstance(problem, Unavailable) or attempt == self._attempts:
                raise problem
            await asyncio.sleep(wait * random.uniform(0.7, 1.3))  # noqa: S311  (not for secrets)
        raise AssertionError("unreachable: the last attempt returns or raises")


def _problem_of(url: str, method: str, path: str, response: httpx.Response) -> WorkletsError:
    said = f"Prefect at {url} answered {response.status_code} to {method} {path}: {response.text[:500]}"
    status = response.status_code
    if status in _PASSING_STATUS:
        return Unavailable(said)
    if status == 404:
        return NotFound(said)
    if status == 409:
        return Conflict(said)
    if status in (401, 403):
        return SetupError(f"{said} (set PREFECT_API_KEY or PREFECT_API_AUTH_STRING)")
    return WorkletsError(said) if status >= 500 else BadInput(said)


def _asked_wait_s(response: httpx.Response, otherwise: float) -> float:
    asked = response.headers.get("retry-after", "")
    try:
        return min(_LONGEST_WAIT_S, float(asked))
    except ValueError:
        return otherwise
