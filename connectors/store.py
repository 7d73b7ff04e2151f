"""The store: an SQLAlchemy engine on SQLite (default) or PostgreSQL, its sessions and its migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import event, make_url, text
from sqlmodel import Session, create_engine

from .errors import SetupError

MIGRATIONS = Path(__file__).parent / "migrations"
SQLITE_BUSY_TIMEOUT_MS = 10_000


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
            event.listen(self.engine, "begin", _begin_immediate)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed on leaving, rolled back when the block raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Bring the schema to the newest version. Safe when several processes start at once."""
        with self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_lock(87001)"))
            config = migration_config(self.url)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()

    def check(self) -> None:
        """Ask the database for a sign of life; raises what the driver raises."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def migration_config(url: str) -> Config:
    """Alembic's configuration for the migrations that ship in this package."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def _driver_url(url: str) -> str:
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise SetupError(
            f"WORKLETS_DATABASE_URL names a {parsed.get_backend_name()} database; "
            "use sqlite:///path or postgresql://user@host/name."
        )
    return parsed.render_as_string(hide_password=False)


def _engine_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": SQLITE_BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}}
    return {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 10}


def _set_sqlite_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own BEGIN is deferred and comes late; ours (below) takes the write lock where it is needed.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT_MS}")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    # A deferred transaction that turns into a writer fails with "database is locked" without waiting.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
