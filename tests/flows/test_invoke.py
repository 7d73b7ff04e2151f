from __future__ import annotations

import asyncio
import io
import logging
from typing import Any

import orjson
import pytest
from PIL import Image as Pillow
from prefect_worklets.flows.invoke import BODY_LIMIT

from .conftest import Server

SOURCE = {
    "flow.py": """
from __future__ import annotations
import asyncio, time
from typing import Any
from pydantic import BaseModel, Field
import numpy as np
from prefect_worklets.connectors.errors import BadInput, Fault
from prefect_worklets.connectors.images import Image
from prefect_worklets.flows.context import current
from prefect_worklets.flows.nodes import node, model, save
from prefect_worklets.flows.worklet import worklet

class Request(BaseModel):
    name: str
    size: int = Field(default=3, ge=1)
    parts: list[float] = []

class Answer(BaseModel):
    text: str
    by: str | None = None

@node
def compose(request: Request) -> Answer:
    return Answer(text=request.name * request.size, by=current().principal.name)

@worklet(tags=["texts"])
def repeat(request: Request) -> Answer:
    '''Repeats a name.'''
    return compose(request)

@node
def fail(kind: str) -> Any:
    if kind == "bad":
        raise BadInput("Not this.", faults=[Fault(("kind",), "is bad", fix="send another")])
    if kind == "nan":
        return {"x": float("nan")}
    if kind == "object":
        return object()
    raise RuntimeError("secret path /etc")

@worklet
def failing(kind: str) -> Any:
    return fail(kind)

@node
async def sleep(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds

@worklet(timeout=0.05)
def slow(seconds: float) -> float:
    return sleep(seconds)

@worklet
def patient(seconds: float) -> float:
    return sleep(seconds)

@node
def flip(picture: Image, times: int) -> Image:
    return Image.from_array(np.ascontiguousarray(picture.array()[:, ::-1]) if times % 2 else picture.array())

@worklet
def flipped(picture: Image, times: int = 1) -> Image:
    return flip(picture, times)

@node
def two(picture: Image) -> dict[str, Any]:
    return {"a": picture, "b": picture}

@worklet
def doubled(picture: Image) -> dict[str, Any]:
    return two(picture)

@worklet
def asked(a: float) -> Any:
    return model("double")(a)

@node
def wrong(a: int) -> Any:
    return {"text": 1}

@worklet
def misfit(a: int) -> Answer:
    return wrong(a)

@worklet
def kept(note: str) -> Any:
    return save("notes")({"note": note})
"""
}


@pytest.fixture
async def pushed(server: Server) -> Server:
    server.push(SOURCE)
    return server


def png(colour: str = "red", size: tuple[int, int] = (4, 3)) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


async def test_the_body_is_the_input_and_the_output_is_the_body(pushed: Server) -> None:
    answer = await pushed.invoke("repeat", {"name": "ab"})
    assert answer.status_code == 200
    assert answer.json() == {"text": "ababab", "by": "operator"}
    assert answer.headers["content-type"] == "application/json"
    record = pushed.journal.last
    assert record.id == answer.headers["x-run-id"]
    assert (record.worklet, record.version, record.trigger, record.state) == ("repeat", 1, "api", "completed")
    assert record.input == b'{"name":"ab"}'
    assert record.output == answer.content
    assert [entry[:3] for entry in record.nodes] == [["compose", "node", "completed"]]
    assert record.principal is not None
    assert record.principal.startswith("key:")


async def test_quick_and_threaded_calls_answer_the_same(pushed: Server) -> None:
    answers = {(await pushed.invoke("repeat", {"name": "x", "size": 2})).text for _ in range(12)}
    assert answers == {'{"text":"xx","by":"operator"}'}


@pytest.mark.parametrize(
    ("body", "places"),
    [
        (b'{"name": 1}', ["name"]),
        (b"{}", ["name"]),
        (b"", ["name"]),
        (b'{"size": 0, "parts": [1, "x"]}', ["name", "size", "parts.1"]),
        (b"[]", [""]),
        (b'{"name": "a"', None),
        (b"\xff\xfe", None),
        (b"[" * 5000, None),
    ],
)
async def test_bad_input_is_told_with_every_place(pushed: Server, body: bytes, places: list[str] | None) -> None:
    answer = await pushed.invoke("repeat", content=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    if places is None:
        assert "not valid JSON" in problem["detail"]
    else:
        assert [".".join(map(str, error["loc"])) for error in problem["errors"]] == places
    assert "x-run-id" not in answer.headers
    assert pushed.journal.appended == []


@pytest.mark.parametrize(
    ("body", "place"), [({"seconds": "x"}, "seconds"), ({}, "seconds"), ({"seconds": 0, "secs": 1}, "secs")]
)
async def test_plain_parameters_are_checked_too(pushed: Server, body: Any, place: str) -> None:
    answer = await pushed.invoke("patient", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"] == [place]


async def test_who_may_invoke(pushed: Server) -> None:
    assert (await pushed.invoke("repeat", {"name": "a"}, "viewer")).status_code == 403


async def test_a_viewer_may_through_the_views_process(pushed: Server) -> None:
    viewer = pushed.access.ensure_user("vera", "viewer")
    headers = {"authorization": "Bearer the-instances-own", "x-worklets-user": viewer.id}
    assert (await pushed.invoke("repeat", {"name": "a"}, headers=headers)).status_code == 200
    assert pushed.journal.last.principal == viewer.id
    for header in ("", "Bearer wrong", "Basic abc", "bearer"):
        refused = await pushed.client.post("/api/worklets/repeat/invoke", headers={"authorization": header}, json={})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
    lower = {"authorization": f"bearer {pushed.keys['operator']}"}
    assert (await pushed.client.post("/api/worklets/repeat/invoke", headers=lower, json={"name": "a"})).is_success


async def test_unknown_worklets_have_close_matches(pushed: Server) -> None:
    answer = await pushed.invoke("repeet", {})
    assert answer.status_code == 404
    assert "Did you mean 'repeat'" in answer.json()["detail"]
    assert (await pushed.invoke("a/b", {})).status_code == 404


async def test_bad_input_from_a_node_is_a_400_of_a_run(pushed: Server) -> None:
    answer = await pushed.invoke("failing", {"kind": "bad"})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"loc": ["kind"], "msg": "is bad", "type": "invalid", "fix": "send another"}]
    assert pushed.journal.last.id == answer.headers["x-run-id"]
    assert pushed.journal.last.state == "failed"


async def test_a_failing_node_shows_no_traceback_but_the_record_has_it(
    pushed: Server, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await pushed.invoke("failing", {"kind": "boom"})
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert "Node 'fail' failed: RuntimeError" in answer.json()["detail"]
    error = pushed.journal.last.error
    assert error is not None
    assert error["node"] == "fail"
    assert "flow.py" in error["traceback"]
    assert "RuntimeError" in caplog.text


async def test_outputs_that_are_no_json(pushed: Server) -> None:
    assert (await pushed.invoke("failing", {"kind": "nan"})).json() == {"x": None}
    answer = await pushed.invoke("failing", {"kind": "object"})
    assert answer.status_code == 500
    assert "can't be written as JSON" in answer.json()["detail"]
    assert pushed.journal.last.state == "failed"
    misfit = await pushed.invoke("misfit", {"a": 1})
    assert "doesn't fit Answer: text" in misfit.json()["detail"]


async def test_time_limits_are_504(pushed: Server) -> None:
    answer = await pushed.invoke("slow", {"seconds": 5})
    assert answer.status_code == 504
    assert pushed.journal.last.state == "timed-out"
    assert answer.headers["x-run-id"] == pushed.journal.last.id
    assert (await pushed.invoke("slow", {"seconds": 0.001})).json() == 0.001


async def test_a_model_that_is_absent_or_there(pushed: Server) -> None:
    assert (await pushed.invoke("asked", {"a": 2})).status_code == 500
    pushed.models.functions["double"] = lambda a: a * 2
    assert (await pushed.invoke("asked", {"a": 2})).json() == 4


@pytest.mark.parametrize(
    "body", [b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e999}', b'{"a":\n 1.5}', '{"a": "\uff12"}'.encode()]
)
async def test_the_record_is_strict_json_whatever_came(pushed: Server, body: bytes) -> None:
    import orjson

    pushed.models.functions["double"] = lambda a: a
    answer = await pushed.invoke("asked", content=body)
    if answer.status_code == 200:
        assert pushed.journal.last.input is not None
        orjson.loads(pushed.journal.last.input)


async def test_a_body_over_the_limit_is_refused(pushed: Server) -> None:
    announced = await pushed.invoke("repeat", content=b"x" * (BODY_LIMIT + 1))
    assert announced.status_code == 413

    async def chunks() -> Any:
        for _ in range(21):
            yield b"x" * 1_000_000

    streamed = await pushed.invoke("repeat", content=chunks())
    assert streamed.status_code == 413
    assert streamed.headers["connection"] == "close"
    assert streamed.json()["type"].endswith(":too-large")


async def test_a_large_body_is_read(pushed: Server) -> None:
    parts = [float(number) for number in range(100_000)]
    assert (await pushed.invoke("repeat", {"name": "a", "parts": parts})).status_code == 200


class TestImages:
    async def test_a_form_with_a_file(self, pushed: Server) -> None:
        answer = await pushed.invoke("flipped", files={"picture": ("a.png", png(), "image/png")}, data={"times": "2"})
        assert answer.status_code == 200
        assert answer.json().startswith("data:image/png;base64,")
        recorded = orjson.loads(pushed.journal.last.input or b"")
        assert recorded["times"] == 2
        assert set(recorded["picture"]) == {"$truncated", "media_type"}

    async def test_a_png_is_answered_where_only_that_is_wanted(self, pushed: Server) -> None:
        files = {"picture": png()}
        answer = await pushed.invoke("flipped", files=files, headers={"accept": "image/png"})
        assert answer.headers["content-type"] == "image/png"
        assert Pillow.open(io.BytesIO(answer.content)).size == (4, 3)
        both = await pushed.invoke("flipped", files=files, headers={"accept": "image/png, */*"})
        assert both.headers["content-type"] == "application/json"

    async def test_two_images_stay_json(self, pushed: Server) -> None:
        answer = await pushed.invoke("doubled", files={"picture": png()}, headers={"accept": "image/png"})
        assert set(answer.json()) == {"a", "b"}

    @pytest.mark.parametrize(
        "options",
        [
            {"files": {"picture": b"no picture"}},
            {"json": {"picture": "data:image/png;base64,AAAA"}},
            {"json": {"picture": "hello"}},
            {"files": {"other": png()}},
        ],
    )
    async def test_what_is_no_image_names_its_field(self, pushed: Server, options: dict[str, Any]) -> None:
        answer = await pushed.invoke("flipped", **options)
        assert answer.status_code == 400
        assert "picture" in {error["loc"][0] for error in answer.json()["errors"]}

    async def test_a_broken_form_is_told(self, pushed: Server) -> None:
        headers = {"content-type": "multipart/form-data; boundary=x"}
        assert (await pushed.invoke("flipped", content=b"--x\r\nbroken", headers=headers)).status_code == 400
        headers = {"content-type": "multipart/form-data"}
        assert (await pushed.invoke("flipped", content=b"broken", headers=headers)).status_code == 400


async def test_saved_rows_belong_to_the_caller(pushed: Server) -> None:
    assert (await pushed.invoke("kept", {"note": "hi"})).json() == {"note": "hi"}
    await pushed.invoke("kept", {"note": "other"}, "admin")
    mine = await pushed.client.get("/api/tables/notes/rows", headers=pushed.as_role("operator"))
    assert [row["data"] for row in mine.json()["rows"]] == [{"note": "hi"}]
    every = await pushed.client.get("/api/tables/notes/rows?owner=*", headers=pushed.as_role("admin"))
    assert [row["data"]["note"] for row in every.json()["rows"]] == ["other", "hi"]
    refused = await pushed.client.get("/api/tables/notes/rows?owner=*", headers=pushed.as_role("builder"))
    assert refused.status_code == 403


async def test_a_client_that_goes_away_cancels_its_run(pushed: Server) -> None:
    body = b'{"seconds": 5}'
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", pushed.as_role("operator")["authorization"].encode())]
    scope = {"type": "http", "method": "POST", "path": "/api/worklets/patient/invoke", "headers": headers}
    await asyncio.wait_for(pushed.app(scope, receive, send), 2)
    assert pushed.journal.last.state == "cancelled"
    assert sent == []


async def test_a_fault_of_the_server_is_logged_and_not_shown(
    pushed: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("inner secret")

    monkeypatch.setattr(pushed.journal, "append", broken)
    with caplog.at_level(logging.ERROR):
        answer = await pushed.invoke("repeat", {"name": "a"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "inner secret" in caplog.text
    assert "x-run-id" in answer.headers
