"""Keras 3 models, and TensorFlow's SavedModel folders."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...connectors.errors import DefinitionError
from ..manifest import Manifest
from ..signature import Field, Signature
from .base import Loaded, Saved, default_sample

_FILE, _FOLDER = "model.keras", "saved_model"
_SIGNATURE = "serving_default"


class Keras:
    """The framework of Keras and TensorFlow: a model, the path of a .keras file, or that of a SavedModel folder."""

    name = "keras"

    def recognises(self, model: Any) -> bool:
        """Whether it is a Keras model or the path of something that TensorFlow saved."""
        if isinstance(model, str | Path):
            return str(model).endswith(".keras") or (Path(model) / "saved_model.pb").is_file()
        keras = sys.modules.get("keras")
        return keras is not None and isinstance(model, keras.Model)

    def describe(self, model: Any, sample: Any, metadata: Mapping[str, Any]) -> Signature:
        """The model's own inputs, batches of any size."""
        if _is_folder(model):
            _, takes = _restored(Path(model))._signature_inputs
            return Signature(inputs=tuple(_field(name, spec.dtype.name, spec.shape) for name, spec in takes.items()))
        opened = _opened(model)
        if not getattr(opened, "inputs", None):
            raise DefinitionError("This Keras model has not been built yet; call it once, or `build` it.")
        return Signature(
            inputs=tuple(_field(one.name.split(":")[0], str(one.dtype), one.shape) for one in opened.inputs)
        )

    def save(self, model: Any, folder: Path, metadata: Mapping[str, Any]) -> Saved:
        """Write it in its own format."""
        if _is_folder(model):
            shutil.copytree(model, folder / _FOLDER)
            return Saved("saved_model", {}, (_tensorflow(), "numpy"))
        _opened(model).save(str(folder / _FILE))
        return Saved("keras", {}, (_tensorflow(), "keras", "numpy"))

    def load(self, folder: Path, manifest: Manifest) -> Loaded:
        """The model, without what only training needs."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        if manifest.format == "saved_model":
            return _restored(folder / _FOLDER, manifest.signature)
        import keras

        # safe_mode stays on: a Lambda layer is code in the file.
        model = keras.models.load_model(str(folder / _FILE), compile=False)
        return LoadedKeras(model, manifest.signature)


class LoadedKeras:
    """A Keras model in memory."""

    def __init__(self, model: Any, signature: Signature) -> None:
        self._model = model
        self._signature = signature
        self._outputs = [one.name.split(":")[0] for one in model.outputs]

    def predict(self, values: Mapping[str, Any]) -> Any:
        """The lone output, or a dict of the outputs by name."""
        given = [values[field.name] for field in self._signature.inputs]
        # Called directly: `predict` is for whole data sets and costs milliseconds for a row.
        answer = self._model(given[0] if len(given) == 1 else given, training=False)
        if isinstance(answer, Mapping):
            return {str(name): np.asarray(one) for name, one in answer.items()}
        if isinstance(answer, list | tuple):
            return {name: np.asarray(one) for name, one in zip(self._outputs, answer, strict=True)}
        return np.asarray(answer)

    def sample(self) -> Mapping[str, Any] | None:
        """Zeros of the declared shapes."""
        return default_sample(self._signature)


class LoadedSavedModel:
    """A SavedModel's serving function in memory."""

    def __init__(self, model: Any, signature: Signature | None) -> None:
        if _SIGNATURE not in model.signatures:
            known = ", ".join(model.signatures) or "none"
            raise DefinitionError(f"This SavedModel has no signature {_SIGNATURE!r} to serve (it has {known}).")
        self._kept = model  # its variables live as long as this does
        self._serve = model.signatures[_SIGNATURE]
        self._signature = signature
        self._signature_inputs = self._serve.structured_input_signature

    def predict(self, values: Mapping[str, Any]) -> Any:
        """The lone output, or a dict of the outputs by name."""
        import tensorflow

        answer = self._serve(**{name: tensorflow.convert_to_tensor(value) for name, value in values.items()})
        found = {str(name): one.numpy() for name, one in answer.items()}
        return next(iter(found.values())) if len(found) == 1 else found

    def sample(self) -> Mapping[str, Any] | None:
        """Zeros of the declared shapes."""
        return default_sample(self._signature) if self._signature is not None else None


def _restored(folder: Path, signature: Signature | None = None) -> LoadedSavedModel:
    import tensorflow

    return LoadedSavedModel(tensorflow.saved_model.load(str(folder)), signature)


def _opened(model: Any) -> Any:
    if not isinstance(model, str | Path):
        return model
    import keras

    if not Path(model).is_file():
        raise DefinitionError(f"There is no file {model}; the path is relative to where you run this.")
    return keras.models.load_model(str(model), compile=False)


def _is_folder(model: Any) -> bool:
    return isinstance(model, str | Path) and Path(model).is_dir()


def _field(name: str, dtype: str, shape: Any) -> Field:
    sizes = tuple(None if size is None else int(size) for size in shape)
    kind = "object" if dtype == "string" else dtype
    return Field(name=name, kind="array", dtype=kind, shape=(None, *sizes[1:]) if sizes else ())


def _tensorflow() -> str:
    """The distribution that brings TensorFlow here: several do."""
    from .imports import distributions_of

    return next((name for name in distributions_of(["tensorflow"]) if name.startswith("tensorflow")), "tensorflow")
