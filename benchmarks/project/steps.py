"""The three steps that every subject of the benchmark carries out: the same code for ours and for the peers."""

from __future__ import annotations

from pydantic import BaseModel, Field

SPECIES = ("setosa", "versicolor", "virginica")
# Mean and standard deviation of the iris features, in cm.
MEANS = (5.8433, 3.0573, 3.7580, 1.1993)
DEVIATIONS = (0.8253, 0.4344, 1.7594, 0.7597)


class Flower(BaseModel):
    """Four lengths in cm."""

    sepal_length: float = Field(gt=0, lt=100)
    sepal_width: float = Field(gt=0, lt=100)
    petal_length: float = Field(gt=0, lt=100)
    petal_width: float = Field(gt=0, lt=100)


class Species(BaseModel):
    """The answer: the species' name, its class, and the petal's area in cm²."""

    species: str
    label: int
    petal_area: float


def scaled(flower: Flower) -> list[float]:
    """The four features, standardised."""
    values = (flower.sepal_length, flower.sepal_width, flower.petal_length, flower.petal_width)
    return [(value - mean) / deviation for value, mean, deviation in zip(values, MEANS, DEVIATIONS, strict=True)]


def named(label: int, flower: Flower) -> Species:
    """The answer for a class."""
    area = round(flower.petal_length * flower.petal_width, 2)
    return Species(species=SPECIES[label], label=label, petal_area=area)
