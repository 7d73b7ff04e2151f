"""scikit-learn estimators and pipelines.

Saved with cloudpickle. skops 0.16 reads and writes scikit-learn 1.9's estimators too, but it refuses functions and
classes of the user's own (FunctionTransformer, custom steps), and every forest must be trusted by name; so most
packages would need a second format, and a builder's package may run code anyhow.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...connectors.errors import DefinitionError
from ..inference import field_of_sample
from ..manifest import Manifest
from ..signature import Column, Field, Signature
from .base import Loaded, Saved, default_sample
from .linear import unchecked
from .pickling import read_pickle, write_pickle

INPUT = "X"
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples")
_FILE = "model.pkl"


class Sklearn:
    """The framework of scikit-learn. The input is called `X`."""

    name = "sklearn"

    def recognises(self, model: Any) -> bool:
        """Whether it is an estimator's instance with a method to call."""
        base = sys.modules.get("sklearn.base")
        if base is None or not isinstance(model, base.BaseEstimator):
            return False
        return any(hasattr(model, method) for method in METHODS)

    def describe(self, model: Any, sample: Any, metadata: Mapping[str, Any]) -> Signature:
        """`X`: a table where it was fitted on named columns, else an array of (n, features)."""
        _method(model, metadata)
        return Signature(inputs=(_input_field(model, sample),))

    def save(self, model: Any, folder: Path, metadata: Mapping[str, Any]) -> Saved:
        """Pickle it. Raises DefinitionError if it is not fitted."""
        _check_fitted(model)
        write_pickle(model, folder / _FILE)
        modules = {type(step).__module__.partition(".")[0] for step in _steps(model)}
        others = tuple(sorted(modules - {"sklearn"}))
        packages = ("scikit-learn", "numpy", "scipy", "joblib", "cloudpickle", *others)
        return Saved("cloudpickle", {"file": _FILE, "method": _method(model, metadata)}, packages)

    def load(self, folder: Path, manifest: Manifest) -> Loaded:
        """The estimator from its pickle."""
        model = read_pickle(folder / manifest.entry["file"])
        return LoadedEstimator(model, manifest.entry.get("method", "predict"), manifest.signature)


class LoadedEstimator:
    """A fitted estimator in memory."""

    def __init__(self, model: Any, method: str, signature: Signature) -> None:
        self.model = model
        field = signature.inputs[0]
        self._call = unchecked(model, method, field) or getattr(model, method)
        self._name = field.name
        self._signature = signature

    def predict(self, values: Mapping[str, Any]) -> Any:
        """What the estimator's method answers, as it is, to values that the signature has checked."""
        return self._call(values[self._name])

    def sample(self) -> Mapping[str, Any] | None:
        """One row of zeros, where rows are numbers."""
        return default_sample(self._signature)


def _method(model: Any, metadata: Mapping[str, Any]) -> str:
    available = [method for method in METHODS if hasattr(model, method)]
    wanted = metadata.get("method", available[0])
    if wanted not in available:
        raise DefinitionError(
            f"metadata['method'] is {wanted!r}, and this {type(model).__name__} has {', '.join(available)}."
        )
    return str(wanted)


def _input_field(model: Any, sample: Any) -> Field:
    nullable = _takes_nan(model)
    if isinstance(sample, Mapping) and set(sample) == {INPUT}:
        sample = sample[INPUT]
    if sample is not None:
        import numpy as np

        is_frame = hasattr(sample, "columns")
        field = field_of_sample(INPUT, sample if is_frame else np.asarray(sample), nullable=nullable)
        # Fitted on whole numbers or not, an estimator takes floats; float32 stays, as it halves the bytes.
        if field.kind == "array" and field.dtype not in ("float32", "str", "object"):
            field = field.model_copy(update={"dtype": "float64"})
        return field
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        columns = tuple(Column(name=str(name)) for name in names)
        return Field(name=INPUT, kind="table", columns=columns, nullable=nullable)
    if not hasattr(model, "n_features_in_"):
        raise DefinitionError(
            f"This {type(model).__name__} does not say what it takes; give `sample_input=`, such as `X[:1]`."
        )
    shape = (None, int(model.n_features_in_))
    return Field(name=INPUT, kind="array", dtype="float64", shape=shape, nullable=nullable)


def _takes_nan(model: Any) -> bool:
    try:
        from sklearn.utils import get_tags

        return bool(get_tags(model).input_tags.allow_nan)
    except Exception:  # an estimator of another library may lack tags or raise while making them
        return False


def _check_fitted(model: Any) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError:
        raise DefinitionError(f"This {type(model).__name__} is not fitted; call `fit` before packing it.") from None


def _steps(model: Any) -> list[Any]:
    steps = [step for _, step in getattr(model, "steps", [])]
    return [model, *(inner for step in steps for inner in _steps(step))]
