"""The HTTP APIs of a view: asked from the server, so that their secrets stay there. The addresses are the document's.

A visitor's values fill places in an address and its parameters; they name no host, no path and no header.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json

from ..connectors.errors import BadInput, Fault, NotFound, RequestFailed, Unavailable
from ..connectors.outgoing import Outgoing, as_json
from ..connectors.secrets import Secrets
from ..flows.addresses import address_faults, filled_address, filled_headers, places_in, secret_header_faults, unfilled
from .document import ApiBinding, AskApi, ViewDocument
from .faults import Loc, unknown

logger = logging.getLogger(__name__)

_STATUS = re.compile(r" answered (\d{3})")
MOST_BYTES = 5_000_000
TIMEOUT = 20.0
# Whose parameters are the body of the request; those of the others follow the address.
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
# What is asked only where somebody does something: a binding asks as often as values change.
_ACTING = frozenset({"PUT", "PATCH", "DELETE"})


class ViewApis:
    """The APIs of one view.

    Args:
        document: declares them.
        outgoing: sends requests, within the server's list of hosts.
        secrets: for their headers; None takes those of the environment.
    """

    def __init__(self, document: ViewDocument, outgoing: Outgoing, secrets: Secrets | None = None) -> None:
        self._document = document
        self._outgoing = outgoing
        self._secrets = secrets

    async def ask(self, name: str, params: dict[str, Any]) -> Any:
        """What the API answers: JSON as data, anything else as text; nothing if the answer is empty.

        Raises:
            NotFound: the view has no such API.
            BadInput: a value can't stand in the address.
            RequestFailed: no answer, or no success.
            SetupError: a secret is missing.
            Unavailable: the answer is no JSON though it says so.
        """
        api = self._document.api(name)
        if api is None:
            raise NotFound(f"The view {self._document.slug!r} has no API {name[:64]!r}.")
        missing = unfilled(api.url, {key for key, value in params.items() if value not in (None, "")})
        if missing:
            faults = [Fault((each,), "Fill this in.", "missing") for each in missing]
            raise BadInput(f"The API {name!r} can't be asked yet.", faults=faults)
        placed = places_in(api.url)
        rest = {key: value for key, value in params.items() if key not in placed}
        headers, content = dict(api.headers), None
        if api.method in _WITH_BODY:
            content = to_json(rest)
            headers.setdefault("content-type", "application/json")
        address = filled_address(api.url, {key: params[key] for key in placed}, f"the API {name!r}")
        own_headers = filled_headers(api.secret_headers, self._secrets)
        try:
            answer = await self._outgoing.send(
                api.method,
                address,
                trusted=True,
                params=None if api.method in _WITH_BODY else rest,
                headers=headers,
                content=content,
                timeout=TIMEOUT,
                max_bytes=MOST_BYTES,
                own_headers=own_headers,
            )
        except RequestFailed as error:
            # What the other server says is for those who run this one, not for whoever looks at the page.
            logger.warning("The API %r of the view %s: %s", name, self._document.slug, error.detail)
            status = _STATUS.search(error.detail)
            said = f"answered {status[1]}" if status else "gave no answer"
            raise RequestFailed(
                f"The API {name!r} {said}; the server's log has more.", repeatable=error.repeatable
            ) from None
        if not answer.content:
            return None
        kind = answer.content_type.partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            return answer.content.decode("utf-8", "replace")
        try:
            return await as_json(answer.content)
        except ValueError:
            raise Unavailable(f"The API {name!r} answered what is no JSON.") from None


def declared_faults(document: ViewDocument) -> Iterator[Fault]:
    """Of the APIs that a document declares."""
    names = Counter(api.name for api in document.apis)
    for number, api in enumerate(document.apis):
        if names[api.name] > 1:
            yield Fault(("apis", number, "name"), f"{api.name!r} is declared more than once", "duplicate")
        for said, fix in address_faults(api.url):
            yield Fault(("apis", number, "url"), said.rstrip("."), "address", fix)
        for said, fix in secret_header_faults(api.secret_headers):
            yield Fault(("apis", number, "secret_headers"), said.rstrip("."), "headers", fix)


def binding_faults(document: ViewDocument, loc: Loc, binding: ApiBinding) -> Iterator[Fault]:
    """Of a binding to an API, or an action that asks it."""
    api = document.api(binding.api)
    if api is None:
        yield unknown((*loc, "api"), "declared API", binding.api, [each.name for each in document.apis])
        return
    for name in unfilled(api.url, binding.params):
        yield Fault((*loc, "params"), f"the address of {api.name!r} needs {name!r}", "missing", f'add "{name}"')
    if api.method in _ACTING and not isinstance(binding, AskApi):
        said = f"{api.name!r} acts ({api.method}), and a binding asks whenever a value changes"
        yield Fault((*loc, "api"), said, "binding", "ask it by the action ask_api")
