"""Addresses with places for values, and headers with places for secrets: what is wrong with them, and filling them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from ..connectors.errors import BadInput
from ..connectors.secrets import Secrets
from .secret_values import secret_value

# `{name}` in an address.
PLACE = re.compile(r"\{([A-Za-z_]\w*)\}")
# A secret in a header.
SECRET = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,62})\}")


def address_faults(url: str) -> Iterator[tuple[str, str | None]]:
    """What is wrong with an address that is fixed but for its places: pairs of fault and fix."""
    try:
        target = without_places(url)
    except httpx.InvalidURL as error:
        yield f"its address {url!r} is no URL: {error}.", None
        return
    if target.scheme not in ("http", "https") or not target.host:
        yield f"its address {url!r} is no http:// or https:// URL with a host.", None
    if PLACE.search(_origin(url)):
        yield f"its address {url!r} leaves the host open.", "write the host; `{name}` may stand behind it"


def secret_header_faults(headers: Any) -> Iterator[tuple[str, str | None]]:
    """What is wrong with headers that have secrets in them: pairs of fault and fix."""
    if not isinstance(headers, dict) or not all(isinstance(text, str) for text in headers.values()):
        yield f"its secret_headers are {headers!r}.", 'write {"authorization": "Bearer {TOKEN}"}'
        return
    for name, text in headers.items():
        if not SECRET.search(text):
            yield (
                f"its secret header {name!r} names no secret.",
                f'write "{{NAME}}" into it, or give {name} as a header',
            )


def places_in(url: str) -> list[str]:
    """The names of an address's places, each once."""
    return list(dict.fromkeys(PLACE.findall(url)))


def filled_address(url: str, values: Mapping[str, Any], whose: str) -> str:
    """The address with these values in its places, which they can't leave. Raises BadInput."""
    texts = {name: str(value) for name, value in values.items()}
    for name, text in texts.items():
        if text in ("", ".", ".."):
            raise BadInput(f"{text!r} can't stand for {{{name}}} in the address of {whose}.")
    return PLACE.sub(lambda found: quote(texts[found[1]], safe=""), url) if texts else url


def filled_headers(headers: Mapping[str, str], secrets: Secrets | None) -> dict[str, str]:
    """The headers with the secrets in them. Raises SetupError: there is no such secret."""
    return {name: SECRET.sub(lambda found: secret_value(secrets, found[1]), text) for name, text in headers.items()}


def without_places(url: str) -> httpx.URL:
    """The address as far as it is fixed: any value stands in its places."""
    return httpx.URL(PLACE.sub("x", url))


def unfilled(url: str, names: Collection[str]) -> list[str]:
    """The places for which there is no value."""
    return sorted(set(places_in(url)) - set(names))


def _origin(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    return scheme + mark + re.split(r"[/?#]", rest, maxsplit=1)[0]
