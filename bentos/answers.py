"""A model's answer as JSON, as a `.npy` array or as a picture: whichever the caller accepts."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.responses import Response

from ..connectors.errors import ModelFailed, NotAcceptable
from . import npy
from .answer_size import MOST_BYTES, size_of, too_large
from .bodies import JSON
from .large_json import dumps_slices, is_large
from .signature import Signature
from .slots import Prediction
from .writing import image_png

PNG = "image/png"
_OFFERED = f"{JSON}, {npy.MEDIA_TYPE} or {PNG}"


def accepted(accept: str) -> tuple[str, ...]:
    """The forms that a caller takes, the one it likes best first. Raises NotAcceptable if there is none.

    What is not JSON counts only if it is named: a wildcard means JSON.
    """
    if accept in ("", "*/*", JSON):
        return (JSON,)
    weights: dict[str, float] = {}
    for entry in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        weights[kind] = _weight(parameters)
    named = [(weights[kind], kind) for kind in (npy.MEDIA_TYPE, PNG) if weights.get(kind, 0) > 0]
    for pattern in (JSON, "application/*", "*/*"):
        if pattern in weights:
            if weights[pattern] > 0:
                named.append((weights[pattern] - (0 if pattern == JSON else 1), JSON))
            break
    if not named:
        raise NotAcceptable(f"An answer of {accept[:80]!r} is not to be had; accept {_OFFERED}.")
    return tuple(kind for _, kind in sorted(named, key=lambda pair: -pair[0]))


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


async def respond(made: Prediction, signature: Signature, kinds: tuple[str, ...]) -> Response:
    """The answer in the first of these forms that it has. Raises NotAcceptable, ModelFailed: no data, too much."""
    if is_large(made.outputs) or any(field.kind == "image" for field in signature.outputs):
        content, kind = await asyncio.to_thread(_content, made, signature, kinds)
    else:
        content, kind = _content(made, signature, kinds)
    return Response(content, media_type=kind, headers={"x-model-version": made.version})


def _content(made: Prediction, signature: Signature, kinds: tuple[str, ...]) -> tuple[bytes, str]:
    if (size := size_of(made.outputs)) > MOST_BYTES:
        raise too_large(made.model, size)
    for kind in kinds:
        if kind == JSON:
            return _as_json(made, signature), kind
        if kind == npy.MEDIA_TYPE and (array := npy.as_array(made.outputs)) is not None:
            return npy.write_npy(array), kind
        if kind == PNG and (picture := _picture(made.outputs, signature)) is not None:
            return image_png(picture), kind
    raise NotAcceptable(f"The answer of {made.model} is neither of {' or '.join(kinds)}; accept {JSON} too.")


def _as_json(made: Prediction, signature: Signature) -> bytes:
    """`{"outputs", "model", "version"}`. Raises ModelFailed if the answer is no data."""
    try:
        outputs = dumps_slices(signature.dump(made.outputs))
    except TypeError as error:  # an integer over 64 bits, half of a surrogate pair
        raise ModelFailed(f"The model {made.model} answered something that is no JSON: {error}.") from None
    rest = orjson.dumps({"model": made.model, "version": made.version})
    return b'{"outputs":' + outputs + b"," + rest[1:]


def _picture(outputs: Any, signature: Signature) -> Any:
    """The one picture of an answer, or None."""
    names = [field.name for field in signature.outputs if field.kind == "image"]
    if len(names) != 1:
        return None
    return outputs.get(names[0]) if isinstance(outputs, dict) else outputs
