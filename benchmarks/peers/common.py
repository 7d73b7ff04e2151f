"""How each peer gets the model that the benchmark trained."""

from __future__ import annotations

import os
from typing import Any

import joblib

from ..subject import MODEL_FILE


def load_model() -> Any:
    """The trained model."""
    return joblib.load(os.environ[MODEL_FILE])
