"""Any class with `predict` (and, if it likes, `load`, `preprocess`, `postprocess`, `sample`), and plain functions.

A class given by its path ('module:Class', 'file.py:Class') is packed with its source; anything else is pickled with
the code that it needs, so that a class of a notebook works too. `load(folder)` receives the folder of the files that
were packed with it; a `load()` without a parameter is called as it is.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from ...connectors.errors import BadInput, DefinitionError, Fault
from ..inference import answer_is_image, fields_of_function, hints_of, is_checked_by_type
from ..manifest import Manifest
from ..signature import Field, Signature
from .base import Loaded, Saved, default_sample
from .imports import distributions_of, modules_of_object, modules_of_sources
from .pickling import read_pickle, write_pickle
from .sources import CODE_FOLDER, copy_source, find_source, load_attribute

FILES_FOLDER = "files"
_PICKLE = "model.pkl"


class Custom:
    """The framework of everything with a `predict`."""

    name = "custom"

    def recognises(self, model: Any) -> bool:
        """Whether it is a path with a class, a function, or has `predict`."""
        if isinstance(model, str):
            return ":" in model
        return inspect.isfunction(model) or callable(getattr(model, "predict", None))

    def describe(self, model: Any, sample: Any, metadata: Mapping[str, Any]) -> Signature:
        """Inputs from the parameters of `preprocess`, or of `predict`. Raises DefinitionError."""
        target = _target(model)
        entrance = _entrance(target)
        inputs = tuple(fields_of_function(entrance, sample))
        leave = getattr(target, "postprocess", None) or getattr(target, "predict", target)
        outputs = (Field(name="output", kind="image"),) if answer_is_image(leave) else ()
        return Signature(inputs=inputs, outputs=outputs)

    def save(self, model: Any, folder: Path, metadata: Mapping[str, Any]) -> Saved:
        """Copy the source, or pickle the object. Raises DefinitionError."""
        if isinstance(model, str):
            source = find_source(model)
            copy_source(source, folder)
            packages = distributions_of(modules_of_sources(source.files))
            return Saved("source", {"module": source.module, "attribute": source.attribute}, packages)
        # What only a hint names is in no pickle of the code.
        hinted = _hinted(_entrance(model))
        write_pickle({"model": model, "hinted": hinted}, folder / _PICKLE)
        packages = distributions_of(modules_of_object(model) | {"cloudpickle"})
        return Saved("cloudpickle", {"file": _PICKLE}, packages)

    def load(self, folder: Path, manifest: Manifest) -> Loaded:
        """The object, made and loaded."""
        if manifest.format == "source":
            target = load_attribute(folder / CODE_FOLDER, manifest.entry["module"], manifest.entry["attribute"])
            hinted = _hinted(_entrance(target))
        else:
            pickled = read_pickle(folder / manifest.entry["file"])
            target, hinted = pickled["model"], pickled["hinted"]
        model = target() if isinstance(target, type) else target
        loader = getattr(model, "load", None)
        if loader is not None:
            _call_load(loader, folder / FILES_FOLDER)
        return LoadedObject(model, manifest.signature, hinted)


class LoadedObject:
    """An object with `predict`, or a function, in memory."""

    def __init__(self, model: Any, signature: Signature, hinted: Mapping[str, Any]) -> None:
        self._model = model
        self._signature = signature
        self._predict: Callable[..., Any] = getattr(model, "predict", model)
        self._preprocess: Callable[..., Any] | None = getattr(model, "preprocess", None)
        self._postprocess: Callable[..., Any] | None = getattr(model, "postprocess", None)
        self._convert = _converters(signature, hinted)

    def predict(self, values: Mapping[str, Any]) -> Any:
        """preprocess (if any) → predict → postprocess (if any)."""
        arguments = dict(values)
        for name, convert in self._convert.items():
            if arguments.get(name) is not None:
                arguments[name] = convert(arguments[name])
        if self._preprocess is None:
            answer = _settled(self._predict(**arguments))
        else:
            answer = _settled(self._predict(_settled(self._preprocess(**arguments))))
        return answer if self._postprocess is None else _settled(self._postprocess(answer))

    def sample(self) -> Mapping[str, Any] | None:
        """What the object's own `sample()` gives, or zeros where all inputs are arrays of known shape."""
        own = getattr(self._model, "sample", None)
        return own() if callable(own) else default_sample(self._signature)


def _target(model: Any) -> Any:
    if not isinstance(model, str):
        return model
    source = find_source(model)
    target = load_attribute(source.root, source.module, source.attribute)
    if not callable(getattr(target, "predict", None)) and not inspect.isfunction(target):
        raise DefinitionError(f"{model} has no `predict` method; add one, or name a function.")
    return target


def _entrance(target: Any) -> Callable[..., Any]:
    """The function whose parameters are the inputs, without `self`."""
    function = getattr(target, "preprocess", None) or getattr(target, "predict", None) or target
    if isinstance(target, type) and inspect.isfunction(function):
        # Bound to nothing: `self` is dropped from the signature, and the hints stay where they are.
        return _Unbound(function)
    return function  # type: ignore[no-any-return]


class _Unbound:
    """A method of a class that has no instance yet, seen without `self`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(function).parameters.values())[1:]
        self.__signature__ = inspect.Signature(parameters)
        self.__annotations__ = hints_of(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a method without its instance is not called")


def _call_load(loader: Callable[..., Any], files: Path) -> None:
    takes = [p for p in inspect.signature(loader).parameters.values() if p.default is inspect.Parameter.empty]
    _settled(loader(files) if takes else loader())


def _settled(value: Any) -> Any:
    """The result of a coroutine, which runs here: models are called in threads that have no loop."""
    return asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Any) -> Any:
    return await value


def _hinted(entrance: Callable[..., Any]) -> dict[str, Any]:
    """The parameters whose hints say more than a field of the signature does: pydantic models, `list[int]`."""
    return {name: hint for name, hint in hints_of(entrance).items() if name != "return" and is_checked_by_type(hint)}


def _converters(signature: Signature, hinted: Mapping[str, Any]) -> dict[str, Callable[[Any], Any]]:
    found: dict[str, Callable[[Any], Any]] = {}
    for field in signature.inputs:
        if field.kind == "image" and field.passed != "array":
            found[field.name] = _to_image if field.passed == "image" else _to_pillow
        elif field.kind == "json" and field.name in hinted:
            convert = _to_type(hinted[field.name], field.name)
            if convert is not None:
                found[field.name] = convert
    return found


def _to_image(pixels: Any) -> Any:
    from ...connectors.images import Image

    return Image.from_array(pixels)


def _to_pillow(pixels: Any) -> Any:
    from PIL import Image as Pillow

    return Pillow.fromarray(pixels)


def _to_type(hint: Any, name: str) -> Callable[[Any], Any] | None:
    """What makes JSON into such a value, or None for a type that pydantic does not know."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(hint)
    except PydanticUserError:
        return None

    def convert(value: Any) -> Any:
        try:
            return adapter.validate_python(value.tolist() if isinstance(value, np.ndarray) else value)
        except ValidationError as error:
            faults = [Fault(("inputs", name, *entry["loc"]), entry["msg"], entry["type"]) for entry in error.errors()]
            raise BadInput("The model's input does not fit.", faults=faults) from None

    return convert
