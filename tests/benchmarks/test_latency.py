"""An answer leaves at once: its body is not held back until its head is acknowledged."""

import http.client
import socket
import time

import pytest

from prefect_worklets import ports


def test_connections_to_a_bound_socket_send_without_delay():
    with ports.bind("127.0.0.1", ports.any_free()) as bound, socket.create_connection(bound.getsockname()):
        accepted, _ = bound.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.integration
def test_a_running_server_answers_within_milliseconds(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    latencies = []
    for _ in range(30):
        began = time.perf_counter()
        connection.request("GET", "/api/health")
        connection.getresponse().read()
        latencies.append(time.perf_counter() - began)
    connection.close()
    # The quickest, because a busy machine slows most of them; a held-back body slows all but the first few.
    assert sorted(latencies[10:])[5] < 0.03
