"""What the record keeps of the nodes of invoked runs: all of those that fail, and one a second of the rest."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest
from prefect_worklets.flows.node_details import Sampling
from prefect_worklets.flows.observing import kept_lines

from .conftest import Server

SOURCE = {
    "flow.py": """
import logging
import prefect_worklets as pw

calls = []

@pw.node
def doubled(x: int) -> int:
    pw.context().logger.info("doubling %d", x)
    return 2 * x

@pw.node(retries=2)
def checked(x: int, most: int = 10) -> dict:
    calls.append(x)
    if x > most and len(calls) < 3:
        logging.getLogger("shop").warning("too many")
        raise ValueError(f"{x} is more than {most}")
    return {"x": x, "is_good": x <= most}

@pw.node
def refused(x: int) -> int:
    raise ValueError(f"no {x}")

@pw.worklet
def order(x: int, most: int = 10) -> dict:
    return checked(doubled(x), most)

@pw.worklet
def refusing(x: int) -> int:
    return refused(doubled(x))
"""
}


def kept(server: Server, position: int = -1) -> dict[str, Any] | None:
    details = server.journal.appended[position].details
    return orjson.loads(details) if details is not None else None


async def test_values_logs_and_failed_attempts(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.push(SOURCE)
    with kept_lines(), caplog.at_level(logging.INFO):
        run = (await server.invoke("order", {"x": 7})).headers["x-run-id"]
    found = kept(server)
    assert found is not None
    assert found["doubled"]["output"] == 14
    ((at_us, level, text),) = found["doubled"]["lines"]
    assert (at_us >= 0, level, text) == (True, "INFO", "doubling 7")
    assert found["checked"]["output"] == {"x": 14, "is_good": False}
    assert found["checked"]["failures"] == ["ValueError: 14 is more than 10"] * 2
    assert [line[2] for line in found["checked"]["lines"]] == ["too many"] * 2
    shown = (await server.client.get(f"/api/runs/{run}/nodes/checked", headers=server.as_role("builder"))).json()
    assert shown["given"] == {"x": 14, "most": 10}
    assert (shown["state"], shown["attempts"], shown["settings"]) == ("completed", 3, {"retries": 2})
    assert shown["arguments"] == {"x": "doubled()", "most": "most"}
    assert shown["output"] == {"x": 14, "is_good": False}


async def test_one_a_second_of_those_that_complete_and_all_that_fail(server: Server) -> None:
    server.push(SOURCE)
    server.app._sampling = Sampling(3600)
    for _ in range(3):
        await server.invoke("order", {"x": 1})
    assert [kept(server, number) is not None for number in (-3, -2, -1)] == [True, False, False]
    for _ in range(2):
        await server.invoke("refusing", {"x": 1})
        assert (kept(server) or {})["doubled"]["output"] == 2


async def test_who_sees_what(server: Server) -> None:
    server.push(SOURCE)
    run = (await server.invoke("order", {"x": 1})).headers["x-run-id"]
    mine = (await server.client.get(f"/api/runs/{run}/nodes/doubled", headers=server.as_role("operator"))).json()
    assert (mine["state"], mine["is_kept"], mine["given"], mine["output"]) == ("completed", False, {}, None)
    others = await server.client.get(f"/api/runs/{run}/nodes/doubled", headers=server.as_role("viewer"))
    assert others.status_code == 404
    missing = await server.client.get(f"/api/runs/{run}/nodes/nothing", headers=server.as_role("builder"))
    assert missing.status_code == 404
    assert "no node 'nothing'" in missing.json()["detail"]
