"""How large an answer counts, in whatever it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from prefect_worklets.bentos.answer_size import size_of


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (np.zeros((10, 10)), 800),
        (np.float32(1), 4),
        ("x" * 50, 50),
        (b"x" * 50, 50),
        ([1.0] * 100, 800),
        (["x" * 10] * 10, 100),
        ({"a": np.zeros(10), "b": [{"c": "xx"}]}, 82),
        (pd.DataFrame({"a": np.zeros(100)}, index=range(100)), 932),
        (None, 8),
        ([], 0),
    ],
)
def test_bytes(value: Any, size: int) -> None:
    assert abs(size_of(value) - size) <= 64


def test_it_stops_counting_when_it_is_enough() -> None:
    def texts() -> Any:
        yield "x" * 100
        yield "x" * 100
        raise AssertionError("it has counted on")

    class Texts(dict[str, str]):
        def values(self) -> Any:
            return texts()

    assert size_of(Texts(a=""), 150) == 200
