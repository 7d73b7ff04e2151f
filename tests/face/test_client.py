"""The client against the real app: deploy, ask, push, invoke, look at runs, and every refusal as its own class."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from prefect_worklets.connectors.errors import (
    BadInput,
    DefinitionError,
    ModelFailed,
    NodeFailed,
    NotAllowed,
    NotFound,
    NotSignedIn,
    SetupError,
    Unavailable,
)
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import prefect_worklets as pw
from prefect_worklets.client_models import ClientModels

from .conftest import Instance

WORKLETS = '''
from pydantic import BaseModel
import prefect_worklets as pw


class Pair(BaseModel):
    left: float
    right: float = 1


class Picture(BaseModel):
    image: pw.Image
    flip: bool = False


@pw.node
def add(pair: Pair) -> float:
    if pair.left < 0:
        raise RuntimeError("no negatives")
    return pair.left + pair.right


@pw.worklet
def sums(pair: Pair) -> float:
    """Adds two numbers."""
    return add(pair)


@pw.node
def upside(picture: Picture) -> Picture:
    return Picture(image=pw.Image(picture.image.array()[::-1].copy()))


@pw.worklet
def turned(picture: Picture) -> Picture:
    return upside(picture)


@pw.node
def rows(lengths: list[float]) -> list[list[float]]:
    return [lengths]


@pw.node
def first(classes: list[int]) -> int:
    return classes[0]


@pw.worklet
def iris_class(lengths: list[float]) -> int:
    return first(pw.model("iris")(rows(lengths)))
'''


@pytest.fixture(scope="module")
def project(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sums")
    (folder / "sums.py").write_text(WORKLETS)
    with instance.client() as client:
        client.push(folder, name="sums")
    return folder


@pytest.fixture(scope="module")
def iris(instance: Instance) -> pw.Model:
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    return instance.client().deploy(model, "iris", sample_input=X[:1], labels={"team": "plants"})


class Broken:
    def load(self) -> None:
        raise RuntimeError("no weights here")

    def predict(self, x: float) -> float:
        return x


class TestModels:
    def test_deploy_gives_a_live_model(self, instance: Instance, iris: pw.Model) -> None:
        assert iris.version == "1.0.0"
        assert iris.predict(load_iris().data[:2].tolist()) == [0, 0]
        details = instance.client().models["iris"].details()
        assert (details["live_version"], details["labels"]) == ("1.0.0", {"team": "plants"})

    def test_an_array_for_an_array(self, instance: Instance, iris: pw.Model) -> None:
        X = load_iris().data
        answer = instance.client().models["iris@1.0.0"].answer(X)
        assert answer["outputs"].dtype == np.int64
        assert (answer["model"], answer["version"], answer["outputs"].shape) == ("iris", "1.0.0", (150,))
        np.testing.assert_array_equal(iris.predict(np.asfortranarray(X, dtype=np.float32)), answer["outputs"])
        with pytest.raises(BadInput, match=r"\(1, 3\)"):
            iris.predict(X[:1, :3])

    def test_large_arrays_by_name(self, instance: Instance, tmp_path: Path) -> None:
        class Weighted:
            def predict(self, a: np.ndarray, b: np.ndarray, factor: float = 1.0, raw: bytes = b"") -> dict[str, Any]:
                return {"sum": float((a * b).sum() * factor), "raw": len(raw)}

        a, b = np.arange(3000.0).reshape(-1, 2), np.ones((1500, 2))
        (tmp_path / "raw").write_bytes(b"\x00\xff\xff")
        with instance.client() as client:
            weighted = client.deploy(Weighted, "weighted-by-name", sample_input={"a": a[:1], "b": b[:1]})
            for raw in (tmp_path / "raw", b"\x00\xff\xff"):
                answer = weighted.predict({"a": a, "b": b, "factor": 2.0, "raw": raw})
                assert answer == {"sum": 2 * a.sum(), "raw": 3}
            assert weighted.predict({"a": a[:1], "b": b[:1]}) == {"sum": 1.0, "raw": 0}
            weighted.delete()

    def test_what_differs_on_the_server_is_said(
        self, instance: Instance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        import joblib
        from prefect_worklets.bentos import package

        there = package.installed_versions
        monkeypatch.setattr(package, "installed_versions", lambda names: {**there(names), "joblib": "0.1"})
        model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        said = r"joblib 0\.1 here and \S+ there\..*requirements='installed'"
        with instance.client() as client:
            with pytest.warns(UserWarning, match=said):
                deployed = client.deploy(model, "from-elsewhere")
            differences = deployed.details()["differences"]
            assert differences == [{"name": "joblib", "packed": "0.1", "server": joblib.__version__}]
            joblib.dump(model, tmp_path / "model.joblib")
            done = instance.run("deploy", str(tmp_path / "model.joblib"), "--name", "from-elsewhere", "--json")
            assert (done.returncode, json.loads(done.stdout)["name"]) == (0, "from-elsewhere")
            assert re.search("Note: from-elsewhere is deployed, .* " + said, done.stderr)
            deployed.delete()

    def test_the_same_again_is_no_new_version(self, instance: Instance, iris: pw.Model) -> None:
        X, y = load_iris(return_X_y=True)
        model = LogisticRegression(max_iter=500).fit(X, y)
        again = pw.deploy(model, "iris", sample_input=X[:1], labels={"team": "plants"}, client=instance.client())
        assert again.version == "1.0.0"

    def test_versions_are_promoted_and_rolled_back(self, instance: Instance) -> None:
        client = instance.client()
        X, y = load_iris(return_X_y=True)
        first, second = (
            client.deploy(LogisticRegression(C=c, max_iter=500).fit(X, y), "versions", sample_input=X[:1])
            for c in (0.1, 10)
        )
        assert (first.version, second.version) == ("1.0.0", "1.0.1")
        assert first.answer(X[:1])["version"] == "1.0.0"
        live = client.models["versions"]
        assert live.answer(X[:1])["version"] == "1.0.1"
        assert live.rollback().version == "1.0.0"
        assert live.answer(X[:1])["version"] == "1.0.0"
        assert second.promote().version == "1.0.1"
        assert [row["version"] for row in live.versions()] == ["1.0.1", "1.0.0"]
        live.delete()
        with pytest.raises(NotFound):
            live.details()

    def test_a_failed_deployment_says_why(self, instance: Instance) -> None:
        with pytest.raises((ModelFailed, DefinitionError), match="no weights here"):
            instance.client().deploy(Broken, "broken")

    def test_inputs_that_do_not_fit_are_all_listed(self, instance: Instance, iris: pw.Model) -> None:
        with pytest.raises(BadInput) as refused:
            instance.client().models["iris"].predict([[1, 2, 3]])
        assert refused.value.faults

    def test_what_cannot_be_packed_is_said_here(self, instance: Instance) -> None:
        with pytest.raises(BadInput, match="cannot be packed"):
            instance.client().deploy(3, "three")

    def test_lists_models_and_zoo(self, instance: Instance, iris: pw.Model) -> None:
        client = instance.client()
        assert "iris" in {model.name for model in client.models}
        assert "style-transfer" in {entry["name"] for entry in client.zoo.list()}
        with pytest.raises(NotFound, match="style-transfer"):
            client.zoo.deploy("style-transfe")


class TestWorklets:
    def test_invoke_takes_fields_a_dict_or_a_model(self, instance: Instance, project: Path) -> None:
        sums = instance.client().worklets["sums"]
        assert sums.invoke(left=1, right=2) == 3
        assert sums.invoke({"left": np.float32(1.5)}) == 2.5
        with pytest.raises(BadInput, match="either"):
            sums.invoke({"left": 1}, right=2)

    def test_faults_come_back_with_their_places(self, instance: Instance, project: Path) -> None:
        with pytest.raises(BadInput) as refused:
            instance.client().worklets["sums"].invoke(left="x", right="y")
        assert sorted(fault.loc for fault in refused.value.faults) == [("left",), ("right",)]

    def test_a_failing_node_names_its_run(self, instance: Instance, project: Path) -> None:
        with pytest.raises(NodeFailed, match="no negatives") as failed:
            instance.client().worklets["sums"].invoke(left=-1)
        assert failed.value.__notes__[0].startswith("run ")

    @pytest.mark.parametrize("kind", ["path", "bytes", "pillow", "array", "image"])
    def test_pictures_of_every_kind(self, instance: Instance, project: Path, tmp_path: Path, kind: str) -> None:
        array = np.zeros((4, 6, 3), np.uint8)
        array[0] = 255
        file = tmp_path / "a.png"
        Pillow.fromarray(array).save(file)
        picture = {
            "path": file, "bytes": file.read_bytes(), "pillow": Pillow.open(file), "array": array,
            "image": pw.Image(array),
        }[kind]  # fmt: skip
        turned = instance.client().worklets["turned"]
        assert (turned.picture(image=picture).array() == array[::-1]).all()

    def test_stored_pictures_can_be_read(self, instance: Instance, project: Path) -> None:
        client = instance.client()
        answer = client.worklets["turned"].invoke(image=np.zeros((4, 6, 3), np.uint8))["image"]
        image = pw.Image(client.read_file(answer) if answer.startswith("/api/files/") else answer)
        assert (image.width, image.height) == (6, 4)

    def test_no_single_picture(self, instance: Instance, project: Path) -> None:
        with pytest.raises(BadInput, match="one picture"):
            instance.client().worklets["sums"].picture(left=1)

    def test_details_promote_and_roll_back(self, instance: Instance, project: Path) -> None:
        client = instance.client()
        (project / "sums.py").write_text(WORKLETS.replace("pair.left + pair.right", "pair.left + pair.right + 100"))
        pushed = {each["worklet"]: each for each in client.push(project, name="sums")}
        sums = client.worklets["sums"]
        assert (sums.invoke(left=1), pushed["sums"]["version"]) == (102, 2)
        sums.rollback()
        assert sums.invoke(left=1) == 2
        sums.promote(2)
        assert sums.details()["version"] == 2
        assert {worklet.name for worklet in client.worklets} >= {"sums", "turned"}

    def test_a_faulty_project_tells_everything(self, instance: Instance, tmp_path: Path) -> None:
        (tmp_path / "bad.py").write_text("import prefect_worklets as pw\n@pw.worklet\ndef x(a) -> int:\n    1/0\n")
        (tmp_path / "worse.py").write_text("@pw.worklet\ndef x(:\n")
        with pytest.raises(DefinitionError) as refused:
            instance.client().push(tmp_path, name="faulty")
        assert len(refused.value.faults) >= 2

    def test_runs(self, instance: Instance, project: Path) -> None:
        client = instance.client()
        client.worklets["sums"].invoke(left=4)
        with pytest.raises(NotFound):
            client.runs.get("01JABCDEF")
        assert isinstance(client.runs.list(worklet="sums", limit=3), list)


class TestModelsOfTheServerHere:
    def test_a_direct_call_asks_the_server(self, instance: Instance, iris: pw.Model) -> None:
        @pw.node
        def rows(lengths: list[float]) -> list[list[float]]:
            return [lengths]

        @pw.node
        def first(classes: list[int]) -> int:
            return classes[0]

        @pw.worklet(models=ClientModels(instance.client()))
        def here(lengths: list[float]) -> int:
            return first(pw.model("iris")(rows(lengths)))

        assert here([6.0, 3.0, 5.0, 2.0]) == 2

    async def test_answers_are_arrays_again(self, instance: Instance, iris: pw.Model) -> None:
        answer = await ClientModels(instance.client()).predict("iris", load_iris().data[:3], "1.0.0", timeout=20)
        assert isinstance(answer.outputs, np.ndarray)
        assert answer.outputs.tolist() == [0, 0, 0]
        assert answer.version == "1.0.0"


class TestWhoAndWhere:
    def test_the_environment_names_the_server(self, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WORKLETS_DATA_DIR", str(instance.data.root))
        monkeypatch.delenv("WORKLETS_URL", raising=False)
        assert pw.Client().url == instance.url
        monkeypatch.setenv("WORKLETS_DATA_DIR", "/nonexistent/x")
        monkeypatch.setenv("WORKLETS_URL", instance.url)
        monkeypatch.setenv("WORKLETS_KEY", instance.access.replace_key("env", "viewer"))
        assert isinstance(pw.Client().models.list(), list)
        assert isinstance(pw.zoo.list(), list)

    def test_the_profiles_key_goes_to_no_other_server(
        self, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WORKLETS_DATA_DIR", str(instance.data.root))
        monkeypatch.delenv("WORKLETS_KEY", raising=False)
        with pytest.raises(SetupError, match="No key"):
            pw.Client("https://elsewhere.example")

    def test_no_server_known(self, tmp_path: Path) -> None:
        with pytest.raises(SetupError, match="worklets up"):
            pw.Client(data_dir=tmp_path)

    @pytest.mark.parametrize("url", ["nowhere", "ftp://x", "http://"])
    def test_addresses_that_are_none(self, url: str) -> None:
        with pytest.raises(SetupError, match="no server's address"):
            pw.Client(url, "key")

    def test_unreachable(self, unused_tcp_port: int) -> None:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="is it running"):
            pw.Client(f"http://127.0.0.1:{unused_tcp_port}", "key").models.list()
        assert time.monotonic() - began < 5

    def test_wrong_key_and_too_small_a_role(self, instance: Instance, project: Path) -> None:
        with pytest.raises(NotSignedIn):
            instance.client("wk_wrong").models.list()
        with pytest.raises(NotAllowed):
            instance.client(instance.access.replace_key("small", "viewer")).worklets["sums"].invoke(left=1)

    def test_something_else_answers(self, tmp_path: Path, instance: Instance) -> None:
        with pytest.raises(NotFound):
            pw.Client(instance.url + "/elsewhere", instance.access.replace_key("else", "admin")).models.list()


def test_views(instance: Instance) -> None:
    client = instance.client()
    document = json.loads(
        (Path(__file__).parents[2] / "docs/examples/quickstart/flowers/views/irises.json").read_text()
    )
    published = client.publish_view(document)
    assert published["slug"] in {view["slug"] for view in client.views()}
    assert client.view(published["slug"])["slug"] == published["slug"]
    with pytest.raises(DefinitionError):
        client.publish_view({"pages": 3})
