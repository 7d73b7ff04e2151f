"""The store: sessions, read-only sessions and migrations, on both databases."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from prefect_worklets.connectors.errors import SetupError
from prefect_worklets.connectors.store import Store, migration_config
from prefect_worklets.connectors.tables import (
    METADATA,
    JournalPosition,
    LoginSession,
    Run,
    StoredFile,
    TableRow,
    User,
    ViewState,
    now,
)
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlmodel import Field, SQLModel, select


def _run(id: str = "r1", **values: object) -> Run:
    return Run(**{"id": id, "worklet": "w", "state": "completed", "started_us": 1, "duration_us": 2, **values})


class TestUrl:
    @pytest.mark.parametrize(
        ("url", "driver"),
        [
            ("sqlite:////tmp/x.db", "pysqlite"),
            ("postgresql://u:p%40ss@host/db", "psycopg"),
            ("postgresql+psycopg://u@host/db", "psycopg"),
        ],
    )
    def test_takes_both_databases(self, url: str, driver: str) -> None:
        store = Store(url)
        assert store.engine.dialect.driver == driver
        assert "***" not in store.url

    def test_another_database_is_refused_by_name(self) -> None:
        with pytest.raises(SetupError, match=r"mysql.*use sqlite:///path or postgresql://"):
            Store("mysql://u@host/db")

    @pytest.mark.parametrize("url", ["", "nonsense", "/tmp/x.db", "sqlite://", "sqlite:///:memory:"])
    def test_what_is_no_url_is_refused(self, url: str) -> None:
        with pytest.raises(SetupError, match="WORKLETS_DATABASE_URL"):
            Store(url)


class TestSession:
    def test_commits_on_leaving(self, store: Store) -> None:
        with store.session() as session:
            session.add(User(name="ada"))
        with store.read() as session:
            assert session.exec(select(User)).one().name == "ada"

    def test_rolls_back_when_the_block_raises(self, store: Store) -> None:
        def fail_late() -> None:
            with store.session() as session:
                session.add(User(name="ada"))
                session.flush()
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail_late()
        with store.read() as session:
            assert session.exec(select(User)).first() is None

    def test_rows_outlive_their_session(self, store: Store) -> None:
        with store.session() as session:
            user = User(name="ada")
            session.add(user)
        assert user.name == "ada"

    def test_foreign_keys_hold_and_cascade(self, store: Store) -> None:
        with pytest.raises(IntegrityError), store.session() as session:
            session.add(LoginSession(token_hash="h", user_id="nobody", expires_at=now()))
        with store.session() as session:
            user = User(name="ada")
            session.add(user)
            session.flush()
            session.add(LoginSession(token_hash="h", user_id=user.id, expires_at=now()))
        with store.session() as session:
            session.delete(session.get(User, user.id))
        with store.read() as session:
            assert session.get(LoginSession, "h") is None

    def test_two_writers_take_turns(self, store: Store) -> None:
        with store.session() as session:
            session.add(JournalPosition(journal="j"))

        def count() -> None:
            for _ in range(20):
                with store.session() as session:
                    row = session.get(JournalPosition, "j", with_for_update=True)
                    assert row is not None
                    row.offset += 1
                    session.add(row)

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.read() as session:
            assert session.get_one(JournalPosition, "j").offset == 80


class TestRead:
    def test_refuses_to_write(self, store: Store) -> None:
        with pytest.raises(DBAPIError, match=r"read-?only"), store.read() as session:
            session.add(User(name="ada"))
        with store.session() as session:
            session.add(User(name="ada"))

    def test_waits_for_no_writer(self, store: Store) -> None:
        with store.session() as writing:
            writing.add(User(name="ada"))
            writing.flush()
            begun = time.monotonic()
            with store.read() as session:
                assert session.exec(select(User)).first() is None
            assert time.monotonic() - begun < 2

    def test_keeps_no_writer_waiting_and_sees_one_moment(self, store: Store) -> None:
        with store.read() as reading:
            assert reading.exec(select(User)).first() is None
            with store.session() as session:
                session.add(User(name="ada"))
        with store.read() as session:
            assert session.exec(select(User)).first() is not None


class TestValues:
    def test_times_come_back_with_their_zone(self, store: Store) -> None:
        moment = datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=5)))
        with store.session() as session:
            session.add(User(id="u", name="ada", created_at=moment))
        with store.read() as session:
            found = session.get_one(User, "u").created_at
        assert found == moment
        assert found.utcoffset() == timedelta(0)

    def test_a_time_without_zone_is_refused(self, store: Store) -> None:
        with pytest.raises(StatementError, match="no time zone"), store.session() as session:
            session.add(User(name="ada", created_at=datetime(2026, 1, 2)))

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ({"a": [1, 2.5, None, "é\u2028", True]}, {"a": [1, 2.5, None, "é\u2028", True]}),
            ({"nan": float("nan"), "inf": float("inf")}, {"nan": None, "inf": None}),
            ({"pixels": np.arange(3), "one": np.float32(0.5)}, {"pixels": [0, 1, 2], "one": 0.5}),
            ({1: "a key that is a number"}, {"1": "a key that is a number"}),
            ({"nul": "a\x00b"}, {"nul": "a\x00b"}),
            ({"order": {"b": 1, "a": 2}}, {"order": {"b": 1, "a": 2}}),
        ],
    )
    def test_json_is_the_same_on_both(self, store: Store, given: dict[str, object], kept: dict[str, object]) -> None:
        with store.session() as session:
            session.add(TableRow(id="t", table_name="t", run_id="r", node="n", data=given))
        with store.read() as session:
            data = session.get_one(TableRow, "t").data
        assert data == kept
        assert str(data) == str(kept)

    def test_no_error_is_null_in_sql(self, store: Store) -> None:
        with store.session() as session:
            session.add_all([_run("ok", error=None), _run("bad", error={"detail": "x"})])
            session.add(ViewState(view_slug="v", key="k", value=None))
        with store.read() as session:
            assert session.connection().execute(text("SELECT id FROM run WHERE error IS NULL")).scalars().all() == [
                "ok"
            ]

    def test_bytes_and_large_numbers(self, store: Store) -> None:
        content = bytes(range(256))
        with store.session() as session:
            session.add(_run(input=content, started_us=1_800_000_000_000_000))
            session.add(StoredFile(id="f", sha256="0" * 64, size=5_000_000_000))
        with store.read() as session:
            run = session.get_one(Run, "r1")
            assert (run.input, run.started_us) == (content, 1_800_000_000_000_000)
            assert session.get_one(StoredFile, "f").size == 5_000_000_000

    def test_a_run_and_a_saved_row_count_once(self, store: Store) -> None:
        with store.session() as session:
            session.add(_run())
            session.add(TableRow(table_name="t", run_id="r", node="n", position=0))
        with pytest.raises(IntegrityError), store.session() as session:
            session.add(_run())
        with pytest.raises(IntegrityError), store.session() as session:
            session.add(TableRow(table_name="t", run_id="r", node="n", position=0))


class TestMigrate:
    def test_makes_exactly_the_tables_of_the_classes(self, store: Store) -> None:
        with store.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, METADATA) == []

    def test_a_second_time_changes_nothing(self, store: Store) -> None:
        with store.session() as session:
            session.add(User(name="ada"))
        store.migrate()
        with store.read() as session:
            assert session.exec(select(User)).one().name == "ada"

    def test_down_removes_every_table(self, store: Store) -> None:
        config = migration_config(store.url)
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
        assert inspect(store.engine).get_table_names() == ["alembic_version"]

    def test_a_failure_leaves_nothing_half_done(self, empty_store: Store) -> None:
        with empty_store.engine.begin() as connection:
            connection.execute(text("CREATE TABLE worklet (x INTEGER)"))  # in the way of the migration
        with pytest.raises(DBAPIError, match="worklet"):
            empty_store.migrate()
        assert inspect(empty_store.engine).get_table_names() == ["worklet"]

    def test_leaves_foreign_keys_on(self, sqlite_store: Store) -> None:
        with sqlite_store.read() as session:
            assert session.connection().execute(text("PRAGMA foreign_keys")).scalar() == 1

    def test_leaves_logging_alone(self, empty_store: Store) -> None:
        mine = logging.getLogger("a.logger.of.mine")
        before = (logging.root.level, list(logging.root.handlers))
        empty_store.migrate()
        assert (logging.root.level, list(logging.root.handlers)) == before
        assert not mine.disabled

    def test_several_processes_at_once(self, database_url: str) -> None:
        # Forked: a spawned process would spend seconds on importing the tests.
        fork = multiprocessing.get_context("fork")
        barrier = fork.Barrier(4)
        processes = [fork.Process(target=_migrate, args=(database_url, barrier)) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0, 0, 0, 0]
        store = Store(database_url)
        with store.engine.connect() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [_newest()]
            if not store.is_sqlite:
                assert connection.execute(text("SELECT count(*) FROM pg_locks WHERE locktype='advisory'")).scalar() == 0
        store.close()

    def test_a_users_own_classes_may_have_our_names(self, tmp_path: Path) -> None:
        class Model(SQLModel, table=True):
            __tablename__ = "model"
            id: int | None = Field(default=None, primary_key=True)

        assert "model" in SQLModel.metadata.tables
        assert METADATA.tables["model"] is not SQLModel.metadata.tables["model"]
        SQLModel.metadata.remove(SQLModel.metadata.tables["model"])


def _newest() -> str | None:
    return ScriptDirectory.from_config(migration_config("sqlite://")).get_current_head()


def _migrate(url: str, barrier: Barrier) -> None:
    store = Store(url)
    barrier.wait(30)
    store.migrate()
    store.close()


def test_now_is_utc() -> None:
    assert now().tzinfo is UTC


def test_check_says_when_the_database_is_there(store: Store) -> None:
    store.check()
