"""A packed model as a BentoML service by itself: what `worklets models export` puts into a bento.

This module and those that it imports are copied into the bento, so it needs neither a worklets server nor the
prefect-worklets package. It reads, checks and answers as the server does.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import bentoml
from _bentoml_sdk.io_models import IODescriptor  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import Response

from ..connectors.errors import WorkletsError
from ..connectors.responses import problem_response
from .bodies import JSON
from .hosted import HostedModel
from .manifest import Manifest, read_manifest
from .predicting import PREDICT_LIMIT, Predicting
from .router import DEFAULT_TIMEOUT, Router
from .signature import Signature
from .slots import InProcessSlot
from .telemetry import send_none


def service_of(folder: Path) -> Any:
    """The BentoML service of the package in `folder`; the model is loaded when the service is made, not before."""
    manifest = read_manifest(folder)

    class ModelService:
        def __init__(self) -> None:
            self._model = ExportedModel(folder, manifest)

        @bentoml.api(  # type: ignore[untyped-decorator]
            route="/predict", input_spec=_inputs(manifest.signature), output_spec=_answer(manifest.signature)
        )
        async def predict(self, request: Any) -> Any:
            """Ask the model."""
            return await self._model.answer(request)

    ModelService.__doc__ = manifest.description or f"The model {manifest.name} {manifest.version}."
    traffic = {"timeout": manifest.serving.timeout or DEFAULT_TIMEOUT}
    return bentoml.service(name=manifest.name.replace(".", "-"), traffic=traffic)(ModelService)


class ExportedModel:
    """A model that is loaded, tried with its sample, and answers requests.

    Raises:
        ModelFailed, TookTooLong: it cannot be loaded, or fails with its sample.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        send_none()
        self._name = manifest.name
        tag = f"{manifest.name}:{manifest.version}"
        slot = InProcessSlot(HostedModel(tag, folder, limit=os.cpu_count() or 1))
        # BentoML makes its services on the event loop, where nothing may be awaited.
        _run_aside(slot)
        self._router = Router()
        self._router.swap(manifest.name, slot)
        self._predicting = Predicting(self._router, PREDICT_LIMIT, signature=self._signature)

    async def answer(self, request: Request) -> Response:
        """The answer, or the problem document."""
        try:
            return await self._predicting.answer(request, self._name, None)
        except WorkletsError as error:
            return problem_response(error)

    async def _signature(self, name: str, version: str | None) -> Signature:
        return self._router.signature(name, version)


def _run_aside(slot: InProcessSlot) -> None:
    """Load and try the model, on a loop of another thread."""
    errors: list[BaseException] = []

    async def prepare() -> None:
        await slot.start()
        await slot.probe(DEFAULT_TIMEOUT)

    def run() -> None:
        try:
            asyncio.run(prepare())
        except BaseException as error:  # raised again where the service is made
            errors.append(error)

    thread = threading.Thread(target=run, name="load model")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def _inputs(signature: Signature) -> type[IODescriptor]:
    """What BentoML passes to `predict` and describes: the request itself, with the model's own schema."""

    class Inputs(IODescriptor):  # type: ignore[misc]  # bentoml has no types
        request: Any

        @classmethod
        async def from_http_request(cls, request: Request, serde: Any) -> Inputs:
            """The request as it came: BentoML's own readers would parse it on the loop, or take it for a pickle."""
            read: Inputs = cls.model_construct(request=request)
            return read

        @classmethod
        def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
            """As the server describes the body."""
            return {
                "type": "object",
                "title": "Inputs",
                "properties": {"inputs": signature.input_schema()},
                "required": ["inputs"],
            }

    return Inputs


def _answer(signature: Signature) -> type[IODescriptor]:
    class Answer(IODescriptor):  # type: ignore[misc]
        media_type = JSON

        @classmethod
        def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
            """As the server describes the answer."""
            text = {"type": "string"}
            properties = {"outputs": signature.output_schema(), "model": text, "version": text}
            return {"type": "object", "title": "Answer", "properties": properties}

    return Answer
