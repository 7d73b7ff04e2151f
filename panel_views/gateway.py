"""How a view reaches the rest: the HTTP app, as the signed-in user. Answers are plain JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from ..connectors.egress import Egress
from ..connectors.errors import BadInput, Fault, TookTooLong, Unavailable, WorkletsError
from ..connectors.images import Image
from ..connectors.web import ON_BEHALF_HEADER
from .reviewed import reviewed
from .view_apis import ViewApis
from .view_tables import ViewTables

RUN_TIMEOUT = 180.0
_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
Identity = Callable[[], Awaitable[str]]


class Gateway(Protocol):
    """What the runtime asks of the outside. Every method raises WorkletsError."""

    async def run_worklet(self, name: str, inputs: dict[str, Any]) -> Any:
        """The worklet's answer."""
        ...

    async def predict(self, model: str, inputs: Any) -> Any:
        """What the model answers."""
        ...

    async def rows(self, table: str, limit: int) -> list[dict[str, Any]]:
        """The user's newest rows of a table, newest first."""
        ...

    async def import_image(self, url: str) -> str:
        """The address on this server of the picture at `url`."""
        ...

    async def submit(self, worklet: str, inputs: dict[str, Any]) -> str:
        """Begin a durable run; gives its id."""
        ...

    async def show_run(self, id: str) -> dict[str, Any]:
        """A run as it is now."""
        ...

    async def run_lines(self, id: str, after: int) -> dict[str, Any]:
        """What a run has logged after a moment: `started_us`, `lines`, and the moment that it goes on `after`."""
        ...

    async def cancel_run(self, id: str) -> None:
        """Cancel a durable run."""
        ...

    async def decide(self, review: str, decision: Any) -> None:
        """Decide a review, as the user."""
        ...

    async def reviews(self, state: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        """The reviews in a state that the user may decide; `given` may name `worklet`, `node` and `limit`."""
        ...

    async def review(self, id: str) -> dict[str, Any]:
        """One review, with what is to be judged."""
        ...

    async def query(self, name: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows that a query of the view finds."""
        ...

    async def ask_api(self, name: str, params: dict[str, Any]) -> Any:
        """What an HTTP API of the view answers."""
        ...

    async def save(self, table: str, values: dict[str, Any]) -> dict[str, Any]:
        """Write a row into a table of the view; gives it as it is now."""
        ...

    async def remove(self, table: str, row: dict[str, Any]) -> None:
        """Delete the row of a table of the view that has this key."""
        ...


class HttpGateway:
    """The gateway of one signed-in user.

    Args:
        client: with the API's base URL; shared by every session.
        internal_key: by which the HTTP app knows this process.
        identity: the id of the user for whom, asked at every call; raises NotSignedIn when their session has ended.
        egress: fetches pictures from other hosts, within its rules.
        tables: those of the view, as that user; None where there is no store.
        apis: those of the view; None where nothing goes out but to the HTTP app.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        internal_key: str,
        identity: Identity,
        egress: Egress,
        tables: ViewTables | None = None,
        apis: ViewApis | None = None,
    ) -> None:
        self._tables = tables
        self._apis = apis
        self._client = client
        self._internal_key = internal_key
        self._identity = identity
        self._egress = egress

    async def run_worklet(self, name: str, inputs: dict[str, Any]) -> Any:
        """Invoke a worklet. Raises WorkletsError with the answer's faults."""
        return await self._call("POST", f"/api/worklets/{quote(name)}/invoke", json=inputs)

    async def predict(self, model: str, inputs: Any) -> Any:
        """Ask a model, `NAME` or `NAME@VERSION`. Raises WorkletsError with the answer's faults."""
        answer = await self._call("POST", f"/api/models/{quote(model, safe='@')}/predict", json={"inputs": inputs})
        return answer["outputs"]

    async def rows(self, table: str, limit: int) -> list[dict[str, Any]]:
        """The user's newest rows. Raises WorkletsError."""
        answer = await self._call("GET", f"/api/tables/{quote(table)}/rows", params={"limit": limit})
        rows: list[dict[str, Any]] = answer["rows"]
        return rows

    async def import_image(self, url: str) -> str:
        """Fetch a picture of another host into the file store and return its address here. Raises BadInput."""
        await self._identity()
        fetched = await self._egress.get(url)
        kind = web_picture(fetched.content)
        if kind is None:
            raise BadInput("The address leads to no picture in PNG, JPEG, WebP or GIF.")
        await asyncio.to_thread(Image.from_bytes, fetched.content)  # raises BadInput for a broken or huge one
        headers = {"content-type": kind}
        answer = await self._call("POST", "/api/files", content=fetched.content, headers=headers)
        return str(answer["url"])

    async def submit(self, worklet: str, inputs: dict[str, Any]) -> str:
        """Begin a durable run. Raises WorkletsError."""
        answer = await self._call("POST", f"/api/worklets/{quote(worklet)}/runs", json=inputs)
        return str(answer["id"])

    async def show_run(self, id: str) -> dict[str, Any]:
        """A run as it is now. Raises WorkletsError."""
        shown: dict[str, Any] = await self._call("GET", f"/api/runs/{quote(id, safe='')}")
        return shown

    async def run_lines(self, id: str, after: int) -> dict[str, Any]:
        """What a run has logged. Raises WorkletsError: it is not the user's."""
        path = f"/api/runs/{quote(id, safe='')}/lines"
        shown: dict[str, Any] = await self._call("GET", path, params={"after": after})
        return shown

    async def cancel_run(self, id: str) -> None:
        """Cancel a durable run. Raises WorkletsError: it is not the user's, or has ended."""
        await self._call("POST", f"/api/runs/{quote(id, safe='')}/cancel")

    async def decide(self, review: str, decision: Any) -> None:
        """Decide a review. Raises WorkletsError: it is not the user's to decide, or somebody was quicker."""
        await self._call("POST", f"/api/reviews/{quote(review, safe='')}/decide", json=decision)

    async def reviews(self, state: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        """The reviews that the user may decide. Raises WorkletsError."""
        answer = await self._call("GET", "/api/reviews", params={"state": state, "values": "true", **given})
        return [reviewed(row) for row in answer["reviews"]]

    async def review(self, id: str) -> dict[str, Any]:
        """One review. Raises WorkletsError."""
        return reviewed(await self._call("GET", f"/api/reviews/{quote(id, safe='')}"))

    async def query(self, name: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        """Ask a query of the view. Raises WorkletsError."""
        tables = await self._own_tables()
        return await asyncio.to_thread(tables.query, name, params)

    async def ask_api(self, name: str, params: dict[str, Any]) -> Any:
        """Ask an HTTP API of the view. Raises WorkletsError."""
        await self._identity()
        if self._apis is None:
            raise Unavailable("This page can ask no API: nothing that is served so has got a way to other servers.")
        return await self._apis.ask(name, params)

    async def save(self, table: str, values: dict[str, Any]) -> dict[str, Any]:
        """Write a row. Raises WorkletsError."""
        tables = await self._own_tables()
        return await asyncio.to_thread(tables.save, table, values)

    async def remove(self, table: str, row: dict[str, Any]) -> None:
        """Delete a row. Raises WorkletsError."""
        tables = await self._own_tables()
        await asyncio.to_thread(tables.remove, table, row)

    async def _own_tables(self) -> ViewTables:
        await self._identity()
        if self._tables is None:
            raise Unavailable("This page has no tables of its own: nothing that is served so has got a store.")
        return self._tables

    async def _credentials(self) -> dict[str, str]:
        """The headers by which the HTTP app knows for whom this is."""
        user = await self._identity()
        return {"authorization": f"Bearer {self._internal_key}", ON_BEHALF_HEADER: user}

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        options["headers"] = {**options.get("headers", {}), **await self._credentials()}
        try:
            response = await self._client.request(method, path, timeout=RUN_TIMEOUT, **options)
        except httpx.TimeoutException:
            raise TookTooLong(f"The server did not answer within {RUN_TIMEOUT:.0f} seconds; try again.") from None
        except httpx.HTTPError:
            raise Unavailable("The server can't be reached just now; try again in a moment.") from None
        if response.is_error:
            raise _error_of(response)
        try:
            return response.json()
        except ValueError:
            raise Unavailable("The server's answer can't be read; try again in a moment.") from None


def web_picture(content: bytes) -> str | None:
    """The media type of a picture that every browser shows, by its first bytes; None for anything else."""
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def _error_of(response: httpx.Response) -> WorkletsError:
    """The error that a problem document tells of."""
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    detail = str(problem.get("detail") or f"The server answered with status {response.status_code}.")
    entries = [entry for entry in problem.get("errors") or [] if isinstance(entry, dict)]
    faults = [
        Fault(tuple(entry.get("loc") or ()), str(entry.get("msg", "")), str(entry.get("type", "invalid")))
        for entry in entries
    ]
    error = WorkletsError(detail, faults=faults)
    error.status = response.status_code
    error.title = str(problem.get("title") or error.title)
    return error
