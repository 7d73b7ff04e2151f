"""The same three steps as a Prefect flow of three tasks. Run as a script, it serves the flow as a deployment.

Absolute imports: Prefect loads this file by its path in the process of each run.
"""

from typing import Any

from prefect import flow, task
from steps import Flower, named, scaled

from benchmarks.peers.common import load_model

model = load_model()


@task
async def scale(flower: Flower) -> list[float]:
    return scaled(flower)


@task
async def predict(features: list[float]) -> int:
    return int(model.predict([features])[0])


@task
async def name(label: int, flower: Flower) -> dict[str, Any]:
    return named(label, flower).model_dump()


@flow
async def classify(flower: Flower) -> dict[str, Any]:
    """Prefect's quickest way: async, so that no thread is joined at the end."""
    return await name(await predict(await scale(flower)), flower)


@task
def scale_sync(flower: Flower) -> list[float]:
    return scaled(flower)


@task
def predict_sync(features: list[float]) -> int:
    return int(model.predict([features])[0])


@task
def name_sync(label: int, flower: Flower) -> dict[str, Any]:
    return named(label, flower).model_dump()


@flow(name="classify-sync")
def classify_sync(flower: Flower) -> dict[str, Any]:
    """The same with plain functions, as most people write flows."""
    return name_sync(predict_sync(scale_sync(flower)), flower)


if __name__ == "__main__":
    classify.serve(name="served", pause_on_shutdown=False)
