"""XGBoost: boosters and the estimators of its scikit-learn interface, kept in its own UBJSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...connectors.errors import DefinitionError
from ..manifest import Manifest
from ..signature import Signature
from .base import Loaded, Saved, default_sample
from .columns import INPUT, rows_field

_FILE = "model.ubj"
_METHODS = ("predict", "predict_proba")
_SUFFIXES = (".ubj", ".json")


class XGBoost:
    """The framework of XGBoost. The input is called `X`."""

    name = "xgboost"

    def recognises(self, model: Any) -> bool:
        """Whether it is a Booster, an estimator of XGBoost, or the path of a .ubj or .json file."""
        if isinstance(model, str | Path):
            return str(model).endswith(_SUFFIXES)
        xgboost = sys.modules.get("xgboost")
        return xgboost is not None and isinstance(model, xgboost.Booster | xgboost.XGBModel)

    def describe(self, model: Any, sample: Any, metadata: Mapping[str, Any]) -> Signature:
        """`X`: a table where it was fitted on named columns, else an array of (n, features)."""
        _method(model, metadata)
        booster = _booster(model)
        names = booster.feature_names
        return Signature(inputs=(rows_field(sample, names, booster.num_features()),))

    def save(self, model: Any, folder: Path, metadata: Mapping[str, Any]) -> Saved:
        """Write the trees."""
        opened = _booster(model) if isinstance(model, str | Path) else model
        opened.save_model(str(folder / _FILE))
        entry = {"file": _FILE, "class": type(opened).__name__, "method": _method(model, metadata)}
        return Saved("ubj", entry, ("xgboost", "numpy", "scikit-learn"))

    def load(self, folder: Path, manifest: Manifest) -> Loaded:
        """The trees, in the class that they were saved from."""
        import xgboost

        model = getattr(xgboost, manifest.entry["class"])()
        model.load_model(str(folder / manifest.entry["file"]))
        if isinstance(model, xgboost.Booster):
            model.set_param({"nthread": 1})
        return LoadedTrees(model, manifest.entry["method"], manifest.signature)


class LoadedTrees:
    """A model of XGBoost in memory."""

    def __init__(self, model: Any, method: str, signature: Signature) -> None:
        self._model = model
        self._method = method
        self._signature = signature

    def predict(self, values: Mapping[str, Any]) -> Any:
        """What its method answers for the rows."""
        rows = values[INPUT]
        if type(self._model).__name__ != "Booster":
            return getattr(self._model, self._method)(rows)
        import xgboost

        return self._model.predict(xgboost.DMatrix(rows))

    def sample(self) -> Mapping[str, Any] | None:
        """One row of zeros, where rows have no names."""
        return default_sample(self._signature)


def _booster(model: Any) -> Any:
    import xgboost

    if isinstance(model, str | Path):
        if not Path(model).is_file():
            raise DefinitionError(f"There is no file {model}; the path is relative to where you run this.")
        opened = xgboost.Booster()
        try:
            opened.load_model(str(model))
        except xgboost.core.XGBoostError as error:
            reason = str(error).strip().splitlines()[-1]
            raise DefinitionError(f"{model} is no model that XGBoost wrote: {reason[:200]}") from None
        return opened
    if isinstance(model, xgboost.Booster):
        return model
    try:
        return model.get_booster()
    except Exception as error:
        raise DefinitionError(f"This {type(model).__name__} is not fitted; call `fit` before deploying it.") from error


def _method(model: Any, metadata: Mapping[str, Any]) -> str:
    wanted = str(metadata.get("method", "predict"))
    if wanted not in _METHODS or not hasattr(model if not isinstance(model, str | Path) else _booster(model), wanted):
        raise DefinitionError(f"metadata['method'] is {wanted!r}, and this {type(model).__name__} does not have it.")
    return wanted
