"""Who may open a view: a session cookie or a visitor's ticket decides, at page, autoload and websocket alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from bokeh.server.auth_provider import AuthProvider
from bokeh.util.token import check_token_signature, get_token_payload

from ..connectors.access import Access, Principal
from ..connectors.errors import NotAllowed, NotFound, NotSignedIn, WorkletsError
from ..connectors.layout import DataDirectory
from ..connectors.limits import RateLimit
from ..connectors.secret import derived_key
from ..connectors.shares import Guest, Shares
from ..connectors.store import Store
from ..connectors.web import EMBED_HEADER, SESSION_COOKIE, TICKET_HEADER
from .components.bridge import checked_parameters
from .custom import CustomDefinition, definitions, used
from .document import ViewDocument
from .publishing import may_open, published
from .state import PersistentState

# Keeps apart those who use a view that is open to all, from one page to the next.
VISITOR_COOKIE = "worklets_visitor"
# The parameter of the address that names the page, of a view that has several.
PAGE = "page"


@dataclass(frozen=True)
class Visit:
    """Somebody at an open view: what they see, who they are, and by which session or (a visitor by a link) ticket."""

    document: ViewDocument
    principal: Principal
    token: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    ticket: str = ""
    embedded: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    page: str = ""
    # The components of authors that the document has, by name.
    custom: Mapping[str, CustomDefinition] = field(default_factory=dict)


@dataclass(frozen=True)
class _Claim:
    """What a request brings along to say who sends it."""

    session: str
    ticket: str
    earlier: str
    embedded: bool
    params: dict[str, str]


class Doorkeeper(AuthProvider):  # type: ignore[misc]  # bokeh is not typed here
    """Finds who asks, and the view, before any session of Bokeh's exists.

    Each request leaves with `request.worklets_visit`: the Visit, or the WorkletsError that keeps it out.
    """

    def __init__(self, store: Store, access: Access, shares: Shares) -> None:
        self._store = store
        self._access = access
        self._shares = shares
        # What visitors set in motion: a person's pace for each, and a bound for all who came by one link.
        self._of_guest = RateLimit(120, 60, "requests of this page")
        self._of_share = RateLimit(1200, 600, "requests by this link")
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
        request = handler.request
        claim = _Claim(
            _cookie(request, SESSION_COOKIE),
            request.headers.get(TICKET_HEADER) or ticket_in_token(handler) or _ticket_of_file(handler),
            _cookie(request, VISITOR_COOKIE),
            EMBED_HEADER in request.headers,
            {name: values[-1].decode(errors="replace") for name, values in request.query_arguments.items()},
        )
        return await asyncio.to_thread(self._find, request, claim, handler.path_kwargs.get("slug"))

    def _find(self, request: Any, claim: _Claim, slug: str | None) -> str | None:
        request.worklets_principal = None
        request.worklets_visit = None
        # A ticket that fails says so; without one the way is the login.
        request.worklets_ticket = claim.ticket
        try:
            if claim.ticket:
                guest = self._shares.guest(claim.ticket)
                request.worklets_principal = guest.principal
            else:
                guest = None
                request.worklets_principal = self._signed_in(claim.session)
            if slug is not None:
                request.worklets_visit = self._visit(request.worklets_principal, guest, claim, slug)
                request.worklets_principal = request.worklets_visit.principal
        except WorkletsError as error:
            request.worklets_visit = error
        principal: Principal | None = request.worklets_principal
        return principal.id if principal is not None else None

    def _signed_in(self, session: str) -> Principal | None:
        try:
            return self._access.by_session(session) if session else None
        except NotSignedIn:
            return None

    def _visit(self, principal: Principal | None, guest: Guest | None, claim: _Claim, slug: str) -> Visit:
        """Raises WorkletsError for whom the view is closed."""
        document = published(self._store, slug)
        if guest is None and principal is None and document.access.public:
            guest = self._shares.guest(self._shares.ticket(slug, None, claim.earlier))
        if guest is not None:
            if guest.slug != slug:
                raise NotFound("This link leads to another view.")
            principal = guest.principal
        elif principal is None:
            raise NotSignedIn("Sign in to open this view.")
        elif not may_open(document, principal):
            whom = "some people only" if document.access.private else f"the role {document.access.role} and above"
            raise NotAllowed(f"This view is open to {whom}; ask its owner for access, or for a link.")
        state = PersistentState(self._store, slug, principal.id).load(document)
        ticket = guest.ticket if guest is not None else ""
        params = checked_parameters(claim.params)
        return Visit(
            document, principal, claim.session, state, ticket, claim.embedded, params, claim.params.get(PAGE, ""),
            self._custom(document),
        )  # fmt: skip

    def _custom(self, document: ViewDocument) -> dict[str, CustomDefinition]:
        names = used(document)
        if not names:
            return {}
        with self._store.read() as session:
            return definitions(session, names)

    async def still_here(self, visit: Visit) -> str:
        """For whom the API is to act: a user's id, or a visitor's ticket.

        Raises NotSignedIn (the session or the link has ended meanwhile), TooMany.
        """
        if not visit.ticket:
            return (await asyncio.to_thread(self._access.by_session, visit.token)).id
        guest = await asyncio.to_thread(self._shares.guest, visit.ticket)
        self._of_guest.take(guest.principal.id)
        self._of_share.take(f"{guest.share} {guest.slug}")
        return visit.ticket

    def ended(self, visits: Iterable[Visit]) -> list[Visit]:
        """Those whose session or link has ended, or to whom the view is closed by now. Blocking.

        The store is asked once for each link and session, however many pages are open by it.
        """
        by_way: dict[tuple[str, str, str], list[Visit]] = {}
        for visit in visits:
            guest_way = ".".join(visit.ticket.split(".")[1:3])
            by_way.setdefault((visit.token, guest_way, visit.document.slug), []).append(visit)
        return [visit for alike in by_way.values() if self._has_ended(alike[0]) for visit in alike]

    def _has_ended(self, visit: Visit) -> bool:
        try:
            if visit.ticket:
                self._shares.guest(visit.ticket, fresh=True)
                return False
            principal = self._access.by_session(visit.token)
            return not may_open(published(self._store, visit.document.slug), principal)
        except (NotSignedIn, NotFound):
            return True


def ticket_in_token(handler: Any) -> str:
    """The ticket that the page's signed token has, for a websocket: in a frame no cookie comes with it."""
    _, _, token = handler.request.headers.get("Sec-Websocket-Protocol", "").partition(",")
    token = token.strip()
    if not token:
        return ""
    application = handler.application
    try:
        signed = check_token_signature(token, secret_key=application.secret_key, signed=application.sign_sessions)
        return str(get_token_payload(token).get("ticket", "")) if signed else ""
    except Exception:  # Bokeh's reading raises whatever its parts raise; a token that can't be read has no ticket
        return ""


def _ticket_of_file(handler: Any) -> str:
    """The ticket in the address of an example picture; a view's own address may have a `ticket` of another meaning."""
    asked = handler.request.path.startswith("/views/examples/")
    return str(handler.get_query_argument("ticket", "")) if asked else ""


def _cookie(request: Any, name: str) -> str:
    found = request.cookies.get(name)
    return found.value if found is not None else ""


def login_address(back_to: str) -> str:
    """The login page, which leads back."""
    return f"/login?next={quote(back_to, safe='/')}"


def signing_key(data: DataDirectory) -> bytes:
    """The key that signs Bokeh's session tokens, derived from the instance's secret. Raises SetupError."""
    return derived_key(data, "views: session tokens")
