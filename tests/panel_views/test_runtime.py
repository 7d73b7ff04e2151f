"""The runtime: values, loading, faults, outdated answers. No Panel, no network, no clock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect_worklets.connectors.access import Principal, Role
from prefect_worklets.connectors.errors import BadInput, Fault, NotSignedIn, Unavailable, WorkletsError
from prefect_worklets.panel_views.cells import Cell, part_of
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.runtime import Runtime

ADA = Principal("u1", "Ada", Role.operator)


class Desk:
    """The other side of the gateway: each question waits until the test answers it."""

    def __init__(self) -> None:
        self.runs: list[tuple[dict[str, Any], asyncio.Future[Any]]] = []
        self.stored: list[dict[str, Any]] | WorkletsError = []
        self.reads = 0

    async def run_worklet(self, name: str, inputs: dict[str, Any]) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.runs.append((inputs, answer))
        return await answer

    async def rows(self, table: str, limit: int) -> list[dict[str, Any]]:
        self.reads += 1
        if isinstance(self.stored, WorkletsError):
            raise self.stored
        return self.stored[:limit]

    async def import_image(self, url: str) -> str:
        return url


class Seen:
    """What the runtime told of."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str, Cell]] = []
        self.faults: dict[str, str | None] = {}
        self.kept: dict[str, Any] = {}

    def property(self, component: str, name: str, cell: Cell) -> None:
        self.log.append((component, name, cell))

    def fault(self, component: str, message: str | None) -> None:
        self.faults[component] = message

    async def keep(self, key: str, value: Any) -> None:
        await asyncio.sleep(0)
        self.kept[key] = value


async def turn() -> None:
    """Let everything that can go on go on."""
    for _ in range(12):
        await asyncio.sleep(0)


def opened(document: dict[str, Any], desk: Desk, seen: Seen, user: Principal | None = ADA) -> Runtime:
    view = parse(document)
    state = {declared.key: declared.default for declared in view.state}
    runtime = Runtime(view, desk, user, state, seen.property, seen.fault, seen.keep)
    runtime.start()
    return runtime


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def seen() -> Seen:
    return Seen()


async def test_first_values(small: dict[str, Any], desk: Desk, seen: Seen) -> None:
    desk.stored = [{"id": "1", "data": {}}]
    runtime = opened(small, desk, seen)
    assert runtime.cell("amount", "value") == Cell(3.0, "ready")
    assert runtime.cell("half", "text") == Cell(1.5, "ready")
    assert runtime.cell("who", "text") == Cell("Ada", "ready")
    assert runtime.cell("shown", "text") == Cell(None, "empty")
    assert runtime.cell("rows", "items") == Cell(None, "loading")
    await runtime.idle()
    assert runtime.cell("rows", "items") == Cell([{"id": "1", "data": {}}], "ready")


async def test_nobody_signed_in(small: dict[str, Any], desk: Desk, seen: Seen) -> None:
    desk.stored = NotSignedIn("Sign in to use this view.")
    runtime = opened(small, desk, seen, user=None)
    await runtime.idle()
    assert runtime.cell("who", "text") == Cell(None, "empty")
    cell = runtime.cell("rows", "items")
    assert cell is not None
    assert cell.status == "error"
    assert cell.error is not None
    assert cell.error["detail"] == "Sign in to use this view."


class TestChanges:
    async def test_a_component_s_value_reaches_those_that_read_it_and_no_other(
        self, small: dict[str, Any], desk: Desk, seen: Seen
    ) -> None:
        runtime = opened(small, desk, seen)
        await runtime.idle()
        seen.log.clear()
        runtime.changed("amount", "value", 8)
        assert seen.log == [("half", "text", Cell(4.0, "ready"))]

    async def test_a_state_is_set_by_an_event_kept_and_shown(
        self, small: dict[str, Any], desk: Desk, seen: Seen
    ) -> None:
        runtime = opened(small, desk, seen)
        runtime.changed("amount", "value", 8)
        await runtime.fire("amount", "change", {"value": 8})
        await runtime.idle()
        assert runtime.cell("amount", "value") == Cell(8.0, "ready")
        assert seen.kept == {"user.size": 8}

    async def test_the_last_of_many_values_is_the_one_kept(self, small: dict[str, Any], desk: Desk, seen: Seen) -> None:
        runtime = opened(small, desk, seen)
        for value in range(20):
            runtime.set_state("user.size", value)
        await runtime.idle()
        assert seen.kept["user.size"] == 19

    async def test_a_chain_is_computed_in_its_order(self, small: dict[str, Any], desk: Desk, seen: Seen) -> None:
        parts = small["pages"][0]["components"]
        parts.append({"id": "last", "type": "text", "bindings": {"text": {"expr": "components.mid.value + 1"}}})
        parts.append({"id": "mid", "type": "number", "bindings": {"value": {"expr": "components.amount.value * 10"}}})
        runtime = opened(small, desk, seen)
        assert runtime.cell("last", "text") == Cell(31.0, "ready")
        runtime.set_state("user.size", 5)
        assert runtime.cell("last", "text") == Cell(51.0, "ready")
        await runtime.idle()

    async def test_a_value_that_does_not_fit_is_a_fault_at_its_property(
        self, small: dict[str, Any], desk: Desk, seen: Seen
    ) -> None:
        runtime = opened(small, desk, seen)
        runtime.set_state("session.result", {"total": ["no", "text"]})
        cell = runtime.cell("shown", "text")
        assert cell is not None
        assert cell.status == "error"
        assert "shown" in str(cell.error)
        await runtime.idle()

    async def test_an_expression_that_fails_is_a_fault(self, small: dict[str, Any], desk: Desk, seen: Seen) -> None:
        small["pages"][0]["components"][3]["bindings"]["text"] = {"expr": "1 / components.amount.value"}
        runtime = opened(small, desk, seen)
        runtime.changed("amount", "value", 0)
        cell = runtime.cell("half", "text")
        assert cell is not None
        assert cell.status == "error"
        await runtime.idle()


class TestRuns:
    async def test_loading_then_the_answer_then_the_table_again(
        self, small: dict[str, Any], desk: Desk, seen: Seen
    ) -> None:
        runtime = opened(small, desk, seen)
        await turn()
        run = asyncio.create_task(runtime.fire("go", "click"))
        await turn()
        assert runtime.cell("go", "busy") == Cell(True, "ready")
        assert runtime.cell("shown", "text") == Cell(None, "loading")
        (inputs, answer) = desk.runs[0]
        assert inputs == {"amount": 3.0}
        desk.stored = [{"id": "new"}]
        answer.set_result({"total": 6})
        await run
        assert runtime.cell("go", "busy") == Cell(False, "ready")
        assert runtime.cell("shown", "text") == Cell(6, "ready")
        assert runtime.cell("rows", "items") == Cell([{"id": "new"}], "ready")

    async def test_the_last_value_stays_while_the_next_is_made(
        self, small: dict[str, Any], desk: Desk, seen: Seen
    ) -> None:
        runtime = opened(small, desk, seen)
        runtime.set_state("session.result", {"total": 1})
        run = asyncio.create_task(runtime.fire("go", "click"))
        await turn()
        assert runtime.cell("shown", "text") == Cell(1, "loading")
        desk.runs[0][1].set_result({"total": 2})
        await run

    async def test_an_outdated_answer_is_dropped(self, small: dict[str, Any], desk: Desk, seen: Seen) -> None:
        runtime = opened(small, desk, seen)
        runs = []
        for _ in range(2):
            runs.append(asyncio.create_task(runtime.fire("go", "click")))
            await turn()
        desk.runs[1][1].set_result({"total": 2})
        await turn()
        desk.runs[0][1].set_result({"total": 1})
        await asyncio.gather(*runs)
        assert runtime.cell("shown", "text") == Cell(2, "ready")

    async def test_an_outdated_fault_is_dropped(self, small: dict[str, Any], desk: Desk, seen: Seen) -> None:
        runtime = opened(small, desk, seen)
        run = asyncio.create_task(runtime.fire("go", "click"))
        await turn()
        runtime.set_state("session.result", {"total": 9})
        desk.runs[0][1].set_exception(Unavailable("too late"))
        await run
        assert runtime.cell("shown", "text") == Cell(9, "ready")
        assert runtime.cell("trouble", "problem") == Cell(None, "empty")

    async def test_a_fault_is_shown_and_ends_the_actions(self, small: dict[str, Any], desk: Desk, seen: Seen) -> None:
        runtime = opened(small, desk, seen)
        await turn()
        reads = desk.reads
        run = asyncio.create_task(runtime.fire("go", "click"))
        await turn()
        desk.runs[0][1].set_exception(Unavailable("The model is starting."))
        await run
        cell = runtime.cell("trouble", "problem")
        assert cell is not None
        assert cell.value["detail"] == "The model is starting."
        assert runtime.cell("go", "busy") == Cell(False, "ready")
        assert desk.reads == reads

    async def test_a_fault_of_an_input_is_told_at_its_component_until_that_changes(
        self, small: dict[str, Any], desk: Desk, seen: Seen
    ) -> None:
        runtime = opened(small, desk, seen)
        run = asyncio.create_task(runtime.fire("go", "click"))
        await turn()
        desk.runs[0][1].set_exception(BadInput("no", faults=[Fault(("amount",), "is too large")]))
        await run
        assert seen.faults == {"amount": "is too large"}
        runtime.changed("amount", "value", 1)
        assert seen.faults == {"amount": None}

    async def test_a_row_that_is_pressed_is_shown(self, small: dict[str, Any], desk: Desk, seen: Seen) -> None:
        runtime = opened(small, desk, seen)
        await runtime.fire("rows", "select", {"id": "1", "data": {"total": 77}})
        assert runtime.cell("shown", "text") == Cell(77, "ready")
        await runtime.idle()


async def test_a_table_that_answers_late_does_not_undo_a_newer_answer(
    small: dict[str, Any], desk: Desk, seen: Seen
) -> None:
    gates: list[asyncio.Future[list[dict[str, Any]]]] = []

    async def rows(table: str, limit: int) -> list[dict[str, Any]]:
        gates.append(asyncio.get_running_loop().create_future())
        return await gates[-1]

    desk.rows = rows  # type: ignore[method-assign]
    runtime = opened(small, desk, seen)
    await turn()
    again = asyncio.create_task(runtime.refresh("doubled"))
    await turn()
    gates[1].set_result([{"id": "new"}])
    await again
    gates[0].set_result([{"id": "old"}])
    await runtime.idle()
    assert runtime.cell("rows", "items") == Cell([{"id": "new"}], "ready")


async def test_state_that_can_t_be_kept_is_shown_all_the_same(small: dict[str, Any], desk: Desk, seen: Seen) -> None:
    async def refuse(key: str, value: Any) -> None:
        raise Unavailable("the store is away")

    view = parse(small)
    runtime = Runtime(view, desk, ADA, {"session.result": None, "user.size": 3}, seen.property, seen.fault, refuse)
    runtime.start()
    runtime.set_state("user.size", 4)
    await runtime.idle()
    assert runtime.state("user.size") == Cell(4, "ready")


async def test_close_ends_what_waits(small: dict[str, Any], desk: Desk, seen: Seen) -> None:
    async def never(table: str, limit: int) -> list[dict[str, Any]]:
        await asyncio.Event().wait()
        return []

    desk.rows = never  # type: ignore[method-assign]
    runtime = opened(small, desk, seen)
    await turn()
    await asyncio.wait_for(runtime.close(), 2)


@pytest.mark.parametrize(
    ("path", "value"), [("a", {"b": [1, 2]}), ("a.b.1", 2), ("a.b.9", None), ("a.x.y", None), ("a.b.x", None)]
)
def test_part_of(path: str, value: Any) -> None:
    assert part_of({"a": {"b": [1, 2]}}, path) == value


async def test_a_state_kept_elsewhere_is_shown(small: dict[str, Any], desk: Desk, seen: Seen) -> None:
    runtime = opened(small, desk, seen)
    runtime.adopt_state("user.size", 8)
    runtime.adopt_state("user.unknown", 1)
    assert runtime.cell("amount", "value") == Cell(8, "ready")
    await runtime.idle()
    assert seen.kept == {}


async def test_a_field_follows_a_state_that_is_set_to_what_it_was(desk: Desk, seen: Seen) -> None:
    field = {"id": "name", "type": "text_input", "bindings": {"value": {"state": "session.row", "path": "name"}}}
    document = {"slug": "s", "title": "S", "state": [{"name": "row"}], "pages": [{"components": [field]}]}
    runtime = opened(document, desk, seen)
    for value in (None, {"name": "rose"}):
        runtime.set_state("session.row", value)
        runtime.changed("name", "value", "typed")
        runtime.set_state("session.row", value)
        assert seen.log[-1] == ("name", "value", Cell.of(value and value["name"]))
    await runtime.close()


async def test_the_own_newer_value_stays(small: dict[str, Any], desk: Desk, seen: Seen) -> None:
    runtime = opened(small, desk, seen)
    runtime.set_state("user.size", 5)
    runtime.adopt_state("user.size", 8)
    assert runtime.state("user.size") == Cell(5, "ready")
    await runtime.idle()
    assert seen.kept == {"user.size": 5}
    runtime.adopt_state("user.size", 9)
    assert runtime.state("user.size") == Cell(9, "ready")


async def test_what_the_page_before_had_does_not_undo_what_this_one_did() -> None:
    seen = Seen()
    part = {"id": "shown", "type": "text", "bindings": {"text": {"state": "session.a"}}}
    document = {"slug": "s", "title": "S", "state": [{"name": "a"}, {"name": "b"}], "pages": [{"components": [part]}]}
    runtime = opened(document, Desk(), seen)
    runtime.set_state("session.b", "mine")
    runtime.restore_state("session.a", "theirs")
    runtime.restore_state("session.b", "theirs")
    runtime.restore_state("session.gone", "theirs")
    assert (runtime.state("session.a").value, runtime.state("session.b").value) == ("theirs", "mine")
    assert runtime.cell("shown", "text") == Cell("theirs", "ready")
    await runtime.kept_all()
    assert seen.kept == {"session.b": "mine"}
    await runtime.close()
