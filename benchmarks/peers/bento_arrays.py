"""A BentoML service that takes an array and gives one; `bentoml serve` runs it with its defaults."""

from __future__ import annotations

import bentoml
import numpy as np


@bentoml.service
class Scale:
    """Scales rows."""

    @bentoml.api
    def scale(self, rows: np.ndarray) -> np.ndarray:
        return rows * 0.5 + 0.25
