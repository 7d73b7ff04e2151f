"""Actions that open and close, say, copy, hand out and decide."""

from __future__ import annotations

from typing import Any

import pytest
from prefect_worklets.connectors.errors import Conflict, DefinitionError
from prefect_worklets.panel_views.cells import Cell
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.file_made import as_text, file_of
from prefect_worklets.panel_views.runtime import Runtime

import prefect_worklets as pw


def document(*actions: dict[str, Any], **modal: Any) -> dict[str, Any]:
    parts = [
        {"id": "go", "type": "button", "actions": {"click": list(actions)}},
        {"id": "window", "type": "modal", **modal},
        {"id": "shown", "type": "json", "bindings": {"value": {"component": "window", "value": "open"}}},
    ]
    return {"slug": "more", "title": "More", "state": [{"name": "said"}], "pages": [{"components": parts}]}


class Judge:
    """The gateway's part for reviews; who comes second is told so."""

    def __init__(self) -> None:
        self.decided: list[tuple[str, Any]] = []

    async def decide(self, review: str, decision: Any) -> None:
        if self.decided:
            raise Conflict("Grace was quicker.")
        self.decided.append((review, decision))


async def told_by(*actions: dict[str, Any], event: Any = None) -> tuple[list[Any], Runtime]:
    told: list[Any] = []
    first = {"session.said": None}
    runtime = Runtime(
        parse(document(*actions)), Judge(), None, first, lambda *_: None, on_page=lambda *order: told.append(order)
    )
    runtime.start()
    await runtime.fire("go", "click", event)
    await runtime.idle()
    return told, runtime


async def test_a_modal_opens_and_closes_and_others_read_that() -> None:
    _, runtime = await told_by({"do": "open_modal", "modal": "window"})
    assert runtime.cell("shown", "value") == Cell(True, "ready")
    _, runtime = await told_by({"do": "open_modal", "modal": "window"}, {"do": "close_modal", "modal": "window"})
    assert runtime.cell("shown", "value") == Cell(False, "ready")


async def test_what_the_browser_is_told() -> None:
    rows = {"constant": [{"a": 1, "b": "=2+2"}, {"a": None, "c": [1]}]}
    told, _ = await told_by(
        {"do": "notify", "text": {"expr": "'Row ' + str(event.number)"}, "style": "success"},
        {"do": "copy", "text": {"constant": {"a": 1}}},
        {"do": "download", "source": rows},
        {"do": "download", "source": {"constant": "/api/files/abc"}, "name": "a.pdf"},
        event={"number": 3},
    )
    assert told[0] == ("notify", {"text": "Row 3", "style": "success"})
    assert told[1] == ("copy", {"text": '{\n  "a": 1\n}'})
    assert told[2][1]["type"] == "text/csv"
    assert told[2][1]["text"].splitlines()[:2] == ["a,b,c", "1,'=2+2,"]
    assert told[3] == ("download", {"address": "/api/files/abc", "name": "a.pdf"})


def test_only_files_of_this_server_are_handed_out_by_address() -> None:
    for address in ("https://example.org/x", "javascript:alert(1)", "/api/files/../secrets", "/api/worklets"):
        assert file_of(address, "a.txt") == {"text": address, "type": "text/plain"}
    assert (as_text(None), as_text(1.5)) == ("", "1.5")


async def test_a_review_is_decided_once_and_the_second_hears_why() -> None:
    decide = {"do": "decide", "review": {"constant": "r1"}, "decision": {"constant": {"ok": True}}}
    said = {"do": "set_state", "state": "session.said", "value": {"expr": "error.detail"}}
    _, runtime = await told_by(decide, {**decide, "on_error": [said]})
    assert runtime.state("session.said").value == "Grace was quicker."


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (document({"do": "open_modal", "modal": "windw"}), "no modal on this page named 'windw'"),
        (document({"do": "close_modal", "modal": "go"}), "no modal on this page named 'go'"),
        (document({"do": "open_modal", "modal": "window"}, bindings={"open": {"state": "session.said"}}), "bound to"),
    ],
)
def test_faults(plain: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(plain)
    [fault] = caught.value.faults
    assert said in fault.msg
    assert fault.loc == ("pages", 0, "components", 0, "actions", "click", 0, "modal")


def test_python_code_writes_them() -> None:
    window = pw.ui.Modal([pw.ui.Text("Sure?")], title="Delete")
    steps = [pw.ui.open_modal(window), pw.ui.notify("Done.", style="success"), pw.ui.copy("text")]
    [button, _, _] = pw.view("m", [pw.page("Main", [pw.ui.Button("Go", on_click=steps), window])]).document["pages"][0][
        "components"
    ]
    assert button["actions"]["click"] == [
        {"do": "open_modal", "modal": "delete"},
        {"do": "notify", "text": {"constant": "Done."}, "style": "success"},
        {"do": "copy", "text": {"constant": "text"}},
    ]
