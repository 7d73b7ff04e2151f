"""The `uv` program: found, and run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

from ..connectors.errors import SetupError

_MAX_MESSAGE = 3_000


class UvFailed(Exception):
    """What `uv` said as it failed."""


class Uv:
    """Runs `uv`, with a cache of its own.

    Args:
        cache: its cache, where the operator's own settings name none.
        timeout: seconds that a call may take.
        program: the program; the one installed with this package if None.
    """

    def __init__(self, cache: Path, *, timeout: float, program: Path | None = None) -> None:
        self._cache = cache
        self._program = program
        self.timeout = timeout

    async def run(self, *arguments: str, given: bytes = b"") -> str:
        """What a command prints.

        Raises:
            UvFailed: with what it said.
            TimeoutError: it took too long.
            SetupError: there is no `uv`.
        """
        program = str(self._program or find_uv())
        child = await asyncio.create_subprocess_exec(
            program, *arguments, *_find_links(arguments),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self._variables(),
        )  # fmt: skip
        try:
            async with asyncio.timeout(self.timeout):
                out, said = await child.communicate(given)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            raise
        if child.returncode:
            raise UvFailed(said.decode(errors="replace").strip()[-_MAX_MESSAGE:])
        return out.decode()

    def _variables(self) -> dict[str, str]:
        variables = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        # Beside the environments: files are linked from it, not copied, and nothing lies outside the data directory.
        variables.setdefault("UV_CACHE_DIR", str(self._cache))
        # A push makes the server download no interpreter, unless its operator has said that it may.
        variables.setdefault("UV_PYTHON_DOWNLOADS", "never")
        return variables | {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_PYTHON_INSTALL_BIN": "0"}


def may_download() -> bool:
    """Whether the operator lets `uv` download interpreters by itself."""
    return os.environ.get("UV_PYTHON_DOWNLOADS", "").lower() in ("automatic", "true", "1")


def find_uv() -> Path:
    """The `uv` program. Raises SetupError if there is none."""
    try:
        from uv import find_uv_bin
    except ImportError:
        found = shutil.which("uv")
        if found is None:
            raise SetupError("Environments are made with uv, which is not installed: pip install uv") from None
        return Path(found)
    return Path(find_uv_bin())


def _find_links(arguments: tuple[str, ...]) -> list[str]:
    # uv does not read pip's settings; wheels that pip would find in a folder are to be found here too.
    if arguments[0] != "pip":
        return []
    return [part for place in os.environ.get("PIP_FIND_LINKS", "").split() for part in ("--find-links", place)]
