from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from prefect_worklets.bentos.frameworks.linear import unchecked
from prefect_worklets.bentos.signature import Field
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

FLOWERS, KINDS = load_iris(return_X_y=True)
PATIENTS, COURSES = load_diabetes(return_X_y=True)
FOUR = Field(name="X", kind="array", dtype="float64", shape=(None, 4))
TEN = Field(name="X", kind="array", dtype="float64", shape=(None, 10))
CLASSIFIERS = {
    "three classes": LogisticRegression(max_iter=500).fit(FLOWERS, KINDS),
    "two classes": LogisticRegression().fit(FLOWERS, KINDS > 0),
    "names": LogisticRegression(max_iter=500).fit(FLOWERS, np.array(["a", "bb", "ccc"])[KINDS]),
    "a machine": LinearSVC().fit(FLOWERS, KINDS),
    "scaled": make_pipeline(StandardScaler(), LogisticRegression()).fit(FLOWERS, KINDS),
    "scaled twice": make_pipeline(StandardScaler(with_std=False), StandardScaler(with_mean=False), LinearSVC()).fit(
        FLOWERS, KINDS
    ),
    "whole numbers": LogisticRegression(max_iter=500).fit(np.rint(FLOWERS).astype(int), KINDS),
}
REGRESSORS = {
    "least squares": LinearRegression().fit(PATIENTS, COURSES),
    "several outputs": Ridge().fit(PATIENTS, np.stack([COURSES, -COURSES], axis=1)),
    "without intercept": Ridge(fit_intercept=False).fit(PATIENTS, COURSES),
    "lasso": Lasso().fit(PATIENTS, COURSES),
    "scaled": make_pipeline(StandardScaler(), ElasticNet()).fit(PATIENTS, COURSES),
}


class Careful(LogisticRegression):
    def predict(self, X: Any) -> Any:
        return np.array(["unsure"] * len(X))


class Shifted(LogisticRegression):
    def decision_function(self, X: Any) -> Any:
        return super().decision_function(X) * [-1, 1, 1]


def with_attribute() -> LogisticRegression:
    model = LogisticRegression(max_iter=500).fit(FLOWERS, KINDS)
    model.predict = lambda X: ["mine"]
    return model


def sparse() -> LogisticRegression:
    return LogisticRegression(max_iter=500).fit(FLOWERS, KINDS).sparsify()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class TestTheSameNumbers:
    @pytest.mark.parametrize("name", CLASSIFIERS)
    @pytest.mark.parametrize("rows", [1, 3, 150])
    def test_of_a_classifier(self, name: str, rows: int):
        predict = unchecked(CLASSIFIERS[name], "predict", FOUR)
        assert predict is not None
        got, wanted = predict(FLOWERS[-rows:]), CLASSIFIERS[name].predict(FLOWERS[-rows:])
        assert got.dtype == wanted.dtype
        assert (got == wanted).all()

    @pytest.mark.parametrize("name", REGRESSORS)
    @pytest.mark.parametrize("rows", [1, 3, 150])
    def test_of_a_regressor(self, name: str, rows: int):
        predict = unchecked(REGRESSORS[name], "predict", TEN)
        assert predict is not None
        got, wanted = predict(PATIENTS[:rows]), REGRESSORS[name].predict(PATIENTS[:rows])
        assert got.shape == wanted.shape
        assert (got == wanted).all()

    @pytest.mark.parametrize("model", [CLASSIFIERS["names"], CLASSIFIERS["scaled"]], ids=["plain", "scaled"])
    def test_no_rows_are_the_estimators_own_affair(self, model: Any):
        predict = unchecked(model, "predict", FOUR)
        assert predict is not None
        with pytest.raises(ValueError, match="minimum of 1 is required"):
            predict(np.zeros((0, 4)))


class TestLeftToTheEstimator:
    @pytest.mark.parametrize(
        "model",
        [
            RandomForestClassifier(n_estimators=2).fit(FLOWERS, KINDS),
            Careful(max_iter=500).fit(FLOWERS, KINDS),
            Shifted(max_iter=500).fit(FLOWERS, KINDS),
            with_attribute(),
            sparse(),
            make_pipeline(MinMaxScaler(), LogisticRegression()).fit(FLOWERS, KINDS),
            PoissonRegressor().fit(FLOWERS, KINDS),
        ],
        ids=["forest", "own predict", "own scores", "own attribute", "sparse", "another scaler", "a link function"],
    )
    def test_what_computes_otherwise(self, model: Any):
        assert unchecked(model, "predict", FOUR) is None

    @pytest.mark.parametrize(
        "field",
        [
            FOUR.model_copy(update={"kind": "table"}),
            FOUR.model_copy(update={"dtype": "float32"}),
            FOUR.model_copy(update={"nullable": True}),
            FOUR.model_copy(update={"shape": None}),
            FOUR.model_copy(update={"shape": (None, 5)}),
        ],
        ids=["a table", "single precision", "with gaps", "any shape", "other columns"],
    )
    def test_what_nothing_has_checked(self, field: Field):
        assert unchecked(CLASSIFIERS["three classes"], "predict", field) is None

    def test_other_methods(self):
        assert unchecked(CLASSIFIERS["three classes"], "predict_proba", FOUR) is None

    def test_nothing_is_imported_for_it(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delitem(sys.modules, "sklearn.linear_model")
        assert unchecked(RandomForestClassifier(), "predict", FOUR) is None
        assert "sklearn.linear_model" not in sys.modules
