"""Interpreters beside the one that runs the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# The other one of the two that this package runs on.
OTHER = "3.12" if sys.version_info < (3, 12) else "3.11"


def interpreters(version: str) -> Iterator[Path]:
    """The interpreters of a version that are on the PATH, or where pyenv and uv put theirs."""
    name, home = f"python{version}", Path.home()
    found = [Path(each) for each in (shutil.which(name), f"/usr/bin/{name}") if each and Path(each).exists()]
    for place in (home / ".pyenv/versions", home / ".local/share/uv/python"):
        found += sorted(place.glob(f"*/bin/{name}"))
    for path in found:
        if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:  # pyenv's stand-ins may fail
            yield path


def put_first(folder: Path) -> dict[str, str]:
    """The environment variables of a server that finds the programs of a folder first."""
    cache = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "UV_CACHE_DIR": cache}
