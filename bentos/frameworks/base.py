"""What a framework does for a model: know it, save it, describe it, load it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any, Protocol

from ..manifest import Manifest
from ..signature import Field, Signature


@dataclass(frozen=True)
class Saved:
    """How a framework wrote a model: its format, what `load` must know, and the distributions that it needs."""

    format: str
    entry: dict[str, Any] = dataclass_field(default_factory=dict)
    packages: tuple[str, ...] = ()


class Loaded(Protocol):
    """A model in memory."""

    def predict(self, values: Mapping[str, Any]) -> Any:
        """The model's answer to values by field name. Raises whatever the model raises."""
        ...

    def sample(self) -> Mapping[str, Any] | None:
        """Values to try it with, if the model itself has some."""
        ...


class Framework(Protocol):
    """One framework. The objects are stateless."""

    name: str

    def recognises(self, model: Any) -> bool:
        """Whether it packs this object. Imports no library that is not imported yet."""
        ...

    def describe(self, model: Any, sample: Any, metadata: Mapping[str, Any]) -> Signature:
        """The signature. Raises DefinitionError."""
        ...

    def save(self, model: Any, folder: Path, metadata: Mapping[str, Any]) -> Saved:
        """Write the model's files into `folder`. Raises DefinitionError."""
        ...

    def load(self, folder: Path, manifest: Manifest) -> Loaded:
        """The model from its package's folder. Blocking; may take seconds."""
        ...


def default_sample(signature: Signature) -> dict[str, Any] | None:
    """A value of zeros for each array input with a known shape; None where another input is required."""
    import numpy as np

    values: dict[str, Any] = {}
    for field in signature.inputs:
        if not field.required:
            values[field.name] = field.default
        elif _zeroable(field):
            shape = [1 if size is None else size for size in field.shape or ()]
            values[field.name] = np.zeros(shape, field.dtype)
        else:
            return None
    return values


def _zeroable(field: Field) -> bool:
    return field.kind == "array" and field.shape is not None and field.dtype not in (None, "object", "str")


def physical_cores() -> int:
    """Cores that this process may use, hyper-threads not counted twice."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))
