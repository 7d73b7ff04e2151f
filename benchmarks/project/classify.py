"""The worklet that is measured: scale, ask the model, name the answer."""

from __future__ import annotations

from steps import Flower, Species, named, scaled

import prefect_worklets as pw


@pw.node
def scale(flower: Flower) -> list[list[float]]:
    """One row for the model."""
    return [scaled(flower)]


@pw.node
def name(labels: list[int], flower: Flower) -> Species:
    """The class as a species."""
    return named(labels[0], flower)


@pw.worklet
def classify(flower: Flower) -> Species:
    """Say which iris it is."""
    return name(pw.model("iris-bench")(scale(flower)), flower)
