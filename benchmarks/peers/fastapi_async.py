"""FastAPI with an `async def` handler: no thread, the model on the event loop."""

from __future__ import annotations

from fastapi import FastAPI
from steps import Flower, Species, named, scaled

from .common import load_model

app = FastAPI()
model = load_model()


@app.post("/classify")
async def classify(flower: Flower) -> Species:
    features = scaled(flower)
    label = int(model.predict([features])[0])
    return named(label, flower)
