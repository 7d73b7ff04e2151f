"""FastAPI as most people write it: a `def` handler, which FastAPI runs in a thread."""

from __future__ import annotations

from fastapi import FastAPI
from steps import Flower, Species, named, scaled

from .common import load_model

app = FastAPI()
model = load_model()


@app.post("/classify")
def classify(flower: Flower) -> Species:
    features = scaled(flower)
    label = int(model.predict([features])[0])
    return named(label, flower)
