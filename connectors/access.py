"""Who is calling, and what they may do: users, sessions, keys, one-time links and roles.

Secrets are random 256-bit tokens, so their SHA-256 is enough to store (no dictionary can be tried against it).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from .errors import BadInput, Conflict, NotAllowed, NotFound, NotSignedIn
from .store import Store
from .tables import ApiKey, LoginLink, LoginSession, User, now

SESSION_LIFE = timedelta(days=14)
LOGIN_LINK_LIFE = timedelta(hours=24)
# How long a revoked key or a signed-out session may still pass in another process.
CACHE_SECONDS = 5.0
_CACHE_ENTRIES = 10_000
_MAX_NAME = 100
_SCOPE = re.compile(r"(worklet|model):[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


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
    """An authenticated caller. `id` is stable and goes into runs, rows and files as their owner.

    `scopes`, if not None, are all that the caller may reach: `worklet:NAME` and `model:NAME`.
    """

    id: str
    name: str
    role: Role
    scopes: frozenset[str] | None = None


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
        # Counts what `forget` has thrown away: an answer read before a change must not be cached after it.
        self._generation = 0
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
        generation = self._generation
        with self._store.read() as session:
            row = session.exec(select(ApiKey).where(ApiKey.key_hash == hash_token(key))).first()
        if row is None or row.revoked_at is not None or _expired(row.expires_at):
            raise NotSignedIn("The key is unknown, expired or revoked; create one with `worklets keys create NAME`.")
        scopes = None if row.scopes is None else frozenset(row.scopes)
        principal = Principal(f"key:{row.id}", row.name, Role.named(row.role), scopes)
        return self._remember("k:" + key, principal, generation, row.expires_at)

    def by_session(self, token: str) -> Principal:
        """The caller behind a session cookie. Blocking. Raises NotSignedIn."""
        found = self.cached("s:" + token)
        if found is not None:
            return found
        generation = self._generation
        with self._store.read() as session:
            row = session.get(LoginSession, hash_token(token))
            user = session.get(User, row.user_id) if row is not None else None
        if row is None or user is None or user.disabled or _expired(row.expires_at):
            raise NotSignedIn("The session has ended; sign in again.")
        return self._remember("s:" + token, _as_principal(user), generation, row.expires_at)

    def is_internal(self, key: str) -> bool:
        """Whether `key` is this instance's own."""
        return self._internal_key is not None and hmac.compare_digest(key.encode(), self._internal_key.encode())

    def by_user(self, user_id: str) -> Principal:
        """The user of that id, for this instance's own processes. Blocking. Raises NotSignedIn."""
        found = self.cached("u:" + user_id)
        if found is not None:
            return found
        generation = self._generation
        with self._store.read() as session:
            user = session.get(User, user_id)
        if user is None or user.disabled:
            raise NotSignedIn("The user no longer exists or is disabled.")
        return self._remember("u:" + user_id, _as_principal(user), generation, None)

    def _remember(self, token: str, principal: Principal, generation: int, expires_at: datetime | None) -> Principal:
        until = time.monotonic() + CACHE_SECONDS
        if expires_at is not None:
            until = min(until, time.monotonic() + (expires_at - now()).total_seconds())
        with self._lock:
            if generation == self._generation:
                if len(self._cache) >= _CACHE_ENTRIES:
                    self._cache.clear()
                self._cache[token] = _Cached(principal, until)
        return principal

    def forget(self) -> None:
        """Empty the cache, after a change that must be seen at once."""
        with self._lock:
            self._generation += 1
            self._cache.clear()

    # --- keys ---------------------------------------------------------------------------------------

    def create_key(
        self,
        name: str,
        role: str = "operator",
        *,
        life: timedelta | None = None,
        by: str | None = None,
        scopes: Sequence[str] | None = None,
    ) -> str:
        """Make a key and return it; only its hash is kept. The name of a revoked or expired key may be used again.

        Args:
            name: for people.
            role: what its bearer may do; that `by` may give it is the caller's to check.
            life: how long it is valid; None for ever.
            by: the id of the user whose key it is: it ends when they are disabled.
            scopes: what alone it may reach, `worklet:NAME` and `model:NAME`; None is all that the role may.

        Raises:
            BadInput: the name, the role, the life or a scope is not allowed.
            Conflict: a valid key has that name.
        """
        if life is not None and life <= timedelta(0):
            raise BadInput("A key's life must be longer than nothing.")
        return self._make_key(name, role, life=life, by=by, scopes=scopes, replace=False)

    def replace_key(self, name: str, role: str) -> str:
        """Make a key of that name, whether or not one exists: for a key that a file holds. Raises BadInput."""
        key = self._make_key(name, role, life=None, by=None, scopes=None, replace=True)
        self.forget()
        return key

    def _make_key(
        self,
        name: str,
        role: str,
        *,
        life: timedelta | None,
        by: str | None,
        scopes: Sequence[str] | None,
        replace: bool,
    ) -> str:
        key = "wk_" + secrets.token_urlsafe(32)
        made = ApiKey(
            name=_checked_name(name, "key"),
            key_hash=hash_token(key),
            role=Role.named(role).name,
            scopes=checked_scopes(scopes),
            created_by=by,
            expires_at=now() + life if life else None,
        )
        taken = Conflict(f"There is already a key named {name!r}; revoke it first or choose another name.")
        try:
            with self._store.session() as session:
                old = session.exec(select(ApiKey).where(ApiKey.name == name).with_for_update()).first()
                if old is not None:
                    if not replace and old.revoked_at is None and not _expired(old.expires_at):
                        raise taken
                    session.delete(old)
                    session.flush()
                session.add(made)
        except IntegrityError:  # another process was quicker with the same name
            raise taken from None
        return key

    def revoke_key(self, name: str) -> None:
        """End a key. Raises NotFound."""
        with self._store.session() as session:
            row = session.exec(select(ApiKey).where(ApiKey.name == name)).first()
            if row is None:
                raise NotFound(f"There is no key named {name!r}; `worklets keys list` shows them.")
            if row.revoked_at is None:
                row.revoked_at = now()
                session.add(row)
        self.forget()

    def keys(self) -> list[ApiKey]:
        """Every key, newest first; never the key itself."""
        with self._store.read() as session:
            return list(session.exec(select(ApiKey).order_by(col(ApiKey.created_at).desc())))

    # --- users --------------------------------------------------------------------------------------

    def add_user(self, name: str, role: str = "viewer") -> User:
        """Make a user. Raises BadInput, Conflict (the name is taken)."""
        user = User(name=_checked_name(name, "user"), role=Role.named(role).name)
        try:
            with self._store.session() as session:
                session.add(user)
        except IntegrityError:
            raise Conflict(f"There is already a user named {name!r}; choose another name.") from None
        return user

    def ensure_user(self, name: str, role: str) -> User:
        """The user of that name, made with `role` if new; one that exists keeps their role. Raises BadInput."""
        found = self._find_user(name)
        if found is not None:
            return found
        try:
            return self.add_user(name, role)
        except Conflict:  # another process was quicker
            return self.user(name)

    def user(self, name: str) -> User:
        """The user of that name. Raises NotFound."""
        found = self._find_user(name)
        if found is None:
            raise _no_user(name)
        return found

    def _find_user(self, name: str) -> User | None:
        with self._store.read() as session:
            return session.exec(select(User).where(User.name == name)).first()

    def users(self) -> list[User]:
        """Every user by name."""
        with self._store.read() as session:
            return list(session.exec(select(User).order_by(User.name)))

    def disable_user(self, name: str) -> None:
        """Let a user in no longer: end their sessions, links and the keys they made.

        Raises NotFound, Conflict (the only admin).
        """
        with self._store.session() as session:
            user = _locked_user(session, name)
            _keep_an_admin(session, user)
            user.disabled = True
            session.add(user)
            session.exec(delete(LoginSession).where(col(LoginSession.user_id) == user.id))
            session.exec(delete(LoginLink).where(col(LoginLink.user_id) == user.id))
            made = select(ApiKey).where(ApiKey.created_by == user.id, col(ApiKey.revoked_at).is_(None))
            for key in session.exec(made):
                key.revoked_at = now()
                session.add(key)
        self.forget()

    def enable_user(self, name: str) -> None:
        """Let a disabled user in again; keys that ended stay so. Raises NotFound."""
        with self._store.session() as session:
            user = _locked_user(session, name)
            user.disabled = False
            session.add(user)
        self.forget()

    def set_role(self, name: str, role: str) -> None:
        """Give a user another role. Raises NotFound, BadInput, Conflict (the only admin)."""
        given = Role.named(role)
        with self._store.session() as session:
            user = _locked_user(session, name)
            if given < Role.admin:
                _keep_an_admin(session, user)
            user.role = given.name
            session.add(user)
        self.forget()

    # --- links and sessions ---------------------------------------------------------------------------

    def create_login_link(self, user_id: str, purpose: str = "login") -> str:
        """A token that signs the user in once (or, `password`, lets them set one), within a day. Raises NotFound."""
        token = secrets.token_urlsafe(32)
        with self._store.session() as session:
            if session.get(User, user_id) is None:
                raise _no_user(user_id)
            session.exec(delete(LoginLink).where(col(LoginLink.expires_at) < now()))
            expires_at = now() + LOGIN_LINK_LIFE
            session.add(
                LoginLink(token_hash=hash_token(token), user_id=user_id, purpose=purpose, expires_at=expires_at)
            )
        return token

    def redeem_login_link(self, token: str) -> str:
        """Use a one-time token up and return a new session's token. Raises NotSignedIn."""
        with self._store.session() as session:
            link = session.get(LoginLink, hash_token(token), with_for_update=True)
            if link is None or link.purpose != "login" or link.used_at is not None or _expired(link.expires_at):
                raise NotSignedIn("The login link is unknown, used or expired; print a new one with `worklets login`.")
            user = session.get(User, link.user_id)
            if user is None or user.disabled:
                raise NotSignedIn("The user of this login link is disabled; ask an admin.")
            link.used_at = now()
            session.add(link)
            return add_session(session, link.user_id)

    def create_session(self, user_id: str) -> str:
        """A new session's token, for the cookie. Raises NotFound."""
        with self._store.session() as session:
            if session.get(User, user_id) is None:
                raise _no_user(user_id)
            return add_session(session, user_id)

    def end_sessions(self, user_id: str, keep: str | None = None) -> None:
        """Sign a user out in every browser, except in that of the session's token `keep`."""
        kept = hash_token(keep) if keep else ""
        with self._store.session() as session:
            ended = delete(LoginSession).where(col(LoginSession.user_id) == user_id)
            session.exec(ended.where(col(LoginSession.token_hash) != kept))
        self.forget()

    def end_session(self, token: str) -> None:
        """Sign a browser out. An unknown token is no error."""
        with self._store.session() as session:
            session.exec(delete(LoginSession).where(col(LoginSession.token_hash) == hash_token(token)))
        self.forget()


def checked_scopes(scopes: Sequence[str] | None) -> list[str] | None:
    """Scopes as they are kept, each once. Raises BadInput with every one that is none."""
    if scopes is None:
        return None
    wrong = [scope for scope in scopes if not _SCOPE.fullmatch(scope)]
    if wrong or not scopes:
        said = ", ".join(repr(scope[:80]) for scope in wrong) or "an empty list"
        raise BadInput(f"{said} is no scope; write worklet:NAME or model:NAME.")
    return sorted(set(scopes))


def require(principal: Principal, role: Role, doing: str) -> None:
    """Raise NotAllowed unless the caller has at least `role`; `doing` completes "You may not ..."."""
    if principal.role < role:
        raise NotAllowed(f"You may not {doing}: that needs the role {role.name}, and you are {principal.role.name}.")


def _as_principal(user: User) -> Principal:
    return Principal(user.id, user.name, Role.named(user.role))


def add_session(session: Session, user_id: str) -> str:
    """A new session's token, inside a transaction that is under way."""
    token = secrets.token_urlsafe(32)
    session.exec(delete(LoginSession).where(col(LoginSession.expires_at) < now()))
    session.add(LoginSession(token_hash=hash_token(token), user_id=user_id, expires_at=now() + SESSION_LIFE))
    return token


def _locked_user(session: Session, name: str) -> User:
    # All admins are locked with them, in one order: two that end each other at once must not both succeed.
    chosen = (User.name == name) | (User.role == Role.admin.name)
    locked = session.exec(select(User).where(chosen).order_by(User.id).with_for_update()).all()
    for user in locked:
        if user.name == name:
            return user
    raise _no_user(name)


def _keep_an_admin(session: Session, user: User) -> None:
    others = select(User).where(User.role == Role.admin.name, col(User.disabled).is_(False), User.id != user.id)
    if user.role == Role.admin.name and not user.disabled and session.exec(others).first() is None:
        raise Conflict(f"{user.name} is the only admin; make another user an admin first.")


def _no_user(name: str) -> NotFound:
    return NotFound(f"There is no user {name!r}; `worklets users list` shows them.")


def _checked_name(name: str, of: str) -> str:
    if not 0 < len(name) <= _MAX_NAME or name != name.strip() or not name.isprintable():
        raise BadInput(
            f"A {of} may not be named {name[:_MAX_NAME]!r}; use up to {_MAX_NAME} printable letters, "
            "without spaces at the ends."
        )
    return name


def _expired(at: datetime | None) -> bool:
    return at is not None and at <= now()
