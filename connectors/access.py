"""Who is calling, and what they may do: users, sessions, keys, one-time links and roles.

Secrets are random 256-bit tokens, so their SHA-256 is enough to store (no dictionary can be tried against it).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from sqlmodel import col, select

from .errors import BadInput, Conflict, NotAllowed, NotFound, NotSignedIn
from .store import Store
from .tables import ApiKey, LoginLink, LoginSession, User, now

SESSION_LIFE = timedelta(days=14)
LOGIN_LINK_LIFE = timedelta(hours=24)
# How long a revoked key or a signed-out session may still pass in another process.
CACHE_SECONDS = 5.0


class Role(IntEnum):
    """What a caller may do; each role may do all that the ones below it may."""

    viewer = 1
    operator = 2
    builder = 3
    admin = 4

    @classmethod
    def named(cls, name: str) -> Role:
        """The role of that name. Raises BadInput with the names allowed."""
        try:
            return cls[name]
        except KeyError:
            allowed = ", ".join(role.name for role in cls)
            raise BadInput(f"There is no role {name!r}; use one of {allowed}.") from None


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `id` is stable and goes into runs, rows and files as their owner."""

    id: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class _Cached:
    principal: Principal
    until: float


def hash_token(token: str) -> str:
    """The form in which a secret token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


class Access:
    """Authenticates callers against the store, with a short cache so that a hot path needs no query.

    Args:
        store: where users, sessions and keys are.
        internal_key: the secret by which this instance's own processes know each other; they may act
            for a user. None accepts no such caller.
    """

    def __init__(self, store: Store, internal_key: str | None = None) -> None:
        self._store = store
        self._internal_key = internal_key
        self._cache: dict[str, _Cached] = {}
        self._lock = threading.Lock()

    # --- authenticate -------------------------------------------------------------------------------

    def cached(self, token: str) -> Principal | None:
        """The caller behind a key or session token, if asked for a moment ago. Never blocks."""
        entry = self._cache.get(token)
        if entry is not None and entry.until > time.monotonic():
            return entry.principal
        return None

    def by_key(self, key: str) -> Principal:
        """The caller behind an API key. Blocking. Raises NotSignedIn."""
        found = self.cached("k:" + key)
        if found is not None:
            return found
        with self._store.session() as session:
            row = session.exec(select(ApiKey).where(ApiKey.key_hash == hash_token(key))).first()
        if row is None or row.revoked_at is not None or _expired(row.expires_at):
            raise NotSignedIn("The key is unknown, expired or revoked; create one with `worklets keys create NAME`.")
        return self._remember("k:" + key, Principal(f"key:{row.id}", row.name, Role[row.role]), row.expires_at)

    def by_session(self, token: str) -> Principal:
        """The caller behind a session cookie. Blocking. Raises NotSignedIn."""
        found = self.cached("s:" + token)
        if found is not None:
            return found
        with self._store.session() as session:
            row = session.get(LoginSession, hash_token(token))
            user = session.get(User, row.user_id) if row is not None else None
        if row is None or user is None or user.disabled or _expired(row.expires_at):
            raise NotSignedIn("The session has ended; sign in again.")
        return self._remember("s:" + token, Principal(user.id, user.name, Role[user.role]), row.expires_at)

    def is_internal(self, key: str) -> bool:
        """Whether `key` is this instance's own."""
        return self._internal_key is not None and hmac.compare_digest(key.encode(), self._internal_key.encode())

    def by_user(self, user_id: str) -> Principal:
        """The user of that id, for this instance's own processes. Blocking. Raises NotSignedIn."""
        with self._store.session() as session:
            user = session.get(User, user_id)
        if user is None or user.disabled:
            raise NotSignedIn("The user no longer exists or is disabled.")
        return Principal(user.id, user.name, Role[user.role])

    def _remember(self, token: str, principal: Principal, expires_at: datetime | None) -> Principal:
        until = time.monotonic() + CACHE_SECONDS
        if expires_at is not None:
            until = min(until, time.monotonic() + (expires_at - now()).total_seconds())
        with self._lock:
            if len(self._cache) > 10_000:
                self._cache.clear()
            self._cache[token] = _Cached(principal, until)
        return principal

    def forget(self) -> None:
        """Empty the cache, after a change that must be seen at once."""
        with self._lock:
            self._cache.clear()

    # --- keys ---------------------------------------------------------------------------------------

    def create_key(
        self, name: str, role: str = "operator", *, life: timedelta | None = None, by: str | None = None
    ) -> str:
        """Make a key and return it; only its hash is kept. Raises BadInput, Conflict."""
        key = "wk_" + secrets.token_urlsafe(32)
        with self._store.session() as session:
            if session.exec(select(ApiKey).where(ApiKey.name == name)).first() is not None:
                raise Conflict(f"There is already a key named {name!r}; revoke it first or choose another name.")
            expires = now() + life if life else None
            session.add(
                ApiKey(
                    name=name,
                    key_hash=hash_token(key),
                    role=Role.named(role).name,
                    created_by=by,
                    expires_at=expires,
                )
            )
        return key

    def replace_key(self, name: str, role: str) -> str:
        """Make a key of that name, whether or not one exists: for a key that a file holds."""
        with self._store.session() as session:
            for row in session.exec(select(ApiKey).where(ApiKey.name == name)):
                session.delete(row)
        self.forget()
        return self.create_key(name, role)

    def revoke_key(self, name: str) -> None:
        """End a key. Raises NotFound."""
        with self._store.session() as session:
            row = session.exec(select(ApiKey).where(ApiKey.name == name)).first()
            if row is None:
                raise NotFound(f"There is no key named {name!r}; `worklets keys list` shows them.")
            row.revoked_at = now()
            session.add(row)
        self.forget()

    def keys(self) -> list[ApiKey]:
        """Every key, newest first; never the key itself."""
        with self._store.session() as session:
            return list(session.exec(select(ApiKey).order_by(col(ApiKey.created_at).desc())))

    # --- users, links and sessions --------------------------------------------------------------------

    def ensure_user(self, name: str, role: str) -> User:
        """The user of that name, made with `role` if new."""
        with self._store.session() as session:
            user = session.exec(select(User).where(User.name == name)).first()
            if user is None:
                user = User(name=name, role=Role.named(role).name)
                session.add(user)
            return user

    def users(self) -> list[User]:
        """Every user by name."""
        with self._store.session() as session:
            return list(session.exec(select(User).order_by(User.name)))

    def disable_user(self, name: str) -> None:
        """Let a user in no longer and end their sessions. Raises NotFound."""
        with self._store.session() as session:
            user = session.exec(select(User).where(User.name == name)).first()
            if user is None:
                raise NotFound(f"There is no user named {name!r}; `worklets users list` shows them.")
            user.disabled = True
            session.add(user)
            for row in session.exec(select(LoginSession).where(LoginSession.user_id == user.id)):
                session.delete(row)
        self.forget()

    def create_login_link(self, user_id: str) -> str:
        """A token that signs the user in once, within a day."""
        token = secrets.token_urlsafe(32)
        with self._store.session() as session:
            session.add(LoginLink(token_hash=hash_token(token), user_id=user_id, expires_at=now() + LOGIN_LINK_LIFE))
        return token

    def redeem_login_link(self, token: str) -> str:
        """Use a one-time token up and return a session token. Raises NotSignedIn."""
        with self._store.session() as session:
            link = session.get(LoginLink, hash_token(token), with_for_update=True)
            if link is None or link.used_at is not None or _expired(link.expires_at):
                raise NotSignedIn("The login link is unknown, used or expired; print a new one with `worklets login`.")
            link.used_at = now()
            session.add(link)
            user_id = link.user_id
        return self.create_session(user_id)

    def create_session(self, user_id: str) -> str:
        """A new session's token, for the cookie."""
        token = secrets.token_urlsafe(32)
        with self._store.session() as session:
            session.add(LoginSession(token_hash=hash_token(token), user_id=user_id, expires_at=now() + SESSION_LIFE))
        return token

    def end_session(self, token: str) -> None:
        """Sign a browser out. An unknown token is no error."""
        with self._store.session() as session:
            row = session.get(LoginSession, hash_token(token))
            if row is not None:
                session.delete(row)
        self.forget()


def require(principal: Principal, role: Role, doing: str) -> None:
    """Raise NotAllowed unless the caller has at least `role`; `doing` completes "You may not ..."."""
    if principal.role < role:
        raise NotAllowed(f"You may not {doing}: that needs the role {role.name}, and you are {principal.role.name}.")


def _expired(at: datetime | None) -> bool:
    return at is not None and at <= now()
