"""Type hints as the source of a signature: without a sample, and checked with every fault."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from prefect_worklets.bentos.frameworks import framework_named
from prefect_worklets.bentos.manifest import read_manifest
from prefect_worklets.bentos.package import pack
from prefect_worklets.connectors.errors import BadInput


@dataclass
class Person:
    name: str
    age: int = 0


class Ask:
    """A packed function or class, loaded as a host loads it."""

    def __init__(self, model: Any, folder: Path, **options: Any) -> None:
        pack(model, "hinted", folder=folder, **options)
        manifest = read_manifest(folder)
        self.signature = manifest.signature
        self._loaded = framework_named(manifest.framework).load(folder, manifest)

    def __call__(self, inputs: Any) -> Any:
        return self._loaded.predict(self.signature.parse(inputs))


def test_lists_choices_and_dataclasses(tmp_path: Path) -> None:
    def describe(words: list[str], how: Literal["long", "short"], person: Person, counts: dict[str, int]) -> Any:
        return [words, how, type(person).__name__, person.age, counts]

    ask = Ask(describe, tmp_path / "p")
    inputs = {"words": ["a"], "how": "short", "person": {"name": "Eve", "age": "7"}, "counts": {"x": 1}}
    assert ask(inputs) == [["a"], "short", "Person", 7, {"x": 1}]
    assert ask({**inputs, "words": np.array(["a", "b"])})[0] == ["a", "b"]
    for name, value, place in (
        ("words", ["a", 5], ("inputs", "words", 1)),
        ("how", "wide", ("inputs", "how")),
        ("person", {"age": 3}, ("inputs", "person", "name")),
        ("counts", {"x": "many"}, ("inputs", "counts", "x")),
    ):
        with pytest.raises(BadInput) as caught:
            ask({**inputs, name: value})
        assert [fault.loc for fault in caught.value.faults] == [place]


def test_what_pydantic_does_not_know_is_passed_on(tmp_path: Path) -> None:
    class Odd:
        pass

    def predict(thing: Odd, anything: Any = None) -> Any:
        return [thing, anything]

    assert Ask(predict, tmp_path / "p")({"thing": 5, "anything": [1]}) == [5, [1]]


def test_a_frame_of_any_columns(tmp_path: Path) -> None:
    def total(frame: pd.DataFrame) -> Any:
        return frame.sum(numeric_only=True).to_dict()

    ask = Ask(total, tmp_path / "p")
    assert ask.signature.inputs[0].json_schema()["type"] == "array"
    for inputs in ([{"a": 1, "b": 2}, {"a": 3}], {"a": [1, 3], "b": [2, 0]}, {"frame": [{"a": 4, "b": 2}]}):
        assert ask(inputs) == {"a": 4, "b": 2}
    assert ask({"a": 4, "b": 2}) == {"a": 4, "b": 2}
    for wrong in ([[1, 2]], "text", None, [], {"a": [1], "b": [1, 2]}):
        with pytest.raises(BadInput) as caught:
            ask(wrong)
        assert caught.value.faults[0].loc == ("inputs", "frame")


def test_a_frame_with_a_sample_has_its_columns(tmp_path: Path) -> None:
    def total(frame: pd.DataFrame) -> Any:
        return float(frame["a"].sum())

    ask = Ask(total, tmp_path / "p", sample_input=pd.DataFrame({"a": [1.0]}))
    assert ask([{"a": 1}, {"a": 2}]) == 3.0
    with pytest.raises(BadInput, match="is missing"):
        ask([{"b": 1}])
