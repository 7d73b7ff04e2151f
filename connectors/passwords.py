"""Signing in by name and password, and the links by which people set one.

Hashes are argon2id. Guessing is slowed down: after a few wrong passwords a name has to wait, longer each time, and so
has an address that tries many names. What is counted is kept in the store, so a restart forgives nothing.
"""

from __future__ import annotations

import threading
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from .access import LOGIN_LINK_LIFE, Access, add_session, hash_token
from .errors import BadInput, NotAllowed, NotFound, NotSignedIn, TooMany
from .store import Store
from .tables import LoginLink, LoginSession, Password, SignInFailures, User, now

SHORTEST, LONGEST = 10, 1000
# So many wrong passwords are free: for a name, and for an address, behind which there may be a whole company.
FREE_FOR_NAME, FREE_FOR_ADDRESS = 5, 50
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)
# After so long without a wrong one nothing is counted any more.
FORGIVEN_AFTER = timedelta(hours=1)
# Each check takes 64 MB: a flood of them waits instead of filling the memory.
_AT_ONCE = 2
_WRONG = "Name or password is wrong."


class Passwords:
    """Passwords of users. Blocking, and slow on purpose: call it from a thread.

    Args:
        store: where they are.
        access: makes the sessions.
        hasher: argon2id with the parameters of RFC 9106 if None.
    """

    def __init__(self, store: Store, access: Access, hasher: PasswordHasher | None = None) -> None:
        self._store = store
        self._access = access
        self._hasher = hasher or PasswordHasher()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        # Checked when there is no such user, so that the time taken does not tell.
        self._nobodys: str | None = None

    def sign_in(self, name: str, password: str, address: str) -> str:
        """A new session's token.

        Args:
            name: the user's.
            password: as typed.
            address: where the request comes from.

        Raises:
            NotSignedIn: no such user, no password set, a wrong one, or disabled; which one is not told.
            TooMany: too many wrong ones before.
        """
        of_name, of_address = f"user:{name[:100]}", f"address:{address[:100]}"
        self._count({of_name: FREE_FOR_NAME, of_address: FREE_FOR_ADDRESS})
        with self._store.read() as session:
            user = session.exec(select(User).where(User.name == name)).first()
            kept = session.get(Password, user.id) if user is not None else None
        fits = self._fits(kept.hash if kept is not None else self._hash_of_nobody(), password)
        if user is None or kept is None or not fits or user.disabled:
            raise NotSignedIn(_WRONG)
        renewed = self.hash(password) if self._hasher.check_needs_rehash(kept.hash) else None
        with self._store.session() as session:
            _forgive(session, of_name, of_address)
            current = session.get(Password, user.id)
            if current is None or current.hash != kept.hash:  # changed in this very moment
                raise NotSignedIn(_WRONG)
            if renewed is not None:
                current.hash = renewed
                session.add(current)
            return add_session(session, user.id)

    def set(self, user_id: str, password: str, *, keep_session: str | None = None) -> None:
        """Give a user a password; every session of theirs ends, but the one with the token `keep_session`.

        Raises BadInput (too short), NotFound.
        """
        with self._store.read() as session:
            user = session.get(User, user_id)
        if user is None:
            raise NotFound("There is no such user; `worklets users list` shows them.")
        check_password(password, user.name)
        hashed = self.hash(password)
        with self._store.session() as session:
            _put(session, user_id, hashed, keep_session)
        self._access.forget()

    def change(self, user_id: str, old: str, new: str, session_token: str | None) -> None:
        """Change a password by whoever knows the old one. A user without one sets their first.

        Raises NotAllowed (the old one is wrong), TooMany, BadInput, NotFound.
        """
        of = f"change:{user_id}"
        self._count({of: FREE_FOR_NAME})
        with self._store.read() as session:
            kept = session.get(Password, user_id)
        if kept is not None and not self._fits(kept.hash, old):
            raise NotAllowed("The current password is wrong.")
        self.set(user_id, new, keep_session=session_token)
        with self._store.session() as session:
            _forgive(session, of)

    def has_one(self, user_id: str) -> bool:
        """Whether the user can sign in by password."""
        with self._store.read() as session:
            return session.get(Password, user_id) is not None

    def with_one(self) -> frozenset[str]:
        """The ids of all users who have a password."""
        with self._store.read() as session:
            return frozenset(session.exec(select(Password.user_id)))

    # --- invitations ----------------------------------------------------------------------------------

    def invite(self, user_id: str) -> str:
        """A token with which the user sets a password, once, within a day; an earlier one ends. Raises NotFound."""
        with self._store.session() as session:
            earlier = delete(LoginLink).where(col(LoginLink.user_id) == user_id, col(LoginLink.purpose) == "password")
            session.exec(earlier)
        return self._access.create_login_link(user_id, "password")

    def invited(self, token: str) -> User:
        """Whom an invitation is for; it stays valid. Raises NotSignedIn."""
        with self._store.read() as session:
            return _invitation(session, token)[1]

    def accept(self, token: str, password: str) -> str:
        """Use an invitation up, set the password, and return a new session's token. Raises NotSignedIn, BadInput."""
        user = self.invited(token)
        check_password(password, user.name)
        hashed = self.hash(password)
        with self._store.session() as session:
            link, user = _invitation(session, token, lock=True)
            link.used_at = now()
            session.add(link)
            _put(session, user.id, hashed, None)
            _forgive(session, f"user:{user.name}")
            made = add_session(session, user.id)
        self._access.forget()
        return made

    # --- hashing and counting ---------------------------------------------------------------------------

    def guess(self, kept: str, password: str, of: str, address: str) -> bool:
        """Whether a password is the one kept, for things other than users; counted as theirs are. Raises TooMany."""
        counted = {of: FREE_FOR_NAME, f"address:{address[:100]}": FREE_FOR_ADDRESS}
        self._count(counted)
        if not self._fits(kept, password):
            return False
        with self._store.session() as session:
            _forgive(session, *counted)
        return True

    def hash(self, password: str) -> str:
        """A password as it is kept."""
        with self._turns:
            return self._hasher.hash(password)

    def _fits(self, kept: str, password: str) -> bool:
        if len(password) > LONGEST:
            return False
        with self._turns:
            try:
                return self._hasher.verify(kept, password)
            except (VerificationError, InvalidHashError):
                return False

    def _hash_of_nobody(self) -> str:
        if self._nobodys is None:
            self._nobodys = self.hash("the password of nobody")
        return self._nobodys

    def _count(self, free: dict[str, int]) -> None:
        """Count a try before it is made, so that many at once are no way round. Raises TooMany."""
        try:
            with self._store.session() as session:
                session.exec(delete(SignInFailures).where(col(SignInFailures.last_at) < now() - FORGIVEN_AFTER))
                rows = [
                    session.get(SignInFailures, of, with_for_update=True) or SignInFailures(of=of)
                    for of in sorted(free)
                ]
                left = max(_wait_of(row, free[row.of]).total_seconds() for row in rows)
                if left > 0:
                    said = f"{left:.0f} seconds" if left < 90 else f"{left / 60:.0f} minutes"
                    raise TooMany(f"Too many wrong passwords; try again in {said}, or by a sign-in link.", wait=left)
                for row in rows:
                    row.count += 1
                    row.last_at = now()
                    session.add(row)
        except IntegrityError:  # another try made the same row in this very moment
            raise TooMany("Too many tries at once; try again.") from None


def check_password(password: str, name: str) -> None:
    """Raise BadInput unless the password may be one."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadInput(f"A password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}.")
    if len(set(password)) < 4 or name.casefold() == password.casefold():
        raise BadInput("This password is too easy to guess; several words that don't belong together are a good one.")


def _wait_of(row: SignInFailures, free: int) -> timedelta:
    """How long the next try has still to wait: doubled with each wrong one that was not free."""
    over = row.count - free
    if over < 0 or now() - row.last_at > FORGIVEN_AFTER:
        return timedelta(0)
    wait = min(FIRST_WAIT * (1 << min(over, 10)), LONGEST_WAIT)
    return row.last_at + wait - now()


def _forgive(session: Session, *counted: str) -> None:
    """A right password: the name starts anew, and the address has one try less behind it."""
    for of in counted:
        row = session.get(SignInFailures, of, with_for_update=True)
        if row is None:
            continue
        row.count -= 1
        if row.count <= 0 or not of.startswith("address:"):
            session.delete(row)
        else:
            session.add(row)


def _put(session: Session, user_id: str, hashed: str, keep_session: str | None) -> None:
    session.merge(Password(user_id=user_id, hash=hashed, changed_at=now()))
    ended = delete(LoginSession).where(col(LoginSession.user_id) == user_id)
    session.exec(ended.where(col(LoginSession.token_hash) != (hash_token(keep_session) if keep_session else "")))


def _invitation(session: Session, token: str, *, lock: bool = False) -> tuple[LoginLink, User]:
    link = session.get(LoginLink, hash_token(token), with_for_update=lock)
    gone = link is None or link.purpose != "password" or link.used_at is not None or link.expires_at <= now()
    user = session.get(User, link.user_id) if link is not None and not gone else None
    if link is None or user is None or user.disabled:
        hours = int(LOGIN_LINK_LIFE.total_seconds() // 3600)
        raise NotSignedIn(f"The invitation is unknown, used or older than {hours} hours; ask for a new one.")
    return link, user
