"""What can be wrong with a data directory or a store is one line, of `up` as of every command."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
from fixtures_server import free_port
from prefect_worklets.connectors.errors import SetupError

from prefect_worklets.opening import open_store, prepare_data
from prefect_worklets.settings import Settings

from .conftest import call_worklets, clean_environment

# Nothing listens on port 1.
NO_DATABASE = "postgresql://somebody:a-password@127.0.0.1:1/none"


def is_one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    for part in ("error: ", *parts):
        assert part in lines[0]


@pytest.mark.parametrize("command", [("up", "--port", str(free_port())), ("users", "list")], ids=lambda words: words[0])
class TestCommands:
    def test_a_data_directory_that_is_a_file(self, command: tuple[str, ...], tmp_path: Path):
        taken = tmp_path / "data"
        taken.touch()
        done = call_worklets(*command, "--data", str(taken), environment=clean_environment())
        is_one_line(done, str(taken), "--data")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_data_directory_of_somebody_else(self, command: tuple[str, ...], tmp_path: Path):
        tmp_path.chmod(0o500)
        done = call_worklets(*command, "--data", str(tmp_path / "data"), environment=clean_environment())
        is_one_line(done, "Permission denied", "--data")

    def test_a_database_that_does_not_answer(self, command: tuple[str, ...], tmp_path: Path):
        environment = {**clean_environment(), "WORKLETS_DATABASE_URL": NO_DATABASE}
        done = call_worklets(*command, "--data", str(tmp_path / "data"), environment=environment)
        is_one_line(done, "127.0.0.1", "worklets doctor")
        assert "a-password" not in done.stderr

    def test_a_file_that_is_no_database(self, command: tuple[str, ...], tmp_path: Path):
        data = tmp_path / "data"
        data.mkdir()
        (data / "worklets.db").write_bytes(b"not a database, but some text " * 100)
        is_one_line(call_worklets(*command, "--data", str(data), environment=clean_environment()), "not a database")


class TestOpening:
    def test_makes_the_folders_for_their_owner_alone(self, tmp_path: Path):
        data = prepare_data(Settings(data_dir=tmp_path / "data"))
        assert data.run.is_dir()
        assert data.root.stat().st_mode & 0o077 == 0

    def test_brings_the_tables_up_to_date(self, tmp_path: Path):
        settings = Settings(data_dir=tmp_path / "data", database_url=None)
        prepare_data(settings)
        open_store(settings).close()
        with sqlite3.connect(settings.data.root / "worklets.db") as connection:
            found = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
        assert {"run", "model", "worklet"} <= found

    def test_says_what_the_driver_says(self, tmp_path: Path):
        settings = Settings(data_dir=tmp_path / "data", database_url=NO_DATABASE)
        with pytest.raises(SetupError, match=r"The store can't be used: connection .* refused") as caught:
            open_store(settings)
        assert "a-password" not in str(caught.value)


class TestDatabaseOfPrefect:
    def test_is_sqlite_in_the_data_directory(self, tmp_path: Path):
        url = Settings(data_dir=tmp_path).prefect_store_url
        assert url == f"sqlite+aiosqlite:///{tmp_path.resolve() / 'prefect' / 'prefect.db'}"

    @pytest.mark.parametrize("driver", ["", "+psycopg"])
    def test_gets_the_driver_that_prefect_takes(self, tmp_path: Path, driver: str):
        settings = Settings(data_dir=tmp_path, prefect_database_url=f"postgresql{driver}://me:secret@db:1/name")
        assert settings.prefect_store_url == "postgresql+asyncpg://me:secret@db:1/name"

    @pytest.mark.parametrize("url", ["mysql://db/name", "db.example.org", "://"])
    def test_of_another_kind_is_refused(self, tmp_path: Path, url: str):
        with pytest.raises(SetupError, match=r"write it as `postgresql://"):
            _ = Settings(data_dir=tmp_path, prefect_database_url=url).prefect_store_url
