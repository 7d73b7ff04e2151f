"""Links by which anyone may use one view, and the visitors who come by them.

A link's token is signed: it is never stored, can't be guessed, and can be shown again to whoever made it. The row
behind it says until when it is valid and whether it was revoked. A visitor gets a ticket: also signed, with an id of
their own, for one view and one link. A ticket is worth nothing once its link has ended.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import col, select

from .access import CACHE_SECONDS, Principal, Role
from .errors import BadInput, NotAllowed, NotFound, NotSignedIn
from .passwords import Passwords
from .secret import is_signed, signature
from .store import Store
from .tables import Share, View, ViewVersion, now

LONGEST_LIFE = timedelta(days=366)
TICKET_LIFE = timedelta(days=1)
SHORTEST_PASSWORD = 6
GUEST = "guest:"
# In the place of a link's id, in the tickets of a view that is open to all.
PUBLIC = "public"
_TICKET = re.compile(r"([0-9a-f]{24})\.([0-9a-z]{6,32})\.([a-z0-9-]{1,63})\.(\d{9,11})\.([\w-]{32})")
_TOKEN = re.compile(r"([0-9a-f]{24})\.([\w-]{32})")
_MOST_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class Guest:
    """A visitor by a link: who they are here, of which view, by which link."""

    principal: Principal
    slug: str
    share: str
    ticket: str


class Shares:
    """The links of views. Blocking, except where a cache answers.

    Args:
        store: where the links are.
        key: signs tokens and tickets (`secret.derived_key(data, "shares")`).
        passwords: checks the passwords of links, and slows guessing down.
    """

    def __init__(self, store: Store, key: bytes, passwords: Passwords) -> None:
        self._store = store
        self._key = key
        self._passwords = passwords
        self._valid: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    # --- links ------------------------------------------------------------------------------------------

    def create(
        self,
        slug: str,
        *,
        life: timedelta | None = None,
        password: str | None = None,
        label: str = "",
        by: str | None = None,
    ) -> tuple[Share, str]:
        """A new link to a view, and its token.

        Args:
            slug: the view's.
            life: how long it is valid; None until it is revoked.
            password: asked of whoever opens it.
            label: what it is for.
            by: the id of who makes it.

        Raises:
            BadInput: the life, the password or the label is not allowed.
            NotFound: there is no such published view.
        """
        if life is not None and not timedelta(minutes=1) <= life <= LONGEST_LIFE:
            raise BadInput("A link is valid for a minute to 366 days, or until it is revoked.")
        if password is not None and not SHORTEST_PASSWORD <= len(password) <= 1000:
            raise BadInput(f"A link's password has {SHORTEST_PASSWORD} to 1000 characters.")
        if len(label) > 100 or not label.isprintable():
            raise BadInput("A link's label has up to 100 printable characters.")
        made = Share(
            id=secrets.token_hex(12),
            view_slug=slug,
            label=label.strip(),
            password_hash=self._passwords.hash(password) if password is not None else None,
            created_by=by,
            expires_at=now() + life if life else None,
        )
        with self._store.session() as session:
            view = session.get(View, slug)
            if view is None or view.published is None:
                raise NotFound(f"There is no published view {slug[:64]!r}; `worklets views list` shows what there is.")
            session.add(made)
        return made, self.token(made.id)

    def token(self, share_id: str) -> str:
        """The token of a link."""
        return f"{share_id}.{signature(self._key, f'share {share_id}')}"

    def of_view(self, slug: str) -> list[Share]:
        """Every link to a view, newest first."""
        with self._store.read() as session:
            query = select(Share).where(Share.view_slug == slug)
            return list(session.exec(query.order_by(col(Share.created_at).desc())))

    def revoke(self, slug: str, share_id: str) -> None:
        """End a link; who uses it is shut out within seconds. Raises NotFound."""
        with self._store.session() as session:
            share = session.get(Share, share_id)
            if share is None or share.view_slug != slug:
                raise NotFound(f"The view {slug!r} has no link {share_id[:40]!r}; `worklets views shares` lists them.")
            if share.revoked_at is None:
                share.revoked_at = now()
                session.add(share)
        with self._lock:
            self._valid.clear()

    def find(self, token: str, slug: str | None = None) -> Share:
        """The link of a token that is valid now (and leads to the view `slug`). Raises NotFound."""
        found = _TOKEN.fullmatch(token)
        share = None
        if found is not None and is_signed(self._key, f"share {found[1]}", found[2]):
            with self._store.read() as session:
                share = session.get(Share, found[1])
        if share is None or (slug is not None and share.view_slug != slug):
            raise NotFound("This link leads nowhere; ask whoever sent it for a new one.")
        if _ended(share):
            raise NotFound("This link has ended; ask whoever sent it for a new one.")
        return share

    def check_password(self, share: Share, password: str, address: str) -> None:
        """Raise NotAllowed (a wrong one), TooMany unless it is the link's password."""
        if share.password_hash is None:
            return
        if not self._passwords.guess(share.password_hash, password, f"share:{share.id}", address):
            raise NotAllowed("The password is wrong.")

    # --- visitors ---------------------------------------------------------------------------------------

    def ticket(self, slug: str, share: Share | None, earlier: str = "") -> str:
        """A ticket for the view, by a link or (None) because it is open to all.

        `earlier` is one that the visitor had: they stay who they were if it was for the same view and link.
        """
        share_id = share.id if share is not None else PUBLIC
        until = now() + TICKET_LIFE
        if share is not None and share.expires_at is not None:
            until = min(until, share.expires_at)
        read = self._read(earlier)
        same = read is not None and read[1:3] == (share_id, slug)
        guest = read[0] if read is not None and same else secrets.token_hex(12)
        text = f"{guest}.{share_id}.{slug}.{int(until.timestamp())}"
        return f"{text}.{signature(self._key, 'ticket ' + text)}"

    def opened_by(self, share: Share, ticket: str) -> bool:
        """Whether the ticket is one of this link, so that its password need not be asked again."""
        read = self._read(ticket)
        return read is not None and read[1:3] == (share.id, share.view_slug) and read[3] > now()

    def guest(self, ticket: str, *, fresh: bool = False) -> Guest:
        """Who has this ticket. Asks the store every few seconds, or now (`fresh`).

        Raises NotSignedIn when the ticket or its link has ended.
        """
        read = self._read(ticket)
        if read is None or read[3] <= now():
            raise NotSignedIn("Your visit has ended; open the link again.")
        guest, share_id, slug, _ = read
        if fresh:
            with self._lock:
                self._valid.pop((share_id, slug), None)
        if not self._is_valid(share_id, slug):
            raise NotSignedIn("This link has ended; ask whoever sent it for a new one.")
        # Scopes that name nothing: the ticket opens no route but those of files. The views process acts for guests.
        principal = Principal(GUEST + guest, "Guest", Role.viewer, frozenset())
        return Guest(principal, slug, share_id, ticket)

    def _read(self, ticket: str) -> tuple[str, str, str, datetime] | None:
        found = _TICKET.fullmatch(ticket)
        if found is None or not is_signed(self._key, "ticket " + ticket.rpartition(".")[0], found[5]):
            return None
        return found[1], found[2], found[3], datetime.fromtimestamp(int(found[4]), UTC)

    def _is_valid(self, share_id: str, slug: str) -> bool:
        """Whether the link, or the openness to all, still is. Only a yes is remembered, for a few seconds."""
        if self._valid.get((share_id, slug), 0.0) > time.monotonic():
            return True
        with self._store.read() as session:
            if share_id == PUBLIC:
                query = select(ViewVersion.document).join(View, col(View.slug) == col(ViewVersion.view_slug))
                document = session.exec(
                    query.where(View.slug == slug, col(View.published) == ViewVersion.number)
                ).first()
                valid = document is not None and bool(document.get("access", {}).get("public"))
            else:
                share = session.get(Share, share_id)
                valid = share is not None and share.view_slug == slug and not _ended(share)
        if valid:
            with self._lock:
                if len(self._valid) >= _MOST_CACHED:
                    self._valid.clear()
                self._valid[share_id, slug] = time.monotonic() + CACHE_SECONDS
        return valid


def is_guest(principal: Principal | None) -> bool:
    """Whether somebody came by a link."""
    return principal is not None and principal.id.startswith(GUEST)


def _ended(share: Share) -> bool:
    return share.revoked_at is not None or (share.expires_at is not None and share.expires_at <= now())
