from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from prefect_worklets.connectors.errors import Unavailable
from prefect_worklets.panel_views.console import FlowRunLookup


class Prefect:
    """A server that answers as it is told to."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"[]"
        self.asked: list[tuple[str, str | None, Any]] = []
        prefect = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                prefect.asked.append((self.path, self.headers["authorization"], json.loads(content)))
                self.send_response(prefect.status)
                self.send_header("content-length", str(len(prefect.body)))
                self.end_headers()
                self.wfile.write(prefect.body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api"


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    found = Prefect()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join(5)


class TestFlowRunLookup:
    def test_it_asks_by_the_idempotency_key(self, prefect: Prefect) -> None:
        prefect.body = b'[{"id": "f-1"}]'
        assert FlowRunLookup(prefect.url + "/", api_key="k")("r-1") == "f-1"
        question = {"flow_runs": {"idempotency_key": {"any_": ["r-1"]}}, "limit": 1}
        assert prefect.asked == [("/api/flow_runs/filter", "Bearer k", question)]

    def test_none_is_none(self, prefect: Prefect) -> None:
        assert FlowRunLookup(prefect.url, auth_string="a:b")("r-1") is None
        assert str(prefect.asked[0][1]).startswith("Basic ")

    @pytest.mark.parametrize(("status", "body"), [(500, b"[]"), (200, b"<html>"), (401, b"{}")])
    def test_a_bad_answer_is_told(self, prefect: Prefect, status: int, body: bytes) -> None:
        prefect.status, prefect.body = status, body
        with pytest.raises(Unavailable, match="Prefect can't be asked"):
            FlowRunLookup(prefect.url)("r-1")

    def test_a_server_that_is_down(self) -> None:
        with pytest.raises(Unavailable):
            FlowRunLookup("http://127.0.0.1:9/api", timeout=1.0)("r-1")
