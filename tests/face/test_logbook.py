"""The one log of all processes."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from prefect_worklets.logbook import Logbook


class ClosedTerminal(io.StringIO):
    """Refuses every line after the first ones, as a terminal that was closed does."""

    def __init__(self, lines: int = 0) -> None:
        super().__init__()
        self.lines = lines
        self.tries = 0

    def write(self, text: str) -> int:
        self.tries += 1
        if self.getvalue().count("\n") >= self.lines:
            raise OSError(5, "Input/output error")
        return super().write(text)


def kept(folder: Path, name: str) -> str:
    return (folder / f"{name}.log").read_text()


class TestLogbook:
    def test_names_the_process_before_each_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        log = Logbook(tmp_path)
        log("app", "hello")
        log("recorder", "there")
        log.close()
        assert capsys.readouterr().err == "app      | hello\nrecorder | there\n"
        assert kept(tmp_path, "app").endswith(" hello\n")
        assert kept(tmp_path, "recorder").endswith(" there\n")

    @pytest.mark.parametrize(
        ("line", "shown"),
        [
            ("key wk_abcdefghijklmnopqrstuvwxyz012345 used", "key wk_*** used"),
            ("GET /login/abcdefghijklmnopqrstuvwxyz012345", "GET /login/***"),
            ("authorization: Bearer abcdefghijklmnopqrstuvwxyz", "authorization: Bearer ***"),
            ("the words /login/ and wk_ alone", "the words /login/ and wk_ alone"),
        ],
    )
    def test_keeps_secrets_out(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, shown: str):
        log = Logbook(tmp_path)
        log("app", line)
        log.close()
        assert capsys.readouterr().err == f"app      | {shown}\n"
        assert kept(tmp_path, "app").endswith(f" {shown}\n")

    def test_goes_on_in_its_files_when_the_terminal_is_gone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        terminal = ClosedTerminal(lines=1)
        monkeypatch.setattr(sys, "stderr", terminal)
        log = Logbook(tmp_path)
        for number in range(4):
            log("app", f"line {number}")
        log.close()
        assert terminal.getvalue() == "app      | line 0\n"
        assert [line[-6:] for line in kept(tmp_path, "app").splitlines()] == [f"line {n}" for n in range(4)]

    def test_does_not_try_a_closed_terminal_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        terminal = ClosedTerminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        log = Logbook(tmp_path)
        log("app", "one")
        tries = terminal.tries
        log("app", "two")
        log.close()
        assert terminal.tries == tries

    def test_a_file_that_cannot_be_opened_stops_nobody(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        (tmp_path / "app.log").mkdir()
        log = Logbook(tmp_path)
        log("app", "hello")
        log.close()
        assert "hello" in capsys.readouterr().err
