"""Whether what a model is asked still looks like its reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prefect_worklets.bentos.drift import REFERENCE_FILE, Reference, compare, features_of, reference_of
from prefect_worklets.bentos.drift_watch import DriftWatch
from prefect_worklets.bentos.package import pack
from prefect_worklets.bentos.signature import Column, Field, Signature
from prefect_worklets.connectors.errors import DefinitionError, NotFound
from prefect_worklets.connectors.tables import ModelSample, now

COLUMNS = (Column(name="age"), Column(name="city", dtype="object"))
TABLE = Signature(inputs=(Field(name="X", kind="table", columns=COLUMNS),))
RANDOM = np.random.default_rng(7)


class Same:
    """Answers what it is asked."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X


def frame(rows: int, age: float = 40, cities: tuple[str, ...] = ("Kyoto", "Oslo")) -> pd.DataFrame:
    return pd.DataFrame({"age": RANDOM.normal(age, 5, rows), "city": RANDOM.choice(cities, rows)})


class TestComparing:
    def test_the_same_has_not_drifted(self) -> None:
        reference = reference_of({"X": frame(500)}, TABLE)
        assert reference is not None
        found = compare(reference, features_of({"X": frame(300).to_dict("records")}, TABLE))
        assert [(each["feature"], each["kind"], each["drifted"]) for each in found] == [
            ("age", "number", False),
            ("city", "category", False),
        ]
        assert sum(found[0]["histogram"]["asked"]) == pytest.approx(1)

    def test_another_has(self) -> None:
        reference = reference_of({"X": frame(500)}, TABLE)
        assert reference is not None
        found = compare(reference, features_of({"X": frame(100, age=50, cities=("Oslo", "Lima"))}, TABLE))
        assert [each["drifted"] for each in found] == [True, True]
        assert found[1]["distance"] == pytest.approx(0.5, abs=0.15)
        assert "Lima" in found[1]["histogram"]["labels"]

    def test_too_few_say_nothing(self) -> None:
        reference = reference_of({"X": frame(60)}, TABLE)
        assert reference is not None
        assert [each["drifted"] for each in compare(reference, features_of({"X": frame(5)}, TABLE))] == [None, None]
        assert reference_of({"X": frame(49)}, TABLE) is None

    @pytest.mark.parametrize("value", [1.0, "a", True])
    def test_what_never_changes(self, value: Any) -> None:
        (found,) = compare(Reference(features={"f": [value] * 60}), {"f": [value] * 40})
        assert (found["drifted"], found["distance"]) == (False, 0.0)

    def test_missing_and_sensitive_values(self) -> None:
        frame_of = pd.DataFrame({"age": [1.0, float("nan")], "city": ["a", None]})
        assert features_of({"X": frame_of}, TABLE) == {"age": [1.0, None], "city": ["a", None]}
        assert list(features_of({"X": frame_of}, TABLE, ("city",))) == ["age"]

    def test_other_kinds(self) -> None:
        inputs = (
            Field(name="A", kind="array", dtype="float64", shape=(None, 2)),
            Field(name="n", kind="number", dtype="int"),
            Field(name="t", kind="text"),
            Field(name="p", kind="image"),
        )
        values = {"A": np.array([[1.0, 2.0]]), "n": 3, "t": "four", "p": np.zeros((2, 2, 3))}
        assert features_of(values, Signature(inputs=inputs)) == {
            "A[0]": [1.0], "A[1]": [2.0], "n": [3], "length of t": [4],
        }  # fmt: skip


class TestWatching:
    async def test_from_the_samples_of_a_version(self, deployer: Any, store: Any, tmp_path: Path) -> None:
        X = RANDOM.normal(0, 1, (200, 2))
        folder = pack(Same(), "same", sample_input=X[:2], reference=X, folder=tmp_path / "p")
        assert (folder / REFERENCE_FILE).exists()
        await deployer.deploy(folder)
        watch = DriftWatch(store, deployer.records, deployer.artifacts)
        assert "0 rows" in watch.of("same")["says"]
        with store.session() as session:
            for row in RANDOM.normal([0, 4], 1, (60, 2)):
                session.add(ModelSample(model_name="same", version="1.0.0", at=now(), inputs={"X": [row.tolist()]}))
        found = watch.of("same")
        assert (found["asked_rows"], found["says"]) == (60, "")
        assert [each["drifted"] for each in found["features"]] == [False, True]
        watch._look()
        assert watch.latest() == [found]
        watch._look()  # nothing new: nothing is computed
        assert watch.latest() == [found]
        await deployer.delete("same")
        watch._look()
        assert watch.latest() == []
        with pytest.raises(NotFound):
            watch.of("same")

    async def test_without_a_reference_it_says_what_to_do(self, deployer: Any, store: Any, tmp_path: Path) -> None:
        await deployer.deploy(pack(Same(), "same", sample_input=np.ones((2, 2)), folder=tmp_path / "p"))
        says = DriftWatch(store, deployer.records, deployer.artifacts).of("same")["says"]
        assert "reference=X" in says

    def test_a_large_sample_is_a_reference(self, tmp_path: Path) -> None:
        folder = pack(Same(), "same", sample_input=np.ones((50, 2)), folder=tmp_path / "p")
        assert (folder / REFERENCE_FILE).exists()

    def test_one_that_does_not_fit_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DefinitionError, match="reference"):
            pack(Same(), "same", sample_input=np.ones((2, 2)), reference=np.ones((60, 3)), folder=tmp_path / "p")
