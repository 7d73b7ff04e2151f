"""Users, sessions, keys and one-time links, on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from prefect_worklets.connectors import access as access_module
from prefect_worklets.connectors.access import Access, Principal, Role, hash_token, require
from prefect_worklets.connectors.errors import BadInput, Conflict, NotAllowed, NotFound, NotSignedIn
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import ApiKey, LoginLink, LoginSession, User, now
from sqlmodel import select


@pytest.fixture
def ada(access: Access) -> User:
    return access.add_user("ada", "builder")


class TestRoles:
    def test_each_may_all_that_those_below_may(self) -> None:
        assert Role.viewer < Role.operator < Role.builder < Role.admin

    def test_an_unknown_one_is_told_with_those_allowed(self) -> None:
        with pytest.raises(BadInput, match=r"'root'; use one of viewer, operator, builder, admin"):
            Role.named("root")

    @pytest.mark.parametrize("role", list(Role))
    def test_require(self, role: Role) -> None:
        caller = Principal("u", "ada", role)
        if role >= Role.builder:
            require(caller, Role.builder, "push code")
        else:
            with pytest.raises(
                NotAllowed, match=f"may not push code: that needs the role builder, and you are {role.name}"
            ):
                require(caller, Role.builder, "push code")


class TestKeys:
    def test_a_key_is_its_bearer(self, access: Access) -> None:
        key = access.create_key("ci", "operator")
        caller = access.by_key(key)
        assert (caller.name, caller.role) == ("ci", Role.operator)
        assert caller.id.startswith("key:")

    def test_only_the_hash_is_kept(self, access: Access, store: Store) -> None:
        key = access.create_key("ci")
        with store.read() as session:
            row = session.exec(select(ApiKey)).one()
        assert key not in row.model_dump_json()
        assert row.key_hash == hash_token(key)

    @pytest.mark.parametrize("key", ["", "wk_", "wk_" + "x" * 43, "é", "' OR 1=1 --", "\x00"])
    def test_another_key_is_refused(self, access: Access, key: str) -> None:
        access.create_key("ci")
        with pytest.raises(NotSignedIn, match="worklets keys create"):
            access.by_key(key)

    def test_a_revoked_key_ends_at_once(self, access: Access) -> None:
        key = access.create_key("ci")
        access.by_key(key)
        access.revoke_key("ci")
        assert access.cached("k:" + key) is None
        with pytest.raises(NotSignedIn):
            access.by_key(key)

    def test_an_expired_key_is_refused(self, access: Access, store: Store) -> None:
        key = access.create_key("ci", life=timedelta(hours=1))
        with store.session() as session:
            row = session.exec(select(ApiKey)).one()
            row.expires_at = now() - timedelta(seconds=1)
            session.add(row)
        with pytest.raises(NotSignedIn):
            access.by_key(key)

    def test_the_cache_never_outlives_the_key(self, access: Access) -> None:
        key = access.create_key("ci", life=timedelta(seconds=0.3))
        access.by_key(key)
        threading.Event().wait(0.35)
        assert access.cached("k:" + key) is None

    def test_a_name_is_taken_while_its_key_is_valid(self, access: Access) -> None:
        access.create_key("ci")
        with pytest.raises(Conflict, match="'ci'; revoke it first"):
            access.create_key("ci")
        access.revoke_key("ci")
        assert access.by_key(access.create_key("ci")).name == "ci"
        assert len(access.keys()) == 1

    def test_replace_ends_the_old_one(self, access: Access) -> None:
        old = access.replace_key("profile", "admin")
        access.by_key(old)
        new = access.replace_key("profile", "admin")
        assert access.by_key(new).role is Role.admin
        with pytest.raises(NotSignedIn):
            access.by_key(old)

    def test_of_several_at_once_one_has_the_name(self, access: Access) -> None:
        made: list[str] = []
        refused: list[Conflict] = []

        def create() -> None:
            try:
                made.append(access.create_key("ci"))
            except Conflict as error:
                refused.append(error)

        threads = [threading.Thread(target=create) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(made), len(refused)) == (1, 5)

    @pytest.mark.parametrize("name", ["", " ", " ci", "ci ", "a\nb", "a\x00b", "x" * 101])
    def test_names_that_mislead_are_refused(self, access: Access, name: str) -> None:
        with pytest.raises(BadInput, match="may not be named"):
            access.create_key(name)

    def test_bad_roles_and_lives_are_refused(self, access: Access) -> None:
        with pytest.raises(BadInput, match="no role 'root'"):
            access.create_key("ci", "root")
        with pytest.raises(BadInput, match="longer than nothing"):
            access.create_key("ci", life=timedelta(0))
        assert access.keys() == []

    def test_revoking_an_unknown_one_says_where_to_look(self, access: Access) -> None:
        with pytest.raises(NotFound, match="worklets keys list"):
            access.revoke_key("ci")


class TestUsers:
    def test_ensure_makes_once_and_keeps_the_role(self, access: Access) -> None:
        first = access.ensure_user("ada", "admin")
        assert access.ensure_user("ada", "viewer") == first
        assert first.role == "admin"

    def test_a_name_is_taken_once(self, access: Access, ada: User) -> None:
        with pytest.raises(Conflict, match="'ada'"):
            access.add_user("ada")

    def test_disabling_ends_sessions_links_and_keys(self, access: Access, ada: User) -> None:
        token = access.create_session(ada.id)
        link = access.create_login_link(ada.id)
        key = access.create_key("adas", by=ada.id)
        other = access.create_key("others", by="someone")
        access.by_session(token)
        access.by_user(ada.id)
        access.by_key(key)
        access.disable_user("ada")
        for attempt in (
            lambda: access.by_session(token),
            lambda: access.redeem_login_link(link),
            lambda: access.by_key(key),
            lambda: access.by_user(ada.id),
        ):
            with pytest.raises(NotSignedIn):
                attempt()
        assert access.by_key(other).name == "others"

    def test_enabling_lets_in_again_by_a_new_link(self, access: Access, ada: User) -> None:
        old = access.create_session(ada.id)
        access.disable_user("ada")
        with pytest.raises(NotSignedIn, match="disabled"):
            access.redeem_login_link(access.create_login_link(ada.id))
        access.enable_user("ada")
        assert access.by_session(access.redeem_login_link(access.create_login_link(ada.id))).id == ada.id
        with pytest.raises(NotSignedIn):
            access.by_session(old)

    def test_a_new_role_counts_at_once(self, access: Access, ada: User) -> None:
        token = access.create_session(ada.id)
        assert access.by_session(token).role is Role.builder
        access.set_role("ada", "viewer")
        assert access.by_session(token).role is Role.viewer

    def test_the_only_admin_stays(self, access: Access) -> None:
        access.add_user("root", "admin")
        for attempt in (lambda: access.disable_user("root"), lambda: access.set_role("root", "viewer")):
            with pytest.raises(Conflict, match="only admin"):
                attempt()
        access.add_user("second", "admin")
        access.disable_user("root")
        with pytest.raises(Conflict, match="only admin"):
            access.disable_user("second")

    def test_two_admins_cannot_end_each_other(self, access: Access) -> None:
        for name in ("a", "b"):
            access.add_user(name, "admin")
        refused: list[Conflict] = []

        def end(name: str) -> None:
            try:
                access.disable_user(name)
            except Conflict as error:
                refused.append(error)

        threads = [threading.Thread(target=end, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1
        assert sum(not user.disabled for user in access.users()) == 1

    @pytest.mark.parametrize("attempt", ["disable_user", "enable_user", "user"])
    def test_an_unknown_one_says_where_to_look(self, access: Access, attempt: str) -> None:
        with pytest.raises(NotFound, match=r"'eve'; `worklets users list`"):
            getattr(access, attempt)("eve")


class TestSessions:
    def test_a_link_signs_in_once(self, access: Access, ada: User) -> None:
        link = access.create_login_link(ada.id)
        token = access.redeem_login_link(link)
        assert access.by_session(token) == Principal(ada.id, "ada", Role.builder)
        with pytest.raises(NotSignedIn, match="unknown, used or expired"):
            access.redeem_login_link(link)

    def test_a_link_signs_in_once_even_when_used_twice_at_once(self, access: Access, ada: User) -> None:
        link = access.create_login_link(ada.id)
        tokens: list[str] = []

        def redeem() -> None:
            try:
                tokens.append(access.redeem_login_link(link))
            except NotSignedIn:
                return

        threads = [threading.Thread(target=redeem) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(tokens) == 1

    def test_an_expired_link_is_refused(self, access: Access, store: Store, ada: User) -> None:
        link = access.create_login_link(ada.id)
        with store.session() as session:
            row = session.exec(select(LoginLink)).one()
            row.expires_at = now()
            session.add(row)
        with pytest.raises(NotSignedIn):
            access.redeem_login_link(link)

    def test_every_sign_in_has_a_token_of_its_own(self, access: Access, ada: User) -> None:
        assert access.create_session(ada.id) != access.create_session(ada.id)

    def test_neither_token_is_kept(self, access: Access, store: Store, ada: User) -> None:
        link = access.create_login_link(ada.id)
        token = access.redeem_login_link(link)
        with store.read() as session:
            kept = [
                session.exec(select(LoginSession)).one().token_hash,
                session.exec(select(LoginLink)).one().token_hash,
            ]
        assert kept == [hash_token(token), hash_token(link)]

    def test_signing_out_ends_it_at_once(self, access: Access, ada: User) -> None:
        token, other = access.create_session(ada.id), access.create_session(ada.id)
        access.by_session(token)
        access.end_session(token)
        access.end_session("unknown")
        with pytest.raises(NotSignedIn, match="sign in again"):
            access.by_session(token)
        assert access.by_session(other).name == "ada"

    def test_expired_ones_are_cleared_away(self, access: Access, store: Store, ada: User) -> None:
        token = access.create_session(ada.id)
        with store.session() as session:
            row = session.exec(select(LoginSession)).one()
            row.expires_at = now() - timedelta(seconds=1)
            session.add(row)
        with pytest.raises(NotSignedIn):
            access.by_session(token)
        access.create_session(ada.id)
        with store.read() as session:
            assert len(session.exec(select(LoginSession)).all()) == 1

    def test_nobody_signs_in_as_an_unknown_user(self, access: Access) -> None:
        for attempt in (access.create_login_link, access.create_session):
            with pytest.raises(NotFound):
                attempt("nobody")


class TestCache:
    def test_a_caller_seen_a_moment_ago_needs_no_query(self, access: Access, ada: User, store: Store) -> None:
        token = access.create_session(ada.id)
        caller = access.by_session(token)
        store.close()
        assert access.by_session(token) is caller
        assert access.cached("s:" + token) is caller

    def test_an_answer_from_before_a_change_is_not_kept(self, access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
        key = access.create_key("ci")
        checking = access_module._expired

        def revoked_meanwhile(at: object) -> bool:
            access.revoke_key("ci")  # after the row was read, before it is remembered
            return checking(None)

        monkeypatch.setattr(access_module, "_expired", revoked_meanwhile)
        access.by_key(key)
        assert access.cached("k:" + key) is None

    def test_it_stays_small(self, access: Access, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(access_module, "_CACHE_ENTRIES", 3)
        for _ in range(8):
            access.by_session(access.create_session(ada.id))
        assert len(access._cache) <= 3


class TestInternal:
    @pytest.mark.parametrize("key", ["", "the internal ke", "the internal key ", "é"])
    def test_only_the_key_itself(self, access: Access, key: str) -> None:
        assert access.is_internal("the internal key")
        assert not access.is_internal(key)

    @pytest.mark.parametrize("key", ["", "None"])
    def test_without_one_nobody_is(self, sqlite_store: Store, key: str) -> None:
        assert not Access(sqlite_store).is_internal(key)
