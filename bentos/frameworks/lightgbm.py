"""LightGBM: boosters and the estimators of its scikit-learn interface, kept in its own text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...connectors.errors import DefinitionError
from ..manifest import Manifest
from ..signature import Signature
from .base import Loaded, Saved, default_sample
from .columns import INPUT, rows_field

_FILE = "model.txt"
_FIRST_LINE = "tree"
_METHODS = ("predict", "predict_proba")


class LightGBM:
    """The framework of LightGBM. The input is called `X`."""

    name = "lightgbm"

    def recognises(self, model: Any) -> bool:
        """Whether it is a Booster, an estimator of LightGBM, or the path of a text that holds one."""
        if isinstance(model, str | Path):
            return str(model).endswith(".txt") and _is_text_of_trees(Path(model))
        lightgbm = sys.modules.get("lightgbm")
        return lightgbm is not None and isinstance(model, lightgbm.Booster | lightgbm.LGBMModel)

    def describe(self, model: Any, sample: Any, metadata: Mapping[str, Any]) -> Signature:
        """`X`: a table where it was fitted on named columns, else an array of (n, features)."""
        booster = _booster(model)
        _method(model, metadata)
        names = booster.feature_name()
        unnamed = names == [f"Column_{number}" for number in range(len(names))]
        return Signature(inputs=(rows_field(sample, None if unnamed else names, len(names)),))

    def save(self, model: Any, folder: Path, metadata: Mapping[str, Any]) -> Saved:
        """Write the trees, and the classes of a classifier."""
        _booster(model).save_model(str(folder / _FILE))
        classes = getattr(model, "classes_", None)
        entry = {
            "file": _FILE,
            "method": _method(model, metadata),
            "classes": None if classes is None else np.asarray(classes).tolist(),
        }
        return Saved("text", entry, ("lightgbm", "numpy"))

    def load(self, folder: Path, manifest: Manifest) -> Loaded:
        """The trees."""
        import lightgbm

        return LoadedTrees(lightgbm.Booster(model_file=str(folder / manifest.entry["file"])), manifest)


class LoadedTrees:
    """A model of LightGBM in memory."""

    def __init__(self, booster: Any, manifest: Manifest) -> None:
        self._booster = booster
        self._signature = manifest.signature
        self._method = manifest.entry["method"]
        classes = manifest.entry["classes"]
        self._classes = None if classes is None else np.asarray(classes)

    def predict(self, values: Mapping[str, Any]) -> Any:
        """Numbers of a regressor or booster; classes, or their probabilities, of a classifier."""
        found = self._booster.predict(values[INPUT], num_threads=1)
        if self._classes is None:
            return found
        shares = np.column_stack([1.0 - found, found]) if found.ndim == 1 else found
        return shares if self._method == "predict_proba" else self._classes[shares.argmax(axis=1)]

    def sample(self) -> Mapping[str, Any] | None:
        """One row of zeros, where rows have no names."""
        return default_sample(self._signature)


def _booster(model: Any) -> Any:
    import lightgbm

    if isinstance(model, str | Path):
        return lightgbm.Booster(model_file=str(model))
    if isinstance(model, lightgbm.Booster):
        return model
    try:
        return model.booster_
    except Exception as error:
        raise DefinitionError(f"This {type(model).__name__} is not fitted; call `fit` before deploying it.") from error


def _method(model: Any, metadata: Mapping[str, Any]) -> str:
    wanted = str(metadata.get("method", "predict"))
    if wanted not in _METHODS or (wanted == "predict_proba" and not hasattr(model, wanted)):
        raise DefinitionError(f"metadata['method'] is {wanted!r}, and this {type(model).__name__} does not have it.")
    return wanted


def _is_text_of_trees(path: Path) -> bool:
    try:
        with path.open() as file:
            return file.readline(10).strip() == _FIRST_LINE
    except (OSError, UnicodeDecodeError):
        return False
