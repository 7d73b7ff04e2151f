"""The project that `worklets init` writes."""

from __future__ import annotations

from pathlib import Path

from ..connectors.errors import BadInput, Conflict, Fault

WORKLET = '''"""Which iris is it? A worklet: typed steps around the model `irises`."""

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
    """The species."""

    species: str


@pw.node
def features(flower: Flower) -> list[list[float]]:
    """One row for the model."""
    return [[flower.sepal_length, flower.sepal_width, flower.petal_length, flower.petal_width]]


@pw.node
def named(classes: list[int]) -> Answer:
    """The class as a name."""
    return Answer(species=NAMES[classes[0]])


@pw.worklet
def which_iris(flower: Flower) -> Answer:
    """Say which iris it is."""
    return named(pw.model("irises")(features(flower)))
'''

TRAIN = '''"""Train the model and deploy it: `python train.py`, while the server runs."""

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import prefect_worklets as pw


def main() -> None:
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    deployed = pw.deploy(model, "irises", sample_input=X[:1])
    print(f"{deployed.name} {deployed.version} is live")


if __name__ == "__main__":
    main()
'''

README = """# A first worklet

Start the server, and leave it running. It pushes this folder, and pushes it again after every change:

    worklets up --project .

In a second terminal, train the model and deploy it:

    python train.py

Ask the worklet:

    worklets invoke which_iris --json \\
      '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'

See what ran:

    worklets runs list

- `worklet.py`: the worklet. Each `@pw.node` is a step; types say what goes in and out.
- `train.py`: trains the model and deploys it under the name that the worklet asks for.
"""

FILES = {"worklet.py": WORKLET, "train.py": TRAIN, "README.md": README}


def write_starter(folder: Path) -> list[Path]:
    """Write the project's files and return their paths.

    Raises:
        Conflict: one of them is there already; nothing is written.
        BadInput: the folder can't be written.
    """
    taken = [Fault((name,), "is there already") for name in FILES if (folder / name).exists()]
    if taken:
        raise Conflict(f"{folder} has files of these names; give another folder: `worklets init NAME`.", faults=taken)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in FILES.items():
            (folder / name).write_text(content)
    except OSError as error:
        raise BadInput(f"The folder {folder} can't be written: {error.strerror}.") from None
    return [folder / name for name in FILES]
