"""What the tests of the record share: a migrated store on each database, run records, a Prefect server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect_worklets.connectors.store import Store
from prefect_worklets.flows.journal import RunRecord

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parents[1])]

from fixtures_postgres import _migrated_template, postgres_server, postgres_store_url  # noqa: E402
from fixtures_prefect import prefect_server  # noqa: E402
from record_runs import make_record  # noqa: E402

__all__ = ["_migrated_template", "postgres_server", "postgres_store_url", "prefect_server"]


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """A migrated store on SQLite."""
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    store.migrate()
    yield store
    store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A migrated store, of each kind in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_store")
        return
    store = Store(request.getfixturevalue("postgres_store_url"))
    yield store
    store.close()


@pytest.fixture
def record() -> Callable[..., RunRecord]:
    """Makes run records of a worklet of three nodes; arguments replace what is given."""
    return make_record
