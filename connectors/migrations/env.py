"""Alembic's entry: runs the migrations on the connection that `Store.migrate` passes, in its transaction.

Logging is left as it is: no `fileConfig`.
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection

config = context.config


def _render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    # A migration must not change when the classes of tables.py do: plain SQLAlchemy types only.
    if kind == "type":
        name = type(item).__name__
        if name == "UtcDateTime":
            return "sa.DateTime(timezone=True)"
        if name == "AutoString":
            return "sa.String()"
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=config.attributes.get("target_metadata"),
        render_item=_render_item,
        # SQLite alters a table by copying it. Its DDL is transactional: the store says BEGIN itself.
        render_as_batch=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with create_engine(config.get_main_option("sqlalchemy.url") or "").begin() as opened:
        _run(opened)
