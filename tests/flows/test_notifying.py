"""Notify nodes, with a real webhook as the target."""

from __future__ import annotations

import json
from typing import Any

import pytest
from listening import Listener
from prefect_worklets.connectors.errors import DefinitionError, NodeFailed, RequestFailed, SetupError
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.documents import read_document
from prefect_worklets.flows.engine import Engine

import prefect_worklets as pw


@pytest.fixture
def engine():
    engine = Engine(services=Services())
    yield engine
    engine.close()


@pytest.fixture
def team(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> Listener:
    monkeypatch.setenv("WORKLETS_SECRET_TEAM", f"json://{listener.address}/hook?:key=hush")
    return listener


def telling(target: str = "TEAM", **options: Any):
    @pw.worklet
    def tell(body: Any, title: str) -> Any:
        pw.notify(target, title=title, body=body, backoff=0, **options)
        return body

    return tell


async def run(engine, worklet, *inputs):
    return await engine.run(worklet.plan, inputs, engine.context(worklet.name))


async def test_a_webhook_gets_title_and_body(engine, team):
    result = await run(engine, telling(), "All is well", "News")
    assert (result.state, result.output) == ("completed", "All is well")
    assert [entry[:3] for entry in result.nodes] == [["notify", "notify", "completed"]]
    (body,) = team.bodies
    assert {name: json.loads(body)[name] for name in ("title", "message")} == {
        "title": "News",
        "message": "All is well",
    }


async def test_other_values_are_written_as_json(engine, team):
    await run(engine, telling(), {"n": 1}, "News")
    assert json.loads(json.loads(team.bodies[0])["message"]) == {"n": 1}


async def test_what_is_not_taken_is_sent_again(engine, team):
    team.plan = [(503, {}, b""), (500, {}, b"")]
    assert (await run(engine, telling(), "x", "y")).state == "completed"
    assert len(team.asked) == 3


async def test_what_is_never_taken_fails_without_a_word_of_the_address(engine, team):
    team.plan = [(503, {}, b"")] * 2
    result = await run(engine, telling(retries=1), "x", "y")
    assert isinstance(result.error, RequestFailed)
    assert result.error.detail == "Node 'notify': 'TEAM' did not take the message."


async def test_an_address_in_the_code(engine, listener):
    assert (await run(engine, telling(f"json://{listener.address}/hook"), "x", "y")).state == "completed"
    assert len(listener.asked) == 1


@pytest.mark.parametrize("address", ["nonsense://x/secret-word", "slack://", "file:///tmp/secret-word"])
async def test_an_address_that_no_service_knows(engine, monkeypatch, address):
    monkeypatch.setenv("WORKLETS_SECRET_WRONG", address)
    result = await run(engine, telling("WRONG"), "x", "y")
    assert isinstance(result.error, NodeFailed)
    assert "no service understands the target 'WRONG'" in result.error.detail
    assert "secret-word" not in result.error.detail


async def test_a_secret_that_is_not_there(engine):
    result = await run(engine, telling("NOBODY"), "x", "y")
    assert isinstance(result.error, SetupError)


def test_faults_of_a_definition():
    with pytest.raises(DefinitionError, match="notify"):
        pw.notify("TEAM", body="x")
    with pytest.raises(DefinitionError, match="notify"):
        telling("")
    worklet = telling()
    assert read_document(worklet.graph.model_dump(mode="json")) == worklet.graph


async def test_a_run_may_go_on_although_nobody_was_told(engine):
    worklet = telling("json://127.0.0.1:9/nobody", retries=0, on_error=None)
    result = await run(engine, worklet, "All is well", "News")
    assert (result.state, result.output) == ("completed", "All is well")
    assert result.nodes[0][5].startswith("on_error was taken: ")
    assert read_document(worklet.graph.model_dump(mode="json")) == worklet.graph
