"""What a view asks of this server that another program serves (`panel serve`): its queries, APIs and tables.

The page brings what it declares along. Where the same is published here, whoever may open that view may ask, and
what runs is what is published. Anything else is SQL, or an address, of whoever sends it: that takes a builder.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..connectors.access import Principal, Role
from ..connectors.errors import BadInput, DefinitionError, Fault, NotAllowed, NotFound
from ..connectors.outgoing import Outgoing
from ..connectors.secrets import Secrets
from ..connectors.store import Store
from ..connectors.web import Guard, json_response, read_json
from .declarations import SLUG, Api, DataTable, Part, Query
from .document import ViewDocument
from .publishing import may_open, published
from .table_checks import declarations
from .view_apis import ViewApis, declared_faults
from .view_tables import ViewTables

MAX_BODY = 2_000_000


class Ask(Part):
    """One question: `name` of what is asked with `given`, and what the page declares of it."""

    what: Literal["query", "api", "save", "remove"]
    name: str = Field(max_length=64)
    given: dict[str, JsonValue] = Field(default={})
    tables: list[DataTable] = Field(default=[], max_length=30)
    queries: list[Query] = Field(default=[], max_length=1)
    apis: list[Api] = Field(default=[], max_length=1)

    def document(self, slug: str) -> ViewDocument:
        """A view that declares this and shows nothing. Raises BadInput."""
        declared = {"tables": self.tables, "queries": self.queries, "apis": self.apis}
        try:
            return ViewDocument.model_validate({"slug": slug, "title": slug, "pages": [{}], **declared})
        except ValidationError as error:
            raise _misread(error) from None


def routes(
    store: Store, guard: Guard, outgoing: Outgoing | None = None, secrets: Secrets | None = None
) -> list[BaseRoute]:
    """The route. It raises WorkletsError.

    Args:
        store, guard: where the views and rows are, and who may ask.
        outgoing: sends requests to the views' APIs; None asks none.
        secrets: for their headers.
    """
    handler = _Asked(store, guard, outgoing, secrets)
    return [Route("/api/views/{slug}/ask", handler.ask, methods=["POST"])]


class _Asked:
    def __init__(self, store: Store, guard: Guard, outgoing: Outgoing | None, secrets: Secrets | None) -> None:
        self._store = store
        self._guard = guard
        self._outgoing = outgoing
        self._secrets = secrets

    async def ask(self, request: Request) -> Response:
        principal = await self._guard(request, Role.viewer, "ask what a view asks")
        try:
            asked = Ask.model_validate(await read_json(request, MAX_BODY))
        except ValidationError as error:
            raise _misread(error) from None
        document = await asyncio.to_thread(self._document, request.path_params["slug"], asked, principal)
        return json_response({"answer": await self._answer(document, asked, principal)})

    async def _answer(self, document: ViewDocument, asked: Ask, principal: Principal) -> Any:
        if asked.what == "api":
            if self._outgoing is None:
                raise NotFound("This server asks no other one.")
            return await ViewApis(document, self._outgoing, self._secrets).ask(asked.name, dict(asked.given))
        tables = ViewTables(self._store, document, principal)
        does: dict[str, Callable[[str, Mapping[str, Any]], Any]] = {
            "query": tables.query, "save": tables.save, "remove": tables.remove,
        }  # fmt: skip
        return await asyncio.to_thread(does[asked.what], asked.name, asked.given)

    def _document(self, slug: str, asked: Ask, principal: Principal) -> ViewDocument:
        """The view that is asked: the published one, or what a builder sends. Raises WorkletsError."""
        if not re.fullmatch(SLUG, slug):  # a draft's preview is another way in
            raise NotFound(f"There is no view {slug[:64]!r}.")
        given = asked.document(slug)
        try:
            live = published(self._store, slug)
        except NotFound:
            live = None
        if live is not None and may_open(live, principal) and _declares(live, given):
            return live
        if principal.role < Role.builder:
            raise NotAllowed(
                f"{principal.name} is a {principal.role.name}, and may ask what the view {slug!r} declares as it is "
                f"published here; this page declares {asked.name!r} otherwise. Publish it (`view.publish()`), or serve "
                "it with a builder's key."
            )
        faults = [*declarations(given), *declared_faults(given)]
        if faults:
            raise DefinitionError(f"What the view {slug!r} declares is faulty.", faults=faults)
        return given


def _declares(live: ViewDocument, given: ViewDocument) -> bool:
    """Whether a view declares all of this in the same words."""
    return (
        all(live.query(one.name) == one for one in given.queries)
        and all(live.table(one.name) == one for one in given.tables)
        and all(live.api(one.name) == one for one in given.apis)
    )


def _misread(error: ValidationError) -> BadInput:
    entries: list[Mapping[str, Any]] = list(error.errors(include_url=False, include_input=False))
    faults = [Fault(entry["loc"], entry["msg"], entry["type"]) for entry in entries]
    return BadInput("That is no question of a view.", faults=faults)
