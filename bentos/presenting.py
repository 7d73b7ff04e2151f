"""How models and versions look in JSON."""

from __future__ import annotations

from typing import Any

from ..connectors.tables import Model, ModelVersion
from .differences import differences
from .manifest import Manifest
from .monitor_rule import MonitorRule
from .records import notes_revision


def show_model(model: Model, live: ModelVersion | None) -> dict[str, Any]:
    """A model; with what its live version takes and answers, if it has one."""
    shown: dict[str, Any] = {
        "name": model.name,
        "description": model.description,
        "labels": model.labels,
        "metadata": model.facts,
        "monitor": MonitorRule.model_validate(model.monitor or {}).model_dump(mode="json"),
        "revision": notes_revision(model),
        "live_version": model.live_version,
        "generation": model.generation,
        "created_at": model.created_at,
        "updated_at": model.updated_at,
        "live": None,
    }
    if live is not None:
        shown["live"] = show_version(live, full=True)
    return shown


def show_version(row: ModelVersion, *, full: bool = False) -> dict[str, Any]:
    """A version; `full` adds its signature, sample, packages and credit."""
    shown: dict[str, Any] = {
        "model": row.model_name,
        "version": row.version,
        "status": row.status,
        "error": row.error,
        "tier": row.tier,
        "tier_reason": row.tier_reason,
        "framework": row.manifest.get("framework"),
        "bento_tag": row.bento_tag,
        "size_bytes": row.size_bytes,
        "content_hash": row.content_hash,
        "created_by": row.created_by,
        "created_at": row.created_at,
    }
    if full:
        manifest = Manifest.model_validate(row.manifest)
        shown |= {
            "signature": manifest.signature.model_dump(mode="json"),
            "input_schema": manifest.signature.input_schema(),
            "output_schema": manifest.signature.output_schema(),
            "sample": manifest.sample,
            "python": manifest.python,
            "packages": manifest.packages,
            "differences": [difference._asdict() for difference in differences(manifest)],
            "serving": manifest.serving.model_dump(mode="json"),
            "batching": row.manifest.get("batching"),
            "metadata": manifest.metadata,
            "credit": manifest.credit,
        }
    return shown
