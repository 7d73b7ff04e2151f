"""The input of models that take rows of numbers: a table where they were fitted on named columns, else an array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..inference import field_of_sample
from ..signature import Column, Field

INPUT = "X"


def rows_field(sample: Any, names: Sequence[str] | None, count: int, *, dtype: str = "float64") -> Field:
    """The field `X`.

    Args:
        sample: rows, if there are some; a DataFrame tells the columns' types.
        names: the columns' names, if the model has them.
        count: the number of features.
        dtype: of the numbers where the sample does not tell.
    """
    if isinstance(sample, Mapping) and set(sample) == {INPUT}:
        sample = sample[INPUT]
    if hasattr(sample, "columns"):
        return field_of_sample(INPUT, sample, nullable=True)
    if names is not None:
        columns = tuple(Column(name=str(name), dtype=dtype) for name in names)
        return Field(name=INPUT, kind="table", columns=columns, nullable=True)
    return Field(name=INPUT, kind="array", dtype=dtype, shape=(None, count), nullable=True)
