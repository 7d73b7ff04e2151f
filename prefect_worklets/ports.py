"""Which port to listen on."""

from __future__ import annotations

import errno
import socket

from .connectors.errors import SetupError

_TRIES = 50


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. Raises SetupError if the address is not of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT can be taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise SetupError(
                f"Port {port} needs more rights than you have; choose one above 1023 with --port."
            ) from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise SetupError(
                f"The host {host!r} can't be listened on ({error.strerror}); choose another with --host."
            ) from None
    return True


def next_free(host: str, port: int) -> int:
    """The first free port from `port` on. Raises SetupError if there is none near."""
    for candidate in range(port, min(port + _TRIES, 65536)):
        if is_free(host, candidate):
            return candidate
    raise SetupError(f"No port from {port} to {port + _TRIES - 1} is free on {host}; choose one with --port.")


def any_free() -> int:
    """A port of 127.0.0.1 that the system chooses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
