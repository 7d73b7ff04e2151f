"""Who may open a view: the session cookie decides, at the page, at autoload and at the websocket alike."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bokeh.server.auth_provider import AuthProvider

from ..connectors.access import Access, Principal
from ..connectors.errors import NotAllowed, NotSignedIn, SetupError, WorkletsError
from ..connectors.layout import DataDirectory
from ..connectors.store import Store
from ..connectors.web import SESSION_COOKIE
from .document import ViewDocument
from .publishing import may_open, published
from .state import PersistentState

ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class Visit:
    """Somebody at an open view: what they see, who they are (None: not signed in), and by which session."""

    document: ViewDocument
    principal: Principal | None
    token: str
    state: dict[str, Any] = field(default_factory=dict)


class Doorkeeper(AuthProvider):  # type: ignore[misc]  # bokeh is not typed here
    """Lets in by the session cookie, and finds the view, before any session of Bokeh's exists.

    Each request leaves with `request.worklets_visit`: the Visit, or the WorkletsError that keeps it out.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access
        super().__init__()

    @property
    def get_user_async(self) -> Any:
        """Who asks, by name; None sends a page to the login."""
        return self._enter

    @property
    def get_user(self) -> None:
        """Not used: the store is asked in a thread."""
        return

    @property
    def get_login_url(self) -> Any:
        """Where to sign in and come back from."""
        return lambda handler: login_address(handler.request.uri)

    async def _enter(self, handler: Any) -> str | None:
        cookie = handler.request.cookies.get(SESSION_COOKIE)
        slug = handler.path_kwargs.get("slug")
        return await asyncio.to_thread(self._find, handler.request, cookie.value if cookie else "", slug)

    def _find(self, request: Any, token: str, slug: str | None) -> str | None:
        try:
            principal = self._access.by_session(token) if token else None
        except NotSignedIn:
            principal = None
        request.worklets_principal = principal
        if slug is not None:
            request.worklets_visit = self._visit(principal, token, slug)
            if principal is None and isinstance(request.worklets_visit, Visit):
                return ANONYMOUS
        return principal.id if principal is not None else None

    def _visit(self, principal: Principal | None, token: str, slug: str) -> Visit | WorkletsError:
        try:
            document = published(self._store, slug)
            if not may_open(document, principal):
                return NotAllowed(f"This view is open to the role {document.access.role} and above.")
            state = PersistentState(self._store, slug, principal.id if principal else None).load(document)
        except WorkletsError as error:
            return error
        return Visit(document, principal, token, state)

    async def still_signed_in(self, visit: Visit) -> str:
        """The visitor's id, if their session has not ended meanwhile. Raises NotSignedIn."""
        if visit.principal is None:
            raise NotSignedIn("Sign in to use this view.")
        return (await asyncio.to_thread(self._access.by_session, visit.token)).id


def login_address(back_to: str) -> str:
    """The login page, which leads back."""
    return f"/login?next={quote(back_to, safe='/')}"


def signing_key(data: DataDirectory) -> bytes:
    """The key that signs Bokeh's session tokens, derived from the instance's secret, which is made if there is none."""
    path = data.secret_key
    if not path.exists():
        _make_secret(path)
    secret = path.read_bytes().strip()
    if len(secret) < 16:
        raise SetupError(f"{path} holds no secret; stop the server, remove the file and start again.")
    return hmac.new(secret, b"views: session tokens", hashlib.sha256).hexdigest().encode()


def _make_secret(path: Path) -> None:
    handle, partial = tempfile.mkstemp(dir=path.parent)  # mkstemp gives mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(32).encode())
        # A link is made whole or not at all; whichever process is first wins.
        os.link(partial, path)
    except FileExistsError:
        return
    finally:
        os.unlink(partial)
