"""Views that another program serves: what they ask of the server, by a key, and what their pages share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.egress import Egress
from prefect_worklets.connectors.errors import NotAllowed, NotFound, SetupError, WorkletsError
from prefect_worklets.connectors.outgoing import Outgoing
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.web import Guard, problem_response
from prefect_worklets.panel_views import api
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.desk import Desk, KeyGateway, States
from prefect_worklets.panel_views.publishing import publish
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

DOCUMENT = {
    "slug": "soups",
    "title": "Soups",
    "tables": [{"name": "soups", "columns": [{"name": "name"}, {"name": "stars", "type": "number"}], "key": ["name"]}],
    "queries": [{"name": "liked", "sql": "SELECT name, stars FROM soups WHERE stars >= :least"}],
    "apis": [{"name": "closed", "url": "http://127.0.0.1:1/x"}],
    "pages": [{"components": []}],
}


def with_query(sql: str) -> dict[str, Any]:
    return {**DOCUMENT, "queries": [{"name": "liked", "sql": sql}]}


class Asking:
    """Gateways of pages, by a key of a role, to an app in this process."""

    def __init__(self, store: Store, app: Starlette) -> None:
        self._store = store
        self._app = app
        self.clients: list[httpx.AsyncClient] = []
        self._keys: dict[str, str] = {}

    def by(self, role: str, document: dict[str, Any] = DOCUMENT) -> KeyGateway:
        desk = Desk("http://app.test", "")
        if role not in self._keys:
            self._keys[role] = Access(self._store).create_key(role, role)
        desk.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app),
            base_url="http://app.test",
            headers={"authorization": f"Bearer {self._keys[role]}"},
        )
        self.clients.append(desk.client)
        return KeyGateway(desk, parse(document), States(desk, "soups", ""))


@pytest.fixture
async def asking(store: Store) -> AsyncIterator[Asking]:
    async def tell(request: Request, error: Exception) -> Response:
        assert isinstance(error, WorkletsError)
        return problem_response(error)

    guard, outgoing = Guard(Access(store)), Outgoing(Egress(), ["api.example.com"])
    app = Starlette(routes=api.routes(store, guard, outgoing=outgoing), exception_handlers={WorkletsError: tell})
    made = Asking(store, app)
    yield made
    for client in made.clients:
        await client.aclose()
    await outgoing.close()


class TestWhatIsPublished:
    async def test_a_viewer_reads_and_an_operator_writes(self, store: Store, asking: Asking) -> None:
        publish(store, DOCUMENT)
        assert await asking.by("operator").save("soups", {"name": "leek", "stars": 4}) == {"name": "leek", "stars": 4}
        assert await asking.by("viewer").query("liked", {"least": 3}) == [{"name": "leek", "stars": 4}]
        with pytest.raises(WorkletsError, match="write into the table 'soups'"):
            await asking.by("viewer").save("soups", {"name": "pea"})
        with pytest.raises(WorkletsError, match="does not fit the table") as caught:
            await asking.by("operator").save("soups", {"name": "pea", "stars": "many", "id": 1})
        assert {fault.loc for fault in caught.value.faults} == {("stars",), ("id",)}
        with pytest.raises(WorkletsError, match="delete rows of the table 'soups'"):
            await asking.by("viewer").remove("soups", {"name": "leek"})
        await asking.by("operator").remove("soups", {"name": "leek"})
        assert await asking.by("viewer").query("liked", {"least": 3}) == []
        with pytest.raises(WorkletsError, match="no row of name 'leek'") as missing:
            await asking.by("operator").remove("soups", {"name": "leek"})
        assert missing.value.status == NotFound.status

    async def test_an_api_is_asked_by_the_server_within_its_list(self, store: Store, asking: Asking) -> None:
        publish(store, DOCUMENT)
        with pytest.raises(WorkletsError, match="The API 'closed' gave no answer"):
            await asking.by("viewer").ask_api("closed", {})

    @pytest.mark.parametrize("access", [{"role": "operator"}, {"private": True, "users": ["zoe"]}])
    async def test_a_view_that_is_closed_to_the_key(self, store: Store, asking: Asking, access: dict[str, Any]) -> None:
        publish(store, {**DOCUMENT, "access": access})
        with pytest.raises(WorkletsError, match="viewer is a viewer") as caught:
            await asking.by("viewer").query("liked", {"least": 3})
        assert caught.value.status == NotAllowed.status


class TestWhatIsNot:
    @pytest.mark.parametrize("role", ["viewer", "operator"])
    async def test_only_builders_send_sql(self, store: Store, asking: Asking, role: str) -> None:
        for sql in ("SELECT key_hash FROM api_key", "SELECT name, stars FROM soups"):
            with pytest.raises(WorkletsError, match="declares 'liked' otherwise"):
                await asking.by(role, with_query(sql)).query("liked", {})
            publish(store, DOCUMENT)
            with pytest.raises(WorkletsError, match=r"declares 'liked' otherwise") as caught:
                await asking.by(role, with_query(sql)).query("liked", {})
            assert caught.value.status == NotAllowed.status

    async def test_a_table_or_an_address_of_ones_own_is_a_builders(self, store: Store, asking: Asking) -> None:
        publish(store, DOCUMENT)
        other = {**DOCUMENT, "tables": [{**DOCUMENT["tables"][0], "write": "viewer"}],  # type: ignore[index]
                 "apis": [{"name": "closed", "url": "https://api.example.com/x"}]}  # fmt: skip
        for call in (asking.by("viewer", other).save("soups", {"name": "pea"}),
                     asking.by("operator", other).ask_api("closed", {})):  # fmt: skip
            with pytest.raises(WorkletsError, match="otherwise"):
                await call
        assert await asking.by("builder", other).save("soups", {"name": "pea"}) == {"name": "pea"}

    async def test_a_builders_is_checked_and_reads_only(self, store: Store, asking: Asking) -> None:
        builder = asking.by("builder", with_query("SELECT count(*) AS n FROM soups"))
        assert await builder.query("liked", {}) == [{"n": 0}]
        client = asking.clients[0]
        for sql, said in [("DELETE FROM api_key", "reads nothing"), ("SELECT 1; DELETE FROM api_key", "holds a `;`")]:
            body = {"what": "query", "name": "q", "queries": [{"name": "q", "sql": sql}]}
            answer = await client.post("/api/views/soups/ask", json=body)
            assert said in answer.text
        for sql in (
            "WITH x AS (SELECT 1) DELETE FROM api_key",
            "WITH x AS (SELECT 1) UPDATE api_key SET role = 'admin'",
        ):
            body = {"what": "query", "name": "q", "queries": [{"name": "q", "sql": sql}]}
            assert (await client.post("/api/views/soups/ask", json=body)).status_code == 400

    async def test_what_is_no_question(self, asking: Asking) -> None:
        asking.by("builder")
        client = asking.clients[0]
        for slug, body, status in [
            ("soups", {"what": "drop", "name": "q"}, 400), ("soups", [], 400), ("soups", {"what": "query"}, 400),
            ("~soups", {"what": "query", "name": "q"}, 404), ("soups", {"what": "query", "name": "q"}, 404),
            ("soups", {"what": "save", "name": "t", "given": {"x": "x" * 10_000_000}}, 413),
            ("soups", {"what": "query", "name": "q", "queries": [{"name": "q", "sql": "SELECT :a AS a"}],
                       "given": {"a": 2**64 - 1}}, 400),
        ]:  # fmt: skip
            assert (await client.post(f"/api/views/{slug}/ask", json=body)).status_code == status, body
        anonymous = httpx.AsyncClient(transport=httpx.ASGITransport(asking._app), base_url="http://app.test")
        asking.clients.append(anonymous)
        assert (await anonymous.post("/api/views/soups/ask", json={"what": "query", "name": "q"})).status_code == 401

    async def test_without_a_server_it_is_said(self) -> None:
        desk = Desk("", "", "No server is known.")
        gateway = KeyGateway(desk, parse(DOCUMENT), States(desk, "soups", ""))
        for call in (gateway.query("liked", {}), gateway.ask_api("closed", {}), gateway.save("soups", {})):
            with pytest.raises(SetupError, match=r"No server is known\."):
                await call
        await desk.client.aclose()


class Page:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def adopt_state(self, key: str, value: Any) -> None:
        self.told.append((key, value))

    def rows_saved(self, table: str) -> None:
        self.told.append(table)


async def test_pages_share_what_is_kept_and_each_user_and_tab_has_its_own() -> None:
    states = [{"name": "of_tab"}, {"name": "mine", "scope": "user", "default": 1}, {"name": "ours", "scope": "view"}]
    desk, document = Desk("", "", "none"), parse({**DOCUMENT, "state": states})
    pages = [(Page(), States(desk, "soups", user)) for user in ("ada", "ada", "bob")]
    for page, one in pages:
        desk.follow(page, one)  # type: ignore[arg-type]  # it is told the same
    _, first = pages[0]
    await first.of_tab("t1")
    for key in ("session.of_tab", "user.mine", "view.ours"):
        await first.save(key, 5)
    desk.row_saved("soups", "soups", first)
    assert [page.told for page, _ in pages] == [
        [], [("user.mine", 5), ("view.ours", 5), "soups"], [("view.ours", 5), "soups"]]  # fmt: skip
    assert States(desk, "soups", "ada").load(document) == {"session.of_tab": None, "user.mine": 5, "view.ours": 5}
    assert States(desk, "soups", "bob").load(document) == {"session.of_tab": None, "user.mine": 1, "view.ours": 5}
    assert await States(desk, "soups", "ada").of_tab("t1") == {"session.of_tab": 5}
    assert await States(desk, "soups", "bob").of_tab("t1") == {}
    await desk.client.aclose()
