from __future__ import annotations

import base64
import io
import re
import timeit
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from PIL import Image as Pillow
from prefect_worklets.bentos.signature import Column, Field, Signature
from prefect_worklets.connectors.errors import BadInput, ModelFailed
from prefect_worklets.connectors.images import Image
from pydantic import BaseModel

ROWS = Field(name="X", kind="array", dtype="float64", shape=(None, 4))
NAN_ROWS = ROWS.model_copy(update={"nullable": True})
WHOLE = Field(name="X", kind="array", dtype="int64", shape=(None,))
TEXTS = Field(name="X", kind="array", dtype="str", shape=(None,))
TABLE = Field(name="X", kind="table", columns=(Column(name="age"), Column(name="town", dtype="object")))
PICTURE = Field(name="picture", kind="image")
SIZE = Field(name="size", kind="number", dtype="int", required=False, default=384, minimum=64, maximum=1000)
RATE = Field(name="rate", kind="number", dtype="float")
FLAG = Field(name="flag", kind="number", dtype="bool")
TEXT = Field(name="text", kind="text")


def png(width: int = 8, height: int = 6) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (width, height), (200, 10, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def data_url() -> str:
    return "data:image/png;base64," + base64.b64encode(png()).decode()


class Flower(BaseModel):
    a: float
    b: float
    c: float
    d: float


class Request(BaseModel):
    model_config = {"arbitrary_types_allowed": True}
    picture: Any
    size: int = 100
    somebody: str = "else"


@dataclass
class Person:
    age: float
    town: str


class TestArrays:
    @pytest.mark.parametrize(
        "raw",
        [
            [[1, 2, 3, 4]],
            [[1.0, 2, 3, 4]],
            [1, 2, 3, 4],
            {"X": [[1, 2, 3, 4]]},
            {"X": [1, 2, 3, 4]},
            np.array([[1, 2, 3, 4]]),
            np.array([[1, 2, 3, 4]], np.float32),
            ((1, 2, 3, 4),),
            pd.DataFrame([[1, 2, 3, 4]]),
            Flower(a=1, b=2, c=3, d=4),
        ],
    )
    def test_what_fits(self, raw):
        values = Signature(inputs=(ROWS,)).parse(raw)
        assert list(values) == ["X"]
        assert values["X"].dtype == np.float64
        assert values["X"].tolist() == [[1, 2, 3, 4]]

    @pytest.mark.parametrize(
        ("field", "raw", "loc", "message"),
        [
            (ROWS, [[1, 2, 3]], ("inputs", "X"), r"found the shape \(1, 3\), and it must be \(n, 4\)"),
            (ROWS, [], ("inputs", "X"), "is empty"),
            (ROWS, [[]], ("inputs", "X"), "is empty"),
            (ROWS, [[[1, 2, 3, 4]]], ("inputs", "X"), "shape"),
            (ROWS, [["a", 2, 3, 4]], ("inputs", "X", 0, 0), "found the text 'a'; a number is needed"),
            (ROWS, [["1", 2, 3, 4]], ("inputs", "X", 0, 0), "found the text '1'"),
            (ROWS, [[1, 2, 3, 4], [1, 2]], ("inputs", "X", 1), "has 2 values where the first has 4"),
            (ROWS, [[1, 2, 3, 4], 5], ("inputs", "X", 1), "a single value"),
            (ROWS, [[1, 2, None, 4]], ("inputs", "X", 0, 2), "found null"),
            (ROWS, [[1, 2, {"a": 1}, 4]], ("inputs", "X", 0, 2), "found the object"),
            (ROWS, [[float("nan"), 2, 3, 4]], ("inputs", "X", 0, 0), "finite"),
            (ROWS, np.array([[1, 2, np.inf, 4]]), ("inputs", "X", 0, 2), "finite"),
            (ROWS, "text", ("inputs", "X"), "found the text 'text'"),
            (ROWS, None, ("inputs", "X"), "found null"),
            (ROWS, 5, ("inputs", "X"), "an array of float64, shape"),
            (ROWS, {"Y": 1}, ("inputs", "Y"), "is no input of this model"),
            (ROWS, {"X": [[1, 2, 3, 4]], "Z": 1}, ("inputs", "Z"), "is no input"),
            (WHOLE, [1.5], ("inputs", "X", 0), "a whole number is needed"),
            (WHOLE, [2**63], ("inputs", "X", 0), "int64 goes from"),
            (WHOLE, [10**400], ("inputs", "X", 0), "int64 goes from"),
            (WHOLE, np.array([np.nan]), ("inputs", "X", 0), "a whole number"),
            (TEXTS, [1], ("inputs", "X", 0), "a text is needed"),
        ],
    )
    def test_faults_name_their_place(self, field, raw, loc, message):
        with pytest.raises(BadInput) as caught:
            Signature(inputs=(field,)).parse(raw)
        fault = caught.value.faults[0]
        assert fault.loc == loc
        assert re.search(message, fault.msg)

    def test_every_fault_is_listed(self):
        with pytest.raises(BadInput) as caught:
            Signature(inputs=(ROWS,)).parse([["a", 2, 3, "b"], [1, None, 3, 4]])
        assert [fault.loc[2:] for fault in caught.value.faults] == [(0, 0), (0, 3), (1, 1)]

    def test_many_faults_end(self):
        with pytest.raises(BadInput) as caught:
            Signature(inputs=(ROWS,)).parse([["x"] * 4] * 1000)
        assert len(caught.value.faults) == 20

    def test_null_is_nan_where_the_model_takes_it(self):
        values = Signature(inputs=(NAN_ROWS,)).parse([[1, None, 3, 4]])
        assert np.isnan(values["X"][0, 1])

    def test_whole_floats_are_whole(self):
        assert Signature(inputs=(WHOLE,)).parse([1.0, 2])["X"].dtype == np.int64

    def test_a_row_is_parsed_in_some_microseconds(self):
        signature = Signature(inputs=(ROWS,))
        best = min(timeit.repeat(lambda: signature.parse([[5.1, 3.5, 1.4, 0.2]]), number=500, repeat=5)) / 500
        assert best < 100e-6


class TestTables:
    @pytest.mark.parametrize(
        "raw",
        [
            [{"age": 1, "town": "Ulm"}],
            {"age": [1], "town": ["Ulm"]},
            {"age": 1, "town": "Ulm"},
            {"X": [{"town": "Ulm", "age": 1}]},
            [[1, "Ulm"]],
            [1, "Ulm"],
            pd.DataFrame({"town": ["Ulm"], "more": [0], "age": [1]}),
            Person(age=1, town="Ulm"),
        ],
    )
    def test_what_fits(self, raw):
        frame = Signature(inputs=(TABLE,)).parse(raw)["X"]
        assert list(frame.columns) == ["age", "town"]
        assert frame["age"].dtype == np.float64
        assert frame.to_dict("records") == [{"age": 1.0, "town": "Ulm"}]

    @pytest.mark.parametrize(
        ("raw", "loc"),
        [
            ([{"age": 1}], ("inputs", "X", 0, "town")),
            ({"age": [1, 2], "town": ["Ulm"]}, ("inputs", "X")),
            ({"age": ["x"], "town": ["Ulm"]}, ("inputs", "X", "age", 0)),
            ([[1]], ("inputs", "X", 0)),
            (7, ("inputs", "X")),
            ([], ("inputs", "X")),
            (pd.DataFrame({"age": [1]}), ("inputs", "X", "town")),
        ],
    )
    def test_faults(self, raw, loc):
        with pytest.raises(BadInput) as caught:
            Signature(inputs=(TABLE,)).parse(raw)
        assert caught.value.faults[0].loc == loc


class TestFields:
    signature = Signature(inputs=(PICTURE, SIZE, RATE, FLAG, TEXT))

    def test_each_kind(self):
        values = self.signature.parse({"picture": data_url(), "size": 100, "rate": 1, "flag": True, "text": "x"})
        assert values["picture"].shape == (6, 8, 3)
        assert values["picture"].dtype == np.uint8
        assert values["size"] == 100
        assert isinstance(values["rate"], float)

    def test_defaults(self):
        assert self.signature.parse({"picture": data_url(), "rate": 1, "flag": False, "text": ""})["size"] == 384

    def test_all_that_is_missing_is_listed(self):
        with pytest.raises(BadInput) as caught:
            self.signature.parse({"size": 5})
        assert {fault.loc for fault in caught.value.faults} == {
            ("inputs", name) for name in ("picture", "size", "rate", "flag", "text")
        }

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("size", 63), ("size", 1001), ("size", 64.5), ("size", "64"), ("size", True), ("size", None),
            ("size", float("inf")), ("rate", "x"), ("rate", float("nan")), ("flag", 1), ("flag", "true"),
            ("text", 1), ("text", None), ("picture", "no picture"), ("picture", "data:image/png;base64,AAAA"),
            ("picture", 3), ("picture", np.zeros((3, 3))), ("picture", "https://example.org/a.png"),
        ],
    )  # fmt: skip
    def test_faults_of_one_field(self, name, value):
        good = {"picture": data_url(), "size": 100, "rate": 1, "flag": True, "text": "x"}
        with pytest.raises(BadInput) as caught:
            self.signature.parse({**good, name: value})
        assert [fault.loc[:2] for fault in caught.value.faults] == [("inputs", name)]

    def test_a_model_with_more_attributes_fits(self):
        signature = Signature(inputs=(PICTURE, SIZE))
        values = signature.parse(Request(picture=Image.from_bytes(png())))
        assert values["size"] == 100
        assert values["picture"].shape == (6, 8, 3)

    @pytest.mark.parametrize("raw", [data_url(), png(), np.zeros((6, 8, 3), np.uint8), Image.from_bytes(png())])
    def test_a_lone_picture(self, raw):
        assert Signature(inputs=(PICTURE, SIZE)).parse(raw)["picture"].shape == (6, 8, 3)

    def test_several_required_fields_need_names(self):
        with pytest.raises(BadInput, match="send an object with"):
            self.signature.parse([1, 2])

    def test_json_takes_anything(self):
        signature = Signature(inputs=(Field(name="value"),))
        for raw in (1, None, [1], {"a": 1}, "x"):
            assert signature.parse(raw) == {"value": raw}


class TestDump:
    def dumped(self, outputs: Any, *fields: Field) -> Any:
        signature = Signature(inputs=(ROWS,), outputs=fields)
        return orjson.loads(orjson.dumps(signature.dump(outputs), option=orjson.OPT_SERIALIZE_NUMPY))

    @pytest.mark.parametrize(
        ("outputs", "expected"),
        [
            (np.array([1, 2]), [1, 2]),
            (np.array([[0.5, np.nan, np.inf]], np.float32), [[0.5, None, None]]),
            (np.array(["a", "b"]), ["a", "b"]),
            (np.array(["a", 1, None], object), ["a", 1, None]),
            (np.arange(6).reshape(2, 3).T, [[0, 3], [1, 4], [2, 5]]),
            (np.array([1.5], ">f8"), [1.5]),
            (np.float64("nan"), None),
            (np.array(3), 3),
            ({"a": np.array([1.0]), "b": (1, {"c": np.int64(3)})}, {"a": [1.0], "b": [1, {"c": 3}]}),
            (pd.DataFrame({"a": [1.0, np.nan]}), [{"a": 1.0}, {"a": None}]),
            (pd.Series([1, 2]), [1, 2]),
            (Flower(a=1, b=2, c=3, d=4), {"a": 1, "b": 2, "c": 3, "d": 4}),
            (Person(age=1, town="x"), {"age": 1, "town": "x"}),
            (None, None),
        ],
    )
    def test_data(self, outputs, expected):
        assert self.dumped(outputs) == expected

    def test_a_picture_becomes_a_data_url(self):
        pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
        url = self.dumped(pixels, Field(name="output", kind="image"))
        assert url.startswith("data:image/png;base64,")
        assert (Image(url).array() == pixels).all()
        assert self.dumped({"p": pixels, "n": 1}, Field(name="p", kind="image"), Field(name="n"))["n"] == 1

    @pytest.mark.parametrize("outputs", [object(), {"a": object()}, [lambda: 1]])
    def test_what_is_no_data_is_the_models_fault(self, outputs):
        with pytest.raises(ModelFailed, match="which is no data"):
            self.dumped(outputs)

    def test_no_picture_is_the_models_fault(self):
        with pytest.raises(ModelFailed, match="no picture"):
            self.dumped(np.zeros(3), Field(name="output", kind="image"))


def test_schemas_say_what_to_send():
    schema = Signature(inputs=(ROWS,)).input_schema()
    assert schema["anyOf"][0]["items"] == {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
    full = Signature(inputs=(PICTURE, SIZE, TEXT)).input_schema()
    assert full["required"] == ["picture", "text"]
    assert full["properties"]["size"] == {"type": "integer", "minimum": 64, "maximum": 1000, "default": 384}


def test_outputs_are_learnt_from_an_answer():
    signature = Signature(inputs=(ROWS,)).with_outputs_of(np.zeros((3, 2), np.float32))
    assert signature.outputs[0].shape == (None, 2)
    assert signature.with_outputs_of({"other": 1}).outputs == signature.outputs
    assert [field.name for field in Signature(inputs=()).with_outputs_of({"a": 1, "b": "x"}).outputs] == ["a", "b"]
