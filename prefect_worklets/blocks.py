"""Blocks for Prefect: where a worklets server, its database and a Kafka cluster are, with the secrets to reach them.

`prefect block register -m prefect_worklets` makes them known to a Prefect server; its pages then have a form for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr, model_validator

if TYPE_CHECKING:
    from sqlmodel import Session

    from .client import Client

_DOCUMENTATION = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")
# A broker's name or address, an IPv6 one in brackets, and its port.
_BROKER = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")
_LAST_PORT = 65_535


class WorkletsServer(Block):  # type: ignore[misc]  # Prefect counts as untyped here
    """A running worklets server: its address and an API key.

    Attributes:
        url: the server's address.
        key: an API key, which Prefect keeps encrypted.
    """

    _block_type_name: ClassVar[str | None] = "Worklets Server"
    _block_type_slug: ClassVar[str | None] = "worklets-server"
    _documentation_url: ClassVar[HttpUrl | None] = _DOCUMENTATION
    _code_example: ClassVar[str | None] = """\
```python
from prefect_worklets import WorkletsServer

server = WorkletsServer.load("BLOCK_NAME")
answer = server.get_client().worklets["classify"].invoke(sepal=[5.1, 3.5], petal=[1.4, 0.2])
```
"""

    url: HttpUrl = Field(description="The server's address, such as http://127.0.0.1:8700.")
    key: SecretStr = Field(description="An API key of the server, made with `worklets keys create` or in its console.")

    def get_client(self) -> Client:
        """A client of this server."""
        from .client import Client

        return Client(str(self.url).rstrip("/"), self.key.get_secret_value())


class WorkletsDatabase(Block):  # type: ignore[misc]  # Prefect counts as untyped here
    """The database in which worklets save rows: SQLite or PostgreSQL.

    Attributes:
        url: an SQLAlchemy URL, which Prefect keeps encrypted, as there may be a password in it.
    """

    _block_type_name: ClassVar[str | None] = "Worklets Database"
    _block_type_slug: ClassVar[str | None] = "worklets-database"
    _documentation_url: ClassVar[HttpUrl | None] = _DOCUMENTATION
    _code_example: ClassVar[str | None] = """\
```python
from prefect_worklets import WorkletsDatabase

database = WorkletsDatabase.load("BLOCK_NAME")
with database.session() as session:
    rows = session.exec(select(Flower)).all()
```
"""

    url: SecretStr = Field(description="An SQLAlchemy URL: sqlite:///path or postgresql://user:password@host/name.")

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed on leaving, rolled back when the block raises. It blocks: call it in a thread.

        Raises:
            SetupError: the URL is not of a supported database.
        """
        from .connectors.store import Store

        store = Store(self.url.get_secret_value())
        try:
            with store.session() as session:
                yield session
        finally:
            store.engine.dispose()


class KafkaCluster(Block):  # type: ignore[misc]  # Prefect counts as untyped here
    """A Kafka cluster: its brokers and how to sign in. All faults are told at once.

    Attributes:
        bootstrap_servers: brokers to ask first, each as host:port.
        security_protocol: whether the connection is encrypted, and whether it signs in by SASL.
        sasl_mechanism, username, password: how to sign in; needed with SASL.
        ssl_cafile: a file of certificates to trust, on the machine that connects.
    """

    _block_type_name: ClassVar[str | None] = "Worklets Kafka Cluster"
    _block_type_slug: ClassVar[str | None] = "worklets-kafka-cluster"
    _documentation_url: ClassVar[HttpUrl | None] = _DOCUMENTATION
    _code_example: ClassVar[str | None] = """\
```python
from kafka import KafkaProducer
from prefect_worklets import KafkaCluster

cluster = KafkaCluster.load("BLOCK_NAME")
producer = KafkaProducer(**cluster.get_settings())
```
"""

    bootstrap_servers: list[str] = Field(description="Brokers to ask first, each as host:port.", min_length=1)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Whether the connection is encrypted, and whether it signs in by SASL."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="How to sign in, with a SASL protocol."
    )
    username: str | None = Field(None, description="The name to sign in with.")
    password: SecretStr | None = Field(None, description="The password to sign in with.")
    ssl_cafile: str | None = Field(None, description="A file of certificates to trust, on the machine that connects.")

    @model_validator(mode="after")
    def _fits(self) -> KafkaCluster:
        faults = [
            f"bootstrap_servers: {server!r} is not host:port, such as 'localhost:9092'."
            for server in self.bootstrap_servers
            if not _is_broker(server)
        ]
        signing_in = {"sasl_mechanism": self.sasl_mechanism, "username": self.username, "password": self.password}
        sasl = self.security_protocol.startswith("SASL_")
        faults += [
            f"{name}: {self.security_protocol} needs it."
            if sasl
            else f"{name}: {self.security_protocol} does not sign in; leave it out, or choose SASL_SSL."
            for name, value in signing_in.items()
            if (value is None) == sasl
        ]
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def get_settings(self) -> dict[str, Any]:
        """What kafka-python's clients take, by keyword. The password is in it: do not log it."""
        settings = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password.get_secret_value() if self.password else None,
            "ssl_cafile": self.ssl_cafile,
        }
        return {name: value for name, value in settings.items() if value is not None}


def _is_broker(server: str) -> bool:
    found = _BROKER.fullmatch(server)
    return found is not None and 0 < int(found[1]) <= _LAST_PORT
