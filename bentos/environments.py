"""Environments of packages' own: a `uv` virtual environment for each set of locked requirements.

An environment lies on top of the server's: what is not in it is found in the server's own packages, so that it holds
only what the package asks for (with all that this needs). One of another Python version cannot do that: it is a whole
one, with what a host process imports beside the requirements, in one resolution, and the server's own code is found
where it lies. Made once, in a folder named by the hash of its lock; a half-made one is never used.
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
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from ..connectors.errors import DefinitionError, FaultList
from . import own_package
from .interpreters import Interpreter, Interpreters, check_python, fits_servers_packages, is_servers
from .uv import Uv, UvFailed

logger = logging.getLogger(__name__)

BUILD_SECONDS = 900.0
_READY = ".ready"
_LOCK = "lock.txt"
_PYTHON = "# python "


@dataclass(frozen=True)
class Wanted:
    """What an environment has to be.

    Attributes:
        requirements: what it holds.
        python: a version, or an interpreter of the server's machine; None is the server's.
    """

    requirements: tuple[str, ...] = ()
    python: str | None = None

    @property
    def own(self) -> bool:
        """Whether that is another environment than the server's."""
        return bool(self.requirements) or not is_servers(self.python)

    def __str__(self) -> str:
        return ", ".join([*self.requirements, *([f"Python {self.python}"] if self.python else [])])


@dataclass(frozen=True)
class Base:
    """What an environment is made of, where it is not the server's own interpreter.

    Attributes:
        interpreter: its interpreter.
        whole: it does not lie on top of the server's packages.
    """

    interpreter: Interpreter
    whole: bool

    def line(self) -> str:
        """As a line of a lock's file."""
        way = "whole" if self.whole else "on-top"
        return f"{_PYTHON}{self.interpreter.version} {way} {self.interpreter.path}"

    @staticmethod
    def read(line: str) -> Base | None:
        """From such a line; None if it is another one."""
        if not line.startswith(_PYTHON):
            return None
        version, way, path = line.removeprefix(_PYTHON).split(" ", 2)
        return Base(Interpreter(Path(path), version), way == "whole")


@dataclass(frozen=True)
class Environment:
    """A finished environment.

    Attributes:
        key: the hash of its lock; the same requirements that resolve alike give the same one.
        folder: the virtual environment.
        lock: what is installed in it, `name==version` a line.
        base: its interpreter; None for the server's own.
    """

    key: str
    folder: Path
    lock: tuple[str, ...]
    base: Base | None = None

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
        self._uv = Uv(folder / ".cache", timeout=timeout, program=uv)
        self.interpreters = Interpreters(self._uv)

    async def ensure(self, requirements: Iterable[str], python: str | None = None) -> Environment:
        """The environment with these requirements, made if it is not there; several callers make it once.

        Args:
            requirements: what it holds.
            python: a version, such as `3.12`, or one of the interpreters that uv finds; None is the server's.

        Raises:
            DefinitionError: a requirement is no requirement, there is no such interpreter, or the installer could not
                satisfy them; its own message is in the error.
            SetupError: there is no `uv`.
        """
        wanted, other = check_requirements(requirements), _other(python)
        asked = _asked(wanted, other)
        # Two locks: other requirements may resolve to the same environment, and the same must resolve but once.
        async with self._locked(f"asked-{_key(asked)}"):
            known = await asyncio.to_thread(self._kept_lock, asked)
            base, lock = known or await self._resolved(wanted, other)
            key = _key(_facts(lock, base))
            environment = Environment(key, self._folder / key, lock, base)
            async with self._locked(environment.key):
                if not (environment.folder / _READY).exists():
                    await self._make(environment)
            if known is None:
                await asyncio.to_thread(self._keep_lock, asked, environment)
        return environment

    def lock_of(self, requirements: Iterable[str], python: str | None = None) -> tuple[str, ...]:
        """What requirements were resolved to, `name==version` each; empty if they never were. Blocking."""
        try:
            kept = self._kept_lock(_asked(check_requirements(requirements), _other(python)))
        except DefinitionError:
            return ()
        return kept[1] if kept is not None else ()

    async def _resolved(self, wanted: tuple[str, ...], python: str | None) -> tuple[Base | None, tuple[str, ...]]:
        if python is None:
            return None, await self._resolve(wanted, Path(sys.executable))
        interpreter = await self.interpreters.chosen(python)
        base = Base(interpreter, whole=not await fits_servers_packages(interpreter))
        if not base.whole:
            return base, await self._resolve(wanted, interpreter.path)
        needed = (*wanted, *own_package.needed())
        # Not pinned: the requirements may want others. Where they don't care, both ends of a socket have the same.
        return base, await self._resolve(needed, interpreter.path, prefer=own_package.installed())

    async def _resolve(self, wanted: tuple[str, ...], python: Path, prefer: Iterable[str] = ()) -> tuple[str, ...]:
        options = ("--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
        text = "".join(f"{line}\n" for line in wanted)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".resolving-") as folder:
            # What uv finds in the file that it writes to, it keeps where it can.
            out = Path(folder) / _LOCK
            out.write_text("".join(f"{line}\n" for line in prefer))
            arguments = ("pip", "compile", *options, "--python", str(python), "-o", str(out), "-")
            await self._call(arguments, text.encode(), wanted)
            lines = out.read_text().splitlines()
        return tuple(sorted(line.strip() for line in lines if line.strip() and line[0] not in "#-"))

    async def _make(self, environment: Environment) -> None:
        folder, lock = environment.folder, environment.lock
        base = str(environment.base.interpreter.path) if environment.base is not None else sys.executable
        logger.info("making the environment %s: %s", environment.key, ", ".join(lock))
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        try:
            await self._call(("venv", "--quiet", "--python", base, str(folder)), b"", lock)
            options = ("--quiet", "--no-deps", "--compile-bytecode", "--python", str(environment.python))
            if lock:
                await self._call(("pip", "install", *options, "-r", "-"), "\n".join(lock).encode(), lock)
            await asyncio.to_thread(_finish, environment)
        except BaseException:
            # In the foreground: what is half made must not outlive a cancelled build.
            shutil.rmtree(folder, ignore_errors=True)
            raise

    async def _call(self, arguments: tuple[str, ...], given: bytes, wanted: Iterable[str]) -> None:
        """Run uv. Raises DefinitionError with what it said."""
        try:
            await self._uv.run(*arguments, given=given)
        except TimeoutError:
            raise DefinitionError(
                f"Installing {', '.join(wanted)} took more than {self._uv.timeout:.0f} s; try again, or ask for less."
            ) from None
        except UvFailed as error:
            raise DefinitionError(
                f"The requirements {', '.join(wanted)} cannot be installed. The installer says:\n{error}"
            ) from None

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
    def _kept_lock(self, asked: tuple[str, ...]) -> tuple[Base | None, tuple[str, ...]] | None:
        try:
            lines = (self._folder / f"{_key(asked)}.{_LOCK}").read_text().splitlines()
        except OSError:
            return None
        base = Base.read(lines[0]) if lines else None
        if base is not None and not base.interpreter.path.exists():
            return None
        lock = tuple(lines[1:] if base is not None else lines)
        return (base, lock) if base is not None or lock else None

    def _keep_lock(self, asked: tuple[str, ...], environment: Environment) -> None:
        path = self._folder / f"{_key(asked)}.{_LOCK}"
        partial = path.with_suffix(".part")
        head = [environment.base.line()] if environment.base is not None else []
        partial.write_text("\n".join([*head, *environment.lock]) + "\n")
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


def _other(python: str | None) -> str | None:
    """What is asked for, if that is not the server's own interpreter. Raises DefinitionError."""
    checked = check_python(python)
    return None if is_servers(checked) else checked


def _asked(wanted: tuple[str, ...], python: str | None) -> tuple[str, ...]:
    return wanted if python is None else (*wanted, f"{_PYTHON}{python}")


def _facts(lock: tuple[str, ...], base: Base | None) -> list[str]:
    """What tells an environment from others, beside what is under all of them."""
    if base is None:
        return list(lock)
    return [*lock, base.line(), *(map(str, own_package.places().items()) if base.whole else ())]


def _finish(environment: Environment) -> None:
    """Let it find the server's packages behind its own, or this package alone, and call it ready."""
    ours = next(environment.folder.glob("lib/python*/site-packages"))
    if environment.base is not None and environment.base.whole:
        own_package.link_into(ours)
    else:
        place = sysconfig.get_path("purelib")
        # addsitedir rather than a plain line: an editable install of this package is found by a .pth file of its own.
        (ours / "_server_packages.pth").write_text(f"import site; site.addsitedir({place!r})\n")
    (environment.folder / _LOCK).write_text("\n".join(environment.lock) + "\n")
    (environment.folder / _READY).touch()


def _key(lines: Iterable[str]) -> str:
    """What the environment depends on: the lock, the interpreter, and what lies under it."""
    own = importlib.metadata.version("prefect-worklets")
    facts = "\n".join([*lines, platform.python_version(), sys.platform, platform.machine(), sys.prefix, own])
    return hashlib.sha256(facts.encode()).hexdigest()[:16]
