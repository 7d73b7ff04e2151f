"""Folders for stock BentoML. That `bentoml build` and `serve` take them is seen in tests/face/test_export.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from prefect_worklets.bentos.exporting import needed_modules, requirements_of, write_context
from prefect_worklets.bentos.manifest import read_manifest
from prefect_worklets.bentos.package import pack
from prefect_worklets.connectors.errors import BadInput
from prefect_worklets.connectors.images import Image
from sklearn.linear_model import LinearRegression

# Asks the service of the folder that it is started in, and tells where its code lies.
ASK = """
import asyncio, json, sys
import httpx
from service import service

async def main():
    app = service.to_asgi()
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        answers = [await client.post("/predict", json={"inputs": inputs}) for inputs in json.loads(sys.argv[1])]
        described = (await client.get("/docs.json")).json()["paths"]["/predict"]["post"]
    places = [m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "prefect_worklets"]
    found = {"answers": [[a.status_code, a.json()] for a in answers], "places": places, "described": described}
    print(json.dumps(found))

asyncio.run(main())
"""


def ask(folder: Path, *inputs: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(inputs)], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["places"]
    assert all(Path(place).is_relative_to(folder) for place in found["places"])
    return found


def test_no_server_is_copied() -> None:
    modules = needed_modules()
    assert {"bentos.frameworks.torch", "bentos.reading", "connectors.images"} <= modules
    for other in ("bentos.api", "bentos.deployer", "bentos.host", "connectors.store", "connectors.access"):
        assert other not in modules


def test_the_folder(iris_package: Path, tmp_path: Path) -> None:
    manifest = read_manifest(iris_package)
    with pytest.raises(BadInput, match="has no version"):
        write_context(iris_package, tmp_path / "out")
    manifest.version, manifest.labels = "1.2.0", {"team": "plants"}
    manifest.write(iris_package)
    write_context(iris_package, tmp_path / "out")
    said = yaml.safe_load((tmp_path / "out/bentofile.yaml").read_text())
    assert (said["name"], said["service"], said["labels"]["team"]) == ("iris", "service:service", "plants")
    assert said["python"]["lock_packages"] is False
    lines = (tmp_path / "out/requirements.txt").read_text().split()
    assert all("==" in line for line in lines)
    assert {line.partition("==")[0] for line in lines} >= {"bentoml", "scikit-learn", "numpy", "cloudpickle"}
    assert "prefect" not in " ".join(lines)
    assert "iris:1.2.0" in (tmp_path / "out/README.md").read_text()
    with pytest.raises(BadInput, match="not empty"):
        write_context(iris_package, tmp_path / "out")


def test_the_requirements_of_an_own_environment_stand(iris_package: Path) -> None:
    manifest = read_manifest(iris_package)
    manifest.serving = manifest.serving.model_copy(update={"requirements": ("scikit-learn==1.5.2", "NumPy<2")})
    lines = requirements_of(manifest)
    assert {"scikit-learn==1.5.2", "NumPy<2", "orjson"} <= set(lines)
    assert not any(line.startswith("numpy") for line in lines)


def test_a_table_needs_pandas(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 0.0]})
    model = LinearRegression().fit(frame, [1.0, 2.0, 3.0])
    manifest = read_manifest(pack(model, "line", sample_input=frame, folder=tmp_path / "line"))
    assert f"pandas=={pd.__version__}" in requirements_of(manifest)


def test_it_answers_from_its_own_folder(tmp_path: Path) -> None:
    class Brighter:
        def predict(self, picture: Image, by: int = 10) -> Image:
            return Image.from_array((picture.array().astype(int) + by).clip(0, 255).astype(np.uint8))

    write_context(pack(Brighter, "brighter", version="1.0.0", folder=tmp_path / "package"), tmp_path / "out")
    inputs = {"picture": Image.from_array(np.full((3, 4, 3), 100, np.uint8)).data_url(), "by": 20}
    found = ask(tmp_path / "out", inputs, {"picture": "no picture", "by": "x"})
    (status, answer), (refused, problem) = found["answers"]
    assert (status, answer["model"], answer["version"]) == (200, "brighter", "1.0.0")
    assert (Image(answer["outputs"]).array() == 120).all()
    assert (refused, problem["type"]) == (400, "urn:worklets:problem:bad-input")
    assert [error["loc"] for error in problem["errors"]] == [["inputs", "picture"], ["inputs", "by"]]
    schema = found["described"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["inputs"]
