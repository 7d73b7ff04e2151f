from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from prefect_worklets.bentos.npy import as_array, read_npy, write_npy
from prefect_worklets.connectors.errors import BadInput

KINDS = hnp.scalar_dtypes().filter(lambda dtype: dtype.kind in "biufcSU" and dtype.itemsize)


def file_of(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def header(said: str) -> bytes:
    text = said.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@given(hnp.arrays(KINDS, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)), st.booleans())
def test_what_numpy_writes_is_read(array: Any, by_column: bool) -> None:
    array = np.asfortranarray(array) if by_column else array
    read = read_npy(file_of(array))
    np.testing.assert_array_equal(read, array)
    assert read.shape == array.shape
    assert read.dtype.isnative
    assert read.flags.writeable
    assert read.flags.c_contiguous


@given(hnp.arrays(KINDS, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)))
def test_numpy_reads_what_is_written(array: Any) -> None:
    np.testing.assert_array_equal(np.load(io.BytesIO(write_npy(array)), allow_pickle=False), array)


class Trap:
    """Says so when it is unpickled."""

    sprung = False

    def __reduce__(self) -> Any:
        return (setattr, (Trap, "sprung", True))


def test_a_pickle_is_not_read() -> None:
    content = file_of(np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(BadInput, match="is of object"):
        read_npy(content)
    assert not Trap.sprung
    pickle.loads(content[content.index(b"\n") + 1 :])  # the trap is a real one
    assert Trap.sprung


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no .npy file"),
        (b"PK\x03\x04" * 9, "is no .npy file"),
        (file_of(np.zeros(3))[:-1], r"\(3,\), which is 24 bytes, and 23 came"),
        (file_of(np.zeros(3)) + b"x", "and 25 came"),
        (file_of(np.zeros(2, [("a", "f4")])), "numbers, true and false, and texts"),
        (file_of(np.zeros(2, "datetime64[s]")), "is of datetime64"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }"), "80000000000000 bytes"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }") + b"12345678", "and 8 came"),
        (header("{'descr': '<U0', 'fortran_order': False, 'shape': (10000000000000,), }"), "can be sent"),
        (header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"), "is of object"),
        (header("__import__('os').abort()"), "is no .npy file"),
        (header("{'descr': ["), "is no .npy file"),
        (b"\x93NUMPY\x07\x00" + header("")[8:], "version 7.0"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "is no .npy file"),
    ],
)
def test_anything_else_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_npy(content)


@pytest.mark.parametrize("answer", [np.arange(3), [1, 2], 1.5, np.float32(2), [[1, 2], [3, 4]], ["a", "b"], True])
def test_answers_that_are_arrays(answer: Any) -> None:
    np.testing.assert_array_equal(as_array(answer), np.asarray(answer))


@pytest.mark.parametrize("answer", [None, {"a": 1}, "text", [[1], [2, 3]], [{"a": 1}], np.array([{}]), object()])
def test_answers_that_are_none(answer: Any) -> None:
    assert as_array(answer) is None
