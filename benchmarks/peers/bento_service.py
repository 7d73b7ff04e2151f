"""A BentoML service as its tutorial writes it; `bentoml serve` runs it with its defaults."""

from __future__ import annotations

import bentoml
from steps import Flower, Species, named, scaled

from .common import load_model


@bentoml.service
class Classify:
    """Classifies a flower."""

    def __init__(self) -> None:
        self.model = load_model()

    @bentoml.api
    def classify(self, flower: Flower, /) -> Species:
        features = scaled(flower)
        label = int(self.model.predict([features])[0])
        return named(label, flower)
