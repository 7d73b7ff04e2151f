"""The frameworks whose models can be packed and loaded, one module each."""

from __future__ import annotations

from typing import Any

from ...connectors.errors import BadInput
from .base import Framework, Loaded
from .custom import Custom
from .keras import Keras
from .lightgbm import LightGBM
from .onnx import Onnx
from .sklearn import Sklearn
from .torch import Torch
from .xgboost import XGBoost

# The first that recognises a model takes it: estimators of XGBoost and LightGBM are scikit-learn's too, and Custom
# takes whatever has a predict.
FRAMEWORKS: tuple[Framework, ...] = (XGBoost(), LightGBM(), Torch(), Keras(), Sklearn(), Onnx(), Custom())

__all__ = ["FRAMEWORKS", "Framework", "Loaded", "framework_named", "framework_of"]


def framework_of(model: Any) -> Framework:
    """The framework of a model. Raises BadInput, saying what can be packed."""
    for framework in FRAMEWORKS:
        if framework.recognises(model):
            return framework
    names = ", ".join(framework.name for framework in FRAMEWORKS)
    raise BadInput(
        f"{type(model).__name__!r} objects cannot be packed: no framework ({names}) knows them. "
        "Wrap the model in a class with `load()` and `predict()`, or give a function."
    )


def framework_named(name: str) -> Framework:
    """The framework of that name. Raises BadInput."""
    for framework in FRAMEWORKS:
        if framework.name == name:
            return framework
    names = ", ".join(framework.name for framework in FRAMEWORKS)
    raise BadInput(f"There is no framework {name!r} here, only {names}; upgrade prefect-worklets on the server.")
