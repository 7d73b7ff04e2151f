"""The gateway: who it says it acts for, and how it reads answers and errors."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image
from prefect_worklets.connectors.egress import Egress
from prefect_worklets.connectors.errors import BadInput, NotSignedIn, TookTooLong, Unavailable, WorkletsError
from prefect_worklets.panel_views.gateway import HttpGateway, web_picture

Answer = Callable[[httpx.Request], httpx.Response]


async def ada() -> str:
    return "user-ada"


async def nobody() -> str:
    raise NotSignedIn("The session has ended; sign in again.")


def gateway(answer: Answer, identity: Any = ada) -> HttpGateway:
    client = httpx.AsyncClient(base_url="http://api.test", transport=httpx.MockTransport(answer))
    return HttpGateway(client, "internal", identity, Egress())


async def test_it_acts_for_the_user() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"image": "/api/files/1"})

    assert await gateway(answer).run_worklet("stylize", {"size": 3}) == {"image": "/api/files/1"}
    (request,) = asked
    assert request.url.path == "/api/worklets/stylize/invoke"
    assert request.headers["authorization"] == "Bearer internal"
    assert request.headers["x-worklets-user"] == "user-ada"


async def test_a_model_is_asked() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/models/iris@2/predict"
        assert json.loads(request.content) == {"inputs": [[1, 2]]}
        assert request.headers["x-worklets-user"] == "user-ada"
        return httpx.Response(200, json={"outputs": ["setosa"], "model": "iris", "version": "2"})

    assert await gateway(answer).predict("iris@2", [[1, 2]]) == ["setosa"]


async def test_rows() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["limit"] == "5"
        return httpx.Response(200, json={"table": "t", "rows": [{"id": "1"}]})

    assert await gateway(answer).rows("t", 5) == [{"id": "1"}]


async def test_a_session_that_ended_asks_nothing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing may be asked")

    with pytest.raises(NotSignedIn):
        await gateway(answer, nobody).run_worklet("stylize", {})
    with pytest.raises(NotSignedIn):
        await gateway(answer, nobody).import_image("https://example.org/x.png")


async def test_a_problem_keeps_its_detail_status_and_faults() -> None:
    body = {"title": "Bad input", "detail": "No.", "errors": [{"loc": ["style"], "msg": "is no image", "type": "x"}]}
    with pytest.raises(WorkletsError) as caught:
        await gateway(lambda request: httpx.Response(400, json=body)).run_worklet("stylize", {})
    assert (caught.value.detail, caught.value.status, caught.value.title) == ("No.", 400, "Bad input")
    assert caught.value.faults[0].loc == ("style",)


@pytest.mark.parametrize(
    "response",
    [httpx.Response(502, text="<h1>Bad gateway</h1>"), httpx.Response(500, json=[1]), httpx.Response(500, json=None)],
)
async def test_an_error_that_is_no_problem_document(response: httpx.Response) -> None:
    with pytest.raises(WorkletsError, match=f"status {response.status_code}"):
        await gateway(lambda request: response).run_worklet("stylize", {})


async def test_an_answer_that_is_no_json() -> None:
    with pytest.raises(Unavailable):
        await gateway(lambda request: httpx.Response(200, text="hello")).run_worklet("stylize", {})


@pytest.mark.parametrize(
    ("raised", "error"), [(httpx.ReadTimeout("t"), TookTooLong), (httpx.ConnectError("c"), Unavailable)]
)
async def test_a_server_that_is_away(raised: Exception, error: type[WorkletsError]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise raised

    with pytest.raises(error):
        await gateway(answer).run_worklet("stylize", {})


@pytest.mark.parametrize("url", ["http://127.0.0.1/x.png", "http://169.254.169.254/latest", "file:///etc/passwd", "x"])
async def test_pictures_come_from_no_private_address(url: str) -> None:
    with pytest.raises(BadInput):
        await gateway(lambda request: httpx.Response(200)).import_image(url)


@pytest.mark.parametrize(("format", "kind"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"),
                                              ("WEBP", "image/webp"), ("TIFF", None)])  # fmt: skip
def test_web_pictures_by_their_bytes(format: str, kind: str | None) -> None:
    content = io.BytesIO()
    Image.new("RGB", (4, 4)).save(content, format=format)
    assert web_picture(content.getvalue()) == kind


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>", b"RIFF1234WAVE"])
def test_what_is_no_picture(content: bytes) -> None:
    assert web_picture(content) is None
