"""Passwords: who gets in, how guessing is slowed down, and what invitations do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from prefect_worklets.connectors import passwords as module
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.errors import BadInput, NotAllowed, NotSignedIn, TooMany
from prefect_worklets.connectors.passwords import FREE_FOR_ADDRESS, FREE_FOR_NAME, Passwords
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import LoginLink, Password, SignInFailures, now
from sqlmodel import select

GOOD = "copper lantern 42"


@pytest.fixture
def passwords(store: Store, access: Access) -> Passwords:
    # As strong as a test needs: what argon2 costs is not ours to test.
    return Passwords(store, access, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def ada(access: Access, passwords: Passwords) -> str:
    user = access.add_user("ada", "builder")
    passwords.set(user.id, GOOD)
    return user.id


def age(store: Store, by: timedelta) -> None:
    """Let what was counted be so much older."""
    with store.session() as session:
        for row in session.exec(select(SignInFailures)):
            row.last_at -= by
            session.add(row)


class TestSigningIn:
    def test_by_name_and_password(self, access: Access, passwords: Passwords, ada: str) -> None:
        assert access.by_session(passwords.sign_in("ada", GOOD, "::1")).id == ada

    def test_what_is_kept_is_no_password(self, store: Store, ada: str) -> None:
        with store.read() as session:
            kept = session.get(Password, ada)
        assert kept is not None
        assert kept.hash.startswith("$argon2id$")
        assert "lantern" not in kept.hash

    @pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("eve", GOOD), ("", ""), ("ada", "x" * 100_000)])
    def test_a_wrong_one_tells_nothing(self, passwords: Passwords, ada: str, name: str, password: str) -> None:
        with pytest.raises(NotSignedIn, match=r"^Name or password is wrong\.$"):
            passwords.sign_in(name, password, "::1")

    def test_not_without_one_and_not_when_disabled(self, access: Access, passwords: Passwords, ada: str) -> None:
        access.add_user("bob")
        access.add_user("root", "admin")
        access.disable_user("ada")
        for name in ("bob", "ada"):
            with pytest.raises(NotSignedIn):
                passwords.sign_in(name, GOOD, "::1")

    def test_an_old_hash_is_renewed(self, store: Store, access: Access, passwords: Passwords, ada: str) -> None:
        stronger = Passwords(store, access, PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
        stronger.sign_in("ada", GOOD, "::1")
        with store.read() as session:
            kept = session.get(Password, ada)
        assert kept is not None
        assert "t=2" in kept.hash


class TestGuessing:
    def guess(self, passwords: Passwords, times: int, name: str = "ada", address: str = "::1") -> None:
        for _ in range(times):
            with pytest.raises(NotSignedIn):
                passwords.sign_in(name, "a wrong password", address)

    def test_a_name_waits_and_waits_longer(self, store: Store, passwords: Passwords, ada: str) -> None:
        self.guess(passwords, FREE_FOR_NAME)
        with pytest.raises(TooMany, match="30 seconds") as found:
            passwords.sign_in("ada", GOOD, "another address")
        assert 25 < found.value.wait <= 30
        age(store, timedelta(seconds=31))
        self.guess(passwords, 1)
        with pytest.raises(TooMany, match="60 seconds"):
            passwords.sign_in("ada", GOOD, "::1")
        age(store, timedelta(seconds=61))
        passwords.sign_in("ada", GOOD, "::1")
        self.guess(passwords, FREE_FOR_NAME)  # the right one has begun it anew

    def test_an_address_that_tries_many_names_waits(self, passwords: Passwords, ada: str) -> None:
        for number in range(FREE_FOR_ADDRESS):
            self.guess(passwords, 1, name=f"name{number}", address="203.0.113.9")
        with pytest.raises(TooMany):
            passwords.sign_in("ada", GOOD, "203.0.113.9")
        passwords.sign_in("ada", GOOD, "203.0.113.10")

    def test_it_is_forgotten_after_a_while(self, store: Store, passwords: Passwords, ada: str) -> None:
        self.guess(passwords, FREE_FOR_NAME)
        age(store, module.FORGIVEN_AFTER + timedelta(seconds=1))
        passwords.sign_in("ada", GOOD, "::1")

    def test_the_longest_wait_is_bounded(self, store: Store, passwords: Passwords, ada: str) -> None:
        with store.session() as session:
            session.add(SignInFailures(of="user:ada", count=10_000, last_at=now()))
        with pytest.raises(TooMany) as found:
            passwords.sign_in("ada", GOOD, "::1")
        assert found.value.wait <= module.LONGEST_WAIT.total_seconds()


class TestChanging:
    def test_the_old_one_is_asked_and_other_browsers_end(self, access: Access, passwords: Passwords, ada: str) -> None:
        mine, others = access.create_session(ada), access.create_session(ada)
        with pytest.raises(NotAllowed, match="current password"):
            passwords.change(ada, "wrong", "another lantern 43", mine)
        passwords.change(ada, GOOD, "another lantern 43", mine)
        assert access.by_session(mine).id == ada
        with pytest.raises(NotSignedIn):
            access.by_session(others)
        with pytest.raises(NotSignedIn):
            passwords.sign_in("ada", GOOD, "::1")
        passwords.sign_in("ada", "another lantern 43", "::1")

    def test_guessing_the_old_one_is_slowed_down(self, passwords: Passwords, ada: str) -> None:
        for _ in range(FREE_FOR_NAME):
            with pytest.raises(NotAllowed):
                passwords.change(ada, "wrong", "another lantern 43", None)
        with pytest.raises(TooMany):
            passwords.change(ada, GOOD, "another lantern 43", None)

    @pytest.mark.parametrize(
        ("password", "said"),
        [("short", "10 to 1000"), ("x" * 1001, "10 to 1000"), ("aaaaaaaaaaaa", "easy"), ("ADA-LOVELACE", "easy")],
    )
    def test_what_is_none(self, access: Access, passwords: Passwords, password: str, said: str) -> None:
        user = access.add_user("ada-lovelace")
        with pytest.raises(BadInput, match=said):
            passwords.set(user.id, password)
        assert not passwords.has_one(user.id)

    def test_signing_out_everywhere(self, access: Access, ada: str) -> None:
        first, second = access.create_session(ada), access.create_session(ada)
        access.end_sessions(ada, keep=second)
        with pytest.raises(NotSignedIn):
            access.by_session(first)
        assert access.by_session(second).id == ada
        access.end_sessions(ada)
        with pytest.raises(NotSignedIn):
            access.by_session(second)


class TestInvitations:
    def test_it_sets_a_password_once(self, access: Access, passwords: Passwords) -> None:
        user = access.add_user("bob")
        token = passwords.invite(user.id)
        assert passwords.invited(token).name == "bob"
        with pytest.raises(BadInput):
            passwords.accept(token, "short")
        assert access.by_session(passwords.accept(token, GOOD)).id == user.id
        with pytest.raises(NotSignedIn, match="used"):
            passwords.accept(token, "another lantern 43")
        passwords.sign_in("bob", GOOD, "::1")

    def test_a_newer_one_ends_it(self, access: Access, passwords: Passwords) -> None:
        user = access.add_user("bob")
        first, second = passwords.invite(user.id), passwords.invite(user.id)
        with pytest.raises(NotSignedIn):
            passwords.invited(first)
        assert passwords.invited(second).id == user.id

    def test_it_and_a_login_link_are_not_the_same(self, access: Access, passwords: Passwords) -> None:
        user = access.add_user("bob")
        with pytest.raises(NotSignedIn):
            access.redeem_login_link(passwords.invite(user.id))
        with pytest.raises(NotSignedIn):
            passwords.accept(access.create_login_link(user.id), GOOD)

    def test_it_ends_after_a_day_and_with_its_user(self, store: Store, access: Access, passwords: Passwords) -> None:
        user = access.add_user("bob")
        token = passwords.invite(user.id)
        with store.session() as session:
            link = session.exec(select(LoginLink)).one()
            link.expires_at = now()
            session.add(link)
        with pytest.raises(NotSignedIn):
            passwords.accept(token, GOOD)
        token = passwords.invite(user.id)
        access.disable_user("bob")
        with pytest.raises(NotSignedIn):
            passwords.accept(token, GOOD)
