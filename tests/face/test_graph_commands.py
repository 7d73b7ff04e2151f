from __future__ import annotations

import json
from pathlib import Path

import pytest
from prefect_worklets.connectors.errors import DefinitionError, NotFound
from typer.testing import CliRunner

from prefect_worklets.cli import app

CODE = """
import prefect_worklets as pw
print("loaded")

@pw.node
def half(a: int) -> float:
    return a / 2

@pw.worklet
def halved(a: int) -> float:
    return half(a)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "numbers_.py").write_text(CODE)
    return tmp_path / "numbers_.py"


def test_a_worklet_of_a_file_is_exported(code: Path) -> None:
    done = CliRunner().invoke(app, ["export", f"{code}:halved"], catch_exceptions=False)
    document = json.loads(done.stdout)  # what the file prints is not in it
    assert document["nodes"][0]["function"] == "numbers_:half"
    assert document["inputs"] == [{"name": "a", "type": "int", "schema": {"type": "integer"}}]


def test_what_is_not_there_is_told(code: Path) -> None:
    with pytest.raises(NotFound, match="Did you mean 'halved'"):
        CliRunner().invoke(app, ["export", f"{code}:halve"], catch_exceptions=False)
    code.write_text(CODE.replace("half(a)", "half(b=a)"))
    with pytest.raises(DefinitionError, match=r"numbers_\.py:11: node 'half': it has no parameter 'b'"):
        CliRunner().invoke(app, ["export", f"{code}:halved"], catch_exceptions=False)
