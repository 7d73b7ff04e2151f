"""Which machine, kernel, interpreter, packages and commit the figures belong to."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "bentoml",
    "fastapi",
    "httptools",
    "numpy",
    "orjson",
    "prefect",
    "prefect-worklets",
    "pydantic",
    "scikit-learn",
    "starlette",
    "uvicorn",
    "uvloop",
)


def describe(repository: Path) -> dict[str, Any]:
    """The description that goes into every result."""
    hardware = {"cpu": _cpu(), "cores": os.cpu_count(), "memory_gib": _memory_gib(), "kernel": platform.release()}
    return {
        "id": hashlib.sha256(repr(sorted(hardware.items())).encode()).hexdigest()[:6],
        **hardware,
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "commit": _git(repository, "rev-parse", "--short=12", "HEAD"),
        "uncommitted_changes": bool(_git(repository, "status", "--porcelain", "--untracked-files=no")),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_gib() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _git(repository: Path, *arguments: str) -> str:
    """What git says, or nothing outside a checkout."""
    try:
        done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
