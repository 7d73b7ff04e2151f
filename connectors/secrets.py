"""Secrets of worklets: kept encrypted in the store, and in clear only in the memory of the processes that run nodes."""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import urlsafe_b64encode
from datetime import datetime
from typing import NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlmodel import select

from .errors import BadInput, NotFound, SetupError
from .layout import DataDirectory
from .secret import derived_key
from .store import Store
from .tables import Secret, now

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# A shorter one would be met, and blanked, in texts that have nothing to do with it.
SHORTEST, LONGEST = 4, 65_536
_LOOK_SECONDS = 2.0


class SecretInfo(NamedTuple):
    """What may be told of a secret: all but its value."""

    name: str
    set_by: str | None
    set_at: datetime


def secrets_cipher(data: DataDirectory, given: str | None = None) -> MultiFernet:
    """What encrypts the secrets: by default with a key derived from the instance's secret (`secret.key`, mode 0600).

    Args:
        data: the data directory.
        given: Fernet keys with commas between instead; the first encrypts, all decrypt, so that a key can be changed.

    Raises:
        SetupError: a given key is none.
    """
    if not given:
        return MultiFernet([Fernet(urlsafe_b64encode(bytes.fromhex(derived_key(data, "secrets").decode())))])
    try:
        return MultiFernet([Fernet(key.strip()) for key in given.split(",")])
    except ValueError:
        raise SetupError(
            "WORKLETS_SECRETS_KEY is no Fernet key: 32 random bytes in URL-safe base64. Make one with "
            "`python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`."
        ) from None


class Secrets:
    """The secrets. `value` and `values` answer from memory; all else is blocking.

    Args:
        store: has them encrypted.
        cipher: encrypts and decrypts.
    """

    def __init__(self, store: Store, cipher: MultiFernet) -> None:
        self._store = store
        self._cipher = cipher
        self._known: dict[str, str] = {}
        self._unreadable: frozenset[str] = frozenset()
        self._seen: list[tuple[str, datetime]] | None = None

    def value(self, name: str) -> str:
        """A secret in clear. Raises SetupError where there is none, or another key encrypted it."""
        try:
            return self._known[name]
        except KeyError:
            pass
        if name in self._unreadable:
            raise SetupError(f"Another key encrypted the secret {name!r}; `worklets secrets set {name}` again.")
        raise SetupError(f"The server has no secret {name[:64]!r}; `worklets secrets set NAME` keeps one.")

    @property
    def values(self) -> list[str]:
        """All in clear, for blanking them out."""
        return list(self._known.values())

    def set(self, name: str, value: str, by: str | None) -> None:
        """Keep a secret, or another value for it. Raises BadInput."""
        if not _NAME.fullmatch(name):
            raise BadInput(
                f"A secret may not be named {name[:64]!r}; use up to 63 letters, digits and _, no digit first."
            )
        if not SHORTEST <= len(value) <= LONGEST:
            raise BadInput(f"A secret has {SHORTEST} to {LONGEST:,} characters; {name} has {len(value)}.")
        row = Secret(name=name, encrypted=self._cipher.encrypt(value.encode()), set_by=by, set_at=now())
        with self._store.session() as session:
            session.merge(row)
        self.refresh()

    def remove(self, name: str) -> None:
        """Forget a secret. Raises NotFound."""
        with self._store.session() as session:
            row = session.get(Secret, name)
            if row is None:
                raise NotFound(f"There is no secret {name[:64]!r}; `worklets secrets list` has them all.")
            session.delete(row)
        self.refresh()

    def all(self) -> list[SecretInfo]:
        """What there is, without the values."""
        with self._store.read() as session:
            rows = session.exec(select(Secret).order_by(Secret.name)).all()
        return [SecretInfo(row.name, row.set_by, row.set_at) for row in rows]

    def refresh(self) -> None:
        """Take what the store has into memory."""
        with self._store.read() as session:
            seen = list(session.exec(select(Secret.name, Secret.set_at).order_by(Secret.name)).all())
            if seen == self._seen:
                return
            rows = session.exec(select(Secret)).all()
        known: dict[str, str] = {}
        unreadable: set[str] = set()
        for row in rows:
            try:
                known[row.name] = self._cipher.decrypt(row.encrypted).decode()
            except InvalidToken:
                unreadable.add(row.name)
        if unreadable - self._unreadable:
            logger.error("Secrets that another key encrypted can't be read: %s", ", ".join(sorted(unreadable)))
        self._known, self._unreadable, self._seen = known, frozenset(unreadable), seen

    async def watch(self) -> None:
        """Follow what other processes change, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.refresh)
            except Exception as error:
                logger.warning("the secrets can't be looked at: %s", error)
            await asyncio.sleep(_LOOK_SECONDS)
