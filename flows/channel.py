"""Messages over a Unix socket between the app and a project's own process: no pickle, so reading one runs no code."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from typing import Any

from ..bentos.wire import WireError, decode, encode
from ..connectors import errors
from ..connectors.access import Principal, Role
from ..connectors.errors import Fault, NodeFailed, TooMany, WorkletsError
from .faults import DefinitionFault

_LENGTH = struct.Struct("<Q")
# A frame larger than this is no message of ours.
MOST_BYTES = 2_000_000_000

_KINDS: dict[str, type[WorkletsError]] = {
    kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, WorkletsError)
}


class Channel:
    """One connection, with whole messages in both directions. A message is a mapping of what `wire` can carry."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sending = asyncio.Lock()

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send one message. Raises WireError for a value that can't be sent, ConnectionError."""
        content = encode(dict(message))
        async with self._sending:
            self._writer.write(_LENGTH.pack(len(content)))
            self._writer.write(content)
            await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None once the other side has gone."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > MOST_BYTES:
                raise WireError(f"a message of {length} bytes is announced")
            found: dict[str, Any] = decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return found

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


def _fault(entry: Mapping[str, Any]) -> Fault:
    plain = (tuple(entry["loc"]), entry["msg"], entry.get("type", "invalid"), entry.get("fix"))
    if "pointer" not in entry:
        return Fault(*plain)
    return DefinitionFault(*plain, entry["node"], entry["file"], entry["line"], entry["pointer"])


def principal_data(principal: Principal | None) -> dict[str, Any] | None:
    """Who started a run, as a part of a message."""
    if principal is None:
        return None
    scopes = None if principal.scopes is None else sorted(principal.scopes)
    return {"id": principal.id, "name": principal.name, "role": principal.role.name, "scopes": scopes}


def principal_of(message: Mapping[str, Any] | None) -> Principal | None:
    """Who started a run, from what `principal_data` sent."""
    if message is None:
        return None
    scopes = message["scopes"]
    known = None if scopes is None else frozenset(scopes)
    return Principal(message["id"], message["name"], Role[message["role"]], known)


class RemoteCause(Exception):
    """What was raised in another process, as its traceback tells it."""


def as_message(error: WorkletsError) -> dict[str, Any]:
    """An error as a part of a message."""
    import traceback

    told = ""
    if error.__cause__ is not None:
        told = "".join(traceback.format_exception(error.__cause__))[-8_000:]
    return {
        "kind": type(error).__name__,
        "detail": error.detail,
        "faults": [fault.as_dict() for fault in error.faults],
        "node": getattr(error, "node", None),
        "cause": told,
        "repeatable": getattr(error, "repeatable", True),
    }


def as_error(message: Mapping[str, Any]) -> WorkletsError:
    """The error that `as_message` sent."""
    kind = _KINDS.get(message["kind"], WorkletsError)
    faults = [_fault(each) for each in message["faults"]]
    error: WorkletsError
    if issubclass(kind, NodeFailed):
        error = kind(
            message["detail"], node=message["node"] or "", faults=faults, repeatable=message.get("repeatable", True)
        )
    elif kind is TooMany:
        error = TooMany(message["detail"], wait=1.0)
    else:
        error = kind(message["detail"], faults=faults)
    if message.get("cause"):
        error.__cause__ = RemoteCause(message["cause"])
    return error
