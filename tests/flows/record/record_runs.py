"""Run records and worklets for these tests."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import Project, Run, Worklet, WorkletVersion
from prefect_worklets.flows.journal import RunRecord
from sqlmodel import select


def make_record(worklet: str = "iris", duration_us: int = 400, **changes: Any) -> RunRecord:
    state = changes.get("state", "completed")
    error = None if state == "completed" else {"detail": "label: no such species", "node": "label"}
    values: dict[str, Any] = {
        "id": uuid4().hex,
        "worklet": worklet,
        "version": 1,
        "trigger": "api",
        "principal": "alice",
        "state": state,
        "started_us": time.time_ns() // 1000 - duration_us,
        "duration_us": duration_us,
        "input": b'{"sepal_length": 5.1}',
        "output": b'{"species": "setosa"}',
        "error": error,
        "nodes": [
            ["prepare", "node", "completed", duration_us // 100, duration_us // 10, None],
            ["model", "model", "completed", duration_us // 5, duration_us // 2, None],
            ["label", "node", state, duration_us * 7 // 10, duration_us // 4, error],
        ],
    }
    return RunRecord(**{**values, **changes})


def rows_of(store: Store) -> list[Run]:
    with store.read() as session:
        return list(session.exec(select(Run).order_by(Run.started_us)).all())


def iris_graph(name: str) -> dict[str, Any]:
    """The graph of `make_record`'s runs."""
    return {
        "name": name,
        "description": "Tells irises apart.",
        "tags": ["flowers"],
        "body": "request",
        "inputs": [
            {
                "name": "request",
                "schema": {
                    "$ref": "#/$defs/Iris",
                    "$defs": {"Iris": {"type": "object", "properties": {"sepal_length": {"type": "number"}}}},
                },
            }
        ],
        "nodes": [
            {"id": "prepare", "arguments": {"request": {"input": "request"}}},
            {"id": "model", "kind": "model", "arguments": {"inputs": {"node": "prepare"}}},
            {"id": "label", "arguments": {"outputs": {"node": "model"}, "request": {"input": "request"}}},
        ],
        "output": {"node": "label"},
    }


def add_worklet(store: Store, name: str, number: int = 1) -> None:
    """A live worklet with the graph of `make_record`'s runs."""
    with store.session() as session:
        if session.get(Project, "hash") is None:
            session.add(Project(content_hash="hash", name="flowers"))
        worklet = session.get(Worklet, name) or Worklet(name=name)
        worklet.live_version = number
        session.add(worklet)
        session.flush()
        session.add(WorkletVersion(worklet_name=name, number=number, project_hash="hash", graph=iris_graph(name)))


def add_runs(store: Store, records: list[RunRecord]) -> None:
    """The records as rows of the run table."""
    with store.session() as session:
        session.add_all(Run(**asdict(record)) for record in records)
