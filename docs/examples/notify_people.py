"""A message to people: here to a webhook of this file's own."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer


class Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        print(f"{message['title']}: {message['message']}")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


server = HTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=server.serve_forever, daemon=True).start()
# A direct call finds secrets in the environment; the server keeps them encrypted.
os.environ["WORKLETS_SECRET_TEAM"] = f"json://127.0.0.1:{server.server_port}/hook"

# --8<-- [start:notify]
import prefect_worklets as pw


@pw.node
def summary(scores: list[float]) -> str:
    return f"{len(scores)} scores, the best is {max(scores)}"


@pw.worklet
def report(scores: list[float]) -> str:
    text = summary(scores)
    pw.notify("TEAM", title="Scores", body=text)
    return text


report([0.4, 0.9])
# --8<-- [end:notify]
