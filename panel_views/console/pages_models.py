"""The pages of models: the list, and one model with its versions, signature and environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from ...connectors.access import Role
from ...connectors.tables import ModelVersion
from . import snippets
from .site import Site, Visit
from .values import compact_json


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
        signature=pretty(manifest.get("signature")),
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
    """The packages and versions that the model was packed with, as (name, version)."""
    found: list[tuple[str, str]] = []
    for key in ("environment", "framework_versions", "versions", "packages"):
        value = manifest.get(key)
        if isinstance(value, dict):
            for name, version in value.items():
                if isinstance(version, dict):
                    found += [(str(inner), str(number)) for inner, number in version.items()]
                elif isinstance(version, str | int | float):
                    found.append((str(name), str(version)))
    return list(dict.fromkeys(found))


def sample(manifest: Mapping[str, Any]) -> Any:
    """Inputs for the snippet: the sample that the model came with, or an outline."""
    for key in ("sample_input", "sample", "example"):
        value = manifest.get(key)
        if value is not None and len(orjson.dumps(value, default=str)) < 2_000:
            return value
    return [[0.0]]


def pretty(value: Any) -> str:
    """A part of the manifest as indented JSON, empty if there is none."""
    if not value:
        return ""
    return compact_json(value)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("name") or "")
    return str(value) if value else ""
