from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
from prefect_worklets.bentos.differences import differences
from prefect_worklets.bentos.manifest import read_manifest


def test_there_are_none_here(iris_package: Path) -> None:
    assert differences(read_manifest(iris_package)) == []


def test_packages_and_python(iris_package: Path) -> None:
    manifest = read_manifest(iris_package)
    manifest.packages |= {"numpy": "1.0.0", "odd": "2"}
    manifest.python = "3.9.1"
    assert differences(manifest) == [
        ("numpy", "1.0.0", np.__version__),
        ("odd", "2", None),
        ("Python", "3.9.1", platform.python_version()),
    ]


def test_what_an_own_environment_brings_differs_from_nothing(iris_package: Path) -> None:
    manifest = read_manifest(iris_package)
    manifest.packages |= {"NumPy": "1.0.0", "odd": "2"}
    manifest.serving = manifest.serving.model_copy(update={"requirements": ("numpy==1.0.0",)})
    assert [each.name for each in differences(manifest)] == ["odd"]
