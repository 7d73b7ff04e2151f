"""Durable runs from a view: progress, answer, cancelling, failing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prefect_worklets.connectors.errors import DefinitionError, NotAllowed
from prefect_worklets.panel_views import durable_runs, run_lines
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.runtime import Runtime

START = {"do": "submit_run", "worklet": "train", "into": "session.answer", "progress": "session.progress",
         "log": "session.log"}  # fmt: skip
STOP = {"do": "cancel_run", "run": {"state": "session.progress", "path": "run"}}
EMPTY = {"session.answer": None, "session.progress": None, "session.log": None}
DOCUMENT = {
    "slug": "training",
    "title": "Training",
    "state": [{"name": "answer"}, {"name": "progress"}, {"name": "log"}],
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
        self.lines: list[tuple[int, str]] = []
        self.asked = 0
        self.refuses = False

    async def submit(self, worklet: str, inputs: dict[str, Any]) -> str:
        self.begun.append((worklet, inputs))
        return "r1"

    async def show_run(self, id: str) -> dict[str, Any]:
        assert id == "r1"
        return {"worklet": "train", **self.now}

    async def run_lines(self, id: str, after: int) -> dict[str, Any]:
        assert id == "r1"
        self.asked += 1
        if self.refuses:
            raise NotAllowed("It takes the role builder.")
        new = [(at, text) for at, text in self.lines if at > after]
        lines = [{"at_us": at, "node": "fit", "level": "INFO", "text": text} for at, text in new]
        return {"started_us": 1_000_000, "lines": lines, "after": new[-1][0] if new else after}

    async def cancel_run(self, id: str) -> None:
        assert id == "r1"
        self.now = {"state": "cancelled", "nodes": []}


class Training:
    """The view, begun."""

    def __init__(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(durable_runs.followed, "__kwdefaults__", {"look_seconds": 0})
        self.line = Line()
        first = {"session.answer": None, "session.progress": None, "session.log": ["of the run before"]}
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
        view = Runtime(document, line, None, {**EMPTY, "session.progress": value}, lambda *_: None)
        view.start()
        await asyncio.wait_for(view.idle(), 5)  # of these there is nothing to follow
        assert view.state("session.answer").status == "empty"
    view = Runtime(document, line, None, EMPTY, lambda *_: None)
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


async def test_its_lines_come_into_a_state(monkeypatch: Any) -> None:
    training = Training(monkeypatch)
    await training.until("queued")
    assert training.view.state("session.log").value == []
    line = training.line
    line.lines = [(1_500_000, "epoch 1"), (1_500_001, "<b>epoch 2</b>")]
    line.now = {"state": "running", "nodes": []}
    await training.until("running")
    await until(lambda: training.view.state("session.log").value)
    shown = [f"{0.5:8.2f}s  INFO     fit: {text}" for text in ("epoch 1", "<b>epoch 2</b>")]
    assert training.view.state("session.log").value == shown
    monkeypatch.setattr(run_lines, "MOST_LINES", 2)
    line.lines += [(13_000_000, "done")]
    line.now = {"state": "completed", "output": 1, "nodes": []}
    await training.run
    assert training.view.state("session.log").value == [shown[1], f"{12:8.2f}s  INFO     fit: done"]


async def test_lines_that_can_not_be_read_are_no_failure_of_the_run(monkeypatch: Any) -> None:
    training = Training(monkeypatch)
    training.line.refuses = True
    await training.until("queued")
    await until(lambda: training.line.asked > 1)
    assert training.view.state("session.log").error["detail"] == "It takes the role builder."
    training.line.now = {"state": "completed", "output": 1, "nodes": []}
    await training.run
    assert training.view.state("session.answer").value == 1


async def test_no_lines_of_a_run_of_something_else(monkeypatch: Any) -> None:
    monkeypatch.setattr(durable_runs.watched, "__kwdefaults__", {"look_seconds": 0})
    line = Line()
    line.lines = [(1_500_000, "secret")]
    line.now = {"state": "completed", "worklet": "other", "output": 1, "nodes": []}
    view = Runtime(parse(DOCUMENT), line, None, {**EMPTY, "session.progress": {"run": "r1"}}, lambda *_: None)
    view.start()
    await asyncio.wait_for(view.idle(), 5)
    assert (line.asked, view.state("session.log").value) == (0, [])


def test_a_state_for_the_lines_alone() -> None:
    step = {**START, "log": "session.progress"}
    button = {"id": "start", "type": "button", "actions": {"click": [step]}}
    with pytest.raises(DefinitionError, match="takes the answer or the progress already"):
        parse({**DOCUMENT, "pages": [{"components": [button]}]})


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)
