"""What the tests of the connectors share: a migrated store on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.files import FileStore
from prefect_worklets.connectors.store import Store

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def empty_store(database_url: str) -> Iterator[Store]:
    """A store without tables."""
    store = Store(database_url)
    yield store
    store.close()


@pytest.fixture
def store(empty_store: Store) -> Store:
    """A migrated store."""
    empty_store.migrate()
    return empty_store


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """A migrated store on SQLite, for tests that do not turn on the database."""
    store = Store(f"sqlite:///{tmp_path / 'only.db'}")
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def access(store: Store) -> Access:
    return Access(store, internal_key="the internal key")


@pytest.fixture
def files(sqlite_store: Store, tmp_path: Path) -> FileStore:
    return FileStore(sqlite_store, tmp_path / "files")
