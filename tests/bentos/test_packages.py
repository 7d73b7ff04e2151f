from __future__ import annotations

import dataclasses
import gzip
import io
import tarfile
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from prefect_worklets.bentos import archive as archives
from prefect_worklets.bentos.frameworks import framework_named
from prefect_worklets.bentos.manifest import check_name, check_version, next_version, read_manifest
from prefect_worklets.bentos.package import archive, check_package, pack, unarchive
from prefect_worklets.connectors.errors import BadInput, DefinitionError, TooLarge
from prefect_worklets.connectors.images import Image
from pydantic import BaseModel
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

FACTOR = 3.0


def load(folder: Path) -> Any:
    manifest = check_package(folder)
    loaded = framework_named(manifest.framework).load(folder, manifest)

    def ask(raw: Any) -> Any:
        return loaded.predict(manifest.signature.parse(raw))

    return ask


class Scaler:
    """A class as a notebook has it: with a global of its module."""

    def load(self) -> None:
        self.offset = 1.0

    def predict(self, values: NDArray[np.float32], times: float = 1.0) -> dict[str, Any]:
        return {"scaled": values * FACTOR * times + self.offset, "times": times}


class Described(BaseModel):
    a: int
    b: int = 2


class Layers:
    def preprocess(self, value: float) -> list[float]:
        return [value, value]

    def predict(self, pair: list[float]) -> float:
        return sum(pair)

    def postprocess(self, total: float) -> dict[str, float]:
        return {"total": total}


class Pictures:
    def predict(self, picture: Image) -> Image:
        return Image.from_array(picture.array()[::-1].copy())


class TestSklearn:
    @pytest.mark.parametrize(
        "model",
        [
            LogisticRegression(max_iter=500),
            RandomForestClassifier(5, random_state=0),
            HistGradientBoostingRegressor(max_iter=5),
            make_pipeline(StandardScaler(), LogisticRegression()),
            make_pipeline(FunctionTransformer(lambda x: x * FACTOR), LogisticRegression(max_iter=1000)),
        ],
        ids=lambda model: type(model).__name__,
    )
    def test_answers_as_before(self, model, iris, tmp_path):
        X, y = iris
        model.fit(X, y)
        ask = load(pack(model, "m", sample_input=X[:1], folder=tmp_path / "p"))
        np.testing.assert_allclose(ask(X), model.predict(X), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(ask(X.tolist()), model.predict(X), rtol=1e-6, atol=1e-6)

    def test_another_method(self, logreg, iris, tmp_path):
        folder = pack(logreg, "m", metadata={"method": "predict_proba"}, folder=tmp_path / "p")
        np.testing.assert_allclose(load(folder)(iris[0]), logreg.predict_proba(iris[0]), atol=1e-6)

    def test_a_pipeline_on_named_columns(self, tmp_path):
        frame = pd.DataFrame({"age": [20.0, 30, 40, 50], "town": ["Ulm", "Bonn", "Ulm", "Bonn"]})
        columns = ColumnTransformer([("town", OneHotEncoder(), ["town"])], remainder="passthrough")
        model = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1, 0, 1])
        ask = load(pack(model, "m", sample_input=frame[:1], folder=tmp_path / "p"))
        row = pd.DataFrame({"age": [20.0], "town": ["Bonn"]})
        assert ask([{"town": "Bonn", "age": 20}]).tolist() == model.predict(row).tolist()
        assert (ask(frame) == model.predict(frame)).all()

    def test_texts(self, tmp_path):
        model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(["good fine", "bad poor"], ["yes", "no"])
        ask = load(pack(model, "m", sample_input=["good"], folder=tmp_path / "p"))
        assert ask(["a fine good day"]).tolist() == ["yes"]

    def test_names_of_columns_are_known_without_a_sample(self, iris, tmp_path):
        model = LogisticRegression(max_iter=500).fit(pd.DataFrame(iris[0], columns=list("abcd")), iris[1])
        field = read_manifest(pack(model, "m", folder=tmp_path / "p")).signature.inputs[0]
        assert [column.name for column in field.columns] == list("abcd")

    def test_missing_values_only_where_the_model_takes_them(self, iris, tmp_path):
        model = HistGradientBoostingRegressor(max_iter=2).fit(*iris)
        assert load(pack(model, "m", folder=tmp_path / "p"))([[1, None, 3, 4]]).shape == (1,)

    @pytest.mark.parametrize(
        ("model", "options", "message"),
        [
            (LogisticRegression(), {"sample_input": [[1, 2]]}, "is not fitted"),
            (LogisticRegression(), {}, "does not say what it takes"),
            (make_pipeline(StandardScaler()), {"metadata": {"method": "guess"}}, "metadata\\['method'\\] is 'guess'"),
        ],
    )
    def test_what_cannot_be_packed(self, model, options, message):
        with pytest.raises(DefinitionError, match=message):
            pack(model, "m", **options)

    def test_the_environment_is_noted(self, iris_package):
        manifest = read_manifest(iris_package)
        assert manifest.packages["scikit-learn"]
        assert manifest.python.startswith("3.")
        assert manifest.sample == {"X": [[5.1, 3.5, 1.4, 0.2]]}


def onnx_model(outputs: int = 1) -> onnx.ModelProto:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], [1, 2, 3, 4, 5, 6])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y0"]), helper.make_node("Neg", ["y0"], ["y1"])]
    value = helper.make_tensor_value_info
    found = [value(f"y{i}", TensorProto.FLOAT, ["n", 2]) for i in range(outputs)]
    graph = helper.make_graph(nodes, "g", [value("x", TensorProto.FLOAT, ["n", 3])], found, [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class TestOnnx:
    def test_answers_as_the_graph(self, tmp_path):
        folder = pack(onnx_model(), "m", folder=tmp_path / "p")
        x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
        np.testing.assert_allclose(load(folder)(x), x @ np.arange(1, 7).reshape(3, 2), atol=1e-5)
        field = read_manifest(folder).signature.inputs[0]
        assert (field.name, field.dtype, field.shape) == ("x", "float32", (None, 3))

    def test_from_a_file_with_two_outputs(self, tmp_path):
        onnx.save(onnx_model(2), tmp_path / "m.onnx")
        answer = load(pack(tmp_path / "m.onnx", "m", folder=tmp_path / "p"))([[1, 1, 1]])
        assert answer["y0"].tolist() == [[9, 12]]
        assert answer["y1"].tolist() == [[-9, -12]]

    def test_a_broken_file(self, tmp_path):
        (tmp_path / "m.onnx").write_bytes(b"nothing")
        with pytest.raises(DefinitionError, match="cannot open"):
            pack(tmp_path / "m.onnx", "m")


class TestCustom:
    def test_a_class_with_its_modules_globals(self, tmp_path):
        ask = load(pack(Scaler, "m", sample_input=np.ones((1, 2), np.float32), folder=tmp_path / "p"))
        assert ask({"values": [[1, 2]], "times": 2})["scaled"].tolist() == [[7, 13]]
        assert ask([[1, 2]])["times"] == 1.0

    def test_an_instance_keeps_its_state(self, tmp_path):
        class Counter:
            def __init__(self, start: int) -> None:
                self.start = start

            def predict(self, value: int) -> int:
                return self.start + value

        assert load(pack(Counter(40), "m", folder=tmp_path / "p"))(2) == 42

    def test_a_later_version_changes_no_earlier_one(self, tmp_path):
        class Tuned:
            factor = 1

            def predict(self, value: int) -> int:
                return self.factor * value

        first = load(pack(Tuned, "m", folder=tmp_path / "p"))
        Tuned.factor = 10
        second = load(pack(Tuned, "m", folder=tmp_path / "q"))
        assert (first(4), second(4)) == (4, 40)

    def test_a_function(self, tmp_path):
        def shout(text: str, times: int = 1) -> str:
            return text.upper() * times

        ask = load(pack(shout, "m", folder=tmp_path / "p"))
        assert ask("a") == "A"
        assert ask({"text": "a", "times": 3}) == "AAA"

    def test_an_async_function(self, tmp_path):
        async def double(value: float) -> float:
            return value * 2

        assert load(pack(double, "m", folder=tmp_path / "p"))(2) == 4

    def test_layers(self, tmp_path):
        assert load(pack(Layers, "m", folder=tmp_path / "p"))(2) == {"total": 4}

    def test_a_pydantic_input(self, tmp_path):
        def add(value: Described) -> int:
            return value.a + value.b

        ask = load(pack(add, "m", folder=tmp_path / "p"))
        assert ask({"value": {"a": 1}}) == 3
        with pytest.raises(BadInput) as caught:
            ask({"value": {"a": "x"}})
        assert caught.value.faults[0].loc == ("inputs", "value", "a")

    def test_pictures(self, tmp_path):
        folder = pack(Pictures, "m", folder=tmp_path / "p")
        pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        assert (load(folder)(pixels).array() == pixels[::-1]).all()
        assert read_manifest(folder).signature.outputs[0].kind == "image"

    def test_source_with_sibling_and_files(self, tmp_path):
        (tmp_path / "weights.txt").write_text("5")
        (tmp_path / "adder.py").write_text(
            textwrap.dedent("""
                import numpy as np
                class Adder:
                    def load(self, folder):
                        self.weight = float((folder / "weights.txt").read_text())
                    def predict(self, value: float) -> float:
                        return value + self.weight
            """)
        )
        spec = f"{tmp_path / 'adder.py'}:Adder"
        first = load(pack(spec, "m", files=[tmp_path / "weights.txt"], folder=tmp_path / "p"))
        (tmp_path / "adder.py").write_text((tmp_path / "adder.py").read_text().replace("value + ", "100 * value + "))
        second = load(pack(spec, "m", files=[tmp_path / "weights.txt"], folder=tmp_path / "q"))
        assert first(1) == 6  # both versions of the module are there side by side
        assert second(1) == 105

    def test_a_packed_module_of_several_files(self, tmp_path, monkeypatch):
        package = tmp_path / "ownpack"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "parts.py").write_text("WEIGHT = 7\n")
        (package / "model.py").write_text(
            "from .parts import WEIGHT\nclass M:\n    def predict(self, v: int) -> int:\n        return v * WEIGHT\n"
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        assert load(pack("ownpack.model:M", "m", folder=tmp_path / "p"))(6) == 42

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            ("nowhere.py:Thing", "There is no file"),
            ("no_such_module_here:Thing", "There is no module"),
            ("json:", "names no class"),
            ("json:Nothing", "has no 'Nothing'"),
            ("json:JSONDecoder", "has no `predict`"),
            (lambda: 1, "takes no input"),
            (lambda *args: 1, "cannot be known"),
        ],
    )
    def test_what_cannot_be_packed(self, model, message):
        with pytest.raises(DefinitionError, match=message):
            pack(model, "m")

    def test_an_object_with_a_lock(self):
        import threading

        class Locked:
            def __init__(self) -> None:
                self.lock = threading.Lock()

            def predict(self, value: int) -> int:
                return value

        with pytest.raises(DefinitionError, match=r"cannot be pickled.*load"):
            pack(Locked(), "m")

    def test_an_unknown_thing(self):
        with pytest.raises(BadInput, match="Wrap the model in a class"):
            pack(object(), "m")


class TestPack:
    @pytest.mark.parametrize("name", ["", "Iris", "-a", "a-", "a b", "a/b", "../a", "ä", "a" * 64, "a:b", "."])
    def test_bad_names(self, name):
        with pytest.raises(DefinitionError, match="no name for a model"):
            check_name(name)

    @pytest.mark.parametrize("version", ["latest", "", "1.0.0+a", "V1", "1:2", "../1"])
    def test_bad_versions(self, version):
        with pytest.raises(DefinitionError, match="no version"):
            check_version(version)

    @pytest.mark.parametrize("name", ["a", "iris", "a.b-c_d", "0", "a" * 63])
    def test_good_names(self, name):
        assert check_name(name) == name

    @pytest.mark.parametrize(
        ("existing", "expected"),
        [([], "1.0.0"), (["1.0.0"], "1.0.1"), (["1.0.9", "1.0.10", "0.9.99"], "1.0.11"), (["blue"], "1.0.0"),
         (["2.3.4", "blue"], "2.3.5")],
    )  # fmt: skip
    def test_next_version(self, existing, expected):
        assert next_version(existing) == expected

    def test_a_sample_that_does_not_fit(self):
        with pytest.raises(DefinitionError, match="sample input does not fit"):
            pack(Scaler, "m", sample_input={"values": [["a"]], "times": "x"})

    def test_missing_files_are_all_named(self):
        with pytest.raises(DefinitionError) as caught:
            pack(Layers, "m", files=["nowhere.txt", "neither.txt"])
        assert len(caught.value.faults) == 2

    def test_equal_packages_have_equal_hashes(self, logreg, iris, tmp_path):
        hashes = {
            read_manifest(pack(logreg, name, sample_input=iris[0][:1], folder=tmp_path / name)).content_hash
            for name in ("a", "b")
        }
        assert len(hashes) == 1

    def test_a_changed_file_is_noticed(self, iris_package):
        (iris_package / "model.pkl").write_bytes(b"other")
        with pytest.raises(BadInput, match="not those of its manifest"):
            check_package(iris_package)


@dataclasses.dataclass
class Member:
    name: str
    content: bytes = b"x"
    kind: bytes = tarfile.REGTYPE
    link: str = ""


def hostile(path: Path, *members: Member) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.type, info.linkname = member.kind, member.link
            info.size = len(member.content) if member.kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(member.content) if info.size else None)
    return path


class TestArchive:
    def test_back_and_forth(self, iris_package, tmp_path):
        path, sha256 = archive(iris_package, tmp_path / "a.tar.gz")
        folder = unarchive(path, tmp_path / "out", sha256=sha256)
        assert check_package(folder) == check_package(iris_package)

    def test_equal_packages_give_equal_archives(self, iris_package, tmp_path):
        assert archive(iris_package, tmp_path / "a")[1] == archive(iris_package, tmp_path / "b")[1]

    @pytest.mark.parametrize(
        "member",
        [
            Member("../evil"), Member("/etc/evil"), Member("a/../../evil"), Member("a\\..\\evil"), Member("C:evil"),
            Member("link", kind=tarfile.SYMTYPE, link="/etc/passwd"), Member("link", kind=tarfile.SYMTYPE, link="a"),
            Member("hard", kind=tarfile.LNKTYPE, link="../../etc/passwd"), Member("fifo", kind=tarfile.FIFOTYPE),
            Member("device", kind=tarfile.CHRTYPE),
        ],
        ids=lambda member: member.name + member.link,
    )  # fmt: skip
    def test_attacks_are_refused(self, member, tmp_path):
        path = hostile(tmp_path / "a.tar.gz", Member("manifest.json"), member)
        target = tmp_path / "deep" / "out"
        with pytest.raises(BadInput, match=r"outside the package|link or device"):
            unarchive(path, target)
        written = {file.name for file in tmp_path.rglob("*") if not file.is_dir()}
        assert written <= {"a.tar.gz", "manifest.json"}

    def test_writing_through_a_link_is_refused(self, tmp_path):
        members = [Member("d", kind=tarfile.SYMTYPE, link=str(tmp_path)), Member("d/evil")]
        with pytest.raises(BadInput):
            unarchive(hostile(tmp_path / "a.tar.gz", *members), tmp_path / "out")
        assert not (tmp_path / "evil").exists()

    def test_a_member_twice_is_refused(self, tmp_path):
        with pytest.raises(BadInput):
            unarchive(hostile(tmp_path / "a.tar.gz", Member("a"), Member("a")), tmp_path / "out")

    def test_a_bomb_is_refused(self, tmp_path):
        path = hostile(tmp_path / "a.tar.gz", Member("zeros", bytes(5_000_000)))
        assert path.stat().st_size < 50_000
        with pytest.raises(TooLarge):
            unarchive(path, tmp_path / "out", max_bytes=1_000_000)

    def test_too_many_members_are_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
        with pytest.raises(TooLarge):
            unarchive(hostile(tmp_path / "a.tar.gz", *(Member(str(i)) for i in range(5))), tmp_path / "out")

    @pytest.mark.parametrize(
        "content", [b"", b"no archive", gzip.compress(b"no tar at all" * 100, mtime=0), b"\x1f\x8b\x08cut"]
    )
    def test_what_is_no_archive(self, content, tmp_path):
        (tmp_path / "a.tar.gz").write_bytes(content)
        with pytest.raises(BadInput, match=r"\.tar\.gz"):
            unarchive(tmp_path / "a.tar.gz", tmp_path / "out")

    def test_another_hash(self, iris_package, tmp_path):
        path, _ = archive(iris_package, tmp_path / "a.tar.gz")
        with pytest.raises(BadInput, match="SHA-256"):
            unarchive(path, tmp_path / "out", sha256="0" * 64)

    def test_a_cut_archive(self, iris_package, tmp_path):
        path, _ = archive(iris_package, tmp_path / "a.tar.gz")
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(BadInput):
            unarchive(path, tmp_path / "out")
