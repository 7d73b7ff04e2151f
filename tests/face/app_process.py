"""Runs the HTTP app on a port that the system chooses, and writes that port into a file: `app_process.py FILE`."""

from __future__ import annotations

import ctypes
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from prefect_worklets.app import create_app

_PR_SET_PDEATHSIG = 1


def main(port_file: Path) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    partial = port_file.with_suffix(".part")
    partial.write_text(str(listener.getsockname()[1]))
    partial.rename(port_file)
    config = uvicorn.Config(create_app, factory=True, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
