"""The limit: bare Starlette, pydantic on the raw bytes, orjson, the model on the loop, no collector pauses."""

from __future__ import annotations

import gc

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from steps import Flower, named, scaled

from .common import load_model

model = load_model()
validate = Flower.__pydantic_validator__.validate_json


async def classify(request: Request) -> Response:
    flower = validate(await request.body())
    label = int(model.predict([scaled(flower)])[0])
    return Response(orjson.dumps(named(label, flower).__dict__), media_type="application/json")


app = Starlette(routes=[Route("/classify", classify, methods=["POST"])])
gc.collect()
gc.freeze()
