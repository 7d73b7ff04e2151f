"""Finding out what a model takes and answers: from a sample, from type hints, from an answer."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel

from ..connectors.errors import DefinitionError, FaultList
from .signature import Column, Field

_NUMBERS = {int: "int", float: "float", bool: "bool"}


def field_of_sample(name: str, sample: Any, **more: Any) -> Field:
    """The field that such a value is a sample of; an array's first dimension is free."""
    from ..connectors.images import Image

    if isinstance(sample, np.generic):
        sample = sample.item()
    if _is_frame(sample):
        return Field(name=name, kind="table", columns=frame_columns(sample), **more)
    if isinstance(sample, np.ndarray):
        return Field(name=name, kind="array", dtype=dtype_name(sample.dtype), shape=free_shape(sample.shape), **more)
    if isinstance(sample, Image) or hasattr(sample, "getexif"):
        return Field(name=name, kind="image", **more)
    if type(sample) in _NUMBERS:
        return Field(name=name, kind="number", dtype=_NUMBERS[type(sample)], **more)
    if isinstance(sample, str):
        return Field(name=name, kind="text", **more)
    if isinstance(sample, bytes):
        return Field(name=name, kind="file", **more)
    return Field(name=name, kind="json", **more)


def frame_columns(frame: Any) -> tuple[Column, ...]:
    """The columns of a DataFrame with their numpy types; texts, categories and mixed ones are `object`."""
    columns = []
    for name in frame.columns:
        kind = getattr(frame[name].dtype, "kind", "O")
        dtype = "float64" if kind in "fiu" else "bool" if kind == "b" else "object"
        columns.append(Column(name=str(name), dtype=dtype))
    return tuple(columns)


def free_shape(shape: tuple[int, ...]) -> tuple[int | None, ...]:
    """A sample's shape with the first dimension free."""
    return (None, *shape[1:]) if shape else ()


def dtype_name(dtype: np.dtype[Any]) -> str:
    """The name under which a dtype stands in a signature; texts of any length are `str`."""
    return "str" if dtype.kind in "US" else dtype.name


def fields_of_function(function: Callable[..., Any], sample: Any) -> list[Field]:
    """The inputs of a function by its parameters' hints and the sample.

    Raises:
        DefinitionError: it takes no parameter, or `*args`, or a parameter that cannot be given by name.
    """
    faults = FaultList()
    parameters = list(inspect.signature(function).parameters.values())
    hints = hints_of(function)
    samples = sample_by_name(sample, [parameter.name for parameter in parameters])
    fields = []
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            faults.add((parameter.name,), "is not a parameter with a name of its own", fix="name each input of predict")
            continue
        fields.append(_field_of_parameter(parameter, hints.get(parameter.name), samples))
    if not parameters:
        faults.add((), "predict takes no input", fix="give it one parameter for each input")
    faults.raise_if_any("The inputs of predict cannot be known.", DefinitionError)
    return fields


def sample_by_name(sample: Any, names: list[str]) -> Mapping[str, Any]:
    """A sample as a mapping by input; a bare value is of the first input."""
    if sample is None or not names:
        return {}
    if isinstance(sample, Mapping) and set(sample) <= set(names):
        return sample
    return {names[0]: sample}


def _field_of_parameter(parameter: inspect.Parameter, hint: Any, samples: Mapping[str, Any]) -> Field:
    name = parameter.name
    more: dict[str, Any] = {}
    if parameter.default is not inspect.Parameter.empty:
        more = {"required": False, "default": _plain(parameter.default)}
    plain_hint, optional = _without_none(hint)
    if optional:
        more["nullable"] = True
    known = _field_of_hint(name, plain_hint, more)
    if known is not None and known.kind not in ("array", "table"):
        return known
    if name in samples and known is not None and known.kind == "array":
        return _array_of_sample(known, plain_hint, samples[name])
    if name in samples:
        return field_of_sample(name, samples[name], **more)
    if known is not None:
        return known
    if hint is None and more and type(parameter.default) in (int, float, bool, str):
        return field_of_sample(name, parameter.default, **more)
    return Field(name=name, kind="json", **more)


def _array_of_sample(known: Field, hint: Any, sample: Any) -> Field:
    """An array field with the sample's shape, and its type too where the hint names none."""
    array = np.asarray(sample)
    dtype = known.dtype if typing.get_args(hint) else dtype_name(array.dtype)
    return known.model_copy(update={"dtype": dtype, "shape": free_shape(array.shape)})


def _field_of_hint(name: str, hint: Any, more: dict[str, Any]) -> Field | None:
    if hint is None or hint is inspect.Parameter.empty or hint is Any:
        return None
    image = image_passed_as(hint)
    if image is not None:
        return Field(name=name, kind="image", passed=image, **more)
    if hint in _NUMBERS:
        return Field(name=name, kind="number", dtype=_NUMBERS[hint], **more)
    if hint is bytes:
        return Field(name=name, kind="file", **more)
    if hint is str:
        return Field(name=name, kind="text", **more)
    if hint is np.ndarray or typing.get_origin(hint) is np.ndarray:
        return Field(name=name, kind="array", dtype=_hinted_dtype(hint), **more)
    if _is_frame_type(hint):
        return Field(name=name, kind="table", **more)  # its columns are the sample's, or whatever is sent
    return Field(name=name, kind="json", **more)


def is_checked_by_type(hint: Any) -> bool:
    """Whether the hint's own type checks the value: not one that a field's kind stands for already."""
    hint, _ = _without_none(hint)
    field = _field_of_hint("", hint, {})
    return field is not None and field.kind == "json" and hint is not object


def image_passed_as(hint: Any) -> typing.Literal["image", "pillow"] | None:
    """How a parameter with this hint wants its picture, if it wants one."""
    from ..connectors.images import Image

    if hint is Image:
        return "image"
    pillow = sys.modules.get("PIL.Image")
    return "pillow" if pillow is not None and hint is pillow.Image else None


def answer_is_image(function: Callable[..., Any]) -> bool:
    """Whether the function says that it returns a picture."""
    return image_passed_as(_without_none(hints_of(function).get("return"))[0]) is not None


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The type hints of a function, evaluated; those that cannot be are left out."""
    try:
        return typing.get_type_hints(function)
    except Exception:  # a hint may name anything, and evaluating it may raise anything
        annotations = getattr(function, "__annotations__", {})
        return {name: hint for name, hint in annotations.items() if not isinstance(hint, str)}


def fields_of_answer(answer: Any) -> list[Field]:
    """The outputs that such an answer has; one that is no mapping is called `output`."""
    if isinstance(answer, Mapping) and answer and all(isinstance(key, str) for key in answer):
        return [field_of_sample(key, value) for key, value in answer.items()]
    return [field_of_sample("output", answer)]


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = [arm for arm in typing.get_args(hint) if arm is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return hint, False


def _hinted_dtype(hint: Any) -> str:
    for argument in typing.get_args(hint):
        for inner in typing.get_args(argument):
            if isinstance(inner, type) and issubclass(inner, np.generic):
                return dtype_name(np.dtype(inner))
    return "float64"


def _plain(default: Any) -> Any:
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json")
    return default.tolist() if isinstance(default, np.ndarray | np.generic) else default


def _is_frame(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def _is_frame_type(hint: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and hint is pandas.DataFrame
