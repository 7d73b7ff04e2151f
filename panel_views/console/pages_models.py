"""The pages of models: the list, and one model with its versions, signature and environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from ...bentos.signature import Signature
from ...connectors.access import Role
from ...connectors.tables import ModelVersion
from . import snippets
from .schema import SchemaRow, example
from .site import Site, Visit
from .values import compact_json

_LONG_SAMPLE = 1_000


def model_list(site: Site, visit: Visit) -> Response:
    """/console/models"""
    return site.render(visit, "models.html", section="models", lines=site.queries.models())


def model_detail(site: Site, visit: Visit) -> Response:
    """/console/models/{name}"""
    model, versions = site.queries.model(visit.path("name"))
    live = next((version for version in versions if version.version == model.live_version), None)
    shown = live or (versions[0] if versions else None)
    manifest: Mapping[str, Any] = shown.manifest if shown is not None else {}
    return site.render(
        visit,
        "model.html",
        section="models",
        model=model,
        versions=versions,
        live=live,
        shown=shown,
        framework=_text(manifest.get("framework")),
        inputs=fields(manifest, "inputs"),
        outputs=fields(manifest, "outputs"),
        credit=_text(manifest.get("credit")),
        metadata=_pairs(manifest.get("metadata")),
        environment=environment(manifest),
        curl=snippets.model_curl(site.base_url(visit), model.name, sample(manifest)),
        key_command=snippets.key_command(),
        may_promote=visit.may(Role.builder),
        may_roll_back=can_roll_back(versions, live),
        callers=site.queries.caller_names(version.created_by for version in versions),
    )


def can_roll_back(versions: list[ModelVersion], live: ModelVersion | None) -> bool:
    """Whether there is an older version that has served."""
    if live is None:
        return False
    return any(v.status != "failed" and v.created_at < live.created_at for v in versions)


def environment(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Python and the packages that the model was packed with, as (name, version)."""
    packages = manifest.get("packages")
    found = [("python", str(manifest["python"]))] if manifest.get("python") else []
    return found + [(str(name), str(version)) for name, version in (packages or {}).items()]


def fields(manifest: Mapping[str, Any], side: str) -> list[SchemaRow]:
    """The inputs or outputs (`side`) of the model's signature; empty where it has none that can be read."""
    try:
        signature = Signature.model_validate(manifest.get("signature"))
    except ValidationError:
        return []
    return [
        SchemaRow(field.name, 0, field.describe(), side == "inputs" and field.required, field.description)
        for field in (signature.inputs if side == "inputs" else signature.outputs)
    ]


def sample(manifest: Mapping[str, Any]) -> Any:
    """Inputs for the snippet: the sample that the model came with if it is short, else what fits its signature."""
    value = manifest.get("sample")
    if value is not None and len(str(value)) < _LONG_SAMPLE:
        return value
    try:
        return example(Signature.model_validate(manifest.get("signature")).input_schema())
    except ValidationError:
        return []


def _text(value: Any) -> str:
    return str(value) if value else ""


def _pairs(value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return []
    return [(str(name), inner if isinstance(inner, str) else compact_json(inner)) for name, inner in value.items()]
