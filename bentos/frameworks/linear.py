"""Linear scikit-learn models, scaled or not, without scikit-learn's checks of what they are given.

Nine tenths of the time that such a model takes for one row are checks of its input, and the signature has made them by
then: an array of finite numbers, with the right number of columns. What is left is a product of matrices. The same
numbers come out, bit for bit, or the estimator is asked after all: both are compared as the model is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..signature import Field

Predict = Callable[[Any], Any]

# Rows by which both ways are compared.
_ROWS = 64


def unchecked(model: Any, method: str, field: Field) -> Predict | None:
    """`model.predict` for what `field` lets through; None for other models, and where other numbers would come."""
    if method != "predict" or field.kind != "array" or field.dtype != "float64" or field.nullable:
        return None
    if field.shape is None or len(field.shape) != 2 or field.shape[1] is None:
        return None
    if "sklearn.linear_model" not in sys.modules:  # so it is none, and need not be imported to find that out
        return None
    found = _pipeline(model) or _linear(model)
    return found if found is not None and _gives_the_same(model, found, field.shape[1]) else None


def _linear(model: Any) -> Predict | None:
    return _classifier(model) or _regressor(model)


def _pipeline(model: Any) -> Predict | None:
    """Scalers before a linear model."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    if type(model) is not Pipeline:
        return None
    *scalers, last = [step for _, step in model.steps]
    predict = _linear(last)
    if predict is None or any(type(scaler) is not StandardScaler for scaler in scalers):
        return None
    for scaler in reversed(scalers):
        predict = _scaled(scaler, predict)
    return predict


def _scaled(scaler: Any, predict: Predict) -> Predict:
    mean = scaler.mean_ if scaler.with_mean else None
    scale = scaler.scale_ if scaler.with_std else None

    def scaled(rows: Any) -> Any:
        rows = rows if mean is None else rows - mean
        return predict(rows if scale is None else rows / scale)

    return scaled


def _classifier(model: Any) -> Predict | None:
    from sklearn.linear_model._base import LinearClassifierMixin as Base

    if not _has(model, "predict", [Base]) or not _has(model, "decision_function", [Base]):
        return None
    weights, classes = model.coef_, model.classes_
    if not _is_plain(weights) or weights.ndim != 2:
        return None
    turned, intercept, binary = weights.T, model.intercept_, weights.shape[0] == 1

    def predict(rows: Any) -> Any:
        if not len(rows):
            return model.predict(rows)
        scores = rows @ turned + intercept
        return classes.take((scores.reshape(-1) > 0).astype(np.int64) if binary else scores.argmax(axis=1), axis=0)

    return predict


def _regressor(model: Any) -> Predict | None:
    from sklearn.linear_model import ElasticNet, Ridge, _base

    # These have the base's own again, for a docstring; the second is of newer versions.
    bases = [_base.LinearModel, getattr(_base, "MultiOutputLinearModel", _base.LinearModel), Ridge]
    if not _has(model, "predict", bases) or not _has(model, "_decision_function", [_base.LinearModel, ElasticNet]):
        return None
    weights, intercept = model.coef_, model.intercept_
    if not _is_plain(weights):
        return None
    turned = weights if weights.ndim == 1 else weights.T

    def predict(rows: Any) -> Any:
        return rows @ turned + intercept if len(rows) else model.predict(rows)

    return predict


def _has(model: Any, method: str, bases: Iterable[type]) -> bool:
    """Whether its method is the one of these classes: a subclass, or somebody who set an attribute, has another."""
    own = getattr(type(model), method, None)
    return method not in vars(model) and any(own is getattr(base, method) for base in bases)


def _is_plain(weights: Any) -> bool:
    return type(weights) is np.ndarray and weights.dtype == np.float64


def _gives_the_same(model: Any, found: Predict, columns: int) -> bool:
    """Compared for many rows and for one: BLAS adds up in another order for each."""
    rows = np.random.default_rng(0).normal(scale=3.0, size=(_ROWS, columns))
    try:
        return all(_equal(model.predict(some), found(some)) for some in (rows, rows[:1], np.zeros_like(rows[:1])))
    except Exception:  # whatever it can't do, the estimator is to say itself
        return False


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one.dtype == other.dtype and np.array_equal(one, other)
