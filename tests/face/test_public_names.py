"""What `import prefect_worklets as pw` gives."""

from __future__ import annotations

import subprocess
import sys

import pytest

import prefect_worklets as pw


@pytest.mark.parametrize("name", pw.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(pw, name) is getattr(pw, name)
    assert name in dir(pw)


def test_names_are_sorted_and_no_other_is_there() -> None:
    assert pw.__all__ == sorted(pw.__all__)
    with pytest.raises(AttributeError, match="nonesuch"):
        _ = pw.nonesuch


def test_the_import_alone_loads_nothing_heavy() -> None:
    code = "import sys, prefect_worklets.cli; print(*{'numpy', 'sqlalchemy', 'prefect', 'httpx'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "\n"
