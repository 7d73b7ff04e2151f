"""The blocks, by Prefect's own standards for blocks, and through a real Prefect server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from fixtures_prefect import PrefectServer
from kafka import KafkaConsumer, KafkaProducer
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites import BlockStandardTestSuite
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from prefect_worklets import KafkaCluster, SetupError, WorkletsDatabase, WorkletsServer

BLOCKS: list[type[Block]] = [WorkletsServer, WorkletsDatabase, KafkaCluster]
SASL = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "username": "ada", "password": "sesame"}
SAVE = """
from prefect_worklets import KafkaCluster, WorkletsServer
WorkletsServer(url="http://127.0.0.1:8700", key="wk-secret").save("here", overwrite=True)
KafkaCluster(bootstrap_servers=["localhost:9092"]).save("here", overwrite=True)
"""
LOAD = """
import json
from prefect_worklets import KafkaCluster, WorkletsServer
server = WorkletsServer.load("here")
print(json.dumps([server.get_client().url, server.key.get_secret_value(), KafkaCluster.load("here").get_settings()]))
"""


@pytest.mark.parametrize("block", BLOCKS)
class TestStandards(BlockStandardTestSuite):
    @pytest.fixture
    def block(self, request: pytest.FixtureRequest) -> type[Block]:
        return request.param  # type: ignore[no-any-return]

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """Not as in Prefect's suite: a logo has to lie on a public host, and our pages ask no other host."""
        assert block._logo_url is None


def test_prefect_finds_the_blocks_by_the_entry_point() -> None:
    (found,) = entry_points(group="prefect.collections", name="prefect_worklets")
    module = found.load()
    assert all(getattr(module, block.__name__) is block for block in BLOCKS)


@pytest.mark.parametrize("url", ["127.0.0.1:8700", "ftp://127.0.0.1", ""])
def test_a_server_has_a_web_address(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        WorkletsServer(url=url, key="k")


def test_secrets_are_not_shown() -> None:
    cluster = KafkaCluster(bootstrap_servers=["b:9092"], **SASL)
    server = WorkletsServer(url="http://here", key="sesame")
    database = WorkletsDatabase(url="postgresql://ada:sesame@db/x")
    assert "sesame" not in repr([cluster, server, database])


def test_the_database_commits_and_rolls_back(tmp_path: Path) -> None:
    database = WorkletsDatabase(url=f"sqlite:///{tmp_path}/rows.db")
    with database.session() as session:
        session.execute(text("create table flower (name text)"))
        session.execute(text("insert into flower values ('iris')"))
    with pytest.raises(OperationalError, match="nonesuch"), database.session() as session:
        _ = [session.execute(text(line)) for line in ("insert into flower values ('rose')", "drop table nonesuch")]
    with database.session() as session:
        assert session.execute(text("select name from flower")).scalars().all() == ["iris"]


def test_a_database_of_another_kind_is_refused() -> None:
    with pytest.raises(SetupError, match="mysql"), WorkletsDatabase(url="mysql://here/x").session():
        pass


def test_the_cluster_gives_what_kafka_python_takes() -> None:
    settings = KafkaCluster(bootstrap_servers=["[::1]:9092", "b:1"], ssl_cafile="/ca.pem", **SASL).get_settings()
    assert settings["sasl_plain_password"] == "sesame"
    assert set(settings) <= set(KafkaProducer.DEFAULT_CONFIG)
    assert set(settings) <= set(KafkaConsumer.DEFAULT_CONFIG)


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ({"bootstrap_servers": []}, ["bootstrap_servers"]),
        ({"bootstrap_servers": ["a", "b:0", "c:70000", "d:1"]}, ["'a' is not", "'b:0' is not", "'c:70000' is not"]),
        (
            {"bootstrap_servers": ["a:1"], "security_protocol": "SASL_SSL"},
            ["sasl_mechanism: SASL_SSL needs it", "username: SASL_SSL needs it", "password: SASL_SSL needs it"],
        ),
        (
            {"bootstrap_servers": ["a"], "username": "ada"},
            ["'a' is not host:port", "username: PLAINTEXT does not sign in"],
        ),
    ],
)
def test_all_faults_of_a_cluster_are_told(given: dict[str, Any], messages: list[str]) -> None:
    with pytest.raises(ValidationError) as raised:
        KafkaCluster(**given)
    assert all(message in str(raised.value) for message in messages)
    assert "'d:1'" not in str(raised.value).split("[type=")[0]


@pytest.mark.integration
def test_registered_saved_and_loaded_with_stock_tools(prefect_server: PrefectServer, tmp_path: Path) -> None:
    environment = {**os.environ, "PREFECT_API_URL": prefect_server.url, "PREFECT_HOME": str(tmp_path)}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("-m", "prefect", "block", "register", "-m", "prefect_worklets")
    slugs = {block.get_block_type_slug() for block in BLOCKS}
    assert slugs <= {kind["slug"] for kind in prefect_server.ask("POST", "/block_types/filter", {"limit": 200})}
    run("-c", SAVE)
    url, key, settings = json.loads(run("-c", LOAD))
    assert (url, key) == ("http://127.0.0.1:8700", "wk-secret")
    assert settings == {"bootstrap_servers": ["localhost:9092"], "security_protocol": "PLAINTEXT"}
    shown = prefect_server.ask("POST", "/block_documents/filter", {"limit": 200})
    assert "wk-secret" not in json.dumps(shown)
