"""The key that signs sessions, and where the login leads back to."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prefect_worklets.connectors.errors import SetupError
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.panel_views.auth import login_address, signing_key
from prefect_worklets.panel_views.server import host_of, read_arguments


def test_the_key_is_made_once_kept_closed_and_not_the_secret_itself(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: signing_key(data), range(16)))
    (key,) = keys
    assert stat.S_IMODE(data.secret_key.stat().st_mode) == 0o600
    assert data.secret_key.read_bytes() not in key
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_instances_have_different_keys(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    assert len({signing_key(DataDirectory(folder)) for folder in folders}) == 2


@pytest.mark.parametrize("content", [b"", b"  \n", b"short"])
def test_a_secret_that_is_none_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret.key").write_bytes(content)
    with pytest.raises(SetupError, match=r"secret\.key holds no secret"):
        signing_key(DataDirectory(tmp_path))


@pytest.mark.parametrize(
    ("back", "address"),
    [("/views/a", "/login?next=/views/a"), ("/views/a?b=c&d=e#f", "/login?next=/views/a%3Fb%3Dc%26d%3De%23f")],
)
def test_the_login_leads_back(back: str, address: str) -> None:
    assert login_address(back) == address


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8700", "127.0.0.1:8700"),
        ("https://views.example.org", "views.example.org"),
        ("https://views.example.org:443", "views.example.org"),
        ("http://views.example.org:80/", "views.example.org"),
        ("http://views.example.org:443", "views.example.org:443"),
    ],
)
def test_hosts_as_browsers_write_them(origin: str, host: str) -> None:
    assert host_of(origin) == host


@pytest.mark.parametrize("origin", ["", "*", "127.0.0.1:8700", "ftp://x", "http://"])
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(SetupError, match="no origin"):
        host_of(origin)


def test_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    given = read_arguments(["--data", "d", "--api", "http://a", "--origin", "http://b", "--origin", "http://c"])
    assert (given.origin, given.port) == (["http://b", "http://c"], 0)
    with pytest.raises(SystemExit) as caught:
        read_arguments(["--data", "d"])
    assert caught.value.code == 2
