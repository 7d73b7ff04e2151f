"""How the rows of a table are told apart, and how those who show them learn of new ones."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, text
from sqlmodel import Session

from ..connectors.tables import UtcDateTime, now

# On PostgreSQL, where several save at the same time: who marks waits for whoever has marked the same slot.
_SLOTS = 8
# As text, which both databases take: put together it would cost each run that saves more than the database's part.
_MARK = text(
    "INSERT INTO table_mark (table_name, slot, writer, saved_at) VALUES (:table_name, :slot, :writer, :saved_at) "
    "ON CONFLICT (table_name, slot) DO UPDATE SET writer = excluded.writer, saved_at = excluded.saved_at"
).bindparams(bindparam("saved_at", type_=UtcDateTime()))


def row_key(data: Mapping[str, Any], fields: Sequence[str]) -> str:
    """The text by which a table knows a row: the values of the fields that name it."""
    return json.dumps([data[name] for name in fields], sort_keys=True, ensure_ascii=False)


def mark_saved(session: Session, tables: Iterable[str], writer: str, *, sqlite: bool) -> None:
    """Say that rows of these tables are saved by this transaction. Last in it: from then on others may wait for it."""
    slot, at = 0 if sqlite else random.randrange(_SLOTS), now()  # noqa: S311
    # In one order everywhere, so that two that save into the same tables never wait for each other.
    marks = [{"table_name": name, "slot": slot, "writer": writer, "saved_at": at} for name in sorted(set(tables))]
    session.connection().execute(_MARK, marks)
