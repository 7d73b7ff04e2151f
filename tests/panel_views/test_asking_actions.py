"""Actions that ask: an HTTP API, a query, a model. Their answers go into states, as those of worklets do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from listening import Listener
from prefect_worklets.connectors.egress import Egress
from prefect_worklets.connectors.errors import BadInput, DefinitionError, Fault, RequestFailed, TooMany
from prefect_worklets.connectors.outgoing import Outgoing
from prefect_worklets.panel_views.cells import Cell
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.gateway import HttpGateway
from prefect_worklets.panel_views.runtime import Runtime
from prefect_worklets.panel_views.ui.source import python_source
from prefect_worklets.panel_views.view_apis import ViewApis

import prefect_worklets as pw

from .test_written_source import again, normal

TELL = {"do": "set_state", "state": "session.trouble", "value": {"expr": "error.detail"}}
CITY = {"component": "city"}
ORDER = {"do": "ask_api", "api": "order", "params": {"city": CITY, "note": {"event": "note"}}, "path": "number"}
FIND = {"do": "ask_query", "query": "one", "into": "session.found", "params": {"id": {"event": "row.id"}}}
GUESS = {"do": "ask_model", "model": "iris@2", "into": "user.guess", "value": {"expr": "[[components.size.value]]"}}


def document(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    parts = [
        {"id": "city", "type": "text_input", "properties": {"value": "Rome"}},
        {"id": "size", "type": "number", "properties": {"value": 2}},
        {"id": "go", "type": "button", "actions": {"click": list(steps)}},
    ]
    return {
        "slug": "asks",
        "title": "Asks",
        "state": [{"name": "found"}, {"name": "trouble"}, {"name": "guess", "scope": "user"}],
        "tables": [{"name": "plants", "columns": [{"name": "id", "type": "number"}]}],
        "queries": [{"name": "one", "sql": "SELECT id FROM plants WHERE id = :id"}],
        "apis": [
            {"name": "order", "url": "https://shop.example/{city}/orders", "method": "PUT"},
            {"name": "gone", "url": "https://shop.example/orders", "method": "DELETE"},
        ],
        "pages": [{"components": parts}],
        **more,
    }


class Desk:
    """Answers at once what `says` gives, or once the test lets it."""

    def __init__(self, says: Callable[[Any], Any]) -> None:
        self.asked: list[Any] = []
        self.says = says

    async def _ask(self, *question: Any) -> Any:
        self.asked.append(question)
        answer = self.says(question)
        return await answer if isinstance(answer, asyncio.Future) else answer

    async def ask_api(self, name: str, params: dict[str, Any]) -> Any:
        return await self._ask("api", name, params)

    async def query(self, name: str, params: dict[str, Any]) -> Any:
        return await self._ask("query", name, params)

    async def predict(self, model: str, inputs: Any) -> Any:
        return await self._ask("model", model, inputs)


class Open:
    """An open view, and what it told of."""

    def __init__(self, says: Callable[[Any], Any], *steps: dict[str, Any]) -> None:
        self.desk, self.faults, self.kept = Desk(says), dict[str, str | None](), dict[str, Any]()

        async def save(key: str, value: Any) -> None:
            self.kept[key] = value

        view = parse(document(*steps))
        first = {state.key: state.default for state in view.state}
        self.runtime = Runtime(view, self.desk, None, first, lambda *_: None, self.faults.__setitem__, save)  # type: ignore[arg-type]
        self.runtime.start()

    async def press(self, event: Any = None) -> None:
        await self.runtime.fire("go", "click", event)
        await self.runtime.idle()


def refuse(error: Exception) -> Callable[[Any], Any]:
    def says(_: Any) -> Any:
        raise error

    return says


async def test_each_asks_with_its_values_and_fills_its_state() -> None:
    answers = {"api": {"number": 7}, "query": [{"id": 3}], "model": ["setosa"]}
    into = {**ORDER, "into": "session.trouble"}
    view = Open(lambda question: answers[question[0]], into, FIND, {**GUESS, "path": "0"})
    await view.press({"row": {"id": 3}})  # an event without a note: it is left out
    assert view.desk.asked == [
        ("api", "order", {"city": "Rome"}), ("query", "one", {"id": 3}), ("model", "iris@2", [[2]]),
    ]  # fmt: skip
    assert [view.runtime.state(key) for key in ("session.trouble", "session.found", "user.guess")] == [
        Cell(7, "ready"), Cell([{"id": 3}], "ready"), Cell("setosa", "ready"),
    ]  # fmt: skip
    assert view.kept["user.guess"] == "setosa"


async def test_an_api_is_asked_again_each_time_and_needs_no_state() -> None:
    view = Open(lambda _: {}, ORDER)
    await view.press({"note": "a"})
    await view.press({"note": "a"})
    assert view.desk.asked == [("api", "order", {"city": "Rome", "note": "a"})] * 2
    assert view.faults.get("go") is None


async def test_a_newer_answer_outdates_an_older_one_that_comes_late() -> None:
    waiting: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()

    def later(_: Any) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting.put_nowait(answer)
        return answer

    view = Open(later, FIND, {**TELL, "value": {"constant": "after"}})
    first, second = (asyncio.create_task(view.runtime.fire("go", "click")) for _ in range(2))
    older, newer = await waiting.get(), await waiting.get()
    assert view.runtime.state("session.found").status == "loading"
    newer.set_result([{"id": 2}])
    await second
    view.runtime.set_state("session.trouble", None)
    older.set_result([{"id": 1}])
    await first
    assert view.runtime.state("session.found").value == [{"id": 2}]
    assert view.runtime.state("session.trouble").value is None, "an outdated action's sequence ends"
    await view.runtime.close()


async def test_a_fault_is_in_the_state_at_its_component_and_for_on_error() -> None:
    misfit = BadInput("It does not fit.", faults=[Fault(("city",), "Fill this in.")])
    view = Open(refuse(misfit), {**ORDER, "into": "session.found", "on_error": [TELL]})
    await view.press()
    cell = view.runtime.state("session.found")
    assert (cell.status, cell.error["detail"]) == ("error", "It does not fit. city: Fill this in.")  # type: ignore[index]
    assert view.runtime.state("session.trouble").value == "It does not fit. city: Fill this in."
    assert view.faults["city"] == "Fill this in."
    assert "go" not in view.faults


async def test_a_fault_that_no_state_takes_is_told_where_it_was_pressed() -> None:
    view = Open(refuse(RequestFailed("The API 'order' answered 500.", repeatable=True)), ORDER, FIND)
    await view.press()
    assert view.faults["go"] == "The API 'order' answered 500."
    assert len(view.desk.asked) == 1, "it is not asked again, and what follows is not done"


@pytest.mark.parametrize(
    ("steps", "more", "place", "said"),
    [
        ([{**ORDER, "api": "ordr"}], {}, "api", "no declared API named 'ordr'"),
        ([{**ORDER, "params": {}}], {}, "params", "needs 'city'"),
        ([{**ORDER, "into": "session.no"}], {}, "into", "no declared state"),
        ([{**ORDER, "params": {"city": {"component": "no"}}}], {}, "params.city", "no component"),
        ([{**ORDER, "params": {"city": {"no": 1}}}], {}, "params.city", "a binding has one of"),
        ([{**FIND, "query": "two"}], {}, "query", "no declared query"),
        ([{**FIND, "params": {"no": {"constant": 1}}}], {}, "params.no", "parameter of the query"),
        ([{**GUESS, "input": {"a": {"constant": 1}}}], {}, "value", "by name, or one value as the whole"),
        ([{**GUESS, "value": {"query": "one"}}], {}, "value", "an action can't read rows"),
        ([{"do": "ask_model", "model": "iris"}], {}, "into", "required"),
    ],
)  # fmt: skip
def test_faults_have_their_place(steps: list[dict[str, Any]], more: dict[str, Any], place: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(document(*steps, **more))
    found = {".".join(map(str, fault.loc)): fault.msg for fault in caught.value.faults}
    assert said in found[f"pages.0.components.2.actions.click.0.{place}"]


def test_what_acts_is_bound_to_nothing() -> None:
    shown = {"id": "shown", "type": "json", "bindings": {"value": {"api": "gone"}}}
    with pytest.raises(DefinitionError) as caught:
        parse(document(pages=[{"components": [shown]}]))
    [fault] = caught.value.faults
    assert (fault.loc[-2:], fault.fix) == (("value", "api"), "ask it by the action ask_api")


def test_python_code_writes_them_and_they_come_back(tmp_path: Path) -> None:
    plain = document({**ORDER, "into": "session.found"}, FIND, GUESS, {"do": "ask_api", "api": "gone"})
    code = python_source(parse(plain))
    assert 'pw.ui.ask_query("one", found, params={"id": pw.ui.event("row.id")})' in code
    assert normal(again(plain, tmp_path)) == normal(plain)
    guess, size = pw.ui.State("guess"), pw.ui.Number("Size")
    button = pw.ui.Button(on_click=pw.ui.ask_model("iris", guess, input={"size": size, "unit": "cm"}))
    [action] = pw.view("v", [pw.page("", [size, button])]).document["pages"][0]["components"][1]["actions"]["click"]
    given = {"size": {"component": "size"}, "unit": {"constant": "cm"}}
    assert action == {"do": "ask_model", "model": "iris", "into": "session.guess", "input": given}


async def test_what_goes_out_by_each_method() -> None:
    server = Listener()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    outgoing = Outgoing()
    shop = [{"name": name, "url": f"http://{server.address}/{{id}}", "method": name} for name in ("PATCH", "DELETE")]
    apis = ViewApis(parse(document(apis=shop)), outgoing)
    try:
        server.plan = [(204, {}, b""), (204, {}, b"")]
        assert await apis.ask("PATCH", {"id": 3, "name": "Fern"}) is None
        assert await apis.ask("DELETE", {"id": 3, "soft": "yes"}) is None
        with pytest.raises(BadInput) as caught:
            await apis.ask("DELETE", {"id": ""})
    finally:
        await outgoing.close()
        server.shutdown()
        server.server_close()
    assert [(fault.loc, fault.msg) for fault in caught.value.faults] == [(("id",), "Fill this in.")]
    assert server.asked == ["PATCH /3", "DELETE /3?soft=yes"]
    assert server.bodies == [b'{"name":"Fern"}', b""]


async def test_a_visitor_s_pace_bounds_them_all() -> None:
    async def identity() -> str:
        raise TooMany("Too many requests of this page in a short time; wait a moment.", wait=1)

    view = parse(document())
    async with httpx.AsyncClient() as client:
        gateway = HttpGateway(client, "", identity, Egress(), None, ViewApis(view, Outgoing()))
        for ask in (gateway.ask_api("order", {}), gateway.query("one", {}), gateway.predict("iris", 1)):
            with pytest.raises(TooMany):
                await ask
