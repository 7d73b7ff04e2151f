from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect_worklets.bentos import large_json
from prefect_worklets.bentos.large_json import dumps_slices, is_large, loads_request

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("],[}{\"\\,' a", max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("a],[", max_size=3), inner, max_size=3),
)


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_json, "_SLICE_BYTES", 5)
    monkeypatch.setattr(large_json, "_SLICE_ITEMS", 7)


def written(value: Any) -> list[bytes]:
    return [orjson.dumps(value), json.dumps(value).encode(), json.dumps(value, indent=1).encode()]


class TestReading:
    @settings(max_examples=300)
    @given(st.lists(VALUES, max_size=12))
    def test_slices_say_what_the_whole_says(self, items: list[Any]) -> None:
        for body in written({"inputs": items}):
            assert loads_request(body, as_array=False) == {"inputs": items}

    @settings(max_examples=300)
    @given(st.text('[]{},:"1a ', max_size=30))
    def test_what_is_no_json_is_refused(self, text: str) -> None:
        body = ('{"inputs": [' + text + "]}").encode()
        try:
            expected = orjson.loads(body)
        except orjson.JSONDecodeError:
            with pytest.raises(orjson.JSONDecodeError):
                loads_request(body, as_array=True)
        else:
            assert loads_request(body, as_array=False) == expected

    @pytest.mark.parametrize("shape", [(40,), (20, 3), (6, 2, 3), (0,)])
    @pytest.mark.parametrize("dtype", [float, int])
    def test_numbers_become_an_array(self, shape: tuple[int, ...], dtype: type) -> None:
        array = (np.arange(np.prod(shape)).reshape(shape) * 3 - 4).astype(dtype)
        for body in written({"inputs": array.tolist()}):
            np.testing.assert_array_equal(loads_request(body, as_array=True)["inputs"], array)

    @pytest.mark.parametrize("items", [[[1, 2], [3]] * 5, [1, None] * 9, [[1, "a"]] * 9, [1, [2]] * 9, ["a"] * 9])
    def test_what_is_no_array_stays_a_list(self, items: list[Any]) -> None:
        assert loads_request(orjson.dumps({"inputs": items}), as_array=True) == {"inputs": items}

    def test_whole_numbers_and_others(self) -> None:
        items = [*range(20), 0.5]
        assert loads_request(orjson.dumps({"inputs": items}), as_array=True)["inputs"].tolist() == items

    @pytest.mark.parametrize("body", [{"inputs": {"a": [1] * 9}}, {"inputs": [1], "z": [[1], [2]]}, {"other": 1}, [1]])
    def test_other_bodies(self, body: Any) -> None:
        assert loads_request(orjson.dumps(body), as_array=True) == body


class TestWriting:
    @pytest.mark.parametrize(
        "value",
        [
            np.arange(50.0),
            np.arange(60).reshape(20, 3),
            np.zeros((3, 40)),
            np.array([0.1, np.nan, np.inf] * 9),
            list(range(30)),
            {"a": np.arange(20), "b": [None] * 20, "c": {"d": "x"}},
            [np.arange(3)],
            {},
            "text",
        ],
    )
    def test_slices_say_what_the_whole_says(self, value: Any) -> None:
        assert dumps_slices(value) == orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


@pytest.mark.parametrize(
    ("value", "large"),
    [
        (np.zeros(20_001), True),
        (np.zeros(20_000), False),
        ([[0.0] * 100] * 201, True),
        ([[0.0] * 100] * 100, False),
        ({"a": np.zeros(30_000)}, True),
        ([np.zeros(30_000)], True),
        ([{"a": 1, "b": 2}] * 10_001, True),
        ("x" * 100_001, True),
        (5, False),
        ([], False),
    ],
)
def test_what_is_worth_a_thread(value: Any, large: bool) -> None:
    assert is_large(value) is large
