"""Sketches of values: short whatever the value is, and of known types what people would write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect_worklets.connectors.images import Image
from prefect_worklets.flows.sketching import sketch
from pydantic import BaseModel, SecretStr


class Colour(Enum):
    red = "r"


class Order(BaseModel):
    item: str
    token: SecretStr = SecretStr("hush")


@dataclass
class Pair:
    left: Any
    right: Any


class Broken:
    @property
    def columns(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (3, 3),
        (2**70, "1.18059162072e+21"),
        (float("nan"), "nan"),
        (Colour.red, "r"),
        (date(2026, 1, 2), "2026-01-02"),
        (b"abc", "<3 bytes>"),
        (Order(item="lamp"), {"item": "lamp", "token": "***"}),
        (Pair(1, (2, 3)), {"left": 1, "right": [2, 3]}),
        (np.float64(1.5), 1.5),
        (np.arange(3), [0, 1, 2]),
        (np.zeros((30, 2)), {"array": "30 by 2", "dtype": "float64", "first": [0.0] * 20}),
        (pd.DataFrame({"a": [1, 2]}), {"table": "2 rows, 1 columns", "first": [{"a": 1}, {"a": 2}]}),
        (Image.from_array(np.zeros((4, 4, 3), np.uint8)), "<image>"),
        (object(), "<builtins.object>"),
        (Broken(), "<Broken: RuntimeError>"),
        (list(range(1000)), [*range(20), "… 980 more"]),
    ],
)
def test_it_is_what_people_would_write(value: Any, expected: Any) -> None:
    assert sketch(value) == expected


def test_long_texts_are_cut() -> None:
    assert sketch("a" * 5000) == "a" * 400 + "… (5000 letters)"
    assert sketch("data:image/png;base64," + "A" * 5000) == "data:image/png… (5022 letters)"


def test_a_ring_ends() -> None:
    ring: dict[str, Any] = {}
    ring["self"] = ring
    assert len(orjson.dumps(sketch(ring))) < 200


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda part: st.lists(part, max_size=30) | st.dictionaries(st.text() | st.integers(), part, max_size=30),
    max_leaves=300,
)


@settings(deadline=None, max_examples=60)
@given(_JSON)
def test_any_value_has_a_short_one(value: Any) -> None:
    assert len(orjson.dumps(sketch(value, parts=50))) < 200_000


def test_its_size_is_bounded() -> None:
    wide = {str(number): ["x" * 1000] * 1000 for number in range(1000)}
    assert len(orjson.dumps(sketch(wide))) < 200 * 1000
