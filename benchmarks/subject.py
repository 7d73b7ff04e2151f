"""What is measured: a LogisticRegression on iris, fifteen requests, and the answers that are right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE / "project"
REPOSITORY = HERE.parent
MODEL_NAME = "iris-bench"
MODEL_FILE = "WORKLETS_BENCH_MODEL"  # the environment variable by which the peers find the model

# As a user's own modules lie beside a pushed worklet, not in a package.
sys.path.insert(0, str(PROJECT))


def train() -> Any:
    """A LogisticRegression on the standardised iris features."""
    import numpy as np
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from steps import DEVIATIONS, MEANS

    data = load_iris()
    features = (data.data - np.array(MEANS)) / np.array(DEVIATIONS)
    return LogisticRegression(max_iter=500).fit(features, data.target)


def flowers() -> list[dict[str, float]]:
    """Fifteen inputs, five of each species: one input alone could be answered from a cache."""
    from sklearn.datasets import load_iris

    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    return [dict(zip(names, map(float, row), strict=True)) for row in load_iris().data[::10]]


def expected(model: Any) -> list[dict[str, Any]]:
    """The right answer for each of `flowers()`."""
    from steps import Flower, named, scaled

    made = [Flower(**flower) for flower in flowers()]
    return [named(int(model.predict([scaled(flower)])[0]), flower).model_dump() for flower in made]


def bodies() -> list[bytes]:
    """The requests' JSON bodies."""
    return [json.dumps(flower).encode() for flower in flowers()]
