"""A real HTTP server of the test's own, which notes what it is asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Listener(ThreadingHTTPServer):
    """Answers what it was asked; `plan` holds answers that come first: status, headers, body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.held = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listener

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.bodies.append(body)
        if self.path.startswith("/slow"):
            self.server.held.wait(10)
        parts = urlsplit(self.path)
        echo = {
            "method": self.command, "path": parts.path, "query": parse_qs(parts.query),
            "body": json.loads(body) if body else None, "agent": self.headers.get("x-agent", ""),
        }  # fmt: skip
        status, headers, content = self.server.plan.pop(0) if self.server.plan else (200, {}, json.dumps(echo).encode())
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_: Any) -> None:
        pass
