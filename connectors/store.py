"""The store: an SQLAlchemy engine on SQLite (default) or PostgreSQL, its sessions and its migrations."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlmodel import Session, create_engine

from .errors import SetupError
from .tables import METADATA

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
SQLITE_BUSY_TIMEOUT_MS = 10_000
# PostgreSQL's advisory lock that a migrating process holds; any fixed number that is ours.
_MIGRATION_LOCK = 87001
_READ_ONLY = "worklets_read_only"
_URL_HELP = "use sqlite:///path or postgresql://user@host/name."


class Store:
    """Opens sessions on one database. Safe to share between threads; blocking, so call it from a thread.

    Args:
        url: an SQLAlchemy URL, `sqlite:///path` or `postgresql://...` (psycopg 3 is used).

    Raises:
        SetupError: the URL is not of a supported database.
    """

    def __init__(self, url: str) -> None:
        self.url = _driver_url(url)
        self.engine = create_engine(self.url, **_engine_options(self.url))
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_sqlite_pragmas)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._reading = self.engine.execution_options(**{_READ_ONLY: True, "postgresql_readonly": True})

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed on leaving, rolled back when the block raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A read-only transaction, which waits for no writer and keeps none waiting. A write raises."""
        with Session(self._reading, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Bring the schema to the newest version, in one transaction. Safe when several processes start at once."""
        from alembic import command

        config = migration_config(self.url)
        with self.engine.connect() as connection:
            if self.is_sqlite:
                # A migration copies a table to alter it; dropping the old one must delete no row that refers to it.
                _sqlite_foreign_keys(connection, on=False)
            try:
                with connection.begin():  # SQLite: takes the write lock, and so the turn
                    if not self.is_sqlite:
                        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
                    if self.is_sqlite:
                        _check_foreign_keys(connection)
            finally:
                if self.is_sqlite:
                    _sqlite_foreign_keys(connection, on=True)

    def check(self) -> None:
        """Ask the database for a sign of life; raises what the driver raises."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def migration_config(url: str) -> Config:
    """Alembic's configuration for the migrations that ship in this package."""
    from alembic.config import Config  # slow to import, and only who migrates needs it

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    config.attributes["target_metadata"] = METADATA
    return config


def _driver_url(url: str) -> str:
    try:
        parsed = make_url(url)
    except ArgumentError:  # the text is not repeated: it may hold a password
        raise SetupError(f"WORKLETS_DATABASE_URL is no database's URL; {_URL_HELP}") from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise SetupError(f"WORKLETS_DATABASE_URL names a {parsed.get_backend_name()} database; {_URL_HELP}")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise SetupError(f"WORKLETS_DATABASE_URL names SQLite in memory, which processes cannot share; {_URL_HELP}")
    return parsed.render_as_string(hide_password=False)


def _engine_options(url: str) -> dict[str, Any]:
    options: dict[str, Any] = {"json_serializer": _to_json, "json_deserializer": _from_json}
    if url.startswith("sqlite"):
        connect = {"timeout": SQLITE_BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
        return {**options, "connect_args": connect}
    return {**options, "pool_pre_ping": True, "pool_size": 5, "max_overflow": 10}


def _to_json(value: Any) -> str:
    # NaN becomes null, which both databases take; numpy's numbers are understood.
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()


def _from_json(text: Any) -> Any:
    # SQLite keeps a column of type JSON whose whole value is a number as that number.
    return text if isinstance(text, int | float) else orjson.loads(text)


def _set_sqlite_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own BEGIN is deferred and comes late; ours (below) takes the write lock where it is needed.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT_MS}")
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _use_wal(cursor: sqlite3.Cursor) -> None:
    # The change to WAL fails at once, without the busy timeout, while another process is making it.
    deadline = time.monotonic() + SQLITE_BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get(_READ_ONLY):
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("PRAGMA query_only=OFF")
        # A deferred transaction that turns into a writer fails with "database is locked" without waiting.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _sqlite_foreign_keys(connection: Connection, *, on: bool) -> None:
    # On the driver's connection: SQLite ignores this inside a transaction, which SQLAlchemy would begin.
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError(f"expected a connection of sqlite3 and got {type(driver).__name__}")
    driver.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise SetupError(f"The migration would leave rows that refer to nothing ({broken[:5]}); nothing was changed.")
