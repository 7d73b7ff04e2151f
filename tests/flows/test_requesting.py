"""HTTP nodes against a real server of this process."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from listening import Listener
from prefect_worklets.connectors.egress import Egress
from prefect_worklets.connectors.errors import BadInput, DefinitionError, NodeFailed, RequestFailed, TookTooLong
from prefect_worklets.connectors.outgoing import Outgoing
from prefect_worklets.flows.checkpoints import Checkpoints, with_checkpoints
from prefect_worklets.flows.checks import check
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.documents import read_document
from prefect_worklets.flows.engine import Engine, new_run_id
from prefect_worklets.flows.failures import pause_before, worth_repeating
from prefect_worklets.flows.project import load_project
from pydantic import BaseModel

import prefect_worklets as pw


class Echo(BaseModel):
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    agent: str


@pytest.fixture
async def engine(store):
    outgoing = Outgoing()
    engine = Engine(services=Services(store=store, outgoing=outgoing))
    yield engine
    engine.close()
    await outgoing.close()


async def run(engine, worklet, *inputs):
    return await engine.run(worklet.plan, inputs, engine.context(worklet.name))


def getting(listener: Listener, where: str = "/thing", **options: Any):
    url = f"http://{listener.address}{where}"

    @pw.worklet
    def get() -> Any:
        return pw.http("GET", url, **{"backoff": 0.0, **options})

    return get


async def test_a_request_with_everything_and_its_answer_as_a_type(engine, listener):
    url = f"http://{listener.address}/users/{{id}}/notes"

    @pw.worklet
    def note(id: str, text: str, page: int | None) -> dict[str, Any]:
        answer = pw.http(
            "POST",
            url,
            path={"id": id},
            params={"page": page, "tags": ["a", "b"]},
            json={"text": text},
            headers={"x-agent": text},
            returns=Echo,
        )
        return {"path": answer.path, "query": answer.query, "body": answer.body, "agent": answer.agent}

    result = await run(engine, note, "a/b?c", "hello", None)
    assert result.output == {
        "path": "/users/a%2Fb%3Fc/notes", "query": {"tags": ["a", "b"]}, "body": {"text": "hello"}, "agent": "hello",
    }  # fmt: skip
    assert [entry[:3] for entry in result.nodes] == [["http", "http", "completed"]]
    assert read_document(note.graph.model_dump(mode="json")) == note.graph


async def test_connections_are_kept(engine, listener):
    worklet = getting(listener)
    for _ in range(3):
        assert (await run(engine, worklet)).state == "completed"
    assert len(listener.asked) == 3
    assert listener.connections == 1


def test_a_direct_call_sends_it_too(listener):
    assert getting(listener)()["path"] == "/thing"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_repeated(engine, listener, status):
    listener.plan = [(status, {}, b""), (status, {"retry-after": "0"}, b"")]
    result = await run(engine, getting(listener))
    assert result.output["path"] == "/thing"
    assert len(listener.asked) == 3


async def test_a_refusal_is_not_repeated(engine, listener):
    listener.plan = [(404, {}, b'{"why": "gone"}')]
    result = await run(engine, getting(listener, "/thing?key=hidden"))
    assert isinstance(result.error, RequestFailed)
    assert result.error.detail == 'Node \'http\': GET 127.0.0.1/thing answered 404: {"why": "gone"}'
    assert len(listener.asked) == 1


async def test_a_post_is_not_repeated_unless_asked_for(engine, listener):
    url = f"http://{listener.address}/orders"

    @pw.worklet
    def once() -> Any:
        return pw.http("POST", url, json={"n": 1})

    @pw.worklet
    def twice() -> Any:
        return pw.http("POST", url, json={"n": 1}, retries=1, backoff=0)

    listener.plan = [(503, {}, b"")]
    assert (await run(engine, once)).state == "failed"
    listener.plan = [(503, {}, b"")]
    assert (await run(engine, twice)).state == "completed"
    assert len(listener.asked) == 3


async def test_no_connection_is_repeated_and_told(engine, listener):
    url = f"http://{listener.address}/"
    listener.shutdown()
    listener.server_close()

    @pw.worklet
    def nobody() -> Any:
        return pw.http("GET", url, retries=1, backoff=0)

    result = await run(engine, nobody)
    assert isinstance(result.error, RequestFailed)
    assert "got no answer" in result.error.detail


@pytest.mark.parametrize(
    ("wait", "backoff", "attempt", "pause"), [(0.0, 0.5, 0, 0.5), (0.0, 0.5, 2, 2.0), (7.0, 0.5, 1, 7.0)]
)
def test_a_server_may_ask_for_a_longer_pause(wait, backoff, attempt, pause):
    failure = RequestFailed("busy", repeatable=True, wait=wait)
    assert worth_repeating(failure)
    assert pause_before(failure, backoff, attempt) == pause


async def test_a_pause_of_an_hour_is_not_waited_for(engine, listener):
    listener.plan = [(503, {"retry-after": "3600"}, b"")]
    assert (await run(engine, getting(listener))).state == "failed"
    assert len(listener.asked) == 1


@pytest.mark.parametrize(
    "where", ["http://{}/", "http://localhost:{port}/", "http://169.254.169.254/latest", "ftp://x/"]
)
async def test_an_address_from_the_input_may_not_be_private(engine, listener, where):
    @pw.worklet
    def fetch(url: str) -> Any:
        return pw.http("GET", url, backoff=0)

    result = await run(engine, fetch, where.format(listener.address, port=listener.server_port))
    assert isinstance(result.error, BadInput)
    assert listener.asked == []


async def test_a_private_address_that_is_allowed(store, listener):
    outgoing = Outgoing(Egress(allow_private=[listener.address]))
    engine = Engine(services=Services(outgoing=outgoing))

    @pw.worklet
    def fetch(url: str) -> Any:
        return pw.http("GET", url, backoff=0)

    result = await run(engine, fetch, f"http://{listener.address}/open")
    assert result.output["path"] == "/open"
    engine.close()
    await outgoing.close()


async def test_a_redirect_to_another_host_is_checked(engine, listener):
    listener.plan = [(302, {"location": f"http://localhost:{listener.server_port}/inside"}, b"")]
    assert isinstance((await run(engine, getting(listener))).error, BadInput)
    listener.plan = [(302, {"location": "/elsewhere"}, b"")]
    assert (await run(engine, getting(listener))).output["path"] == "/elsewhere"


async def test_a_header_with_a_secret(engine, listener, monkeypatch):
    monkeypatch.setenv("WORKLETS_SECRET_TOKEN", "s3cret")
    asking = getting(listener, secret_headers={"x-agent": "Bearer {TOKEN}"})
    result = await run(engine, asking)
    assert result.output["agent"] == "Bearer s3cret"
    assert "s3cret" not in asking.graph.model_dump_json()
    assert read_document(asking.graph.model_dump(mode="json")) == asking.graph
    monkeypatch.delenv("WORKLETS_SECRET_TOKEN")
    assert "no secret 'TOKEN'" in (await run(engine, asking)).error.detail


async def test_a_secret_does_not_go_where_another_redirects_to(listener, monkeypatch):
    monkeypatch.setenv("WORKLETS_SECRET_TOKEN", "s3cret")
    other = Listener()
    threading.Thread(target=other.serve_forever, daemon=True).start()
    outgoing = Outgoing(Egress(allow_private=["127.0.0.1"]))
    engine = Engine(services=Services(outgoing=outgoing))
    asking = getting(listener, secret_headers={"x-agent": "{TOKEN}"})
    listener.plan = [(302, {"location": "/elsewhere"}, b"")]
    assert (await run(engine, asking)).output["agent"] == "s3cret"
    listener.plan = [(302, {"location": f"http://{other.address}/theirs"}, b"")]
    found = (await run(engine, asking)).output
    assert (found["path"], found["agent"]) == ("/theirs", "")
    engine.close()
    await outgoing.close()
    other.shutdown()
    other.server_close()


@pytest.mark.parametrize(
    ("url", "headers", "said"),
    [
        (None, {"x": "{TOKEN}"}, "its address is known only when it runs"),
        ("https://example.org", {"x": "token"}, "names no secret"),
    ],
)
def test_secret_headers_that_do_not_fit(url, headers, said):
    def wrong(where: str) -> Any:
        return pw.http("GET", url or where, secret_headers=headers)

    with pytest.raises(DefinitionError) as caught:
        pw.worklet(wrong)
    assert said in str(caught.value.faults[0])


@pytest.mark.parametrize(("hosts", "state"), [(["127.0.0.1"], "completed"), (["*.example.com", "other:80"], "failed")])
async def test_the_servers_list_of_hosts(listener, hosts, state):
    outgoing = Outgoing(hosts=hosts)
    engine = Engine(services=Services(outgoing=outgoing))
    assert (await run(engine, getting(listener))).state == state
    engine.close()
    await outgoing.close()


async def test_too_large_an_answer(engine, listener):
    listener.plan = [(200, {}, b"[" + b"1," * 600 + b"1]")]
    result = await run(engine, getting(listener, max_bytes=1000))
    assert "more than 1,000 bytes" in result.error.detail


async def test_an_answer_that_does_not_come(engine, listener):
    result = await run(engine, getting(listener, "/slow", timeout=0.2, retries=0))
    assert result.state in ("failed", "timed-out")
    assert isinstance(result.error, RequestFailed | TookTooLong)


@pytest.mark.parametrize(
    ("returns", "kind", "content", "found"),
    [
        (Any, "text/plain", b"h\xc3\xa4", "hä"),
        (Any, "image/png", b"\x89", b"\x89"),
        (str, "application/json", b"[1]", "[1]"),
        (bytes, "application/json", b"[1]", b"[1]"),
        (list[int], "text/plain", b'["1"]', [1]),
        (Any, "application/json", b"", None),
    ],
)
async def test_an_answer_is_read_as_its_type(engine, listener, returns, kind, content, found):
    listener.plan = [(200, {"content-type": kind}, content)]
    assert (await run(engine, getting(listener, returns=returns))).output == found


@pytest.mark.parametrize(
    ("content", "said"), [(b'{"path": 1}', "was answered no Echo: method"), (b"<html>", "no JSON")]
)
async def test_an_answer_of_another_shape(engine, listener, content, said):
    listener.plan = [(200, {}, content)]
    result = await run(engine, getting(listener, returns=Echo))
    assert isinstance(result.error, NodeFailed)
    assert said in result.error.detail


async def test_a_run_that_is_taken_up_again_does_not_ask_twice(engine, listener, tmp_path):
    worklet, id, checkpoints = getting(listener), new_run_id(), Checkpoints(tmp_path)
    for _ in range(2):
        plan = with_checkpoints(worklet.plan, id, checkpoints, await asyncio.to_thread(checkpoints.kept, id))
        result = await engine.run(plan, (), engine.context(worklet.name, run_id=id))
        assert result.output["path"] == "/thing"
    assert len(listener.asked) == 1


BAD = {
    "method": (lambda: pw.http("FETCH", "http://x.example/"), "its method is 'FETCH'"),
    "scheme": (lambda: pw.http("GET", "ftp://x.example/"), "no http:// or https:// URL"),
    "open host": (lambda: pw.http("GET", "http://{h}.example/", path={"h": "a"}), "leaves the host open"),
    "missing": (lambda: pw.http("GET", "http://x.example/{id}"), "path does not give it"),
    "unused": (lambda: pw.http("GET", "http://x.example/", path={"id": 1}), "which the address has not"),
    "bytes": (lambda: pw.http("GET", "http://x.example/", max_bytes=0), "its max_bytes is 0"),
}


@pytest.mark.parametrize("what", BAD)
def test_faults_of_a_definition(what):
    place, said = BAD[what]
    with pytest.raises(DefinitionError) as caught:

        @pw.worklet
        def wrong() -> Any:
            return place()

    assert any(said in fault.msg for fault in caught.value.faults)


@pytest.mark.parametrize("value", ["..", ".", ""])
async def test_a_value_stays_in_its_place_of_the_address(engine, listener, value):
    url = f"http://{listener.address}/users/{{id}}/notes"

    @pw.worklet
    def notes(id: str) -> Any:
        return pw.http("GET", url, path={"id": id})

    assert isinstance((await run(engine, notes, value)).error, BadInput)
    assert listener.asked == []


def test_outside_a_worklet_it_says_where_it_belongs():
    with pytest.raises(DefinitionError, match="sent by a worklet's run"):
        pw.http("GET", "http://x.example/")


PROJECT = """
import prefect_worklets as pw

@pw.worklet
def ask(url: str) -> list:
    return [pw.http("GET", "https://api.example.com/a"), pw.http("GET", url)]
"""


def test_a_projects_list_of_hosts(tree):
    good = '[tool.worklets]\nhttp_hosts = ["*.example.com"]\n'
    worklet = load_project(tree({"ask.py": PROJECT, "pyproject.toml": good})).worklets["ask"]
    assert [node.settings["hosts"] for node in worklet.graph.nodes] == [["*.example.com"]] * 2
    assert check(worklet.graph) == []
    for bad, said in [(good.replace("*.", "www."), "not among"), (good.replace("[", "", 1), "TOML"),
                      (good.replace("*.", "*/"), "http_hosts under")]:  # fmt: skip
        with pytest.raises(DefinitionError) as caught:
            load_project(tree({"ask.py": PROJECT, "pyproject.toml": bad}))
        assert said in str(caught.value)


async def test_a_picture(engine, listener):
    picture = pw.Image.from_array(np.full((2, 3, 3), 200, np.uint8))
    listener.plan = [(200, {"content-type": "image/png"}, picture.png())]
    result = await run(engine, getting(listener, returns=pw.Image))
    assert (result.output.width, result.output.height) == (3, 2)
