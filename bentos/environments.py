"""Environments of packages' own: a `uv` virtual environment for each set of locked requirements.

An environment lies on top of the server's: what is not in it is found in the server's own packages, so that it holds
only what the package asks for (with all that this needs). Made once, in a folder named by the hash of its lock; a
half-made one is never used.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.metadata
import logging
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from ..connectors.errors import DefinitionError, FaultList, SetupError

logger = logging.getLogger(__name__)

BUILD_SECONDS = 900.0
_READY = ".ready"
_LOCK = "lock.txt"
_MAX_MESSAGE = 3_000


@dataclass(frozen=True)
class Environment:
    """A finished environment.

    Attributes:
        key: the hash of its lock; the same requirements that resolve alike give the same one.
        folder: the virtual environment.
        lock: what is installed in it, `name==version` a line.
    """

    key: str
    folder: Path
    lock: tuple[str, ...]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"


class Environments:
    """Makes and finds environments.

    Args:
        folder: where they lie.
        timeout: seconds that resolving, and then installing, may take.
        uv: the `uv` program; the one installed with this package if None.
    """

    def __init__(self, folder: Path, *, timeout: float = BUILD_SECONDS, uv: Path | None = None) -> None:
        self._folder = folder
        self._timeout = timeout
        self._uv = uv
        self._resolved: dict[tuple[str, ...], tuple[str, ...]] = {}

    async def ensure(self, requirements: Iterable[str]) -> Environment:
        """The environment with these requirements, made if it is not there; several callers make it once.

        Raises:
            DefinitionError: a requirement is no requirement, or the installer could not satisfy them; its own message
                is in the error.
            SetupError: there is no `uv`.
        """
        wanted = check_requirements(requirements)
        # Two locks: other requirements may resolve to the same environment, and the same must resolve but once.
        async with self._locked(f"asked-{_key(wanted)}"):
            known = await asyncio.to_thread(self._kept_lock, wanted)
            lock = known or await self._resolve(wanted)
            environment = Environment(_key(lock), self._folder / _key(lock), lock)
            async with self._locked(environment.key):
                if not (environment.folder / _READY).exists():
                    await self._make(environment)
            if known is None:
                await asyncio.to_thread(self._keep_lock, wanted, lock)
        return environment

    def lock_of(self, requirements: Iterable[str]) -> tuple[str, ...]:
        """What requirements were resolved to, `name==version` each; empty if they never were. Blocking."""
        try:
            return self._kept_lock(check_requirements(requirements)) or ()
        except DefinitionError:
            return ()

    async def _resolve(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        text = "\n".join(wanted) + "\n"
        options = ("--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
        out = await self._call(("pip", "compile", *options, "--python", sys.executable, "-"), text.encode(), wanted)
        return tuple(sorted(line.strip() for line in out.splitlines() if line.strip() and line[0] not in "#-"))

    async def _make(self, environment: Environment) -> None:
        folder = environment.folder
        logger.info("making the environment %s: %s", environment.key, ", ".join(environment.lock))
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        try:
            await self._call(("venv", "--quiet", "--python", sys.executable, str(folder)), b"", environment.lock)
            text = "\n".join(environment.lock).encode()
            options = ("--quiet", "--no-deps", "--compile-bytecode", "--python", str(environment.python))
            await self._call(("pip", "install", *options, "-r", "-"), text, environment.lock)
            await asyncio.to_thread(_finish, environment)
        except BaseException:
            # In the foreground: what is half made must not outlive a cancelled build.
            shutil.rmtree(folder, ignore_errors=True)
            raise

    async def _call(self, arguments: tuple[str, ...], given: bytes, wanted: Iterable[str]) -> str:
        """Run uv. Raises DefinitionError with what it said."""
        program = str(self._uv or find_uv())
        child = await asyncio.create_subprocess_exec(
            program, *arguments, *_find_links(arguments),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self._variables(),
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._timeout):
                out, said = await child.communicate(given)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            if isinstance(error, TimeoutError):
                raise DefinitionError(
                    f"Installing {', '.join(wanted)} took more than {self._timeout:.0f} s; try again, or ask for less."
                ) from None
            raise
        if child.returncode:
            message = said.decode(errors="replace").strip()[-_MAX_MESSAGE:]
            raise DefinitionError(
                f"The requirements {', '.join(wanted)} cannot be installed. The installer says:\n{message}"
            )
        return out.decode()

    def _variables(self) -> dict[str, str]:
        variables = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        # Beside the environments: files are linked from it, not copied, and nothing lies outside the data directory.
        variables.setdefault("UV_CACHE_DIR", str(self._folder / ".cache"))
        return variables | {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_PYTHON_DOWNLOADS": "never"}

    @contextlib.asynccontextmanager
    async def _locked(self, key: str) -> AsyncIterator[None]:
        """One build of an environment at a time, among processes too; a killed one's lock is free again."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / f".{key}.lock").open("w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(0.05)
            yield

    # Requirements are resolved once: a restart must not find another environment than the one that was tried.
    def _kept_lock(self, wanted: tuple[str, ...]) -> tuple[str, ...] | None:
        try:
            lines = (self._folder / f"{_key(wanted)}.{_LOCK}").read_text().splitlines()
        except OSError:
            return None
        return tuple(lines) or None

    def _keep_lock(self, wanted: tuple[str, ...], lock: tuple[str, ...]) -> None:
        path = self._folder / f"{_key(wanted)}.{_LOCK}"
        partial = path.with_suffix(".part")
        partial.write_text("\n".join(lock) + "\n")
        os.replace(partial, path)


def check_requirements(requirements: Iterable[str]) -> tuple[str, ...]:
    """The requirements, tidied and sorted. Raises DefinitionError with every one that is not a plain requirement."""
    faults, found = FaultList(), set()
    for number, text in enumerate(requirements):
        try:
            parsed = Requirement(text)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            faults.add(("requirements", number), f"{text!r} is no requirement: {reason}", fix="write 'name==1.2.3'")
            continue
        if parsed.url is not None and not parsed.url.startswith("https://"):
            fix = "name a published version, or an https address"
            faults.add(("requirements", number), f"{text!r} is not to be had from the server", fix=fix)
        found.add(str(parsed))
    faults.raise_if_any("The requirements cannot be used.", DefinitionError)
    return tuple(sorted(found))


def _finish(environment: Environment) -> None:
    """Let it find the server's packages behind its own, and call it ready."""
    place = sysconfig.get_path("purelib")
    ours = next(environment.folder.glob("lib/python*/site-packages"))
    # addsitedir rather than a plain line: an editable install of this package is found by a .pth file of its own.
    (ours / "_server_packages.pth").write_text(f"import site; site.addsitedir({place!r})\n")
    (environment.folder / _LOCK).write_text("\n".join(environment.lock) + "\n")
    (environment.folder / _READY).touch()


def _key(lines: Iterable[str]) -> str:
    """What the environment depends on: the lock, the interpreter, and what lies under it."""
    own = importlib.metadata.version("prefect-worklets")
    facts = "\n".join([*lines, platform.python_version(), sys.platform, platform.machine(), sys.prefix, own])
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


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
