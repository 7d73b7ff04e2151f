"""Differences: the operations that lead from one document to another, whatever the two are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect_worklets.connectors.errors import BadInput, NotFound
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.differences import difference
from prefect_worklets.panel_views.document import ViewDocument
from prefect_worklets.panel_views.operations import Rename, apply, apply_all, read_operation
from prefect_worklets.panel_views.wording import diff

NAMES = ["a", "b", "c", "d", "e"]


@st.composite
def documents(draw: st.DrawFn) -> ViewDocument:
    """Views that share names, so that the same ones move, change, go and come."""
    ids = draw(st.permutations(NAMES))
    pages = draw(st.lists(st.sampled_from(["one", "two", "three"]), min_size=1, unique=True))
    states = draw(st.lists(st.sampled_from(["s", "t", "u"]), unique=True))
    made: list[dict[str, Any]] = [
        {"id": page, "title": draw(st.sampled_from(["", "T"])), "components": []} for page in pages
    ]
    cards: dict[str, str] = {}
    for id in ids[: draw(st.integers(0, 5))]:
        page = draw(st.sampled_from(made))
        kind = draw(st.sampled_from(["text", "button", "card"]))
        part: dict[str, Any] = {"id": id, "type": kind, "at": {"x": 0, "y": draw(st.integers(0, 3)), "w": 3, "h": 1}}
        holders = [card for card, where in cards.items() if where == page["id"]]
        if holders and draw(st.booleans()):
            part["parent"] = draw(st.sampled_from(holders))
        if kind == "card":
            cards[id] = page["id"]
        if kind == "text":
            part["properties"] = {"text": draw(st.sampled_from(["x", "1", 1, 1.5]))}
            if states and draw(st.booleans()):
                part["bindings"] = {"text": {"state": f"session.{draw(st.sampled_from(states))}"}}
        if kind == "button" and states:
            part["actions"] = {
                "click": [{"do": "set_state", "state": f"session.{states[0]}", "value": {"constant": 1}}]
            }
        page["components"].append(part)
    declared = [{"name": name, "default": draw(st.sampled_from([None, 1]))} for name in states]
    return parse({"slug": "made", "title": draw(st.sampled_from(["A", "B"])), "state": declared, "pages": made})


@settings(max_examples=300, deadline=None)
@given(documents(), documents())
def test_the_operations_lead_from_one_to_the_other(before: ViewDocument, after: ViewDocument) -> None:
    steps = difference(before, after)
    sent = [read_operation(json.loads(json.dumps(step.model_dump(mode="json")))) for step in steps]
    assert (apply_all(before, sent) if sent else before).to_json() == after.to_json()
    assert (steps == []) == (before == after)


def test_in_words(small: dict[str, Any]) -> None:
    other = json.loads(json.dumps(small))
    other["title"] = "Other"
    parts = other["pages"][0]["components"]
    parts[0]["at"]["w"] = 5
    parts[1]["properties"] = {"label": "Go"}
    parts[2]["bindings"] = {}
    del parts[6]
    found = diff(parse(small), parse(other))
    assert [line["text"] for line in found] == [
        "set the view's title",
        "removed text who",
        "resized slider amount",
        "set label of button go",
        "unbound text of text shown",
    ]
    assert (found[0]["before"], found[0]["after"]) == ("Small", "Other")


class TestRenaming:
    def test_all_that_reads_a_component_follows(self, small: dict[str, Any]) -> None:
        document = apply(parse(small), Rename(id="amount", to="quantity"))
        text = json.dumps(document.to_json())
        assert '"amount": {"component": "quantity"}' in text, "the worklet's input keeps its name"
        assert "components.quantity.value / 2" in text
        assert apply(document, Rename(id="quantity", to="amount")) == parse(small)

    def test_children_follow(self, stylize: dict[str, Any]) -> None:
        document = apply(parse(stylize), Rename(id="history", to="past"))
        assert document.component("gallery").parent == "past"  # type: ignore[union-attr]

    def test_a_name_that_is_taken(self, small: dict[str, Any]) -> None:
        with pytest.raises(BadInput):
            apply(parse(small), Rename(id="amount", to="go"))


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"op": "set_view", "name": "slug", "value": "x"}, "no field 'slug'"),
        ({"op": "set_view", "name": "theme", "value": {"accent": "red"}}, "does not fit"),
        ({"op": "set_page", "page": "main", "name": "components", "value": []}, "no field 'components'"),
        ({"op": "set_page", "page": "main", "name": "title", "value": "x" * 300}, "does not fit"),
        ({"op": "order_pages", "pages": ["main", "other"]}, "other pages"),
        ({"op": "remove_page", "page": "main"}, "fault"),
    ],
)
def test_refusals(small: dict[str, Any], operation: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        apply(parse(small), read_operation(operation))


def test_a_page_that_is_not_there(small: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="it has main"):
        apply(parse(small), read_operation({"op": "remove_page", "page": "nope"}))
