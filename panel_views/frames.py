"""What a view may show in a frame: files and pages of this address, and the sites that the server's settings list.

Where a browser reads an address otherwise than this module does, the page's policy still holds it to the same list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..connectors.errors import DefinitionError, Fault, SetupError
from .declarations import ORIGIN

if TYPE_CHECKING:
    from .document import ViewDocument

SETTING = "WORKLETS_FRAME_ORIGINS"
MAX_ADDRESS = 2_000
# No user name before the host, and nothing that one reader of addresses takes for another sign.
_ELSEWHERE = re.compile(r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?(?:[/?#][^\s\\]*)?")
_HERE = re.compile(r"/(?:[^\s\\/][^\s\\]*)?")
# A frame of our own address has no session, and these pages do nothing without one.
_NEEDS_SESSION = re.compile(r"/(?:views(?!/examples/)|embed|share|console|login)(?:[/?#]|$)")
_FORMS = "write `/…` for an address of this server, or `https://host/…`"


class FrameOrigins:
    """The sites that frames of views may show, beside this server's own address.

    Args:
        origins: such as `https://grafana.example.com`, `https://*.example.com` or `http://host:port`.

    Raises:
        SetupError: an entry is no origin.
    """

    def __init__(self, origins: Sequence[str] = ()) -> None:
        for origin in origins:
            if not re.fullmatch(ORIGIN, origin):
                raise SetupError(
                    f"{origin[:200]!r} in {SETTING} is no site; write `https://host`, `https://*.host` or "
                    "`http://host:port`, in small letters and without a path."
                )
        self._origins = tuple(origins)

    @property
    def policy(self) -> str:
        """The part of a page's Content-Security-Policy that says the same to the browser."""
        return " ".join(["frame-src", "'self'", *self._origins])

    def refusal(self, address: str) -> tuple[str, str] | None:
        """Why an address may not be shown, and what to do about it; None if it may."""
        found = _ELSEWHERE.fullmatch(address)
        if found is None:
            if _NEEDS_SESSION.match(address):
                fix = "link to it, or put its components on this page"
                return f"{_short(address)} needs its reader's session, which a frame has not", fix
            return None
        port = found["port"] or ("443" if found["scheme"] == "https" else "80")
        site, host = f"{found['scheme']}://{found['host'].lower()}", found["host"].lower()
        if any(_covers(origin, found["scheme"], host, port) for origin in self._origins):
            return None
        shown = f"{site}:{found['port']}" if found["port"] else site
        return f"{shown} may not be shown in a frame", f'have an admin add it to {SETTING}: ["{shown}"]'

    def check(self, document: ViewDocument) -> None:
        """Raises DefinitionError with every address in a document that may not be shown."""
        faults = list(self._faults(document))
        if faults:
            count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
            raise DefinitionError(f"The view {document.slug!r} has {count}.", faults=faults)

    def _faults(self, document: ViewDocument) -> Iterator[Fault]:
        for page_number, page in enumerate(document.pages):
            for number, component in enumerate(page.components):
                source = component.properties.get("source")
                refused = self.refusal(source) if component.type == "iframe" and isinstance(source, str) else None
                if refused is not None:
                    loc = ("pages", page_number, "components", number, "properties", "source")
                    yield Fault(loc, refused[0], "address", refused[1])


def checked_address(address: str) -> str:
    """The address, if it is of a form that a frame can have. Raises ValueError."""
    if _ELSEWHERE.fullmatch(address) or _HERE.fullmatch(address):
        return address
    raise ValueError(f"{_short(address)} is no address for a frame; {_FORMS}")


def _covers(origin: str, scheme: str, host: str, port: str) -> bool:
    allowed_scheme, _, rest = origin.partition("://")
    allowed_host, _, allowed_port = rest.partition(":")
    if scheme != allowed_scheme or int(port) != int(allowed_port or ("443" if scheme == "https" else "80")):
        return False
    return host.endswith(allowed_host[1:]) if allowed_host.startswith("*.") else host == allowed_host


def _short(address: str) -> str:
    return repr(address if len(address) <= 100 else address[:100] + "…")
