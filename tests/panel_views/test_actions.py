"""Actions under conditions, what is done where one fails, and components that are there only at times."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect_worklets.connectors.errors import BadInput, DefinitionError, Unavailable
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.differences import difference
from prefect_worklets.panel_views.operations import Bind, apply, apply_all
from prefect_worklets.panel_views.runtime import Runtime
from prefect_worklets.panel_views.wording import diff

import prefect_worklets as pw


class Answers:
    """A gateway whose worklet fails as long as `broken` holds."""

    def __init__(self) -> None:
        self.broken = False
        self.asked: list[dict[str, Any]] = []

    async def run_worklet(self, name: str, inputs: dict[str, Any]) -> Any:
        await asyncio.sleep(0)
        self.asked.append(inputs)
        if self.broken:
            raise Unavailable("The model is starting.")
        return {"total": 7}

    async def rows(self, table: str, limit: int) -> list[dict[str, Any]]:
        return []

    async def import_image(self, url: str) -> str:
        raise BadInput("No pictures here.")


def document(actions: list[dict[str, Any]], **button: Any) -> dict[str, Any]:
    amount = {"id": "amount", "type": "slider", "properties": {"value": 2}}
    press = {"id": "press", "type": "button", "actions": {"click": actions}, **button}
    states = [{"name": "result"}, {"name": "count", "default": 0}, {"name": "trouble"}]
    return {"slug": "acts", "title": "Acts", "state": states, "pages": [{"components": [amount, press]}]}


class Open:
    """An open view, and what it told of."""

    def __init__(self, plain: dict[str, Any]) -> None:
        self.gateway = Answers()
        self.faults: dict[str, str | None] = {}
        view = parse(plain)
        first = {state.key: state.default for state in view.state}
        self.runtime = Runtime(view, self.gateway, None, first, lambda *told: None, self.faults.__setitem__)
        self.runtime.start()

    async def press(self) -> None:
        await self.runtime.fire("press", "click")
        await self.runtime.idle()

    def value(self, key: str) -> Any:
        return self.runtime.state(key).value


RUN = {"do": "run_worklet", "worklet": "add", "into": "session.result"}
COUNT = {"do": "set_state", "state": "session.count", "value": {"expr": "session.count + 1"}}
TELL = {"do": "set_state", "state": "session.trouble", "value": {"expr": "error.detail"}}


class TestWhen:
    async def test_an_action_whose_condition_does_not_hold_is_left_out_and_the_next_is_done(self) -> None:
        view = Open(document([{**RUN, "when": {"expr": "components.amount.value > 5"}}, COUNT]))
        await view.press()
        assert (view.gateway.asked, view.value("session.count")) == ([], 1)
        view.runtime.changed("amount", "value", 9)
        await view.press()
        assert (len(view.gateway.asked), view.value("session.count")) == (1, 2)

    async def test_it_sees_the_event(self) -> None:
        view = Open(document([{**COUNT, "when": {"expr": "event.value == 3"}}]))
        await view.runtime.fire("press", "click", {"value": 2})
        assert view.value("session.count") == 0
        await view.runtime.fire("press", "click", {"value": 3})
        assert view.value("session.count") == 1

    async def test_one_that_fails_ends_the_sequence_and_is_told_at_the_component(self) -> None:
        view = Open(document([{**COUNT, "when": {"expr": "session.count / 0 > 1"}}, COUNT]))
        await view.press()
        assert view.value("session.count") == 0
        assert "session.count / 0" in str(view.faults["press"])


class TestOnError:
    async def test_it_is_done_with_the_error_and_the_sequence_ends(self) -> None:
        view = Open(document([{**RUN, "on_error": [TELL]}, COUNT]))
        view.gateway.broken = True
        await view.press()
        assert view.value("session.trouble") == "The model is starting."
        assert view.value("session.count") == 0
        assert view.runtime.state("session.result").status == "error"

    async def test_it_is_not_done_where_all_went_well(self) -> None:
        view = Open(document([{**RUN, "on_error": [TELL]}, COUNT]))
        await view.press()
        assert (view.value("session.trouble"), view.value("session.count")) == (None, 1)

    async def test_its_own_failure_has_a_way_out_too(self) -> None:
        again = {**RUN, "into": "session.trouble", "on_error": [COUNT]}
        view = Open(document([{**RUN, "on_error": [again]}]))
        view.gateway.broken = True
        await view.press()
        assert view.value("session.count") == 1


class TestVisibleIf:
    async def test_it_follows_what_it_reads(self) -> None:
        view = Open(document([], visible_if={"expr": "components.amount.value > 5"}))
        assert view.runtime.cell("press", "visible_if").value is False
        view.runtime.changed("amount", "value", 9)
        assert view.runtime.cell("press", "visible_if").value is True

    async def test_a_state_s_standing_can_be_asked_for(self) -> None:
        view = Open(document([RUN], visible_if={"state": "session.result", "status": "empty"}))
        assert view.runtime.cell("press", "visible_if").value is True
        await view.press()
        assert view.runtime.cell("press", "visible_if").value is False

    def test_the_builder_sets_it_and_takes_it_away(self) -> None:
        plain = parse(document([]))
        bound = apply(plain, Bind(id="press", name="visible_if", binding={"expr": "session.count > 1"}))
        assert bound.component("press").visible_if.expr == "session.count > 1"
        assert [line["text"] for line in diff(plain, bound)] == ["set when to show button press"]
        assert apply_all(bound, difference(bound, plain)) == plain


@pytest.mark.parametrize(
    ("plain", "place", "said"),
    [
        (document([{**RUN, "when": {"expr": "session.nothing"}}]), "actions.click.0.when.expr", "session.nothing"),
        (document([{**RUN, "on_error": [{**COUNT, "state": "session.no"}]}]), "actions.click.0.on_error.0.state", "no"),
        (document([{**RUN, "when": {"expr": "error.detail"}}]), "actions.click.0.when.expr", "in on_error only"),
        (document([{**RUN, "when": {"nothing": 1}}]), "actions.click.0.when", "a binding has one of"),
        (document([], visible_if={"expr": "event.value"}), "visible_if.expr", "in actions only"),
        (document([], visible_if={"event": "value"}), "visible_if", "in actions only"),
        (document([], visible_if={"expr": "1 +"}), "visible_if.expr", "is not an expression"),
    ],
)
def test_faults_have_their_place(plain: dict[str, Any], place: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(plain)
    found = {".".join(map(str, fault.loc)): fault.msg for fault in caught.value.faults}
    assert said in found[f"pages.0.components.1.{place}"]


def test_on_error_has_a_bottom() -> None:
    action = COUNT
    for _ in range(7):
        action = {**COUNT, "on_error": [action]}
    with pytest.raises(DefinitionError) as caught:
        parse(document([action]))
    assert "times inside of on_error" in caught.value.faults[0].msg


def test_python_code_writes_them() -> None:
    result, amount = pw.ui.State("result"), pw.ui.Slider("Amount")
    tell = pw.ui.set_state(result, pw.ui.expr("error.detail"))
    run = pw.ui.run("add", result, when=pw.ui.expr("n > 5", n=amount), on_error=tell)
    button = pw.ui.Button("Go", on_click=run, visible_if="session.result")
    view = pw.view("written", [pw.page("Main", [amount, button])])
    part = view.document["pages"][0]["components"][1]
    assert part["visible_if"] == {"expr": "session.result"}
    [action] = part["actions"]["click"]
    assert action["when"] == {"expr": "components.amount.value > 5"}
    assert action["on_error"] == [{"do": "set_state", "state": "session.result", "value": {"expr": "error.detail"}}]
