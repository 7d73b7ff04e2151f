"""What the tests of the connectors share: a migrated store on each database."""

from __future__ import annotations

import shutil
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


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A migrated store, of each kind in turn."""
    name = {"sqlite": "sqlite_store_url", "postgresql": "postgres_store_url"}[request.param]
    store = Store(request.getfixturevalue(name))
    yield store
    store.close()


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "store.db"
    store = Store(f"sqlite:///{path}")
    store.migrate()
    store.close()
    return path


@pytest.fixture
def sqlite_store_url(_migrated_sqlite: Path, tmp_path: Path) -> str:
    """The URL of a copy of a migrated database."""
    return f"sqlite:///{shutil.copy(_migrated_sqlite, tmp_path / 'migrated.db')}"


@pytest.fixture
def sqlite_store(sqlite_store_url: str) -> Iterator[Store]:
    """A migrated store on SQLite, for tests that do not turn on the database."""
    store = Store(sqlite_store_url)
    yield store
    store.close()


@pytest.fixture
def access(store: Store) -> Access:
    return Access(store, internal_key="the internal key")


@pytest.fixture
def files(sqlite_store: Store, tmp_path: Path) -> FileStore:
    return FileStore(sqlite_store, tmp_path / "files")
