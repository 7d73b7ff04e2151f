from __future__ import annotations

import math
import sys

import numpy as np
import orjson
import pandas as pd
import pytest
from prefect_worklets.bentos.wire import MAGIC, WireError, decode, encode


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, -(2**40), 1.5, "text", "", [], {}, b"\0\xff"),
        [1, [2, {"a": None}]],
        {"$a": 1, "b": {"$d": 2}},
        {"$x": b""},
    ],
)
def test_data_comes_back(value):
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "int8", "uint8", "int64", "bool", "complex128", "<U5"]
)
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 4)])
def test_arrays_come_back_exactly_and_writable(dtype, shape):
    array = np.arange(max(1, int(np.prod(shape)))).astype(dtype)[: int(np.prod(shape))].reshape(shape)
    back = decode(encode({"a": array}))["a"]
    assert back.dtype == array.dtype
    assert back.shape == shape
    assert (back == array).all()
    assert back.flags.writeable


def test_several_arrays_keep_their_places():
    value = {"a": [np.arange(3), {"b": np.ones((2, 2))}], "c": np.array(["x", "yz"])}
    back = decode(encode(value))
    assert back["a"][0].tolist() == [0, 1, 2]
    assert back["a"][1]["b"].sum() == 4
    assert back["c"].tolist() == ["x", "yz"]


def test_not_contiguous_arrays_come_back():
    array = np.arange(12).reshape(3, 4)[:, ::2].T
    assert (decode(encode(array)) == array).all()


def test_floats_that_are_not_finite():
    back = decode(encode([float("nan"), float("inf"), float("-inf")]))
    assert math.isnan(back[0])
    assert back[1:] == [float("inf"), float("-inf")]


def test_scalars_keep_their_type():
    back = decode(encode(np.float32(0.5)))
    assert back == 0.5
    assert back.dtype == np.float32


def test_object_arrays_and_tables():
    array = np.empty(2, object)
    array[:] = ["a", 1]
    back = decode(encode({"o": array, "t": pd.DataFrame({"n": [1.5, 2.5], "s": ["a", None]})}))
    assert back["o"].tolist() == ["a", 1]
    assert back["t"]["n"].tolist() == [1.5, 2.5]
    assert list(back["t"].columns) == ["n", "s"]


def test_a_table_is_its_columns_where_there_is_no_pandas(monkeypatch):
    message = encode({"t": pd.DataFrame({"n": [1.5, 2.5]})})
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert decode(message)["t"]["n"].tolist() == [1.5, 2.5]
    assert type(decode(message)["t"]) is dict


def test_object_array_of_equal_lists_keeps_its_shape():
    array = np.empty(2, object)
    array[0], array[1] = [1, 2], [3, 4]
    back = decode(encode(array))
    assert back.shape == (2,)
    assert back[1] == [3, 4]


@pytest.mark.parametrize("value", [{1, 2}, object(), [{"deep": lambda: 1}], 2**70, "\ud800"])
def test_what_is_no_data_is_refused(value):
    with pytest.raises(WireError, match="cannot be sent"):
        encode(value)


def test_endless_nesting_is_refused():
    value: list = []
    value.append(value)
    with pytest.raises(WireError, match="deeper"):
        encode(value)


def message(header: object, rest: bytes = b"") -> bytes:
    text = orjson.dumps(header)
    return MAGIC + len(text).to_bytes(4, "little") + text + rest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PW",
        b"\x80\x04pickle",
        MAGIC,
        MAGIC + b"\xff\xff\xff\xff",
        message([]),
        message({"v": 1}),
        message({"v": {"$a": 3}, "a": []}),
        message({"v": {"$a": 0}, "a": [["<f8", [4], 32]]}, b"short"),
        message({"v": {"$a": 0}, "a": [["<f8", [1], 8000000000]]}, b"12345678"),
        message({"v": {"$a": 0}, "a": [["|O", [1], 8]]}, b"12345678"),
        message({"v": {"$a": 0}, "a": [["<f8", [-1, -1], 8]]}, b"12345678"),
        message({"v": {"$zz": 0}, "a": []}),
    ],
)
def test_bytes_that_are_no_message_are_refused(content):
    with pytest.raises(WireError):
        decode(content)
