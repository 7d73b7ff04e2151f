"""The instance's secret, and the keys derived from it: one for each purpose, so that none can stand in for another."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from pathlib import Path

from .errors import SetupError
from .layout import DataDirectory


def derived_key(data: DataDirectory, purpose: str) -> bytes:
    """The key for a purpose; the instance's secret is made if there is none. Raises SetupError."""
    path = data.secret_key
    if not path.exists():
        _make_secret(path)
    secret = path.read_bytes().strip()
    if len(secret) < 16:
        raise SetupError(f"{path} holds no secret; stop the server, remove the file and start again.")
    return hmac.new(secret, purpose.encode(), hashlib.sha256).hexdigest().encode()


def signature(key: bytes, text: str) -> str:
    """32 letters that only a holder of the key can make for this text."""
    digest = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest[:24]).decode()


def is_signed(key: bytes, text: str, given: str) -> bool:
    """Whether `given` is the text's signature."""
    return hmac.compare_digest(signature(key, text).encode(), given.encode())


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
