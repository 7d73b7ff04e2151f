"""Durable runs from a view: progress, answer, cancelling, failing."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect_worklets.panel_views import durable_runs
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.runtime import Runtime

START = {"do": "submit_run", "worklet": "train", "into": "session.answer", "progress": "session.progress"}
STOP = {"do": "cancel_run", "run": {"state": "session.progress", "path": "run"}}
DOCUMENT = {
    "slug": "training",
    "title": "Training",
    "state": [{"name": "answer"}, {"name": "progress"}],
    "pages": [
        {
            "components": [
                {"id": "start", "type": "button", "actions": {"click": [{**START, "input": {"n": {"constant": 3}}}]}},
                {"id": "stop", "type": "button", "actions": {"click": [STOP]}},
            ]
        }
    ],
}


class Line:
    """A server with one run, which the test moves on."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, dict[str, Any]]] = []
        self.now: dict[str, Any] = {"state": "queued", "nodes": []}

    async def submit(self, worklet: str, inputs: dict[str, Any]) -> str:
        self.begun.append((worklet, inputs))
        return "r1"

    async def show_run(self, id: str) -> dict[str, Any]:
        assert id == "r1"
        return self.now

    async def cancel_run(self, id: str) -> None:
        assert id == "r1"
        self.now = {"state": "cancelled", "nodes": []}


class Training:
    """The view, begun."""

    def __init__(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(durable_runs.followed, "__kwdefaults__", {"look_seconds": 0})
        self.line = Line()
        first = {"session.answer": None, "session.progress": None}
        self.view = Runtime(parse(DOCUMENT), self.line, None, first, lambda *_: None)
        self.view.start()
        self.run = asyncio.create_task(self.view.fire("start", "click"))

    async def until(self, state: str) -> dict[str, Any]:
        while (self.view.state("session.progress").value or {}).get("state") != state:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return self.view.state("session.progress").value


async def test_progress_and_then_the_answer(monkeypatch: Any) -> None:
    training = Training(monkeypatch)
    assert await training.until("queued") == {"run": "r1", "state": "queued", "done": 0}
    assert training.line.begun == [("train", {"n": 3})]
    assert training.view.state("session.answer").status == "loading"
    training.line.now = {"state": "running", "nodes": [{"state": "completed"}, {"state": "running"}]}
    assert (await training.until("running"))["done"] == 1
    training.line.now = {"state": "completed", "output": {"loss": 0.1}, "nodes": []}
    await training.run
    assert training.view.state("session.answer").value == {"loss": 0.1}


async def test_a_page_that_is_loaded_again_follows_it(monkeypatch: Any) -> None:
    monkeypatch.setattr(durable_runs.watched, "__kwdefaults__", {"look_seconds": 0})
    line = Line()
    document = parse(DOCUMENT)
    for value in (None, {"run": "r1", "state": "completed", "done": 1}, {"state": "running"}, "r1"):
        view = Runtime(document, line, None, {"session.answer": None, "session.progress": value}, lambda *_: None)
        view.start()
        await asyncio.wait_for(view.idle(), 5)  # of these there is nothing to follow
        assert view.state("session.answer").status == "empty"
    view = Runtime(document, line, None, {"session.answer": None, "session.progress": None}, lambda *_: None)
    view.start()
    view.restore_state("session.progress", {"run": "r1", "state": "queued", "done": 0})
    await asyncio.sleep(0)
    assert view.state("session.answer").status == "loading"
    line.now = {"state": "completed", "output": 7, "nodes": []}
    await asyncio.wait_for(view.idle(), 5)
    assert view.state("session.answer").value == 7
    assert view.state("session.progress").value == {"run": "r1", "state": "completed", "done": 0}
    assert line.begun == []


async def test_it_is_cancelled_by_another_button(monkeypatch: Any) -> None:
    training = Training(monkeypatch)
    await training.until("queued")
    await training.view.fire("stop", "click")
    await training.run
    assert training.view.state("session.answer").error["detail"] == "The run of 'train' was cancelled."


async def test_its_failure_is_the_state_s(monkeypatch: Any) -> None:
    training = Training(monkeypatch)
    await training.until("queued")
    training.line.now = {"state": "failed", "error": {"detail": "Out of memory."}, "nodes": []}
    await training.run
    assert training.view.state("session.answer").error["detail"] == "Out of memory."
