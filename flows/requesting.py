"""HTTP nodes: one request to another server, its answer as a type."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from pydantic import JsonValue, ValidationError
from pydantic_core import to_json

from ..connectors.errors import DefinitionError, NodeFailed, RequestFailed
from ..connectors.images import Image
from ..connectors.outgoing import Outcome, Outgoing, as_json, is_allowed
from .addresses import (
    address_faults,
    filled_address,
    filled_headers,
    places_in,
    secret_header_faults,
    unfilled,
    without_places,
)
from .context import RunContext
from .faults import caller_place, definition_fault
from .graph import Argument, Constant, GraphNode
from .hint_text import written_hint
from .hints import Parameter, Shape, adapter_of, name_of
from .inputs import Misfit, as_json_data
from .nodes import NodeDefinition, changed, node_id
from .steps import Getter, Step, Values
from .trace import current_trace

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Asking twice does no more than asking once (RFC 9110).
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
TIMEOUT = 30.0
MAX_BYTES = 10_000_000
_BACKOFF = 0.5
ARGUMENTS = ("url", "path", "params", "json", "headers")


def http(
    method: str,
    url: Any,
    *,
    path: Mapping[str, Any] | None = None,
    params: Any = None,
    json: Any = None,
    headers: Any = None,
    secret_headers: Mapping[str, str] | None = None,
    returns: Any = Any,
    name: str = "http",
    retries: int | None = None,
    backoff: float = _BACKOFF,
    timeout: float = TIMEOUT,
    max_bytes: int = MAX_BYTES,
    on_error: Any = "fail",
    cache: float | None = None,
) -> Any:
    """Send a request: `pw.http("GET", "https://api.example.com/users/{id}", path={"id": user.id}, returns=User)`.

    An address that is fixed here may be any, inside the network too. One that a run's values make may not be private.

    Args:
        method: GET, HEAD, POST, PUT, PATCH or DELETE.
        url: the address; each `{name}` in it is filled from `path`.
        path: values for the `{name}`s; each stays within its place.
        params: what stands behind the `?`; None is left out.
        json: the body: a mapping, a pydantic model, a list.
        headers: more headers, by name.
        secret_headers: headers with secrets in them, `{"authorization": "Bearer {TOKEN}"}`: each `{NAME}` is filled as
            the request is sent, and stands in no graph and no record. For an address that is fixed here.
        returns: the answer's type: a pydantic model or any hint for JSON, `str`, `bytes` or `pw.Image` for the content.
        name: the node's name in the graph.
        retries: how often an attempt without an answer, or with 429 or 5xx, is repeated; None is 2, and 0 for POST and
            PATCH, which might act twice.
        backoff: seconds before the first repeat; each further wait doubles. `Retry-After` may ask for more.
        timeout: seconds that one attempt may take.
        max_bytes: the largest answer.
        on_error: "fail", or the node's value if all attempts fail.
        cache: seconds for which the same GET gives the same answer without being sent.

    Raises:
        DefinitionError: outside a worklet's definition.
    """
    trace = current_trace()
    if trace is None:
        fault = definition_fault(
            "http() is called outside a worklet's function.",
            place=caller_place(),
            fix="call it in a function under @pw.worklet; in a node's code, use a client of your own",
        )
        raise DefinitionError("Requests are sent by a worklet's run.", faults=[fault])
    method = str(method).upper()
    given = {"url": url, "path": path, "params": params, "json": json, "headers": headers}
    given = {key: value for key, value in given.items() if value is not None}
    definition = NodeDefinition(
        "http",
        node_id(name),
        _shape(tuple(given), returns),
        settings={
            "method": method,
            "max_bytes": max_bytes,
            **_returned(returns),
            **({"secret_headers": dict(secret_headers)} if secret_headers else {}),
        },
        retries=(2 if method in _REPEATABLE else 0) if retries is None else retries,
        backoff=backoff,
        timeout=timeout,
    )
    if cache is not None:
        definition = changed(definition, {"cache": cache})
    if on_error != "fail":
        definition = changed(definition, {"on_error": on_error})
    return trace.place(definition, (), given)


def _returned(returns: Any) -> dict[str, JsonValue]:
    """The answer's type for the graph document; the step takes the hint itself."""
    text = written_hint(returns)
    return {"returns": text} if text not in (None, "Any") else {}


def _shape(names: Sequence[str], returns: Any) -> Shape:
    signature = inspect.Signature([inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in names])
    return Shape(tuple(Parameter(each, keyword_only=True) for each in names), returns, signature)


def faults_of(node: GraphNode) -> Iterator[tuple[str, str | None]]:
    """What is wrong with an HTTP node as far as its definition says: pairs of fault and fix."""
    method, most = node.settings.get("method"), node.settings.get("max_bytes", MAX_BYTES)
    if method not in METHODS:
        yield f"its method is {method!r}.", f"use one of {', '.join(METHODS)}"
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        yield f"its max_bytes is {most!r}.", "give a whole number of 1 or more"
    fixed = _fixed_url(node.arguments.get("url"))
    yield from _secret_faults(node.settings.get("secret_headers"), fixed)
    if fixed is None:
        if "path" in node.arguments:
            yield "it has a path, and its address is known only when it runs.", "write the address as a text"
        return
    yield from address_faults(fixed)
    filled = node.arguments.get("path")
    names = set(getattr(filled, "object", None) or getattr(filled, "constant", None) or {})
    for missing in unfilled(fixed, names):
        yield f"its address has {{{missing}}}, and path does not give it.", f"path={{{missing!r}: ...}}"
    for unused in sorted(names - set(places_in(fixed))):
        yield f"its path gives {unused!r}, which the address has not.", f"write {{{unused}}} into the address"


def _secret_faults(headers: Any, fixed: str | None) -> Iterator[tuple[str, str | None]]:
    if headers is None:
        return
    yield from secret_header_faults(headers)
    if fixed is None:
        yield "it has secret headers, and its address is known only when it runs.", "write the address as a text"


def host_fault(node: GraphNode, hosts: Sequence[str]) -> tuple[str, str] | None:
    """What is wrong with an HTTP node's fixed host for an allow-list: fault and fix."""
    fixed = _fixed_url(node.arguments.get("url"))
    if fixed is None or is_allowed(without_places(fixed), hosts):
        return None
    return (
        f"its address {fixed!r} is not among the project's http_hosts ({', '.join(hosts)}).",
        "add its host there, in pyproject.toml under [tool.worklets]",
    )


def _fixed_url(argument: Argument | None) -> str | None:
    return str(argument.constant) if isinstance(argument, Constant) else None


class HttpStep(Step):
    """A request and its answer."""

    def __init__(self, node: GraphNode, slot: int, arguments: Mapping[str, Getter], returns: Any = Any) -> None:
        super().__init__(node, slot)
        self._arguments = dict(arguments)
        self._trusted = _fixed_url(node.arguments.get("url")) is not None
        self._method = str(node.settings["method"])
        most = node.settings.get("max_bytes")
        self._max_bytes = most if isinstance(most, int) else MAX_BYTES
        hosts = node.settings.get("hosts")
        self._hosts = [str(host) for host in hosts] if isinstance(hosts, list) else []
        secret = node.settings.get("secret_headers")
        self._secret_headers = {str(key): str(text) for key, text in secret.items()} if isinstance(secret, dict) else {}
        self._returns = returns

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """Ask and read the answer as the node's type.

        Raises:
            BadInput: a user's address may not be reached.
            RequestFailed: no answer, or no success.
            NodeFailed: the answer is not what was said, or a value can't be sent.
        """
        given = {name: get(values) for name, get in self._arguments.items()}
        services = context.services
        own_headers = filled_headers(self._secret_headers, services.secrets)
        if services.outgoing is not None:
            answer = await self._ask(services.outgoing, given, own_headers)
        else:  # a direct call: its event loop ends with it, and the connections too
            own = Outgoing()
            try:
                answer = await self._ask(own, given, own_headers)
            finally:
                await own.close()
        return await self._read(answer)

    async def _ask(self, outgoing: Outgoing, given: Mapping[str, Any], own_headers: Mapping[str, str]) -> Outcome:
        headers = {str(key): str(value) for key, value in self._plain(given, "headers").items()}
        params = {str(key): value for key, value in self._plain(given, "params").items() if value is not None}
        content = None
        if "json" in given:
            content = to_json(self._data(given["json"], "json"))
            headers.setdefault("content-type", "application/json")
        try:
            return await outgoing.send(
                self._method,
                self._filled(given),
                trusted=self._trusted,
                params=params,
                headers=headers,
                content=content,
                timeout=self.timeout,
                max_bytes=self._max_bytes,
                hosts=self._hosts,
                own_headers=own_headers,
            )
        except RequestFailed as error:
            raise RequestFailed(
                f"Node {self.id!r}: {error.detail}", repeatable=error.repeatable, wait=error.wait
            ) from error.__cause__

    def _filled(self, given: Mapping[str, Any]) -> str:
        return filled_address(str(given["url"]), given.get("path") or {}, f"node {self.id!r}")

    def _plain(self, given: Mapping[str, Any], name: str) -> dict[str, Any]:
        if name not in given:
            return {}
        data = self._data(given[name], name)
        if not isinstance(data, dict):
            raise self._wrong(f"Node {self.id!r} takes a mapping as {name}, and found {data!r:.100}.")
        return data

    def _data(self, value: Any, name: str) -> Any:
        try:
            return as_json_data(value)
        except Misfit as error:
            raise self._wrong(f"Node {self.id!r} can't send its {name}: {error}.") from None

    def _wrong(self, detail: str) -> NodeFailed:
        return NodeFailed(detail, node=self.id, repeatable=False)

    async def _read(self, answer: Outcome) -> Any:
        returns, content = self._returns, answer.content
        kind = answer.content_type.partition(";")[0].strip().lower()
        if returns is bytes:
            return content
        if returns is Image:
            return Image.from_bytes(content)
        is_json = kind == "application/json" or kind.endswith("+json")
        if returns is str or (returns is Any and not is_json):
            return content if returns is Any and not kind.startswith("text/") else _text(answer)
        if not content and returns in (Any, None, type(None)):
            return None
        try:
            data = await as_json(content)
            adapter = adapter_of(returns) if returns is not Any else None
            return data if adapter is None else await _fitted(adapter, data, len(content))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            reason = f"{place}: {first['msg']}" if place else first["msg"]
            raise self._wrong(f"Node {self.id!r} was answered no {name_of(returns)}: {reason}.") from None
        except ValueError as error:
            raise self._wrong(f"Node {self.id!r} was answered no JSON: {error}.") from None


async def _fitted(adapter: Any, data: Any, size: int) -> Any:
    if size < 65_536:
        return adapter.validate_python(data)
    return await asyncio.to_thread(adapter.validate_python, data)


def _text(answer: Outcome) -> str:
    match = re.search(r"charset=\"?([\w-]+)", answer.content_type)
    try:
        return answer.content.decode(match[1] if match else "utf-8", "replace")
    except LookupError:
        return answer.content.decode("utf-8", "replace")
