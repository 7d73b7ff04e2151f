"""The routes of models: `/api/models...` and `/api/zoo...`."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import uuid
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from ..connectors.access import Principal, Role
from ..connectors.errors import BadInput, Fault, TooLarge, WorkletsError
from ..connectors.images import Image, ImageLoader
from ..connectors.layout import DataDirectory
from ..connectors.responses import Handler, answering
from ..connectors.web import Guard, json_response, read_json
from . import zoo
from .archive import archive
from .dependants import DependantsOf, in_use, nobody
from .deployer import Deployer
from .monitor_rule import MonitorRule
from .predicting import PREDICT_LIMIT, Predicting
from .presenting import show_model, show_version
from .router import Router
from .signature import Signature

UPLOAD_LIMIT = 2_000_000_000

_Body = TypeVar("_Body", bound=BaseModel)
_Short = Annotated[str, StringConstraints(max_length=500)]


class _Promotion(BaseModel):
    model_config = ConfigDict(extra="forbid")
    version: str


class _Changes(BaseModel):
    model_config = ConfigDict(extra="forbid")
    description: str | None = Field(default=None, max_length=20_000)
    labels: dict[_Short, _Short] | None = Field(default=None, max_length=100)
    metadata: dict[_Short, JsonValue] | None = Field(default=None, max_length=200)
    monitor: MonitorRule | None = None
    revision: str | None = None


class _ZooDeployment(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str | None = None
    tier: str = "auto"


def routes(
    router: Router,
    deployer: Deployer,
    guard: Guard,
    data: DataDirectory,
    *,
    images: ImageLoader | None = None,
    predict_limit: int = PREDICT_LIMIT,
    upload_limit: int = UPLOAD_LIMIT,
    dependants: DependantsOf = nobody,
) -> list[BaseRoute]:
    """The routes of models and the zoo.

    Args:
        data: uploads wait below it until they are checked.
        images: fetches pictures that a caller names by URL or file; None takes data URLs only.
        predict_limit, upload_limit: bytes that a body may have.
        dependants: what needs a model, by its name; blocking.
    """
    return ModelRoutes(router, deployer, guard, data, images, predict_limit, upload_limit, dependants).routes()


class ModelRoutes:
    """The handlers, with what they need."""

    def __init__(
        self,
        router: Router,
        deployer: Deployer,
        guard: Guard,
        data: DataDirectory,
        images: ImageLoader | None,
        predict_limit: int,
        upload_limit: int,
        dependants: DependantsOf,
    ) -> None:
        self._router = router
        self._deployer = deployer
        self._guard = guard
        self._data = data
        self._images = images
        self._predicting = Predicting(router, predict_limit, signature=self._signature, prepare=self._with_images)
        self._upload_limit = upload_limit
        self._dependants = dependants

    def routes(self) -> list[BaseRoute]:
        """Every route, most specific first."""
        base = "/api/models"
        table: list[tuple[str, str, Handler]] = [
            ("GET", base, self.list_models),
            ("POST", base + "/{name}/predict", self.predict),
            ("GET", base + "/{name}/versions", self.list_versions),
            ("POST", base + "/{name}/versions", self.upload),
            ("GET", base + "/{name}/versions/{version}", self.get_version),
            ("GET", base + "/{name}/versions/{version}/package", self.download),
            ("POST", base + "/{name}/promote", self.promote),
            ("POST", base + "/{name}/rollback", self.rollback),
            ("GET", base + "/{name}/dependants", self.list_dependants),
            ("GET", base + "/{name}", self.get_model),
            ("PATCH", base + "/{name}", self.change_model),
            ("DELETE", base + "/{name}", self.delete_model),
            ("GET", "/api/zoo", self.list_zoo),
            ("POST", "/api/zoo/{name}/deploy", self.deploy_from_zoo),
        ]
        return [Route(path, answering(handler), methods=[method]) for method, path, handler in table]

    # --- asking a model -------------------------------------------------------------------------------

    async def predict(self, request: Request) -> Response:
        """`{"inputs": ...}` → `{"outputs", "model", "version"}`; `?timeout=` seconds.

        Inputs come as JSON, as a `.npy` array, or as a form; the answer is what `Accept` names of JSON, .npy and PNG.
        """
        # A viewer asks models through views alone: that process checks that the view names the model.
        await self._guard(request, Role.viewer if self._guard.is_from_views(request) else Role.operator, "ask models")
        name, _, version = request.path_params["name"].partition("@")
        return await self._predicting.answer(request, name, version or None)

    async def _signature(self, name: str, version: str | None) -> Signature:
        """What a model takes, once it is loaded. Raises NotFound."""
        if not self._loaded(name, version):
            await self._deployer.ensure(name, version)
        return self._router.signature(name, version)

    def _known(self, name: str, version: str) -> bool:
        live = self._router.live(name)
        return (live is not None and live.version == version) or version in self._router.warm(name)

    async def _with_images(self, name: str, version: str | None, inputs: Any) -> Any:
        """The inputs, pictures that are given by URL or file fetched."""
        if self._images is None:
            return inputs
        signature = await self._signature(name, version)
        pictures = [field.name for field in signature.inputs if field.kind == "image"]
        if not pictures:
            return inputs
        if not isinstance(inputs, dict):
            return await _fetched(inputs, pictures[0], self._images) if isinstance(inputs, str) else inputs
        found = {key: inputs[key] for key in pictures if isinstance(inputs.get(key), str)}
        fetched = await _fetched_all(found, self._images)
        return {**inputs, **fetched}

    def _loaded(self, name: str, version: str | None) -> bool:
        live = self._router.live(name)
        return (live is not None) if version is None else self._known(name, version)

    # --- models and versions --------------------------------------------------------------------------

    async def list_models(self, request: Request) -> Response:
        """Every model with its live version."""
        await self._guard(request, Role.viewer, "see models")
        return json_response({"models": await asyncio.to_thread(self._all_shown)})

    def _all_shown(self) -> list[dict[str, Any]]:
        live = {row.model_name: row for row in self._deployer.records.all_live()}
        return [show_model(model, live.get(model.name)) for model in self._deployer.records.models()]

    async def get_model(self, request: Request) -> Response:
        """One model with its signature and versions."""
        await self._guard(request, Role.viewer, "see models")
        return json_response(await asyncio.to_thread(self._shown, request.path_params["name"]))

    def _shown(self, name: str) -> dict[str, Any]:
        model = self._deployer.records.model(name)
        versions = self._deployer.records.versions(name)
        live = next((row for row in versions if row.version == model.live_version), None)
        return {**show_model(model, live), "versions": [show_version(row) for row in versions]}

    async def change_model(self, request: Request) -> Response:
        """`{"description"?, "labels"?, "metadata"?, "monitor"?, "revision"?}`; 409 for an old revision."""
        await self._guard(request, Role.builder, "change models")
        changes = _checked(_Changes, await read_json(request)).model_dump(exclude_none=True)
        revision = changes.pop("revision", None)
        if "metadata" in changes:
            changes["facts"] = changes.pop("metadata")
        name = request.path_params["name"]
        await asyncio.to_thread(self._deployer.records.update_model, name, changes, revision)
        return json_response(await asyncio.to_thread(self._shown, name))

    async def list_dependants(self, request: Request) -> Response:
        """The worklets that ask the model, and the views that run these."""
        await self._guard(request, Role.builder, "see what depends on models")
        name = request.path_params["name"]
        await asyncio.to_thread(self._deployer.records.model, name)
        found = await asyncio.to_thread(self._dependants, name)
        return json_response({"dependants": [each.as_dict() for each in found]})

    async def delete_model(self, request: Request) -> Response:
        """Delete a model with all its versions; 409 while worklets ask it, unless `?force=true`."""
        await self._guard(request, Role.builder, "delete models")
        name = request.path_params["name"]
        if request.query_params.get("force") != "true":
            found = await asyncio.to_thread(self._dependants, name)
            if found:
                raise in_use(name, found)
        await self._deployer.delete(name)
        return Response(status_code=204)

    async def list_versions(self, request: Request) -> Response:
        """The versions of a model, newest first."""
        await self._guard(request, Role.viewer, "see models")
        rows = await asyncio.to_thread(self._deployer.records.versions, request.path_params["name"])
        return json_response({"versions": [show_version(row) for row in rows]})

    async def get_version(self, request: Request) -> Response:
        """One version: how far it is, and why it failed if it did."""
        await self._guard(request, Role.viewer, "see models")
        name, version = request.path_params["name"], request.path_params["version"]
        row = await asyncio.to_thread(self._deployer.records.version, name, version)
        return json_response(show_version(row, full=True))

    async def promote(self, request: Request) -> Response:
        """`{"version": ...}`: make it live."""
        await self._guard(request, Role.builder, "promote models")
        wanted = _checked(_Promotion, await read_json(request)).version
        return json_response(show_version(await self._deployer.promote(request.path_params["name"], wanted)))

    async def rollback(self, request: Request) -> Response:
        """Make the version before the live one live."""
        await self._guard(request, Role.builder, "roll models back")
        return json_response(show_version(await self._deployer.rollback(request.path_params["name"])))

    # --- deploying ------------------------------------------------------------------------------------

    async def upload(self, request: Request) -> Response:
        """A package as `.tar.gz`, its hash in `x-content-sha256`; `?version=`, `?tier=`, `?live=false`,
        `?wait=false`.

        Answers 201 with the live version, or at once (202) with `wait=false`: then the version's status tells. With
        `live=false` it is brought up and answers under its own name (`NAME@VERSION`) only.
        """
        principal = await self._guard(request, Role.builder, "deploy models")
        query = request.query_params
        path = await self._received(request)
        try:
            row = await self._deployer.receive(
                path,
                name=request.path_params["name"],
                version=query.get("version"),
                tier=query.get("tier", "auto"),
                created_by=principal.id,
            )
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        bring = self._deployer.bring_warm if query.get("live", "true") == "false" else self._deployer.bring_live
        if query.get("wait", "true") == "false":
            self._deployer.spawn(_quietly(bring(row)))
            return json_response(show_version(row, full=True), 202)
        return json_response(show_version(await bring(row), full=True), 201)

    async def download(self, request: Request) -> Response:
        """The package of a version as `.tar.gz`, its hash in `x-content-sha256`: what was uploaded."""
        await self._guard(request, Role.builder, "download models")
        name, version = request.path_params["name"], request.path_params["version"]
        row = await asyncio.to_thread(self._deployer.records.version, name, version)
        folder = await asyncio.to_thread(self._deployer.artifacts.folder, row.bento_tag)
        path, digest = await asyncio.to_thread(self._archived, folder)
        remove = BackgroundTask(path.unlink, missing_ok=True)
        headers = {"x-content-sha256": digest}
        return FileResponse(
            path, headers=headers, media_type="application/gzip", filename=f"{name}-{version}.tar.gz", background=remove
        )

    def _archived(self, folder: Path) -> tuple[Path, str]:
        place = self._incoming() / f"{uuid.uuid4().hex}.tar.gz"
        try:
            return archive(folder, place)
        except BaseException:
            place.unlink(missing_ok=True)
            raise

    def _incoming(self) -> Path:
        folder = self._data.root / "incoming"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    async def _received(self, request: Request) -> Path:
        """The body in a file, as it comes. Raises TooLarge, BadInput (the hash is missing or another)."""
        announced = request.headers.get("x-content-sha256", "").lower()
        if len(announced) != 64:
            raise BadInput("Send the archive's SHA-256 in the header `x-content-sha256`.")
        handle, name = tempfile.mkstemp(dir=self._incoming(), suffix=".tar.gz")
        digest, size = hashlib.sha256(), 0
        try:
            with os.fdopen(handle, "wb") as file:
                async for part in request.stream():
                    size += len(part)
                    if size > self._upload_limit:
                        raise TooLarge(f"The package has more than the {self._upload_limit} bytes allowed.")
                    digest.update(part)
                    file.write(part)
            if digest.hexdigest() != announced:
                raise BadInput(f"{size} bytes arrived with another SHA-256 than announced; send the package again.")
        except BaseException:
            os.unlink(name)
            raise
        return Path(name)

    async def list_zoo(self, request: Request) -> Response:
        """The models that can be deployed by name."""
        await self._guard(request, Role.viewer, "see the zoo")
        return json_response({"entries": [entry.as_dict() for entry in zoo.entries()]})

    async def deploy_from_zoo(self, request: Request) -> Response:
        """Deploy a zoo entry; `{"name"?, "tier"?}`."""
        principal: Principal = await self._guard(request, Role.builder, "deploy models")
        options = _checked(_ZooDeployment, await read_json(request) or {})
        entry = zoo.entry(request.path_params["name"])
        row = await self._deployer.deploy_entry(entry, name=options.name, tier=options.tier, created_by=principal.id)
        return json_response(show_version(row, full=True), 201)


async def _quietly(work: Awaitable[Any]) -> None:
    try:
        await work
    except WorkletsError:  # the version's own row has the reason
        return


async def _fetched(value: str, field: str, images: ImageLoader) -> Image:
    return (await _fetched_all({field: value}, images))[field]


async def _fetched_all(found: Mapping[str, str], images: ImageLoader) -> dict[str, Image]:
    """The pictures with their content there. Raises BadInput with the faults of all."""
    faults: list[Fault] = []

    async def fetch(name: str, text: str) -> Image | None:
        try:
            return await Image(text, field=name).load(images)
        except BadInput as error:
            faults.append(Fault(("inputs", name), error.faults[0].msg if error.faults else error.detail, "image"))
            return None

    loaded = await asyncio.gather(*(fetch(name, text) for name, text in found.items()))
    if faults:
        raise BadInput("The model's input does not fit.", faults=faults)
    return {name: image for name, image in zip(found, loaded, strict=True) if image is not None}


def _checked(kind: type[_Body], value: Any) -> _Body:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        faults = [Fault(tuple(entry["loc"]), entry["msg"], entry["type"]) for entry in error.errors()]
        raise BadInput("The body does not fit.", faults=faults) from None
