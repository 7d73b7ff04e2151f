"""A BentoML service around a saved model, as its tutorial writes it; `bentoml serve` runs it with its defaults."""

from __future__ import annotations

import bentoml
import numpy as np

from .common import load_model


@bentoml.service
class Predict:
    """Answers for rows."""

    def __init__(self) -> None:
        self.model = load_model()

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        answer: np.ndarray = self.model.predict(rows)  # type: ignore[type-arg]
        return answer
