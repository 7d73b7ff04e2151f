"""A model's code, imported from its package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from prefect_worklets.bentos.frameworks.sources import load_attribute


@pytest.fixture
def _writing_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python is where nobody set PYTHONDONTWRITEBYTECODE."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.mark.usefixtures("_writing_bytecode")
class TestBytecode:
    def test_an_import_leaves_the_package_as_it_was(self, tmp_path: Path):
        (tmp_path / "thing.py").write_text("import beside\nanswer = beside.answer")
        (tmp_path / "beside.py").write_text("answer = 42")
        assert load_attribute(tmp_path, "thing", "answer") == 42
        assert {path.name for path in tmp_path.rglob("*")} == {"thing.py", "beside.py"}
        assert sys.dont_write_bytecode is False

    def test_code_replaced_within_the_same_second_is_read_anew(self, tmp_path: Path):
        place = tmp_path / "thing.py"
        found = []
        for answer in (1, 2):
            place.write_text(f"answer = {answer}")
            os.utime(place, (1_000_000_000, 1_000_000_000))
            found.append(load_attribute(tmp_path, "thing", "answer"))
        assert found == [1, 2]
