"""Properties bound to what a worklet or a model answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from listening import Listener
from prefect_worklets.connectors.errors import BadInput, DefinitionError, Fault, NotFound, RequestFailed, SetupError
from prefect_worklets.connectors.outgoing import Outgoing
from prefect_worklets.panel_views import questions
from prefect_worklets.panel_views.cells import Cell
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.runtime import Runtime
from prefect_worklets.panel_views.ui.source import python_source
from prefect_worklets.panel_views.view_apis import ViewApis

import prefect_worklets as pw

from .test_written_source import again, normal

DOCUMENT: dict[str, Any] = {
    "slug": "prices",
    "title": "Prices",
    "state": [{"name": "item"}],
    "pages": [
        {
            "params": [{"name": "factor", "type": "number"}],
            "components": [
                {"id": "size", "type": "number", "properties": {"value": 2}},
                {"id": "price", "type": "text", "bindings": {"text": {
                    "worklet": "price", "path": "net", "input": {
                        "size": {"component": "size"}, "item": {"state": "session.item"}}}}},
                {"id": "label", "type": "text", "bindings": {"text": {
                    "model": "iris@2", "value": {"expr": "[components.size.value, 1]"}, "path": "0"}}},
                {"id": "both", "type": "json", "bindings": {"value": {
                    "model": "sums", "input": {"a": {"component": "size"}, "b": {"constant": 1}}}}},
            ],
        }
    ],
}  # fmt: skip


class Desk:
    """Each question waits until the test answers it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any, asyncio.Future[Any]]] = []

    async def run_worklet(self, name: str, inputs: dict[str, Any]) -> Any:
        return await self._ask(name, inputs)

    async def predict(self, model: str, inputs: Any) -> Any:
        return await self._ask(model, inputs)

    async def _ask(self, name: str, inputs: Any) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.asked.append((name, inputs, answer))
        return await answer

    def of(self, name: str) -> list[tuple[Any, asyncio.Future[Any]]]:
        return [(inputs, answer) for asked, inputs, answer in self.asked if asked == name]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "PAUSE_SECONDS", dict.fromkeys(("query", "worklet", "model"), 0))


@pytest.fixture
async def opened() -> AsyncIterator[tuple[Runtime, Desk]]:
    desk = Desk()
    runtime = Runtime(parse(DOCUMENT), desk, None, {"session.item": None}, lambda *_: None)  # type: ignore[arg-type]
    runtime.start()
    await turn()
    yield runtime, desk
    await runtime.close()


async def turn() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


async def test_it_is_asked_once_every_input_has_a_value(opened: tuple[Runtime, Desk]) -> None:
    runtime, desk = opened
    assert desk.of("price") == []
    assert runtime.cell("price", "text") == Cell()
    runtime.set_state("session.item", "lamp")
    await turn()
    ((inputs, answer),) = desk.of("price")
    assert inputs == {"size": 2, "item": "lamp"}
    assert runtime.cell("price", "text") == Cell(None, "loading")
    answer.set_result({"net": "7 EUR"})
    await turn()
    assert runtime.cell("price", "text") == Cell("7 EUR", "ready")


async def test_models_take_one_value_or_inputs_by_name(opened: tuple[Runtime, Desk]) -> None:
    runtime, desk = opened
    ((whole, answer),) = desk.of("iris@2")
    ((named, _),) = desk.of("sums")
    assert (whole, named) == ([2, 1], {"a": 2, "b": 1})
    answer.set_result(["setosa"])
    await turn()
    assert runtime.cell("label", "text") == Cell("setosa", "ready")


async def test_an_outdated_question_is_broken_off_and_its_answer_never_shown(opened: tuple[Runtime, Desk]) -> None:
    runtime, desk = opened
    for size in (3, 4):
        runtime.changed("size", "value", size)
        await turn()
    (_, first), (_, second), (inputs, third) = desk.of("sums")
    assert first.cancelled()
    assert second.cancelled()
    third.set_result({"sum": 5})
    await turn()
    cell = runtime.cell("both", "value")
    assert inputs == {"a": 4, "b": 1}
    assert cell is not None
    assert cell.value == {"sum": 5}


async def test_a_fault_is_not_kept_for_who_asks_again(opened: tuple[Runtime, Desk]) -> None:
    runtime, desk = opened
    for item in ("lamp", None, "lamp"):
        runtime.set_state("session.item", item)
        await turn()
        if item and len(desk.of("price")) == 1:
            desk.of("price")[0][1].set_exception(NotFound("no such item"))
            await turn()
    assert [inputs["item"] for inputs, _ in desk.of("price")] == ["lamp", "lamp"]
    assert runtime.cell("price", "text") == Cell(None, "loading")


async def test_the_same_inputs_are_not_asked_again(opened: tuple[Runtime, Desk]) -> None:
    runtime, desk = opened
    desk.of("sums")[0][1].set_result({"sum": 3})
    await turn()
    runtime.changed("size", "value", 3)
    await turn()
    desk.of("sums")[1][1].set_result({"sum": 4})
    await turn()
    runtime.changed("size", "value", 2)
    await turn()
    cell = runtime.cell("both", "value")
    assert cell == Cell({"sum": 3}, "ready")
    assert len(desk.of("sums")) == 2


async def test_an_input_that_goes_away_leaves_it_empty(opened: tuple[Runtime, Desk]) -> None:
    runtime, desk = opened
    runtime.changed("size", "value", None)
    await turn()
    assert runtime.cell("both", "value") == Cell()
    assert desk.of("sums")[0][1].cancelled()


async def test_a_fault_is_shown_where_the_value_would_be(opened: tuple[Runtime, Desk]) -> None:
    runtime, desk = opened
    desk.of("sums")[0][1].set_exception(BadInput("It does not fit.", faults=[Fault(("inputs", "a"), "is too large")]))
    await turn()
    cell = runtime.cell("both", "value")
    assert cell is not None
    assert (cell.status, cell.error["detail"]) == ("error", "It does not fit. inputs.a: is too large")  # type: ignore[index]


# --- HTTP APIs ----------------------------------------------------------------------------------------------

WEATHER = {
    "slug": "weather",
    "title": "Weather",
    "apis": [
        {"name": "now", "url": "BASE/{city}/now", "secret_headers": {"x-agent": "Key {WEATHER}"}},
        {"name": "told", "url": "BASE/tell", "method": "POST"},
    ],
    "pages": [{"components": [
        {"id": "city", "type": "text_input", "properties": {"value": "Rom/../x"}},
        {"id": "shown", "type": "json", "bindings": {"value": {
            "api": "now", "params": {"city": {"component": "city"}, "units": {"constant": "metric"}}}}},
    ]}],
}  # fmt: skip


def weather(base: str, **more: Any) -> Any:
    return parse({**json.loads(json.dumps(WEATHER).replace("BASE", base)), **more})


@pytest.fixture
def elsewhere() -> Iterator[Listener]:
    server = Listener()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


async def test_an_api_is_asked_with_its_secret_and_values_in_their_places(
    elsewhere: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKLETS_SECRET_WEATHER", "s3cret")
    outgoing = Outgoing()
    apis = ViewApis(weather(f"http://{elsewhere.address}"), outgoing)
    found = await apis.ask("now", {"city": "Rom/../x", "units": "metric"})
    assert (found["path"], found["query"], found["agent"]) == (
        "/Rom%2F..%2Fx/now", {"units": ["metric"]}, "Key s3cret",
    )  # fmt: skip
    told = await apis.ask("told", {"a": [1, "ä"]})
    assert (told["method"], told["body"]) == ("POST", {"a": [1, "ä"]})
    with pytest.raises(NotFound):
        await apis.ask("other", {})
    for city in ("", ".."):
        with pytest.raises(BadInput):
            await apis.ask("now", {"city": city})
    monkeypatch.delenv("WORKLETS_SECRET_WEATHER")
    with pytest.raises(SetupError, match="WEATHER"):
        await apis.ask("now", {"city": "Rom"})
    await outgoing.close()


async def test_a_server_may_bound_where_apis_are(elsewhere: Listener) -> None:
    outgoing = Outgoing(hosts=["api.example.com"])
    with pytest.raises(RequestFailed, match="'told' gave no answer"):
        await ViewApis(weather(f"http://{elsewhere.address}"), outgoing).ask("told", {})
    assert elsewhere.asked == []
    await outgoing.close()


async def test_what_the_other_server_says_is_not_for_visitors(
    elsewhere: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    outgoing = Outgoing()
    elsewhere.plan = [(404, {"content-type": "text/plain"}, b"stack trace of theirs")]
    with pytest.raises(RequestFailed) as failed:
        await ViewApis(weather(f"http://{elsewhere.address}"), outgoing).ask("told", {})
    assert failed.value.detail == "The API 'told' answered 404; the server's log has more."
    assert "stack trace of theirs" in caplog.text
    await outgoing.close()


async def test_a_property_shows_what_an_api_answers() -> None:
    class Answering(Desk):
        async def ask_api(self, name: str, params: dict[str, Any]) -> Any:
            return [name, params]

    runtime = Runtime(weather("https://x.org"), Answering(), None, {}, lambda *_: None)  # type: ignore[arg-type]
    runtime.start()
    await runtime.idle()
    assert runtime.cell("shown", "value") == Cell(["now", {"city": "Rom/../x", "units": "metric"}], "ready")
    await runtime.close()


@pytest.mark.parametrize(
    ("apis", "said"),
    [
        ([{"name": "a", "url": "ftp://x"}], "apis.0.url"),
        ([{"name": "a", "url": "https://{host}/x"}], "leaves the host open"),
        ([{"name": "a", "url": "https://x.org", "secret_headers": {"x": "plain"}}], "names no secret"),
        ([{"name": "a", "url": "https://x.org"}] * 2, "declared more than once"),
    ],
)
def test_faults_of_apis(apis: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse({"slug": "s", "title": "S", "apis": apis, "pages": [{}]})
    assert said in str(caught.value)


def test_faults_of_bindings_to_apis() -> None:
    assert "there is no declared API" in wrong({"api": "no"})
    part = {"id": "x", "type": "text", "bindings": {"text": {"api": "now", "params": {}}}}
    with pytest.raises(DefinitionError, match="needs 'city'"):
        weather("https://x.org", pages=[{"components": [part]}])


def test_apis_as_python_and_back(tmp_path: Path) -> None:
    document = weather("https://x.org").to_json()
    assert normal(again(document, tmp_path)) == normal(document)


def wrong(binding: dict[str, Any], **more: Any) -> str:
    part = {"id": "x", "type": "text", "bindings": {"text": binding}, **more}
    with pytest.raises(DefinitionError) as caught:
        parse({"slug": "s", "title": "S", "pages": [{"components": [part]}]})
    return "\n".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in caught.value.faults)


def test_faults_have_their_place() -> None:
    assert "bindings.text.input.a: there is no component" in wrong(
        {"worklet": "w", "input": {"a": {"component": "no"}}}
    )
    assert "input.a: what is asked with is a single value" in wrong({"model": "m", "input": {"a": {"worklet": "w"}}})
    both = {"model": "m", "input": {"a": {"constant": 1}}, "value": {"constant": 1}}
    assert "by name, or one value as the whole" in wrong(both)
    assert "bindings.text.worklet" in wrong({"worklet": "no such name!"})
    press = {"click": [{"do": "notify", "text": {"model": "m", "value": {"constant": 1}}}]}
    assert "an action can't ask for a value" in wrong({"constant": "x"}, type="button", actions=press)


def test_as_python_and_back(tmp_path: Path) -> None:
    assert 'pw.ui.model("iris@2", value=pw.ui.expr(' in python_source(parse(DOCUMENT))
    assert normal(again(DOCUMENT, tmp_path)) == normal(DOCUMENT)


def test_written_in_python() -> None:
    size = pw.ui.Slider(id="size", value=1)
    shown = pw.ui.Text(id="shown", text=pw.ui.model("iris", value=pw.ui.expr("[components.size.value]"), path="0"))
    made = parse(pw.view("sizes", title="Sizes", pages=[pw.page("", [size, shown])]).document)
    shown_there = made.component("shown")
    assert shown_there is not None
    binding = shown_there.bindings["text"]
    assert (binding.model, binding.path) == ("iris", "0")  # type: ignore[union-attr]
