"""Which port to listen on."""

from __future__ import annotations

import errno
import socket

from .connectors.errors import SetupError

_TRIES = 50
_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket | None:
    """A socket that listens there; None if another program does. Raises SetupError if nobody could."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except PermissionError:
        raise SetupError(f"Port {port} needs more rights than you have; choose one above 1023.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None
        raise SetupError(
            f"The host {host!r} can't be listened on ({error.strerror or error}); choose another with --host."
        ) from None
    # A process that inherits it (uvicorn --fd) takes it for a Unix socket and leaves Nagle's algorithm on: every
    # answer's body then waits 40 ms for the client's acknowledgement of its head. Connections inherit this.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def bind_next(host: str, port: int) -> socket.socket:
    """A socket on the first free port from `port` on. Raises SetupError if there is none near."""
    for candidate in range(port, min(port + _TRIES, 65536)):
        bound = bind(host, candidate)
        if bound is not None:
            return bound
    raise SetupError(f"No port from {port} to {port + _TRIES - 1} is free on {host}; choose one with --port.")


def port_of(bound: socket.socket) -> int:
    """The port that a socket listens on."""
    port: int = bound.getsockname()[1]
    return port


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. Raises SetupError if nobody could."""
    bound = bind(host, port)
    if bound is None:
        return False
    bound.close()
    return True


def next_free(host: str, port: int) -> int:
    """The first free port from `port` on. Raises SetupError if there is none near."""
    with bind_next(host, port) as bound:
        return port_of(bound)


def any_free() -> int:
    """A port of 127.0.0.1 that the system chooses."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return port_of(bound)
