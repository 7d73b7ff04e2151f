"""Views that Python code writes: each kind, binding and action; ids and places; faults with their lines."""

from __future__ import annotations

import datetime
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from prefect_worklets.flows.faults import DefinitionFault
from prefect_worklets.panel_views import document
from prefect_worklets.panel_views.components.kinds import KINDS
from prefect_worklets.panel_views.ui import __all__ as names
from prefect_worklets.panel_views.ui import kinds, verbs
from prefect_worklets.panel_views.ui.base import Component

import prefect_worklets as pw

DOCS = Path(__file__).resolve().parents[2] / "docs"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_ui", DOCS / "generate_ui.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def components(*children: Any, **options: Any) -> list[dict[str, Any]]:
    """The components of a view with one page."""
    parts: list[dict[str, Any]] = pw.view("one", [pw.page("Main", children)], **options).document["pages"][0][
        "components"
    ]
    return parts


def faults(*children: Any, **options: Any) -> list[DefinitionFault]:
    with pytest.raises(pw.DefinitionError) as caught:
        components(*children, **options)
    found = [fault for fault in caught.value.faults if isinstance(fault, DefinitionFault)]
    assert len(found) == len(caught.value.faults)
    return found


def line() -> int:
    """The line that calls it."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


CLASSES = {
    one.type: one for one in vars(kinds).values() if isinstance(one, type) and issubclass(one, Component) and one.type
}


class TestInStepWithTheDocument:
    def test_the_generated_modules_are_up_to_date(self) -> None:
        for path, text in generator().written().items():
            assert path.read_text() == text, "run `python docs/generate.py`"

    @pytest.mark.parametrize("type", sorted(KINDS))
    def test_every_kind_is_reachable_with_every_property_and_event(self, type: str) -> None:
        made = CLASSES[type]
        assert made.__name__ in names
        assert getattr(pw.ui, made.__name__) is made
        accepted = set(inspect.signature(made).parameters)
        assert set(KINDS[type].names()) <= accepted
        assert {f"on_{event}" for event in KINDS[type].events} <= accepted
        assert ("children" in accepted) == KINDS[type].container
        (part,) = components(made())
        assert part["type"] == type
        assert not {"properties", "bindings", "actions"} & set(part), "defaults are left out"

    def test_every_binding_and_action_is_reachable(self) -> None:
        bindings = {tag.tag for _, tag in map(get_args, get_args(get_args(document.Binding)[0]))}
        actions = {get_args(one.model_fields["do"].annotation)[0] for one in get_args(get_args(document.Action)[0])}
        assert bindings | actions <= {*dir(pw.ui), "run_worklet"}
        assert set(verbs.__all__) <= set(names)

    @pytest.mark.parametrize(
        ("model", "function", "made_here"),
        [
            (document.ViewDocument, pw.view, {"version", "slug"}),
            (document.Page, pw.page, {"components"}),
            (document.StateDeclaration, pw.ui.State, set()),
        ],
    )
    def test_every_field_of_a_view_can_be_given(self, model: Any, function: Any, made_here: set[str]) -> None:
        assert set(model.model_fields) - made_here <= set(inspect.signature(function).parameters)


class TestIds:
    def test_they_come_from_the_label_the_title_or_the_kind(self) -> None:
        parts = components(
            pw.ui.Slider("Sepal length (cm)"), pw.ui.Card(title="1st"), pw.ui.Text("Hello"), pw.ui.Text()
        )
        assert [part["id"] for part in parts] == ["sepal_length_cm", "x1st", "text", "text2"]

    def test_given_ids_are_kept_and_others_go_round_them(self) -> None:
        parts = components(pw.ui.Number("Size"), pw.ui.Number("Other", id="size"))
        assert [part["id"] for part in parts] == ["size2", "size"]


class TestPlaces:
    def test_one_below_the_other_and_lists_side_by_side(self) -> None:
        a, b, c = pw.ui.Slider("A"), pw.ui.Slider("B"), pw.ui.Markdown("C", height=3)
        parts = components([a, b], c, pw.ui.Button("Go"))
        places = [document.Place.model_validate(part.get("at", {})) for part in parts]
        assert [(at.x, at.y, at.w, at.h) for at in places] == [(0, 0, 6, 2), (6, 0, 6, 2), (0, 2, 12, 3), (0, 5, 3, 1)]

    def test_widths_share_what_is_left_and_too_many_go_below(self) -> None:
        parts = components(
            [pw.ui.Metric("A", width=6), pw.ui.Metric("B"), pw.ui.Metric("C"), pw.ui.Metric("D", width=6)]
        )
        places = [document.Place.model_validate(part["at"]) for part in parts]
        assert [(at.x, at.y, at.w) for at in places] == [(0, 0, 6), (6, 0, 1), (7, 0, 1), (0, 2, 6)]

    def test_a_given_place_is_kept_and_the_others_go_below(self) -> None:
        parts = components(pw.ui.Text("B"), pw.ui.Text("A", at=pw.ui.At(2, 0, 4, 3)))
        assert parts[0]["at"]["y"] == 3
        assert parts[1]["at"] == {"x": 2, "w": 4, "h": 3}

    def test_a_container_is_as_high_as_what_it_holds(self) -> None:
        card, *inside = components(pw.ui.Card([pw.ui.Text("A"), [pw.ui.Slider("B"), pw.ui.Slider("C")]], title="Card"))
        assert card["at"]["h"] == 1 + 2 + 1
        assert {part["parent"] for part in inside} == {"card"}


class TestBindings:
    def test_states_are_declared_when_they_are_used(self) -> None:
        answer, unused = pw.ui.State("answer", scope="user"), pw.ui.State("unused", default={"a": [1]})
        view = pw.view("one", [pw.page("Main", [pw.ui.Text(answer["a"])])], state=[unused])
        assert view.document["state"] == [
            {"name": "unused", "default": {"a": [1]}},
            {"name": "answer", "scope": "user"},
        ]

    def test_what_can_be_read(self) -> None:
        rows = pw.ui.Table(pw.ui.table("flowers", limit=5), choose="one")
        answer = pw.ui.State("answer", scope="view")
        text = pw.ui.Text(answer["species"]["name"].otherwise("none"))
        more = [
            pw.ui.Json(rows.read("chosen")),
            pw.ui.Json(pw.ui.param("id", default=3)),
            pw.ui.Json(pw.ui.state(answer, status="empty")),
            pw.ui.Button(busy=answer.loading, hint=pw.ui.user("name")),
        ]
        parts = components(rows, text, *more)
        assert parts[0]["bindings"] == {"rows": {"table": "flowers", "limit": 5}}
        assert parts[1]["bindings"] == {"text": {"state": "view.answer", "path": "species.name"}}
        assert parts[1]["properties"] == {"text": "none"}
        assert parts[2]["bindings"] == {"value": {"component": "table", "value": "chosen"}}
        assert parts[3]["bindings"] == {"value": {"param": "id", "default": 3}}
        assert parts[4]["bindings"] == {"value": {"state": "view.answer", "status": "empty"}}
        assert parts[5]["bindings"]["hint"] == {"user": "name"}

    def test_names_in_expressions_stand_for_what_is_given(self) -> None:
        size, count = pw.ui.Number("Size"), pw.ui.State("count", scope="user")
        expr = pw.ui.expr("'a: ' + str(a * n) if params.a else session.b", a=size, n=count["rows"])
        parts = components(size, pw.ui.Text(expr), state=[pw.ui.State("b")])
        said = "'a: ' + str(components.size.value * user_state.count.rows) if params.a else session.b"
        assert parts[1]["bindings"]["text"] == {"expr": said}

    def test_actions_take_constants_states_and_components(self) -> None:
        answer, size = pw.ui.State("answer"), pw.ui.Number("Size")
        run = pw.ui.run("w", answer, input={"size": size, "unit": "cm", "when": datetime.date(2026, 1, 2)})
        button = pw.ui.Button("Go", on_click=[run, pw.ui.set_state(answer, None), pw.ui.send("done", data=size)])
        assert components(size, button)[1]["actions"]["click"] == [
            {
                "do": "run_worklet",
                "worklet": "w",
                "into": "session.answer",
                "input": {
                    "size": {"component": "size"},
                    "unit": {"constant": "cm"},
                    "when": {"constant": "2026-01-02"},
                },
            },
            {"do": "set_state", "state": "session.answer", "value": {"constant": None}},
            {"do": "send", "event": "done", "data": {"component": "size"}},
        ]


class TestFaults:
    def test_all_are_told_with_their_lines(self) -> None:
        first = line() + 1
        size = pw.ui.Slider("Size", min="small", max=10)  # type: ignore[arg-type]
        half = pw.ui.Number("Half", value=pw.ui.component(size, value="valeu"))
        go = pw.ui.Button(on_click=pw.ui.set_state("session.nowhere", 1))
        found = faults(size, half, go)
        assert [(fault.file, fault.line) for fault in found] == [(__file__, first + step) for step in range(3)]
        assert "slider 'size': min: Input should be a valid number" in str(found[0])
        assert "did you mean 'value'?" in str(found[1])
        assert "'session.nowhere'" in str(found[2])

    @pytest.mark.parametrize(
        ("part", "said"),
        [
            (lambda: pw.ui.Text(pw.ui.Number("Else where")), "the number that is made here is read, and stands on"),
            (lambda: pw.ui.Dropdown(options=[pw.ui.State("s")["a"]]), "only a whole property can be bound"),  # type: ignore[list-item]
            (lambda: pw.ui.Json({"a": {1, 2}}), "is no JSON value"),
            (lambda: pw.ui.Text(pw.ui.expr("a", a=pw.ui.State("s").loading)), "can be bound to, and not read in"),
            (lambda: pw.ui.Text(pw.ui.expr("1 +")), "text.expr"),
            (lambda: pw.ui.Button(on_click=["run"]), "holds 'run', which is no action"),  # type: ignore[list-item]
            (lambda: pw.ui.Text("a", at=pw.ui.At(8, 0, 6)), "reaches to column 14"),
        ],
    )  # fmt: skip
    def test_one_at_a_time(self, part: Any, said: str) -> None:
        (found,) = faults(part())
        assert said in found.msg
        assert found.file == __file__

    def test_states_of_one_name_agree(self) -> None:
        one, other = pw.ui.State("a", default=1), pw.ui.State("a", default=2)
        (found,) = faults(pw.ui.Text(one), pw.ui.Text(other))
        assert f"is declared here and at {__file__}:" in found.msg

    def test_a_component_stands_in_one_place(self) -> None:
        text = pw.ui.Text("a")
        assert {fault.msg for fault in faults(text, text)} == {"text 'text': id: 2 components have the id 'text'"}

    def test_of_the_view_itself(self) -> None:
        start = line() + 2
        with pytest.raises(pw.DefinitionError) as caught:
            pw.view("a", [pw.page("Main", [])], theme={"accent": "red"}, access={"roles": "x"})
        assert [getattr(fault, "line", None) for fault in caught.value.faults] == [start, start]


def test_a_state_is_no_sequence() -> None:
    with pytest.raises(TypeError):
        list(pw.ui.State("a"))  # type: ignore[call-overload]
