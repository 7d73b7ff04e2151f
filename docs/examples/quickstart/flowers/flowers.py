"""Which iris is it? A worklet around the model `flowers`."""

from pydantic import BaseModel, Field

import prefect_worklets as pw

NAMES = ("setosa", "versicolor", "virginica")


class Flower(BaseModel):
    """Four lengths in cm."""

    sepal_length: float = Field(gt=0, lt=30)
    sepal_width: float = Field(gt=0, lt=30)
    petal_length: float = Field(gt=0, lt=30)
    petal_width: float = Field(gt=0, lt=30)


class Answer(BaseModel):
    """The species, and the petal's area in cm²."""

    species: str
    petal_area: float


@pw.node
def features(flower: Flower) -> list[list[float]]:
    """One row for the model."""
    return [[flower.sepal_length, flower.sepal_width, flower.petal_length, flower.petal_width]]


@pw.node
def named(classes: list[int], flower: Flower) -> Answer:
    """The class as a name."""
    return Answer(species=NAMES[classes[0]], petal_area=round(flower.petal_length * flower.petal_width, 2))


@pw.worklet
def which_iris(flower: Flower) -> Answer:
    """Say which iris it is."""
    answer = named(pw.model("flowers")(features(flower)), flower)
    return pw.save("irises")(answer)
