"""Secrets: encrypted in the store, in clear in memory alone, and blanked out of what is kept and printed."""

from __future__ import annotations

import logging
import sys

import pytest
from cryptography.fernet import Fernet
from prefect_worklets.connectors.blanking import Blanks, blanked_output
from prefect_worklets.connectors.errors import BadInput, NotFound, SetupError
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.secrets import Secrets, secrets_cipher
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import Secret

VALUE = 'sk-"häßlich"-7f3a'


@pytest.fixture
def data(tmp_path):
    return DataDirectory(tmp_path / "data").prepare()


@pytest.fixture
def store(data):
    found = Store(data.database_url)
    found.migrate()
    yield found
    found.close()


def test_kept_encrypted_and_read_by_another_process(data, store):
    Secrets(store, secrets_cipher(data)).set("TOKEN", VALUE, "ann")
    with store.read() as session:
        row = session.get(Secret, "TOKEN")
    assert VALUE.encode() not in row.encrypted
    assert (data.secret_key.stat().st_mode & 0o777) == 0o600
    other = Secrets(store, secrets_cipher(data))
    other.refresh()
    assert other.value("TOKEN") == VALUE
    assert [(each.name, each.set_by) for each in other.all()] == [("TOKEN", "ann")]


def test_set_again_removed_and_missing(data, store):
    secrets = Secrets(store, secrets_cipher(data))
    secrets.set("TOKEN", "first", None)
    other = Secrets(store, secrets_cipher(data))
    other.refresh()
    secrets.set("TOKEN", "second", None)
    other.refresh()
    assert other.value("TOKEN") == "second"
    secrets.remove("TOKEN")
    with pytest.raises(SetupError, match="no secret 'TOKEN'"):
        secrets.value("TOKEN")
    with pytest.raises(NotFound):
        secrets.remove("TOKEN")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("1A", "long enough", "may not be named"), ("A B", "long enough", "may not be named"), ("A", "abc", "A has 3")],
)
def test_what_is_refused(data, store, name, value, said):
    with pytest.raises(BadInput, match=said):
        Secrets(store, secrets_cipher(data)).set(name, value, None)


def test_a_key_is_changed_by_naming_both(data, store):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    Secrets(store, secrets_cipher(data, old)).set("TOKEN", VALUE, None)
    both = Secrets(store, secrets_cipher(data, f"{new},{old}"))
    both.refresh()
    assert both.value("TOKEN") == VALUE
    stranger = Secrets(store, secrets_cipher(data, new))
    stranger.refresh()
    with pytest.raises(SetupError, match="Another key"):
        stranger.value("TOKEN")
    with pytest.raises(SetupError, match="no Fernet key"):
        secrets_cipher(data, "short")


def test_blanked_in_texts_json_and_data():
    blanks = Blanks(lambda: [VALUE])
    assert blanks.text(f"a {VALUE} b") == "a *** b"
    assert blanks.json('{"a":"x sk-\\"häßlich\\"-7f3a"}'.encode()) == b'{"a":"x ***"}'
    assert blanks.data({"a": [f"{VALUE}!", 1]}) == {"a": ["***!", 1]}
    assert blanks.json(None) is None
    untouched = {"a": 1}
    assert Blanks().data(untouched) is untouched


def test_blanked_in_what_is_printed_and_logged(capsys):
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    root.addHandler(handler)
    try:
        with blanked_output(Blanks(lambda: [VALUE])):
            print("printed", VALUE)
            try:
                raise ValueError(VALUE)
            except ValueError:
                root.exception("failed with %s", VALUE)
        stream = handler.stream
    finally:
        root.removeHandler(handler)
    captured = capsys.readouterr()
    assert captured.out == "printed ***\n"
    assert "failed with ***" in captured.err
    assert VALUE not in captured.err
    assert stream is sys.stderr
