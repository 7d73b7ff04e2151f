"""The inbox in a view: what waits for people, one of it, and the page that is made from a worklet's reviews."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest
from prefect_worklets.connectors.errors import BadInput, DefinitionError
from prefect_worklets.panel_views import questions
from prefect_worklets.panel_views.cells import Cell
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.document import ViewDocument
from prefect_worklets.panel_views.review_parts import asked_by, inbox_document
from prefect_worklets.panel_views.reviewed import reviewed
from prefect_worklets.panel_views.runtime import Runtime
from pydantic import BaseModel, Field

import prefect_worklets as pw

from .test_written_source import again, normal


class Claim(BaseModel):
    customer: str
    amount: float
    photo: pw.Image | None = None


class Price(BaseModel):
    euros: float = Field(ge=0)
    reason: str = ""
    tags: list[str] = []


class Numbers(BaseModel):
    all: list[int]


def page_of(returns: Any, value: Any = Claim) -> ViewDocument:
    def judge(thing):
        return pw.review(title="Well?", returns=returns, name="judge")(thing)

    judge.__annotations__ = {"thing": value, "return": returns}
    worklet = pw.worklet(judge, name="judge_things")
    made = inbox_document("judge_things", worklet.graph.model_dump(mode="json"))
    return parse({"slug": "inbox", "title": "Inbox", **made})


def buttons(document: ViewDocument) -> dict[str, Any]:
    """What each button decides, by its label."""
    found = [part for part in document.components() if part.type == "button"]
    return {part.properties["label"]: part.actions["click"][0].decision for part in found}  # type: ignore[union-attr]


def test_a_verdict_has_two_buttons_and_a_comment() -> None:
    document = page_of(pw.Decision)
    made = buttons(document)
    assert list(made) == ["Approve", "Reject"]
    assert made["Reject"].expr == '{"approved": False, "comment": components.comment.value or \'\'}'
    kinds = {part.id: part.type for part in document.components()}
    assert (kinds["comment"], kinds["photo_shown"], kinds["value"]) == ("text_area", "image", "json")
    waiting = document.component("waiting")
    assert waiting is not None
    assert [column["name"] for column in waiting.properties["columns"]] == ["value.customer", "value.amount", "created"]
    assert waiting.bindings["rows"].model_dump(exclude_none=True) == {
        "reviews": "open", "worklet": "judge_things", "node": "judge", "limit": 100,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("returns", "said"),
    [
        (Literal["cat", "dog", "bird"], {"cat": "cat", "dog": "dog", "bird": "bird"}),
        (bool, {"Yes": True, "No": False}),
    ],
)
def test_few_answers_are_buttons(returns: Any, said: dict[str, Any]) -> None:
    made = buttons(page_of(returns, str))
    assert {label: decision.constant for label, decision in made.items()} == said


def test_other_decisions_are_fields() -> None:
    document = page_of(Price)
    assert buttons(document)["Decide"].expr.startswith('{"euros": components.euros.value')
    assert document.component("tags") is None
    text = page_of(str, str)
    assert buttons(text)["Decide"].component == "decision"
    assert text.component("value").type == "text"  # type: ignore[union-attr]
    with pytest.raises(BadInput, match="wants 'all', and no input gives that"):
        page_of(Numbers)
    with pytest.raises(BadInput, match="wants a decision, and no input gives that"):
        page_of(list[int])


def test_a_worklet_that_asks_nobody_has_no_inbox() -> None:
    with pytest.raises(BadInput, match="its graph has no review"):
        inbox_document("stylize", {"nodes": []})
    assert asked_by({"nodes": []}) == []


DOCUMENT: dict[str, Any] = {
    "slug": "inbox",
    "title": "Inbox",
    "state": [{"name": "chosen"}],
    "pages": [
        {
            "components": [
                {"id": "rows", "type": "table", "bindings": {"rows": {"reviews": "open", "worklet": "pay"}}},
                {"id": "title", "type": "text", "bindings": {"text": {
                    "review": {"state": "session.chosen"}, "path": "title"}}},
                {"id": "yes", "type": "button", "actions": {"click": [
                    {"do": "decide", "review": {"state": "session.chosen"}, "decision": {"constant": True}}]}},
            ],
        }
    ],
}  # fmt: skip


class Desk:
    """Two reviews, of which `r1` may be decided; the other one is somebody else's by then."""

    def __init__(self) -> None:
        self.open = ["r1", "r2"]
        self.asked: list[Any] = []
        self.looked = asyncio.Event()

    async def reviews(self, state: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append((state, given))
        if len(self.asked) > 1:
            self.looked.set()
        return [{"id": id} for id in self.open]

    async def review(self, id: str) -> dict[str, Any]:
        self.asked.append(id)
        return {"id": id, "title": f"Pay {id}?"}

    async def decide(self, review: str, decision: Any) -> None:
        self.open.remove("r1")
        if review != "r1":
            raise BadInput("Grace was quicker.")


async def opened(desk: Desk) -> Runtime:
    runtime = Runtime(parse(DOCUMENT), desk, None, {"session.chosen": None}, lambda *_: None)  # type: ignore[arg-type]
    runtime.start()
    await runtime.idle()
    return runtime


def ids(runtime: Runtime) -> list[str]:
    cell = runtime.cell("rows", "rows")
    assert cell is not None
    return [row["id"] for row in cell.value or []]


@pytest.mark.parametrize("chosen", ["r1", "r2"])
async def test_the_list_is_asked_again_once_somebody_has_decided(chosen: str) -> None:
    desk = Desk()
    runtime = await opened(desk)
    assert desk.asked == [("open", {"worklet": "pay", "limit": 100})]
    assert (ids(runtime), runtime.cell("title", "text")) == (["r1", "r2"], Cell())
    runtime.set_state("session.chosen", chosen)
    await runtime.idle()
    assert runtime.cell("title", "text") == Cell(f"Pay {chosen}?", "ready")
    await runtime.fire("yes", "click")
    await runtime.idle()
    assert ids(runtime) == ["r2"]
    await runtime.close()


async def test_the_list_is_looked_at_again_while_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "LOOK_SECONDS", 0.01)
    desk = Desk()
    runtime = await opened(desk)
    desk.open.append("r3")
    await desk.looked.wait()
    await runtime.idle()
    assert ids(runtime) == ["r1", "r2", "r3"]
    await runtime.close()
    asked = len(desk.asked)
    await asyncio.sleep(0.05)
    assert len(desk.asked) == asked


def test_faults_name_the_place_in_the_document() -> None:
    part = {"id": "t", "type": "text", "bindings": {"text": {"review": {"component": "nobody"}}}}
    document = {"slug": "a", "title": "A", "pages": [{"components": [part]}]}
    with pytest.raises(DefinitionError) as unknown:
        parse(document)
    assert unknown.value.faults[0].loc[-3:] == ("bindings", "text", "review")
    part["bindings"] = {"text": {"review": {"component": "a b"}}}
    with pytest.raises(DefinitionError) as misshapen:
        parse(document)
    assert misshapen.value.faults[0].loc[-4:] == ("bindings", "text", "review", "component")


def test_as_python_and_back(tmp_path: Path) -> None:
    assert normal(again(DOCUMENT, tmp_path)) == normal(DOCUMENT)


def test_times_are_read_by_people_and_files_by_whoever_may_decide() -> None:
    file = "/api/files/" + "0" * 32
    row = {"id": "r1", "created_us": 0, "due_us": None, "decided_us": None, "value": {"photo": [file], "note": "/api/"}}
    own = "/api/reviews/r1/files/" + "0" * 32
    assert reviewed(row) == {
        "id": "r1", "created": "1970-01-01T00:00:00+00:00", "due": None, "decided": None,
        "value": {"photo": [own], "note": "/api/"},
    }  # fmt: skip
