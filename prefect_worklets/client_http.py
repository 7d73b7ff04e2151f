"""Requests to a running server, and its problem documents as the exceptions that they were."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

import httpx
import orjson

from .client_values import to_json
from .connectors import errors
from .connectors.errors import Fault, NodeFailed, SetupError, TookTooLong, Unavailable, WorkletsError

CONNECT_SECONDS = 5.0
# Longer than the server's own limit of a run, so that its answer is the one that is seen.
ANSWER_SECONDS = 330.0
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
_BY_STATUS = {401: errors.NotSignedIn, 403: errors.NotAllowed, 404: errors.NotFound, 413: errors.TooLarge,
              502: Unavailable, 503: Unavailable, 504: TookTooLong}  # fmt: skip


def _slug(error: type[WorkletsError]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__).lower()


_BY_SLUG: dict[str, type[WorkletsError]] = {
    _slug(kind): kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, WorkletsError)
}


class Connection:
    """Sends requests with a key, and raises what the server answers as a problem.

    Args:
        url: the server's address.
        key: an API key.

    Raises:
        SetupError: the address is none.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SetupError(f"{url!r} is no server's address; write it as http://host:port.")
        if not key.isascii() or not key.isprintable():
            raise SetupError("The key has characters that no key has; copy it again.")
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {key}", "user-agent": "prefect-worklets", "accept": "application/json"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            # A proxy for the outside is none for this machine.
            trust_env=parts.hostname not in _LOOPBACK,
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> httpx.Response:
        """The answer, if it is a good one.

        Args:
            body: sent as JSON; pictures, arrays and pydantic models are understood.
            content: sent as it is instead of `body`; an iterator part by part.
            params: of the query; None leaves one out.
            timeout: seconds to wait for the answer.

        Raises:
            Unavailable: the server can't be reached.
            TookTooLong: it did not answer in time.
            WorkletsError: the class that the server's problem names.
        """
        sent = dict(headers or {})
        if body is not None:
            content = to_json(body)
            sent["content-type"] = "application/json"
        wait = httpx.Timeout(timeout or ANSWER_SECONDS, connect=CONNECT_SECONDS)
        given = {name: value for name, value in (params or {}).items() if value is not None}
        with self._failures_named(wait):
            response = self._http.request(method, path, content=content, headers=sent, params=given, timeout=wait)
        if not response.is_success:
            raise error_of(response)
        return response

    def download(self, path: str, file: BinaryIO) -> httpx.Headers:
        """Write what a GET answers into a file, as it comes; returns the headers. Raises what `send` raises."""
        wait = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        headers = {"accept": "*/*"}
        with self._failures_named(wait), self._http.stream("GET", path, headers=headers, timeout=wait) as response:
            if not response.is_success:
                response.read()
                raise error_of(response)
            for part in response.iter_bytes():
                file.write(part)
            return response.headers

    @contextmanager
    def _failures_named(self, wait: httpx.Timeout) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectTimeout:
            raise Unavailable(self._unreachable("it did not take the connection")) from None
        except httpx.TimeoutException:
            raise TookTooLong(f"The server at {self.url} did not answer within {wait.read:g} s.") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(self._unreachable(str(error) or type(error).__name__)) from None

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a GET. Raises what `send` raises."""
        return read_json(self.send("GET", path, params=params))

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON that a POST of JSON answers with. Raises what `send` raises."""
        return read_json(self.send("POST", path, body={} if body is None else body, **options))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _unreachable(self, why: str) -> str:
        return f"The server at {self.url} can't be reached ({why}); is it running? `worklets status` tells."


def segment(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="@")


def read_json(response: httpx.Response) -> Any:
    """The JSON of an answer. Raises WorkletsError if it is none."""
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        kind = response.headers.get("content-type", "no type")
        raise WorkletsError(
            f"{response.url} answered {kind} and not JSON; is that a worklets server's address?"
        ) from None


def error_of(response: httpx.Response) -> WorkletsError:
    """The exception that a refused or failed request stands for."""
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or "detail" not in document:
        said = f"{response.url} answered {response.status_code} {response.reason_phrase}."
        return _BY_STATUS.get(response.status_code, WorkletsError)(said)
    slug = str(document.get("type", "")).rpartition(":")[2]
    kind = _BY_SLUG.get(slug) or _BY_STATUS.get(response.status_code, WorkletsError)
    detail = str(document["detail"])
    faults = [_fault(entry) for entry in document.get("errors") or () if isinstance(entry, dict)]
    if issubclass(kind, NodeFailed):
        error: WorkletsError = kind(detail, node=str(document.get("node", "")), faults=faults)
    else:
        error = kind(detail, faults=faults)
    run = response.headers.get("x-run-id")
    if run:
        error.add_note(f"run {run}")
    return error


def _fault(entry: Mapping[str, Any]) -> Fault:
    loc = entry.get("loc")
    place = tuple(loc) if isinstance(loc, list) else ()
    return Fault(place, str(entry.get("msg", "")), str(entry.get("type", "invalid")), entry.get("fix"))
