"""Operations: pure, checked, and undone by their inverse, whatever their order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect_worklets.connectors.errors import BadInput, DefinitionError, NotFound
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.components.kinds import KINDS
from prefect_worklets.panel_views.differences import inverse
from prefect_worklets.panel_views.document import Component, ConstantBinding, Place, ViewDocument
from prefect_worklets.panel_views.operations import (
    Add,
    Bind,
    Move,
    Operation,
    Remove,
    SetProperty,
    apply,
    apply_all,
    read_operation,
)

IDS = ["a", "b", "c", "d", "card"]


def places() -> st.SearchStrategy[Place]:
    return st.integers(1, 12).flatmap(
        lambda w: st.builds(Place, x=st.integers(0, 12 - w), y=st.integers(0, 40), w=st.just(w), h=st.integers(1, 12))
    )


def operations() -> st.SearchStrategy[Operation]:
    ids = st.sampled_from(IDS)
    components = st.builds(
        Component,
        id=ids,
        type=st.sampled_from(sorted(KINDS)),
        at=places(),
        parent=st.sampled_from([None, "card"]),
    )
    return st.one_of(
        st.builds(Add, page=st.just("main"), component=components, index=st.none() | st.integers(0, 6)),
        st.builds(Move, id=ids, at=places(), parent=st.sampled_from([None, "card"])),
        st.builds(
            SetProperty,
            id=ids,
            name=st.sampled_from(["label", "text", "title", "min"]),
            value=st.text(max_size=20) | st.integers(0, 9),
            unset=st.booleans(),
        ),
        st.builds(
            Bind,
            id=ids,
            name=st.sampled_from(["label", "text", "value"]),
            binding=st.none() | st.builds(ConstantBinding, constant=st.integers()),
        ),
        st.builds(Remove, id=ids),
    )


def empty() -> ViewDocument:
    return parse({"slug": "made", "title": "Made", "pages": [{"components": [{"id": "card", "type": "card"}]}]})


@settings(max_examples=200, deadline=None)
@given(st.lists(operations(), max_size=12))
def test_every_result_is_right_and_every_change_can_be_undone(changes: list[Operation]) -> None:
    document = empty()
    for change in changes:
        before = document.model_copy(deep=True)
        try:
            changed = apply(document, change)
        except (DefinitionError, NotFound):
            assert document == before
            continue
        assert document == before, "the document is a value"
        undone = apply_all(changed, inverse(document, change))
        assert _plain(undone) == _plain(document)
        assert parse(changed.to_json()) == changed
        document = changed


@settings(max_examples=100, deadline=None)
@given(operations())
def test_an_operation_is_json(change: Operation) -> None:
    assert read_operation(change.model_dump(mode="json")) == change


def _plain(document: ViewDocument) -> Any:
    # An unset of what was not set leaves an order of keys behind; it means nothing.
    return document.to_json()


class TestRefusals:
    @pytest.mark.parametrize(
        "value", [None, {}, {"op": "explode"}, {"op": "move", "id": "a"}, {"op": "add", "page": "main", "component": 1}]
    )
    def test_nonsense(self, value: Any) -> None:
        with pytest.raises(BadInput) as caught:
            read_operation(value)
        assert caught.value.faults

    def test_a_component_that_is_not_there_is_named_with_those_that_are(self, small: dict[str, Any]) -> None:
        with pytest.raises(NotFound, match=r"no component 'nope'; it has amount, go"):
            apply(parse(small), Remove(id="nope"))

    def test_what_others_read_can_t_go(self, small: dict[str, Any]) -> None:
        with pytest.raises(DefinitionError) as caught:
            apply(parse(small), Remove(id="amount"))
        assert any("'amount'" in fault.msg for fault in caught.value.faults)

    def test_a_page_that_is_not_there(self, small: dict[str, Any]) -> None:
        with pytest.raises(NotFound, match="it has main"):
            apply(parse(small), Add(page="other", component=Component(id="x", type="text")))


def test_a_container_goes_with_what_it_holds_and_comes_back_in_its_order(stylize: dict[str, Any]) -> None:
    document = parse(stylize)
    change = Remove(id="history")
    changed = apply(document, change)
    assert {"history", "gallery"}.isdisjoint(part.id for part in changed.components())
    assert apply_all(changed, inverse(document, change)) == document
