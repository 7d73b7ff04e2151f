"""What views keep in the store: versions that are published, and state that outlives the page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from prefect_worklets.connectors.access import Access, Principal, Role
from prefect_worklets.connectors.errors import DefinitionError, NotFound, TooLarge
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import ViewState, ViewVersion, now
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.publishing import may_open, publish, published, views_for
from prefect_worklets.panel_views.state import MAX_VALUE_BYTES, PersistentState, forget_tabs
from sqlmodel import select

VIEWER = Principal("u1", "Vera", Role.viewer)
BUILDER = Principal("u2", "Bob", Role.builder)


class TestPublishing:
    def test_versions_count_up_and_the_newest_is_seen(self, store: Store, small: dict[str, Any]) -> None:
        assert publish(store, small).number == 1
        assert publish(store, {**small, "title": "Other"}).number == 2
        assert published(store, "small").title == "Other"

    def test_the_same_again_makes_no_version(self, store: Store, small: dict[str, Any]) -> None:
        first = publish(store, small)
        assert publish(store, parse(small)).id == first.id

    def test_back_to_an_older_text_is_a_new_version(self, store: Store, small: dict[str, Any]) -> None:
        for title in ("One", "Two", "One"):
            version = publish(store, {**small, "title": title})
        assert version.number == 3
        assert published(store, "small").title == "One"

    def test_a_faulty_document_changes_nothing(self, store: Store, small: dict[str, Any]) -> None:
        publish(store, small)
        with pytest.raises(DefinitionError):
            publish(store, {**small, "title": ""})
        assert published(store, "small").title == "Small"

    def test_several_at_once_each_get_a_number(self, store: Store, small: dict[str, Any]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: publish(store, {**small, "title": f"T{n}"}), range(8)))
        with store.read() as session:
            numbers = sorted(row.number for row in session.exec(select(ViewVersion)))
        assert numbers == list(range(1, 9))

    @pytest.mark.parametrize("slug", ["nope", "", "../small", "x" * 500])
    def test_what_is_not_there(self, store: Store, slug: str) -> None:
        with pytest.raises(NotFound):
            published(store, slug)

    @pytest.mark.parametrize(
        ("access", "who", "may"),
        [
            ({}, None, False),
            ({}, VIEWER, True),
            ({"role": "builder"}, VIEWER, False),
            ({"role": "builder"}, BUILDER, True),
            ({"public": True}, None, True),
        ],
    )
    def test_who_may_open(
        self, store: Store, small: dict[str, Any], access: dict[str, Any], who: Principal | None, may: bool
    ) -> None:
        publish(store, {**small, "access": access})
        assert may_open(published(store, "small"), who) is may
        assert [view["slug"] for view in views_for(store, who)] == (["small"] if may else [])


class TestState:
    @pytest.fixture
    def users(self, store: Store) -> list[str]:
        return [Access(store).ensure_user(name, "viewer").id for name in ("ada", "bob")]

    def test_defaults_first(self, store: Store, small: dict[str, Any], users: list[str]) -> None:
        state = PersistentState(store, "small", users[0])
        assert state.load(parse(small)) == {"session.result": None, "user.size": 3}

    def test_a_user_s_is_theirs_alone(self, store: Store, small: dict[str, Any], users: list[str]) -> None:
        PersistentState(store, "small", users[0]).save("user.size", 9)
        values = [PersistentState(store, "small", user).load(parse(small))["user.size"] for user in (*users, None)]
        assert values == [9, 3, 3]

    def test_a_view_s_is_everybody_s(self, store: Store, small: dict[str, Any], users: list[str]) -> None:
        small["state"].append({"name": "size", "scope": "view", "default": 0})
        PersistentState(store, "small", users[0]).save("view.size", {"deep": [1]})
        loaded = PersistentState(store, "small", users[1]).load(parse(small))
        assert loaded["view.size"] == {"deep": [1]}
        assert loaded["user.size"] == 3

    def test_a_session_s_is_not_kept(self, store: Store, small: dict[str, Any], users: list[str]) -> None:
        PersistentState(store, "small", users[0]).save("session.result", 1)
        assert PersistentState(store, "small", users[0]).load(parse(small))["session.result"] is None

    def test_a_session_s_is_kept_for_its_tab_and_its_user(
        self, store: Store, small: dict[str, Any], users: list[str]
    ) -> None:
        first = PersistentState(store, "small", users[0])
        assert first.session_of("a" * 32) == {}
        first.save("session.result", [1])
        assert PersistentState(store, "small", users[0]).session_of("a" * 32) == {"session.result": [1]}
        assert PersistentState(store, "small", users[0]).session_of("b" * 32) == {}
        assert PersistentState(store, "small", users[1]).session_of("a" * 32) == {}
        assert PersistentState(store, "other", users[0]).session_of("a" * 32) == {}
        assert first.load(parse(small))["session.result"] is None

    def test_old_tabs_are_forgotten(self, store: Store, users: list[str]) -> None:
        state = PersistentState(store, "small", users[0])
        state.session_of("a" * 32)
        state.save("session.result", 1)
        state.save("user.size", 4)
        with store.session() as session:
            for row in session.exec(select(ViewState)):
                row.updated_at = now() - timedelta(days=9)
                session.add(row)
        state.session_of("b" * 32)
        state.save("session.result", 2)
        forget_tabs(store)
        assert state.session_of("a" * 32) == {}
        assert state.session_of("b" * 32) == {"session.result": 2}
        with store.read() as session:
            assert len(session.exec(select(ViewState)).all()) == 2

    def test_another_view_s_is_not_seen(self, store: Store, small: dict[str, Any], users: list[str]) -> None:
        PersistentState(store, "other", users[0]).save("user.size", 9)
        assert PersistentState(store, "small", users[0]).load(parse(small))["user.size"] == 3

    def test_what_is_no_longer_declared_is_left_out(
        self, store: Store, small: dict[str, Any], users: list[str]
    ) -> None:
        PersistentState(store, "small", users[0]).save("user.gone", 9)
        assert "user.gone" not in PersistentState(store, "small", users[0]).load(parse(small))

    def test_values_replace_each_other(self, store: Store, small: dict[str, Any], users: list[str]) -> None:
        state = PersistentState(store, "small", users[0])
        for value in (1, None, "two"):
            state.save("user.size", value)
        assert state.load(parse(small))["user.size"] == "two"

    def test_there_is_a_limit(self, store: Store, users: list[str]) -> None:
        with pytest.raises(TooLarge, match=r"user\.size"):
            PersistentState(store, "small", users[0]).save("user.size", "x" * MAX_VALUE_BYTES)
