"""The pages of models: the list, and one model with its versions, signature and environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from ...bentos.monitor_rule import MonitorRule
from ...bentos.records import notes_revision
from ...bentos.signature import Signature
from ...bentos.traffic import TrafficRule
from ...connectors.access import Role
from ...connectors.errors import NotFound
from ...connectors.tables import ModelVersion
from ..sources import signature_of
from . import snippets
from .model_form import model_fields
from .schema import SchemaRow, example
from .site import Site, Visit
from .values import compact_json

_LONG_SAMPLE = 1_000
# So many versions beside the live one can be given a share on the page.
MOST_OTHERS = 8


def model_list(site: Site, visit: Visit) -> Response:
    """/console/models"""
    return site.render(visit, "models.html", section="models", lines=site.queries.models())


def model_detail(site: Site, visit: Visit) -> Response:
    """/console/models/{name}; `?version=` shows another version than the live one."""
    model, versions = site.queries.model(visit.path("name"))
    live = next((version for version in versions if version.version == model.live_version), None)
    wanted = visit.query("version")
    shown = next((version for version in versions if version.version == wanted), None)
    if wanted and shown is None:
        raise NotFound(f"The model {model.name} has no version {wanted[:64]!r}.")
    shown = shown or live or (versions[0] if versions else None)
    others = [version for version in versions if version is not live and version.status != "failed"]
    rule = TrafficRule.model_validate(model.traffic or {})
    manifest: Mapping[str, Any] = shown.manifest if shown is not None else {}
    signature = signature_of(manifest)
    return site.render(
        visit,
        "model.html",
        section="models",
        model=model,
        revision=notes_revision(model),
        versions=versions,
        live=live,
        others=others[:MOST_OTHERS],
        rule=rule,
        shared=bool(rule),
        shown=shown,
        framework=_text(manifest.get("framework")),
        inputs=fields(manifest, "inputs"),
        outputs=fields(manifest, "outputs"),
        credit=_text(manifest.get("credit")),
        monitor=MonitorRule.model_validate(model.monitor or {}).model_dump(mode="json"),
        metadata=_pairs(model.facts),
        version_metadata=_pairs(manifest.get("metadata")),
        environment=environment(manifest),
        requirements=requirements(manifest),
        lock=site.model_lock(requirements(manifest)),
        may_ask=visit.may(Role.operator),
        may_promote=visit.may(Role.builder),
        may_roll_back=can_roll_back(versions, live),
        callers=site.queries.caller_names(version.created_by for version in versions),
        **calls(site.base_url(visit), model.name, shown if shown is not live else None, manifest, signature),
    )


def calls(
    base_url: str,
    name: str,
    fixed: ModelVersion | None,
    manifest: Mapping[str, Any],
    signature: Signature | None,
) -> dict[str, Any]:
    """The form that tries the model, and the snippets that call it; of a `fixed` version, or of the live one."""
    asked = name if fixed is None else f"{name}@{fixed.version}"
    inputs = sample(manifest)
    pictures = {field.name for field in signature.inputs if field.kind == "image"} if signature else set()
    if pictures and not isinstance(inputs, dict):
        inputs = dict.fromkeys(pictures, inputs)
    return {
        "asked": asked,
        "fields": model_fields(signature, manifest.get("sample")) if signature else [],
        "key_command": snippets.key_command(),
        "curl": snippets.model_curl(base_url, asked, inputs),
        "python": snippets.model_python(asked, inputs, pictures),
        "javascript": snippets.model_javascript(base_url, asked, inputs),
    }


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


def requirements(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """What the version's own environment has to hold; empty for the server's."""
    serving = manifest.get("serving")
    return tuple(map(str, serving.get("requirements") or ())) if isinstance(serving, Mapping) else ()


def fields(manifest: Mapping[str, Any], side: str) -> list[SchemaRow]:
    """The inputs or outputs (`side`) of the model's signature; empty where it has none that can be read."""
    signature = signature_of(manifest)
    if signature is None:
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
    signature = signature_of(manifest)
    return example(signature.input_schema()) if signature else []


def _text(value: Any) -> str:
    return str(value) if value else ""


def _pairs(value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return []
    return [(str(name), inner if isinstance(inner, str) else compact_json(inner)) for name, inner in value.items()]
