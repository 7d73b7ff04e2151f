"""What a client gives out: worklets, runs and schedules of a running server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .client_http import Connection, read_json, segment
from .client_values import one_input
from .connectors.errors import BadInput, NodeFailed, TookTooLong

if TYPE_CHECKING:
    from .connectors.images import Image

_OPEN = ("queued", "running", "waiting", "paused")


class RemoteWorklet:
    """A worklet of the server.

    Attributes:
        name: its name.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name

    def invoke(self, *input: Any, timeout: float | None = None, **fields: Any) -> Any:
        """Run it and return its output, as JSON data.

        Args:
            input: the whole input as one value: a dict, a pydantic model; or else
            fields: the input's fields by name. Pictures may be paths, bytes, Pillow images, arrays or `pw.Image`.
            timeout: seconds to wait for the answer.

        Raises:
            BadInput: the input doesn't fit; every fault is listed.
            NodeFailed, ModelFailed, TookTooLong, NotFound, Unavailable: as the server says.
        """
        body = one_input(input, fields)
        return read_json(self._connection.send("POST", self._path("/invoke"), body=body, timeout=timeout))

    def picture(self, *input: Any, timeout: float | None = None, **fields: Any) -> Image:
        """Run it and return the one picture of its output. Raises what `invoke` raises; BadInput if it has not one."""
        from .connectors.images import Image

        body = one_input(input, fields)
        asked = {"accept": "image/png"}
        answer = self._connection.send("POST", self._path("/invoke"), body=body, headers=asked, timeout=timeout)
        if answer.headers.get("content-type") != "image/png":
            raise BadInput(
                f"The output of {self.name!r} has not exactly one picture; use `invoke` for the whole of it."
            )
        return Image.from_bytes(answer.content)

    def submit(
        self, *input: Any, idempotency_key: str | None = None, callback_url: str | None = None, **fields: Any
    ) -> RemoteRun:
        """Have it run later, and return at once; the run outlives this program and restarts of the server.

        Args:
            input, fields: as for `invoke`; a picture is an address or a data URL.
            idempotency_key: submitting again with the same key gives the same run.
            callback_url: an address that is told how the run ended, by a signed POST.

        Raises:
            BadInput: the input doesn't fit, or the callback's address may not be reached.
            Conflict: the key was used for something else.
        """
        body = one_input(input, fields)
        headers = {"idempotency-key": idempotency_key} if idempotency_key is not None else None
        params = {"callback_url": callback_url}
        accepted = read_json(
            self._connection.send("POST", self._path("/runs"), body=body, headers=headers, params=params)
        )
        return RemoteRun(self._connection, accepted["id"])

    def details(self) -> dict[str, Any]:
        """Graph, schemas and versions."""
        found: dict[str, Any] = self._connection.get(self._path())
        return found

    def graph(self) -> dict[str, Any]:
        """Its graph as a document: of the live version, or of the one that the handle names."""
        name, _, version = self.name.partition("@")
        path = f"/api/worklets/{segment(name)}" + (f"/versions/{segment(version)}" if version else "")
        found: dict[str, Any] = self._connection.get(path)["graph"]
        return found

    def versions(self) -> list[dict[str, Any]]:
        """Its versions, newest first: number, state (live, draft or kept), who pushed it and when."""
        found: list[dict[str, Any]] = self._connection.get(self._path("/versions"))["versions"]
        return found

    def version(self, number: int) -> RemoteWorklet:
        """One version, live or not: `client.worklets["iris"].version(3).invoke(...)`."""
        return RemoteWorklet(self._connection, f"{self.name.partition('@')[0]}@{number}")

    def diff(self, before: int, after: int) -> dict[str, Any]:
        """What differs between two versions: `graph` and `files`. Raises NotFound."""
        found: dict[str, Any] = self._connection.get(self._path("/diff"), before=before, after=after)
        return found

    def promote(self, version: int) -> None:
        """Let that version answer."""
        self._connection.post(self._path("/promote"), {"version": version})

    def rollback(self) -> int:
        """Let the version before the live one answer; its number comes back. Raises Conflict if there is none."""
        return int(self._connection.post(self._path("/rollback"))["version"])

    def _path(self, rest: str = "") -> str:
        return f"/api/worklets/{segment(self.name)}{rest}"

    def __repr__(self) -> str:
        return f"<worklet {self.name!r} at {self._connection.url}>"


class RemoteRun:
    """A run that was submitted.

    Attributes:
        id: the run's id.
    """

    def __init__(self, connection: Connection, id: str) -> None:
        self._connection = connection
        self.id = id

    def details(self) -> dict[str, Any]:
        """State, input, output, error and nodes, as far as it is."""
        found: dict[str, Any] = self._connection.get(f"/api/runs/{segment(self.id)}")
        return found

    def node(self, node: str) -> dict[str, Any]:
        """One of its nodes: state, times, attempts, error and settings, and for builders what it was given and gave.

        Raises:
            NotFound: the run has no such node.
        """
        found: dict[str, Any] = self._connection.get(f"/api/runs/{segment(self.id)}/nodes/{segment(node)}")
        return found

    @property
    def state(self) -> str:
        """queued, running, waiting (for a person), paused, completed, failed, timed-out or cancelled."""
        return str(self.details()["state"])

    def result(self, timeout: float | None = None) -> Any:
        """Wait for its end and return its output.

        Args:
            timeout: seconds to wait; None for as long as it takes. The run goes on either way.

        Raises:
            NodeFailed: it failed or was cancelled. TookTooLong: it has not ended in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = 0.02
        while True:
            run = self.details()
            if run["state"] == "completed":
                return run["output"]
            if run["state"] not in _OPEN:
                error = run.get("error") or {}
                detail = error.get("detail") or f"It was {run['state']}."
                failed = f"The run {self.id} did not complete ({run['state']}): {detail}"
                raise NodeFailed(failed, node=str(error.get("node") or ""))
            if deadline is not None and time.monotonic() > deadline:
                raise TookTooLong(f"The run {self.id} has not ended within {timeout:g} s; it goes on. Ask again later.")
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def cancel(self) -> None:
        """Stop it. Raises Conflict if it has ended."""
        self._connection.post(f"/api/runs/{segment(self.id)}/cancel")

    def pause(self) -> None:
        """Let it rest: nodes that are under way end first. Raises Conflict if it has ended."""
        self._connection.post(f"/api/runs/{segment(self.id)}/pause")

    def resume(self) -> None:
        """Let it go on with the nodes that have not ended. Raises Conflict if it is not paused."""
        self._connection.post(f"/api/runs/{segment(self.id)}/resume")

    def retry(self) -> RemoteRun:
        """Do it again from the node that failed, as a new run. Raises Conflict if it completed or has not ended."""
        accepted = self._connection.post(f"/api/runs/{segment(self.id)}/retry")
        return RemoteRun(self._connection, accepted["id"])

    def replay(self, version: int | None = None) -> RemoteRun:
        """Do its input again on another version, as a new run; `differences` of that one compares the two.

        Args:
            version: a version's number; by default the live one.

        Raises:
            Conflict: it has not ended, its input was not kept whole, or does not fit that version.
        """
        accepted = self._connection.post(f"/api/runs/{segment(self.id)}/replay", params={"version": version})
        return RemoteRun(self._connection, accepted["id"])

    def differences(self, before: str | None = None) -> dict[str, Any]:
        """How it went other than another run: by default that whose input it did again.

        Returns:
            `same`, `output` (the places that differ), `error`, `nodes`, and both runs in short.
        """
        path = f"/api/runs/{segment(self.id)}/differences"
        found: dict[str, Any] = self._connection.get(path, before=before)
        return found

    def __repr__(self) -> str:
        return f"<run {self.id} at {self._connection.url}>"


class RemoteWorklets:
    """The worklets of the server, by name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __getitem__(self, name: str) -> RemoteWorklet:
        return RemoteWorklet(self._connection, name)

    def __iter__(self) -> Iterator[RemoteWorklet]:
        return iter([self[entry["name"]] for entry in self.list()])

    def list(self) -> list[dict[str, Any]]:
        """Every worklet: name, version, status and more."""
        found: list[dict[str, Any]] = self._connection.get("/api/worklets")["worklets"]
        return found


class RemoteRuns:
    """The runs of the server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self, *, worklet: str | None = None, state: str | None = None, limit: int = 50, before: int | None = None
    ) -> list[dict[str, Any]]:
        """Runs, newest first: those that you may see.

        Args:
            worklet, state: only these.
            limit: how many at most.
            before: only those that started before this time, in microseconds since 1970.
        """
        found: list[dict[str, Any]] = self._connection.get(
            "/api/runs", worklet=worklet, state=state, limit=limit, before=before
        )["runs"]
        return found

    def get(self, id: str) -> dict[str, Any]:
        """One run: input, output, error, and each node with its times. Raises NotFound."""
        found: dict[str, Any] = self._connection.get(f"/api/runs/{segment(id)}")
        return found

    def __getitem__(self, id: str) -> RemoteRun:
        return RemoteRun(self._connection, id)


class RemoteReviews:
    """What runs of the server ask people."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, state: str = "open", *, worklet: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """The reviews that you may decide, those due first first; `state`: open, decided, expired, withdrawn or all."""
        found: list[dict[str, Any]] = self._connection.get("/api/reviews", state=state, worklet=worklet, limit=limit)[
            "reviews"
        ]
        return found

    def get(self, id: str) -> dict[str, Any]:
        """One review: the value to be judged, the decision's JSON schema, and what was decided. Raises NotFound."""
        found: dict[str, Any] = self._connection.get(f"/api/reviews/{segment(id)}")
        return found

    def decide(self, id: str, decision: Any) -> dict[str, Any]:
        """Decide, once: `decide(id, {"approved": True})`.

        Raises:
            BadInput: the decision doesn't fit its type.
            Conflict: somebody was quicker, the time has passed, or the run has ended.
        """
        found: dict[str, Any] = self._connection.post(f"/api/reviews/{segment(id)}/decide", decision)
        return found


class RemoteSchedules:
    """The time triggers of the server's worklets."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[dict[str, Any]]:
        """Every schedule: worklet, number, cron, timezone, paused, and when it is due next (`due_us`)."""
        found: list[dict[str, Any]] = self._connection.get("/api/schedules")["schedules"]
        return found

    def pause(self, worklet: str, number: int = 0) -> dict[str, Any]:
        """Let a schedule rest. Raises NotFound."""
        return self._change(worklet, number, True)

    def resume(self, worklet: str, number: int = 0) -> dict[str, Any]:
        """Go on with a schedule from its next time. Raises NotFound."""
        return self._change(worklet, number, False)

    def _change(self, worklet: str, number: int, paused: bool) -> dict[str, Any]:
        path = f"/api/schedules/{segment(worklet)}/{number}"
        changed: dict[str, Any] = read_json(self._connection.send("PATCH", path, body={"paused": paused}))
        return changed
