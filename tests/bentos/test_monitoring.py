"""Samples of what models are asked and answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prefect_worklets.bentos.monitor_rule import MonitorRule, read_rule
from prefect_worklets.bentos.monitoring import HIDDEN, MOST_WAITING, SampleBook, Taken, sample_row
from prefect_worklets.bentos.package import pack
from prefect_worklets.bentos.signature import Column, Field, Signature
from prefect_worklets.connectors.errors import DefinitionError, WorkletsError
from prefect_worklets.connectors.tables import ModelSample
from sqlmodel import select


class Doubles:
    """Answers twice what it is asked."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X * 2


@pytest.fixture
async def book(store: Any, router: Any) -> SampleBook:
    return SampleBook(store, router)


async def deployed(deployer: Any, tmp_path: Path, **options: Any) -> Any:
    folder = pack(Doubles(), "doubles", sample_input=np.array([[4.0]]), folder=tmp_path / "p", **options)
    return await deployer.deploy(folder)


def kept(store: Any) -> list[ModelSample]:
    with store.read() as session:
        return list(session.exec(select(ModelSample).order_by(ModelSample.id)))


class TestTaking:
    async def test_what_is_asked_and_answered_is_kept(
        self, deployer: Any, router: Any, store: Any, book: SampleBook, tmp_path: Path
    ) -> None:
        await deployed(deployer, tmp_path)
        await book.flush()
        for number in range(5):
            await router.predict("doubles", [[float(number)]])
        with pytest.raises(WorkletsError):
            await router.predict("doubles", [["x"]])
        await book.flush()
        (row,) = kept(store)  # one a second, and these took less
        assert (row.version, row.inputs, row.outputs) == ("1.0.0", {"X": [[0.0]]}, [[0.0]])
        assert row.seconds > 0

    async def test_nothing_is_taken_where_nobody_asked_for_it(
        self, deployer: Any, router: Any, store: Any, book: SampleBook, tmp_path: Path
    ) -> None:
        await deployed(deployer, tmp_path, monitor=False)
        await book.flush()
        await router.predict("doubles", [[1.0]])
        await book.flush()
        assert kept(store) == []
        deployer.records.update_model("doubles", {"monitor": {"samples": True, "sensitive": ["X", "output"]}})
        await book.flush()
        await router.predict("doubles", [[1.0]])
        await book.flush()
        assert [(row.inputs, row.outputs) for row in kept(store)] == [({"X": HIDDEN}, HIDDEN)]

    async def test_old_ones_and_too_many_go(
        self, deployer: Any, router: Any, store: Any, book: SampleBook, tmp_path: Path
    ) -> None:
        await deployed(deployer, tmp_path, monitor={"per_minute": 600, "keep": 3})
        values = {"X": np.array([[1.0]])}
        for number in range(8):
            ago = 30 * 86_400 if number == 7 else 0
            book._waiting.append(Taken("doubles", "1.0.0", time.time() - ago, float(number), values, [[2.0]]))
        await book.flush()
        assert [row.seconds for row in kept(store)] == [5.0, 6.0]

    async def test_a_deleted_models_samples_go_with_it(
        self, deployer: Any, store: Any, book: SampleBook, tmp_path: Path
    ) -> None:
        await deployed(deployer, tmp_path)
        taken = Taken("doubles", "1.0.0", time.time(), 0.1, {"X": np.array([[1.0]])}, [[2.0]])
        book._waiting.append(taken)
        await book.flush()
        assert len(kept(store)) == 1
        await deployer.delete("doubles")
        book._waiting.append(taken)
        await book.flush()
        assert kept(store) == []

    async def test_waiting_is_bounded(self, deployer: Any, router: Any, book: SampleBook, tmp_path: Path) -> None:
        await deployed(deployer, tmp_path, monitor={"per_minute": 600})
        await book.flush()
        sampler = router.live("doubles").served.sampler
        sampler.pause = 0.0
        for _ in range(MOST_WAITING + 50):
            sampler.offer({"X": np.array([[1.0]])}, 1, 0.1)
        assert len(book._waiting) == MOST_WAITING


class TestRows:
    def row(self, fields: tuple[Field, ...], values: Any, outputs: Any = 1, **rule: Any) -> Any:
        taken = Taken("m", "1.0.0", 0.0, 0.1, values, outputs)
        return sample_row(taken, MonitorRule(**rule), Signature(inputs=fields))

    def test_sensitive_columns_are_hidden(self) -> None:
        columns = (Column(name="age"), Column(name="ssn", dtype="object"))
        frame = pd.DataFrame({"age": [3.0], "ssn": ["1-2"]})
        table = self.row((Field(name="X", kind="table", columns=columns),), {"X": frame}, sensitive=("ssn",))
        assert table.inputs == {"X": [{"age": 3.0, "ssn": HIDDEN}]}
        array = Field(name="X", kind="array", dtype="float64", shape=(None, 2), columns=columns)
        assert self.row((array,), {"X": np.ones((1, 2))}, sensitive=("ssn",)).inputs == {"X": [[1.0, HIDDEN]]}
        text = Field(name="name", kind="text")
        assert self.row((text,), {"name": "Ada"}, sensitive=("name",)).inputs == {"name": HIDDEN}
        nested = self.row((Field(name="j"),), {"j": {"deep": [{"ssn": "1-2"}]}}, sensitive=("ssn",))
        assert nested.inputs == {"j": {"deep": [{"ssn": HIDDEN}]}}

    def test_large_ones_lose_rows_then_are_left_out(self) -> None:
        field = Field(name="X", kind="array", dtype="float64", shape=(None, 8))
        assert len(self.row((field,), {"X": np.ones((900, 8))}).inputs["X"]) == 20
        assert len(self.row((field,), {"X": np.ones((900, 8))}, max_bytes=120).inputs["X"]) == 1
        assert self.row((Field(name="t", kind="text"),), {"t": "x" * 1000}, max_bytes=200) is None

    def test_pictures_and_strange_values(self) -> None:
        picture = Field(name="p", kind="image")
        assert self.row((picture,), {"p": np.zeros((20, 30, 3), "uint8")}).inputs == {"p": "(picture, 30 x 20)"}
        strange = {"j": [float("nan"), np.int64(3), np.array(2.5), None, object, pd.Timestamp("2026-01-02")]}
        inputs = self.row((Field(name="j"),), strange).inputs["j"]
        assert inputs[:4] == [None, 3, 2.5, None]
        assert inputs[5] == "2026-01-02T00:00:00"


class TestRule:
    def test_words_for_it(self) -> None:
        assert read_rule(None) is None
        assert read_rule(False) == MonitorRule(samples=False)
        assert read_rule({"sensitive": ["a"]}) == MonitorRule(sensitive=("a",))

    @pytest.mark.parametrize("given", [{"per_minute": 0}, {"keep": -1}, {"every": 3}, {"days": 9999}])
    def test_every_fault_is_told(self, given: dict[str, Any]) -> None:
        with pytest.raises(DefinitionError) as caught:
            read_rule(given)
        assert caught.value.faults[0].loc == ("monitor", *given)
