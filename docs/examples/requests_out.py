"""A request to another server: here to a small one of this file's own."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer


class Rates(BaseHTTPRequestHandler):
    busy = True

    def do_GET(self) -> None:
        self.send_response(503 if Rates.busy else 200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        if not Rates.busy:
            self.wfile.write(json.dumps({"currency": self.path.rpartition("/")[2], "euros": 1.5}).encode())
        Rates.busy = False

    def log_message(self, *_: object) -> None:
        pass


server = HTTPServer(("127.0.0.1", 0), Rates)
threading.Thread(target=server.serve_forever, daemon=True).start()
RATES = f"http://127.0.0.1:{server.server_port}/rates"

# --8<-- [start:request]
from pydantic import BaseModel

import prefect_worklets as pw


class Rate(BaseModel):
    currency: str
    euros: float


@pw.node
def in_euros(amount: float, rate: Rate) -> str:
    return f"{amount * rate.euros:.2f} EUR"


@pw.worklet
def convert(amount: float, currency: str) -> str:
    rate = pw.http("GET", RATES + "/{currency}", path={"currency": currency}, returns=Rate)
    return in_euros(amount, rate)


print(convert(10, "GBP"))
# --8<-- [end:request]
