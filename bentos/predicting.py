"""A request to a model, from its body to the answer: the same in the server and in an exported bento."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from ..connectors.errors import BadInput
from ..connectors.responses import read_body
from .answers import accepted, respond
from .bodies import is_small_json, media_type, read_inputs, small_json
from .router import Router
from .signature import Signature
from .slots import Prediction

PREDICT_LIMIT = 20_000_000
MAX_TIMEOUT = 600.0


class Predicting:
    """Answers requests by the router's models.

    Args:
        router: has the models.
        limit: bytes that a body may have.
        signature: what a model takes, which may have to be loaded first. Raises NotFound.
        prepare: last changes to the inputs of a model that is not quick, such as fetching pictures.
    """

    def __init__(
        self,
        router: Router,
        limit: int,
        *,
        signature: Callable[[str, str | None], Awaitable[Signature]],
        prepare: Callable[[str, str | None, Any], Awaitable[Any]] | None = None,
    ) -> None:
        self._router = router
        self._limit = limit
        self._signature = signature
        self._prepare = prepare

    async def answer(self, request: Request, name: str, version: str | None) -> Response:
        """The answer, in the form that the caller accepts. Raises WorkletsError."""
        kind = media_type(request.headers.get("content-type", ""))
        kinds = accepted(request.headers.get("accept", ""))
        timeout = read_timeout(request)
        body = await read_body(request, self._limit)
        if is_small_json(kind, body):
            inputs = small_json(body)
        else:
            inputs = await read_inputs(kind, body, request.scope, await self._signature(name, version))
        quick = self._router.quick(name, version)
        if quick is None or _long(inputs):
            if self._prepare is not None:
                inputs = await self._prepare(name, version, inputs)
            made = await self._router.predict(name, inputs, version, timeout=timeout)
        else:
            made = quick(inputs)
        return await respond(made, self._answered_by(made), kinds)

    def _answered_by(self, made: Prediction) -> Signature:
        """What the version that answered says of its outputs; nothing, if it is gone by now."""
        live = self._router.live(made.model)
        known = live is not None and live.version == made.version
        known = known or made.version in self._router.warm(made.model)
        return self._router.signature(made.model, made.version) if known else Signature(inputs=())


def read_timeout(request: Request) -> float | None:
    """The seconds of `?timeout=`. Raises BadInput."""
    given = request.query_params.get("timeout")
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= MAX_TIMEOUT:
        raise BadInput(f"timeout={given[:20]} is no number of seconds from 0 to {MAX_TIMEOUT:g}.")
    return seconds


def _long(inputs: Any) -> bool:
    """Whether a model that is quick with a row may not be with these."""
    rows = next(iter(inputs.values()), None) if isinstance(inputs, dict) else inputs
    if isinstance(rows, np.ndarray):
        return rows.size > 2000
    return isinstance(rows, list) and len(rows) > 200
