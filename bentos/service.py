"""A model as a BentoML service: what the shared host mounts for each model."""

from __future__ import annotations

from typing import Any

import bentoml
import orjson
from _bentoml_sdk.io_models import IODescriptor  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from ..connectors.errors import BadInput, ModelFailed, WorkletsError
from .answer_size import MOST_BYTES, size_of, too_large
from .failures import to_data
from .hosted import HostedModel
from .wire import MEDIA_TYPE, WireError, decode, encode

DEFAULT_TIMEOUT = 60.0
_NOT_WANTED = ("TimeoutMiddleware", "OpenTelemetryMiddleware", "AccessLogMiddleware")


class WireInput(IODescriptor):  # type: ignore[misc]  # bentoml has no types
    """The request's body as it came, and the time limit from its header."""

    content: bytes
    timeout: float

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> WireInput:
        """Read the body without parsing it: BentoML's own readers would take it for JSON or pickle."""
        read: WireInput = cls.model_construct(content=await request.body(), timeout=read_timeout(request))
        return read


class AnyAnswer(IODescriptor):  # type: ignore[misc]
    """A finished response passes through BentoML untouched; so its JSON schema is never made."""

    media_type = MEDIA_TYPE


def build_app(model: HostedModel) -> Starlette:
    """The ASGI app of a loaded model: `POST /call` (our wire format) and `POST /predict` (JSON)."""
    service = build_service(model)
    app: Starlette = service.to_asgi()  # is_main stays True: False would unpickle request bodies
    # Our own limit holds, and BentoML's timer leaves a handle behind for each request; nobody reads the traces and
    # the access log of a process within, and each costs a quarter of a millisecond.
    app.user_middleware = [one for one in app.user_middleware if getattr(one.cls, "__name__", "") not in _NOT_WANTED]
    return app


def build_service(model: HostedModel) -> Any:
    """The BentoML service of a loaded model."""

    class ModelService:
        # Not named `call`: the proxy that BentoML puts before it has a method of that name.
        @bentoml.api(route="/call", input_spec=WireInput, output_spec=AnyAnswer)  # type: ignore[untyped-decorator]
        async def predict_wire(self, content: bytes, timeout: float) -> Any:
            return await answer_wire(model, content, timeout)

        @bentoml.api(route="/predict", output_spec=AnyAnswer)  # type: ignore[untyped-decorator]
        async def predict(self, inputs: Any) -> Any:
            return await answer_json(model, inputs)

    options = {
        "name": model.tag.replace(":", "-"),
        # Two services in one process would register the same metrics twice.
        "metrics": {"enabled": False},
    }
    return bentoml.service(**options)(ModelService)


async def answer_wire(model: HostedModel, content: bytes, timeout: float) -> Response:
    """The answer in our wire format, or an error as JSON with its status."""
    try:
        return wire_response(await model.predict(decode(content), timeout), model.tag)
    except WireError as error:
        return error_response(BadInput(f"The call of {model.tag} is broken: {error}."))
    except WorkletsError as error:
        return error_response(error)


async def answer_json(model: HostedModel, inputs: Any) -> Response:
    """The answer as JSON: `{"outputs": ...}`."""
    signature = model.manifest.signature
    try:
        values = await model.in_thread(lambda: signature.parse(inputs), DEFAULT_TIMEOUT)
        outputs = signature.dump(await model.predict(values, DEFAULT_TIMEOUT))
    except WorkletsError as error:
        return error_response(error)
    body = orjson.dumps({"outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, media_type="application/json")


def wire_response(answer: Any, tag: str) -> Response:
    """An answer in our wire format. Raises ModelFailed if it is no data, or too much."""
    if (size := size_of(answer)) > MOST_BYTES:
        raise too_large(tag, size)
    try:
        return Response(encode(answer), media_type=MEDIA_TYPE)
    except WireError as error:
        raise ModelFailed(f"The model {tag} answered something that is no data: {error}.") from None


def error_response(error: WorkletsError) -> Response:
    """An error for the other process."""
    # 404 is kept for "this host does not have the model".
    status = error.status if error.status != 404 else 500
    return Response(orjson.dumps(to_data(error)), status_code=status, media_type="application/json")


def read_timeout(request: Request) -> float:
    """The caller's time limit in seconds."""
    try:
        return float(request.headers.get("x-timeout", DEFAULT_TIMEOUT))
    except ValueError:
        return DEFAULT_TIMEOUT
