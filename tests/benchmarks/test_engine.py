"""The engine's benchmark: its chains are what they say."""

from __future__ import annotations

import pytest

from benchmarks import engine


@pytest.mark.parametrize("kind", engine.KINDS)
def test_the_chains(kind: str) -> None:
    chain = engine.chain(kind, 5)
    assert len(chain.graph.nodes) == (10 if kind == "decision and join" else 5)
    assert chain(1) == (1 if kind == "decision and join" else 6)


async def test_every_row_has_a_figure_for_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CALLS", 2)
    found = await engine.measure(2)
    assert set(found) == {"a plain call", *engine.KINDS, engine.HOP}
    assert {len(each) for each in found.values()} == {2}
