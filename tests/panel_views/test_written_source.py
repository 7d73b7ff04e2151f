"""From a document to Python code and back: the same document, whatever its texts hold."""

from __future__ import annotations

import ast
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.components.kinds import KINDS
from prefect_worklets.panel_views.ui.source import python_source

import prefect_worklets

from .showcase import showcase

ROOT = Path(prefect_worklets.__file__).resolve().parents[1]
FILES = [ROOT / "docs/examples/quickstart/flowers/views/irises.json", *(ROOT / "prefect_worklets/demo").rglob("*.json")]
HOSTILE = "\"\"\"'''\\\n\r\u202e{0}{x!r}\x00</script>\"); __import__('os').system('x') #"


def again(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The document that the code of this one makes."""
    made: dict[str, Any] = written(python_source(parse(document)), folder).document
    return made


def written(source: str, folder: Path) -> Any:
    """The view that this code makes."""
    file = folder / "written.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.view


def normal(document: dict[str, Any]) -> dict[str, Any]:
    """Without properties at their defaults, and without the order of components, which says nothing."""
    plain: dict[str, Any] = parse(document).to_json()
    for page in plain["pages"]:
        for part in page.get("components", []):
            kind, said = KINDS[part["type"]], part.pop("properties", {})
            kept = {
                name: value
                for name, value in said.items()
                if name in part.get("bindings", {}) or json.dumps(value) != json.dumps(kind.default(name))
            }
            part.update({"properties": kept} if kept else {})
        page["components"] = sorted(page.get("components", []), key=lambda part: str(part["id"]))
    return plain


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_written_file_comes_back(file: Path, tmp_path: Path) -> None:
    document = json.loads(file.read_text())
    assert normal(again(document, tmp_path)) == normal(document)


def test_every_kind_comes_back(tmp_path: Path) -> None:
    document = showcase()
    assert normal(again(document, tmp_path)) == normal(document)


def test_all_that_a_document_can_say_comes_back(tmp_path: Path) -> None:
    run = {"do": "run_worklet", "worklet": "w", "into": "user.class", "input": {
        "a": {"component": "t", "value": "chosen"}, "b": {"constant": None},
        "c": {"param": "id", "default": [1]}}}  # fmt: skip
    careful = {"do": "refresh", "table": "t", "when": {"expr": "view.pw"}, "on_error": [
        {"do": "set_state", "state": "session.class", "value": {"expr": "error.detail"}}]}  # fmt: skip
    parts = [
        {"id": "t", "type": "table", "at": {"x": 3, "y": 7, "w": 4, "h": 9}, "bindings": {"rows": {"table": "t"}}},
        {"id": "b", "type": "button", "actions": {"click": [run, {"do": "send", "event": "e"}, careful]},
         "visible_if": {"state": "user.class", "status": "empty"}},
        {"id": "s", "type": "text", "properties": {"text": "none"},
         "bindings": {"text": {"state": "user.class", "path": "a.0.b"}}},
        {"id": "text", "type": "text",
         "bindings": {"text": {"state": "session.class", "path": "a", "status": "empty"}}},
        {"id": "c", "type": "json", "bindings": {"value": {"constant": {"a": [None, True, 1.5]}}}},
        {"id": "tabs", "type": "tabs", "at": {"y": 30}},
        {"id": "one", "type": "container", "parent": "tabs", "at": {"h": 6}},
        {"id": "two", "type": "text", "parent": "one", "bindings": {"text": {"expr": "view.pw + 1"}}},
    ]  # fmt: skip
    state = [
        {"name": "class"},
        {"name": "class", "scope": "user"},
        {"name": "pw", "scope": "view", "default": {"a": 1}},
    ]
    document = {
        "slug": "all--of-it-", "title": "All & more", "description": "It", "theme": {"mode": "dark"},
        "access": {"role": "operator", "origins": ["https://example.org"]}, "state": state,
        "pages": [{"id": "first", "title": "1st", "components": parts}, {"id": "main", "title": "Main"}],
    }  # fmt: skip
    assert normal(again(document, tmp_path)) == normal(document)


def test_components_of_authors_come_back_with_their_definitions(tmp_path: Path) -> None:
    script = f"export default () => () => {{}}\n// {HOSTILE}\n`${{1}}`\u2028"
    schema = {"type": "object", "properties": {"most": {"type": "integer", "default": 5}, "of": {"default": HOSTILE}}}
    stars = {"name": "stars", "title": "Stars", "about": "", "properties": schema, "script": script,
             "events": {"rated": {"type": "integer"}}, "values": ["of"]}  # fmt: skip
    does = {"do": "notify", "text": {"event": "value"}}
    parts = [
        {"id": "a", "type": "custom", "properties": {"component": "stars", "props": {"most": 3, "of": HOSTILE}},
         "bindings": {"most": {"param": "m"}, "label": {"state": "session.components"}},
         "actions": {"rated": [does, does], "change": [does]}},
        {"id": "b", "type": "custom", "properties": {"component": "stars", "props": {"of": None}},
         "bindings": {"props": {"param": "all"}, "most": {"param": "m"}}},
        {"id": "c", "type": "custom", "properties": {"component": "stars"},
         "bindings": {"of": {"component": "a", "value": "of"}}},
    ]  # fmt: skip
    document = {"slug": "s", "title": "S", "state": [{"name": "components"}], "pages": [{"components": parts}]}
    text = python_source(parse(document), [stars])
    assert text.replace("\n", "").isprintable()
    view = written(text, tmp_path)
    assert normal(view.document) == normal(document)
    assert view.definitions() == [stars]


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    parts = [
        {"id": "a", "type": "text", "properties": {"text": HOSTILE}},
        {"id": "b", "type": "json", "properties": {"value": {HOSTILE: [HOSTILE]}, "label": HOSTILE}},
        {"id": "c", "type": "image", "bindings": {"caption": {"param": "x", "default": HOSTILE}}},
        {"id": "d", "type": "text", "bindings": {"text": {"expr": f"'''{HOSTILE[6:9]}''' + 'a'"}}},
    ]
    document = {
        "slug": "h",
        "title": HOSTILE,
        "description": HOSTILE,
        "pages": [{"title": HOSTILE, "components": parts}],
    }
    text = python_source(parse(document))
    assert text.replace("\n", "").isprintable()
    called = {ast.unparse(call.func) for call in ast.walk(ast.parse(text)) if isinstance(call, ast.Call)}
    assert all(name.startswith(("pw.", "view.")) for name in called), called
    assert normal(again(document, tmp_path)) == normal(document)


def test_the_code_is_as_short_as_a_person_would_write_it() -> None:
    parts = [
        {"id": "size", "type": "slider", "at": {"w": 6}, "properties": {"label": "Size", "max": 10}},
        {"id": "unit", "type": "dropdown", "at": {"x": 6, "w": 6}, "properties": {"label": "Unit", "options": ["cm"]}},
        {"id": "card", "type": "card", "at": {"y": 2, "h": 2}},
        {"id": "text", "type": "text", "parent": "card", "at": {"h": 1}, "bindings": {"text": {"component": "size"}}},
    ]
    document = {"slug": "short", "title": "Short", "pages": [{"title": "Main", "components": parts}]}
    assert python_source(parse(document)) == (
        "import prefect_worklets as pw\n\n"
        "view = pw.view(\n"
        '    "short",\n'
        '    title="Short",\n'
        "    pages=[\n"
        "        pw.page(\n"
        '            "Main",\n'
        "            [\n"
        '                [pw.ui.Slider("Size", max=10), pw.ui.Dropdown("Unit", options=["cm"])],\n'
        '                pw.ui.Card([pw.ui.Text(pw.ui.component("size"))]),\n'
        "            ],\n"
        "        ),\n"
        "    ],\n"
        ")\n\n"
        "view.servable()  # for `panel serve`\n"
    )
