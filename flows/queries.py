"""Query nodes: one SQL statement that reads the store, its values bound as parameters."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ..connectors.errors import NodeFailed
from .context import RunContext
from .steps import Getter, Step, Values

if TYPE_CHECKING:
    from .graph import GraphNode

DEFAULT_LIMIT = 10_000
_READS = re.compile(r"\s*(select|with|values)\b", re.IGNORECASE)


def parameters_of(sql: str) -> tuple[str, ...]:
    """The names behind `:name` in a statement, each once, in order. A cast (`::int`) is none."""
    return tuple(text(sql).compile().params)


def faults_of(sql: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a statement as far as its text says: pairs of fault and fix."""
    if not _READS.match(sql):
        yield f"its SQL reads nothing: {sql.strip()[:60]!r}.", "begin with SELECT, WITH or VALUES; pw.save writes rows"
    if ";" in sql.strip().rstrip(";"):
        # PostgreSQL would run what comes behind in the same call, past the read-only transaction's end.
        yield "its SQL holds a `;`, and a query is one statement.", "write two queries, or pass the text as a parameter"


class QueryStep(Step):
    """Rows that a statement finds, each as a mapping by column. Runs in a read-only transaction."""

    def __init__(self, node: GraphNode, slot: int, arguments: Mapping[str, Getter]) -> None:
        super().__init__(node, slot)
        self._arguments = dict(arguments)
        self._statement = text(str(node.settings["sql"]).strip().rstrip(";"))
        limit = node.settings.get("limit")
        self._limit = limit if isinstance(limit, int) else DEFAULT_LIMIT

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """Ask the store in a thread. Raises NodeFailed if the database refuses or there are too many rows."""
        given = {name: get(values) for name, get in self._arguments.items()}
        ask: Callable[..., Any] = self._ask
        return await asyncio.get_running_loop().run_in_executor(executor, ask, given, context)

    def _ask(self, given: dict[str, Any], context: RunContext) -> list[dict[str, Any]]:
        try:
            with context.store.read() as session:
                found = session.connection().execute(self._statement, given)
                rows = [dict(row) for row in found.mappings().fetchmany(self._limit + 1)]
        except DBAPIError as error:
            # The driver's own words: SQLAlchemy's would repeat the values.
            raise NodeFailed(f"Node {self.id!r} can't query the store: {error.orig}.", node=self.id) from None
        if len(rows) > self._limit:
            raise NodeFailed(
                f"Node {self.id!r} finds more than {self._limit:,} rows; narrow the query or raise its limit.",
                node=self.id,
            )
        return rows
