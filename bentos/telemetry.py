"""Libraries that tell their makers of their use, asked not to."""

from __future__ import annotations

import os

# onnxruntime 1.32 writes an id of the machine below the home directory and sends what it runs to its maker; the first
# name is read by newer releases, the second by older ones. Its Python switch comes too late: the id is written by then.
OFF = {"ORT_DISABLE_TELEMETRY": "1", "ORT_TELEMETRY_DISABLED": "1"}


def send_none() -> None:
    """Set what turns it off, for this process and those that it starts; before the libraries are imported."""
    for name, value in OFF.items():
        os.environ.setdefault(name, value)
