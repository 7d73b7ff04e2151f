from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prefect_worklets.connectors.errors import BadInput, NodeFailed, TookTooLong
from prefect_worklets.flows.nodes import node
from prefect_worklets.flows.recovering import recover
from prefect_worklets.flows.requesting import http
from prefect_worklets.flows.worklet import worklet
from pydantic import BaseModel

pytestmark = pytest.mark.integration


class Pair(BaseModel):
    a: float
    b: float


calls: list[str] = []


@node
def left(pair: Pair) -> float:
    return pair.a


@node(retries=2)
def right(pair: Pair) -> float:
    calls.append("right")
    if len(calls) < 2:
        raise OSError("not yet")
    return pair.b


@node
async def add(x: float, y: float) -> float:
    return x + y


@worklet
def total(pair: Pair) -> float:
    """Adds both."""
    return add(left(pair), right(pair))


@node(timeout=0.05)
async def late() -> int:
    import asyncio

    await asyncio.sleep(5)
    return 1


@worklet
def too_late() -> int:
    return late()


@node
def broken() -> int:
    raise ValueError("no")


@worklet
def breaking() -> int:
    return broken()


@node
def instead(value: int, why: str) -> int:
    return -value if "no" in why else 0


@worklet
def guarded(value: int) -> int:
    return recover(broken(), lambda error: instead(value, error))


@pytest.fixture(scope="module")
def prefect() -> Iterator[None]:
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.mark.usefixtures("prefect")
async def test_the_flow_gives_what_the_call_gives() -> None:
    calls.clear()
    direct = total(Pair(a=1, b=2))
    calls.clear()
    assert await total.flow(Pair(a=1, b=2)) == direct == 3
    assert calls == ["right", "right"]
    assert await total.flow(pair={"a": 2, "b": 3}) == 5


@pytest.mark.usefixtures("prefect")
async def test_the_flow_goes_on_from_a_failure() -> None:
    assert await guarded.flow(5) == -5
    assert guarded(5) == -5


def test_the_flow_has_name_and_parameters_of_the_worklet() -> None:
    assert total.flow.name == "total"
    assert total.flow.description == "Adds both."
    assert total.flow.parameters.required == ["pair"]
    assert total.flow is total.flow


@pytest.mark.usefixtures("prefect")
async def test_failures_are_the_same() -> None:
    with pytest.raises(BadInput):
        await total.flow(pair={"a": "x"})
    with pytest.raises(NodeFailed, match="'broken' failed: ValueError: no"):
        await breaking.flow()
    with pytest.raises(TookTooLong, match="'late' took longer"):
        await too_late.flow()


@pytest.mark.usefixtures("prefect")
async def test_a_request_is_repeated_as_a_task_too(listener) -> None:
    url = f"http://{listener.address}/thing"
    listener.plan = [(503, {"retry-after": "0"}, b"")]

    @worklet
    def ask() -> Any:
        return http("GET", url, backoff=0)

    assert (await ask.flow())["path"] == "/thing"
    assert len(listener.asked) == 2


def test_defining_and_calling_a_worklet_needs_no_prefect() -> None:
    code = (
        "import sys; from prefect_worklets.flows import worklet, nodes, engine, api, invoke; "
        "print('prefect' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
