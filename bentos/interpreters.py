"""Python interpreters for environments: what may be asked for, and which ones `uv` finds on this machine."""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import json
import platform
import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from ..connectors.errors import DefinitionError, FaultList
from .uv import Uv, UvFailed, may_download

_VERSION = re.compile(r"3\.\d{1,3}(\.\d{1,3})?")
_PATH = re.compile(r"/[^\x00-\x1f]{1,500}")
_ASK = "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))"
_FIX = 'write a version, such as "3.12"'
_ANSWER_SECONDS = 20.0


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter of this machine.

    Attributes:
        path: its program.
        version: such as `3.12.4`.
    """

    path: Path
    version: str

    def __str__(self) -> str:
        return f"{self.version} ({self.path})"


def check_python(python: Any) -> str | None:
    """What a worklet or a model asks for: a version, the path of an interpreter, or None for the server's.

    Raises:
        DefinitionError: it is none of these, or a version that this package does not run on.
    """
    if python is None:
        return None
    faults = FaultList()
    if not isinstance(python, str) or not (_VERSION.fullmatch(python) or _PATH.fullmatch(python)):
        faults.add(("python",), f"{python!r} is no version of Python", fix=_FIX)
    elif not python.startswith("/") and not supports(python):
        what = f"this package runs on Python {supported()}, and not on {python}"
        faults.add(("python",), what, fix="name a version of that range")
    faults.raise_if_any("The Python version cannot be used.", DefinitionError)
    return str(python)


@functools.cache
def supported() -> str:
    """The versions of Python that this package runs on, as its own metadata has them."""
    try:
        found = importlib.metadata.metadata("prefect-worklets").json.get("requires_python")
    except importlib.metadata.PackageNotFoundError:  # a copy of the code, beside an exported model
        return ""
    return str(found or "")


def supports(version: str) -> bool:
    """Whether this package runs on a version of Python."""
    return bool(SpecifierSet(supported()).contains(version, prereleases=True))


def is_servers(python: str | None) -> bool:
    """Whether what is asked for is the interpreter that this process runs on."""
    return python is None or f"{platform.python_version()}.".startswith(f"{python}.")


async def fits_servers_packages(interpreter: Interpreter) -> bool:
    """Whether compiled packages of the server can be imported by another interpreter."""
    if interpreter.version.split(".")[:2] != platform.python_version().split(".")[:2]:
        return False
    child = await asyncio.create_subprocess_exec(
        str(interpreter.path), "-I", "-c", _ASK,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            out, _ = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        return False
    return bool(out.decode().strip() == sysconfig.get_config_var("EXT_SUFFIX"))


class Interpreters:
    """The interpreters that `uv` finds: its own ones, and those on the PATH of this process.

    No other is run, whatever path is asked for: who pushes code names no program that the operator did not put there.
    """

    def __init__(self, uv: Uv) -> None:
        self._uv = uv

    async def found(self) -> list[Interpreter]:
        """All of them, in uv's order; one that lies in several places more than once."""
        arguments = ("python", "list", "--only-installed", "--output-format", "json", "--no-cache")
        try:
            entries = json.loads(await self._uv.run(*arguments))
        except (UvFailed, TimeoutError, ValueError):
            return []
        return [
            Interpreter(Path(each["path"]), each["version"])
            for each in entries
            if each.get("path") and each.get("implementation") == "cpython" and each.get("variant") == "default"
        ]

    async def chosen(self, python: str) -> Interpreter:
        """The interpreter for what `check_python` has let pass; downloaded only if the operator lets uv do that.

        Raises:
            DefinitionError: there is none, with those that there are and what to do.
        """
        found = await self.found()
        fitting = _fitting(python, found)
        said = ""
        if not fitting and not python.startswith("/") and may_download():
            try:
                await self._uv.run("python", "install", python)
                fitting = _fitting(python, await self.found())
            except (UvFailed, TimeoutError) as error:
                said = f" Downloading it failed: {' '.join(str(error).split()) or 'it took too long'}."
        if not fitting:
            raise DefinitionError(f"{_missing(python, found)}{said}")
        if not supports(fitting[0].version):
            raise DefinitionError(
                f"{python} is Python {fitting[0].version}, and this package runs on {supported()}; name another one."
            )
        return fitting[0]


def each_version(found: list[Interpreter]) -> list[Interpreter]:
    """Each version once, at the first of its places."""
    first: dict[str, Interpreter] = {}
    for each in found:
        first.setdefault(each.version, each)
    return list(first.values())


def _fitting(python: str, found: list[Interpreter]) -> list[Interpreter]:
    if python.startswith("/"):
        return [each for each in found if str(each.path) == python]
    return [each for each in found if f"{each.version}.".startswith(f"{python}.")]


def _missing(python: str, found: list[Interpreter]) -> str:
    known = ", ".join(map(str, each_version(found))) or "none"
    if python.startswith("/"):
        return f"{python} is none of the Python interpreters that uv finds on the server ({known}); name one of them."
    return (
        f"There is no Python {python} on the server; uv finds {known}. Install it where the server runs "
        f"(`uv python install {python}`), or start the server with the folder of its program on the PATH."
    )
