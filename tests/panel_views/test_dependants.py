"""Which worklets ask a model, and which views run these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect_worklets.bentos.dependants import Dependant, in_use
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import Project, View, ViewDraft, ViewVersion, Worklet, WorkletVersion
from prefect_worklets.panel_views.dependants import dependants_of_model


def worklet(name: str, *models: str, number: int = 1, live: int | None = 1, project: bool = True) -> list[Any]:
    nodes = [{"id": f"n{i}", "kind": "model", "settings": {"model": model}} for i, model in enumerate(models)]
    rows: list[Any] = [Worklet(name=name, live_version=live)] if number == 1 else []
    return [
        *rows,
        WorkletVersion(worklet_name=name, number=number, project_hash="0" * 64, graph={"name": name, "nodes": nodes}),
    ]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    store.migrate()
    with store.session() as session:
        for row in (
            Project(content_hash="0" * 64, name="p"),
            *worklet("asks", "iris"),
            *worklet("asks-fixed", "iris@1.0.0"),
            *worklet("asks-another", "irises"),
            *worklet("asked-once", "iris", live=2),
            *worklet("asked-once", "irises", number=2),
            View(slug="shows", published=1),
            ViewVersion(view_slug="shows", number=1, document={"actions": [{"do": "run_worklet", "worklet": "asks"}]}),
            View(slug="drafted"),
            ViewDraft(view_slug="drafted", document={"pages": [{"deep": [{"worklet": "asks-fixed"}]}]}),
            View(slug="shows-itself", published=1),
            ViewVersion(view_slug="shows-itself", number=1, document={"bindings": {"text": {"model": "iris@1.0.0"}}}),
            View(slug="elsewhere", published=1),
            ViewVersion(view_slug="elsewhere", number=1, document={"worklet": "asks-another", "text": "asks"}),
        ):
            session.add(row)
            session.flush()
    yield store
    store.close()


def test_live_worklets_and_the_views_that_run_them(store: Store) -> None:
    assert dependants_of_model(store, "iris") == [
        Dependant("worklet", "asks"),
        Dependant("worklet", "asks-fixed"),
        Dependant("view", "shows", "asks"),
        Dependant("view", "shows-itself"),
        Dependant("view", "drafted", "asks-fixed", live=False),
    ]


def test_a_model_that_nothing_needs(store: Store) -> None:
    assert dependants_of_model(store, "alone") == []


def test_the_refusal_names_them_and_the_way_out() -> None:
    found = [Dependant("worklet", f"w{i}") for i in range(12)]
    text = str(in_use("iris", [Dependant("view", "shows", "asks"), *found]))
    assert "the view shows (by asks), the worklet w0" in text
    assert "3 more" in text
    assert "--force" in text
