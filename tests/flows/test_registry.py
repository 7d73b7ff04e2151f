from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prefect_worklets.connectors.errors import BadInput, Conflict, DefinitionError, NotFound, Unavailable
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import Project, WorkletVersion
from prefect_worklets.flows import bundle
from prefect_worklets.flows.registry import PushedVersion, Registry
from sqlmodel import select


def source(factor: int, name: str = "times") -> dict[str, str]:
    return {
        "flow.py": f"""
from prefect_worklets.flows.nodes import node
from prefect_worklets.flows.worklet import worklet
@node
def multiply(a: int) -> int:
    return a * {factor}
@worklet
def {name}(a: int) -> int:
    \"\"\"Multiplies.\"\"\"
    return multiply(a)
"""
    }


@pytest.fixture
def registry(store: Store, tmp_path: Path) -> Registry:
    return Registry(store, tmp_path / "projects")


def push(registry: Registry, files: Mapping[str, str], tmp_path: Path, project: str = "demo") -> list[PushedVersion]:
    folder = tmp_path / "source"
    folder.mkdir(exist_ok=True)
    for old in folder.rglob("*.*"):
        old.unlink()
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return registry.push(bundle.pack(folder), project, "me")


def call(registry: Registry, name: str, a: int) -> Any:
    return registry.get(name).worklet(a)


def test_a_push_goes_live_and_the_same_content_makes_no_new_version(registry: Registry, tmp_path: Path) -> None:
    assert push(registry, source(2), tmp_path) == [PushedVersion("times", 1, True)]
    assert call(registry, "times", 4) == 8
    assert push(registry, source(2), tmp_path) == [PushedVersion("times", 1, False)]
    assert push(registry, source(3), tmp_path) == [PushedVersion("times", 2, True)]
    assert call(registry, "times", 4) == 12
    assert registry.get("times").graph.description == "Multiplies."


def test_pushing_old_content_again_makes_it_live_again(registry: Registry, tmp_path: Path) -> None:
    push(registry, source(2), tmp_path)
    push(registry, source(3), tmp_path)
    assert push(registry, source(2), tmp_path) == [PushedVersion("times", 1, False)]
    assert call(registry, "times", 4) == 8


def test_promote_and_rollback(registry: Registry, tmp_path: Path) -> None:
    push(registry, source(2), tmp_path)
    push(registry, source(3), tmp_path)
    assert registry.rollback("times").version == 1
    assert call(registry, "times", 4) == 8
    with pytest.raises(Conflict, match="no version before"):
        registry.rollback("times")
    assert registry.promote("times", 2).version == 2
    assert call(registry, "times", 4) == 12
    with pytest.raises(NotFound, match="no version 9"):
        registry.promote("times", 9)
    with pytest.raises(NotFound, match="Did you mean 'times'"):
        registry.promote("tims", 1)


@pytest.mark.parametrize(
    "broken",
    [
        {"flow.py": source(5)["flow.py"] + "\n1/0"},
        {
            "flow.py": source(5)["flow.py"],
            "b.py": "from prefect_worklets.flows.worklet import worklet\n@worklet\ndef b(: ",
        },
        {"flow.py": source(5)["flow.py"], "views/v.json": "["},
    ],
)
def test_a_broken_push_changes_nothing(
    registry: Registry, store: Store, tmp_path: Path, broken: dict[str, str]
) -> None:
    push(registry, source(2), tmp_path)
    before = sorted(path.name for path in registry.folder.iterdir())
    with pytest.raises(DefinitionError):
        push(registry, broken, tmp_path)
    assert call(registry, "times", 4) == 8
    assert sorted(path.name for path in registry.folder.iterdir()) == before
    with store.read() as session:
        assert len(session.exec(select(WorkletVersion)).all()) == 1
        assert len(session.exec(select(Project)).all()) == 1


def test_views_that_are_refused_undo_the_push(store: Store, tmp_path: Path) -> None:
    def refuse(session: Any, views: Mapping[str, Any], by: str | None) -> None:
        raise BadInput(f"No view {', '.join(views)}.")

    registry = Registry(store, tmp_path / "projects", take_views=refuse)
    with pytest.raises(BadInput, match="No view home"):
        push(registry, source(2) | {"views/home.json": "{}"}, tmp_path)
    assert registry.live == {}
    with store.read() as session:
        assert not session.exec(select(Project)).all()


def test_another_projects_worklet_is_not_taken_over(registry: Registry, tmp_path: Path) -> None:
    push(registry, source(2), tmp_path)
    with pytest.raises(Conflict, match="times: it belongs to the project 'demo'"):
        push(registry, source(3), tmp_path, project="other")
    assert call(registry, "times", 4) == 8


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "../x", "x" * 80])
def test_project_names_are_checked(registry: Registry, tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="no project name"):
        push(registry, source(2), tmp_path, project=name)


def test_an_empty_project_is_told(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no worklet and no view"):
        push(registry, {"a.py": "x = 1"}, tmp_path)


def test_an_unknown_worklet_has_close_matches(registry: Registry, tmp_path: Path) -> None:
    push(registry, source(2), tmp_path)
    with pytest.raises(NotFound, match="Did you mean 'times'"):
        registry.get("time")


def test_old_versions_are_unloaded_and_come_back_when_asked_for(registry: Registry, tmp_path: Path) -> None:
    for factor in range(2, 10):
        push(registry, source(factor), tmp_path)
    assert len(registry._projects) == 5
    assert registry.promote("times", 1).version == 1
    assert call(registry, "times", 4) == 8


def test_another_process_takes_up_pushes_and_rollbacks(registry: Registry, store: Store, tmp_path: Path) -> None:
    other = Registry(store, registry.folder)
    other.load_all()
    assert other.live == {}
    push(registry, source(2), tmp_path)
    push(registry, source(3), tmp_path)
    other.load_all()
    assert call(other, "times", 4) == 12
    registry.rollback("times")
    other.load_all()
    assert call(other, "times", 4) == 8


def test_before_all_is_loaded_no_name_is_unknown(registry: Registry, tmp_path: Path) -> None:
    registry.starting = True
    with pytest.raises(Unavailable, match="ask again"):
        registry.get("greet")
    registry.starting = False
    with pytest.raises(NotFound):
        registry.get("greet")


def test_after_a_restart_what_can_be_loaded_answers(registry: Registry, store: Store, tmp_path: Path) -> None:
    push(registry, source(2), tmp_path)
    push(registry, source(3, "other"), tmp_path)
    lost = registry.get("times").project_hash
    for path in (registry.folder / lost).iterdir():
        path.unlink()
    (registry.folder / lost / "flow.py").write_text(
        "from prefect_worklets.flows.worklet import worklet\n@worklet\ndef x(: "
    )
    again = Registry(store, registry.folder)
    again.load_all()
    assert call(again, "other", 4) == 12
    with pytest.raises(Unavailable, match="can't be loaded"):
        again.get("times")
