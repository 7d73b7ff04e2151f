"""Drafts in the store: changed by operations, never overwritten silently, published, compared and rolled back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from prefect_worklets.connectors.access import Principal, Role
from prefect_worklets.connectors.errors import BadInput, Conflict, DefinitionError, NotFound
from prefect_worklets.connectors.store import Store
from prefect_worklets.panel_views.drafts import Drafts
from prefect_worklets.panel_views.operations import Declare, Move, Remove, SetProperty, SetView, read_operations
from prefect_worklets.panel_views.presence import here, leave
from prefect_worklets.panel_views.publishing import publish, published, versions_of

ADA = Principal("u1", "Ada", Role.builder)
BOB = Principal("u2", "Bob", Role.builder)


@pytest.fixture
def drafts(store: Store, small: dict[str, Any]) -> Drafts:
    publish(store, small)
    return Drafts(store)


def label(text: str) -> SetProperty:
    return SetProperty(id="go", name="label", value=text)


class TestChanging:
    def test_what_is_published_is_where_a_draft_begins(self, drafts: Drafts) -> None:
        draft = drafts.read("small")
        assert (draft.revision, draft.base, draft.published, draft.unpublished) == (0, 1, 1, False)

    def test_people_see_nothing_of_it_until_it_is_published(self, drafts: Drafts, store: Store) -> None:
        drafts.change("small", 0, [label("Go")], ADA)
        assert published(store, "small").component("go").properties == {}  # type: ignore[union-attr]
        assert drafts.read("small").unpublished
        version = drafts.publish("small", 1, ADA, note="A label")
        assert published(store, "small").component("go").properties == {"label": "Go"}  # type: ignore[union-attr]
        newest = versions_of(store, "small")[0]
        assert (newest["number"], newest["note"], newest["by"], newest["live"]) == (
            version.number,
            "A label",
            "Ada",
            True,
        )
        assert not drafts.read("small").unpublished

    def test_undo_is_told_with_the_change(self, drafts: Drafts) -> None:
        before = drafts.read("small").document
        made = drafts.change("small", 0, [label("Go"), Move(id="go", at={"x": 0, "y": 9, "w": 3, "h": 1})], ADA)
        assert drafts.change("small", 1, made.undo, ADA).draft.document == before

    def test_who_comes_second_is_told_who_did_what_and_changes_nothing(self, drafts: Drafts) -> None:
        drafts.change("small", 0, [label("Go")], ADA)
        with pytest.raises(Conflict, match=r"revision 1 .* revision 0; Ada changed it") as caught:
            drafts.change("small", 0, [label("Los")], BOB)
        assert [str(fault) for fault in caught.value.faults] == ["component.go: Ada set label of button go"]
        assert drafts.read("small").document.component("go").properties == {"label": "Go"}  # type: ignore[union-attr]

    def test_of_many_at_once_one_wins(self, drafts: Drafts) -> None:
        def attempt(number: int) -> bool:
            try:
                drafts.change("small", 0, [label(f"N{number}")], ADA)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, range(8))) == 1
        assert drafts.read("small").revision == 1

    def test_a_fault_changes_nothing(self, drafts: Drafts) -> None:
        with pytest.raises(DefinitionError, match="1 fault"):
            drafts.change("small", 0, [label("Go"), SetProperty(id="go", name="nope", value=1)], ADA)
        assert drafts.read("small").revision == 0

    def test_what_read_a_component_goes_with_it_and_comes_back_with_undo(self, drafts: Drafts) -> None:
        before = drafts.read("small").document
        made = drafts.change("small", 0, [Remove(id="amount")], ADA)
        document = made.draft.document
        assert "text" not in document.component("half").bindings  # type: ignore[union-attr]
        assert document.component("go").actions["click"][0].input == {}  # type: ignore[union-attr]
        assert {line["where"] for line in made.also} == {"component:half", "component:go"}
        assert drafts.change("small", 1, made.undo, ADA).draft.document == before

    def test_a_state_that_goes_takes_its_readers(self, drafts: Drafts) -> None:
        made = drafts.change("small", 0, read_operations([{"op": "undeclare", "state": "session.result"}]), ADA)
        assert [state.key for state in made.draft.document.state] == ["user.size"]
        assert made.draft.document.component("go").actions["click"][0].do == "refresh"  # type: ignore[union-attr]

    def test_the_changes_since_a_revision(self, drafts: Drafts) -> None:
        drafts.change("small", 0, [label("Go")], ADA, client="tab-of-ada")
        drafts.change("small", 1, [SetView(name="title", value="Smaller")], BOB)
        found = drafts.changes("small", 0)
        assert [(one["revision"], one["by"], one["client"]) for one in found] == [
            (1, "Ada", "tab-of-ada"),
            (2, "Bob", ""),
        ]
        assert read_operations(found[0]["operations"]) == [label("Go")]
        assert drafts.changes("small", 1)[0]["summary"][0]["text"] == "set the view's title"

    @pytest.mark.parametrize("slug", ["nope", "../small", ""])
    def test_a_view_that_is_not_there(self, drafts: Drafts, slug: str) -> None:
        with pytest.raises(NotFound):
            drafts.read(slug)
        with pytest.raises(NotFound):
            drafts.change(slug, 0, [label("x")], ADA)

    def test_no_operation_is_no_change(self, drafts: Drafts) -> None:
        with pytest.raises(BadInput, match="no operation"):
            drafts.change("small", 0, [], ADA)


class TestWholeDocuments:
    def test_a_new_view_is_seen_by_nobody_else(self, store: Store, small: dict[str, Any]) -> None:
        drafts = Drafts(store)
        assert drafts.create(small, ADA).revision == 1
        with pytest.raises(NotFound):
            published(store, "small")
        assert [draft["slug"] for draft in drafts.listed()] == ["small"]
        assert drafts.publish("small", 1, ADA).number == 1
        assert drafts.listed() == []

    def test_a_name_that_is_taken(self, drafts: Drafts, small: dict[str, Any]) -> None:
        with pytest.raises(Conflict, match="already"):
            drafts.create(small, ADA)

    def test_replacing_is_a_change_as_any_other(self, drafts: Drafts, small: dict[str, Any]) -> None:
        wanted = {**small, "title": "Other", "state": [small["state"][1], small["state"][0]]}
        wanted["pages"] = [{"id": "extra", "title": "Extra"}, *small["pages"]]
        made = drafts.replace(wanted, 0, ADA)
        assert made.draft.document.to_json()["title"] == "Other"
        assert [page.id for page in made.draft.document.pages] == ["extra", "main"]
        assert [state.name for state in made.draft.document.state] == ["size", "result"]
        with pytest.raises(Conflict):
            drafts.replace(small, 0, BOB)
        assert drafts.replace(small, 1, ADA).draft.unpublished is False

    def test_discarding_goes_back_to_what_is_published(self, drafts: Drafts) -> None:
        drafts.change("small", 0, [label("Go")], ADA)
        with pytest.raises(Conflict):
            drafts.discard("small", 0, BOB)
        draft = drafts.discard("small", 1, ADA)
        assert draft is not None
        assert (draft.revision, draft.unpublished) == (2, False)

    def test_discarding_what_was_never_published_leaves_nothing(self, store: Store, small: dict[str, Any]) -> None:
        drafts = Drafts(store)
        drafts.create(small, ADA)
        assert drafts.discard("small", 1, ADA) is None
        with pytest.raises(NotFound):
            drafts.read("small")


class TestPublishing:
    def test_a_version_that_came_in_between_is_not_replaced_unseen(
        self, drafts: Drafts, store: Store, small: dict[str, Any]
    ) -> None:
        drafts.change("small", 0, [label("Go")], ADA)
        publish(store, {**small, "title": "Pushed"}, by_name="a push", source="project")
        with pytest.raises(Conflict, match=r"Version 2 was published by a push .* over=2"):
            drafts.publish("small", 1, ADA)
        assert drafts.publish("small", 1, ADA, over=2).number == 3

    def test_a_draft_without_changes_follows_what_is_published(
        self, drafts: Drafts, store: Store, small: dict[str, Any]
    ) -> None:
        drafts.change("small", 0, [label("Go")], ADA)
        drafts.publish("small", 1, ADA)
        publish(store, {**small, "title": "Pushed"}, by_name="a push", source="project")
        draft = drafts.read("small")
        assert (draft.revision, draft.document.title, draft.base) == (2, "Pushed", 3)
        with pytest.raises(Conflict):
            drafts.change("small", 1, [label("Old")], BOB)

    def test_a_push_of_the_same_file_leaves_the_builder_s_version(self, store: Store, small: dict[str, Any]) -> None:
        publish(store, small, source="project")
        drafts = Drafts(store)
        drafts.change("small", 0, [label("Go")], ADA)
        drafts.publish("small", 1, ADA)
        assert publish(store, small, source="project").number == 2
        assert publish(store, {**small, "title": "New file"}, source="project").number == 3

    def test_back_to_an_older_version(self, drafts: Drafts, store: Store) -> None:
        drafts.change("small", 0, [SetView(name="title", value="Two")], ADA)
        drafts.publish("small", 1, ADA)
        assert drafts.roll_back("small", 1, BOB).number == 3
        assert published(store, "small").title == "Small"
        assert drafts.read("small").document.title == "Small", "a draft without changes follows"
        assert versions_of(store, "small")[0]["note"] == "Back to version 1"
        with pytest.raises(NotFound, match="no version 9"):
            drafts.roll_back("small", 9, BOB)

    def test_rolling_back_leaves_a_draft_s_own_changes(self, drafts: Drafts) -> None:
        for revision, title in enumerate(("Two", "Three")):
            drafts.change("small", revision, [SetView(name="title", value=title)], ADA)
            drafts.publish("small", revision + 1, ADA)
        drafts.change("small", 2, [Declare(state={"name": "mine"})], ADA)
        drafts.roll_back("small", 1, BOB)
        assert drafts.read("small").document.title == "Three"
        with pytest.raises(Conflict, match="published by Bob"):
            drafts.publish("small", 3, ADA)


class TestPresence:
    def test_two_people_see_each_other(self, drafts: Drafts, store: Store) -> None:
        assert here(store, "small", "tab-of-ada", ADA, "go") == {"revision": 0, "people": []}
        seen = here(store, "small", "tab-of-bob", BOB)
        assert seen["people"] == [{"client": "tab-of-ada", "name": "Ada", "selected": "go"}]
        leave(store, "small", "tab-of-ada")
        assert here(store, "small", "tab-of-bob", BOB)["people"] == []

    def test_only_of_views_that_are_there(self, store: Store) -> None:
        with pytest.raises(NotFound):
            here(store, "nope", "tab-of-ada", ADA)
