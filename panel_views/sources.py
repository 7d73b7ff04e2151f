"""What a view can be connected to: worklets, models and tables, with their fields, and views. For the builder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select

from ..connectors.errors import NotFound
from ..connectors.store import Store
from ..connectors.tables import Model, ModelVersion, TableRow, View, ViewVersion, Worklet, WorkletVersion
from .custom import listed

# How many of a table's newest rows are looked at for its columns.
_ROWS = 20


def sources(store: Store) -> dict[str, Any]:
    """Worklets, models, tables, published views, and the components of authors, by name. Blocking."""
    worklets = [_worklet(worklet, version) for worklet, version in live_worklets(store)]
    saved = {table for worklet in worklets for table in worklet["tables"]}
    with store.read() as session:
        models = session.exec(select(Model).order_by(Model.name)).all()
        live = (col(ModelVersion.model_name) == col(Model.name)) & (
            col(ModelVersion.version) == col(Model.live_version)
        )
        manifests = session.exec(select(Model.name, ModelVersion.manifest).join(ModelVersion, live)).all()
        inputs = {name: _inputs(manifest) for name, manifest in manifests}
        counts = dict(
            session.execute(select(col(TableRow.table_name), func.count()).group_by(col(TableRow.table_name))).all()
        )
        tables = [
            {"name": name, "rows": counts.get(name, 0), "columns": _columns(session, name)}
            for name in sorted(saved | set(counts))
        ]
    return {
        "worklets": worklets,
        "models": [
            {
                "name": model.name,
                "description": model.description,
                "live": model.live_version,
                "inputs": inputs.get(model.name),
            }
            for model in models
        ],
        "tables": tables,
        "components": [_component(one) for one in listed(store)],
        "views": _views(store),
    }


def _component(one: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: one[name] for name in ("name", "title", "properties")}
    return {**found, "events": one.get("events", {}), "values": one.get("values", [])}


def _views(store: Store) -> list[dict[str, Any]]:
    """The published views with the pages that one can go to, and these pages' parameters."""
    with store.read() as session:
        query = select(View, ViewVersion.document).join(
            ViewVersion,
            (col(ViewVersion.view_slug) == col(View.slug)) & (col(ViewVersion.number) == col(View.published)),
        )
        found = session.execute(query.order_by(View.title)).all()
    return [
        {
            "slug": view.slug,
            "title": view.title,
            "pages": [
                {"id": page.get("id", "main"), "title": page.get("title", ""), "params": page.get("params", [])}
                for page in document["pages"]
            ],
        }
        for view, document in found
    ]


def live_worklets(store: Store) -> list[tuple[Worklet, WorkletVersion]]:
    """Every worklet that answers, with its live version, by name. Blocking."""
    with store.read() as session:
        query = select(Worklet, WorkletVersion).where(
            col(WorkletVersion.worklet_name) == col(Worklet.name),
            col(WorkletVersion.number) == col(Worklet.live_version),
        )
        return list(session.exec(query.order_by(Worklet.name)).all())


def live_worklet(store: Store, name: str) -> tuple[Worklet, WorkletVersion]:
    """One of them. Blocking. Raises NotFound."""
    for worklet, version in live_worklets(store):
        if worklet.name == name:
            return worklet, version
    raise NotFound(f"There is no live worklet named {name[:64]!r}; `worklets push` brings one in.")


def fields_of(schema: Any) -> list[dict[str, Any]]:
    """The fields of a worklet's input or output: name, schema with references followed, whether one is required."""
    root = schema if isinstance(schema, Mapping) else {}
    found = resolved(root, root)
    properties = found.get("properties")
    if not isinstance(properties, Mapping):
        return []
    required = found.get("required") or []
    return [
        {"name": str(name), "schema": resolved(part, root), "required": name in required}
        for name, part in properties.items()
    ]


def resolved(schema: Any, root: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """`schema` with its reference into `root` followed, and a lone type beside null taken out."""
    if not isinstance(schema, Mapping) or depth > 8:
        return {}
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found: Any = root
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part) if isinstance(found, Mapping) else None
        return {**resolved(found, root, depth + 1), **{key: part for key, part in schema.items() if key != "$ref"}}
    for word in ("anyOf", "oneOf"):
        arms = [arm for arm in schema.get(word) or [] if isinstance(arm, Mapping) and arm.get("type") != "null"]
        if len(arms) == 1:
            rest = {key: part for key, part in schema.items() if key != word}
            return {**resolved(arms[0], root, depth + 1), **rest}
    return dict(schema)


def tables_of(graph: Mapping[str, Any]) -> list[str]:
    """The tables that a worklet saves rows into."""
    found = [node.get("settings", {}).get("table") for node in graph.get("nodes", []) if node.get("kind") == "save"]
    return sorted({table for table in found if isinstance(table, str)})


def _worklet(worklet: Worklet, version: WorkletVersion) -> dict[str, Any]:
    graph = version.graph
    return {
        "name": worklet.name,
        "description": worklet.description,
        "input": fields_of(graph.get("input_schema")),
        "output": fields_of(graph.get("output_schema")),
        "tables": tables_of(graph),
        "reviews": [node["id"] for node in graph.get("nodes", []) if node.get("kind") == "review"],
    }


def _inputs(manifest: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The inputs of a model by name; None where there is one alone, which needs no name."""
    fields = [field for field in (manifest.get("signature") or {}).get("inputs") or [] if field.get("name")]
    if len(fields) < 2:
        return None
    return [{"name": str(field["name"]), "required": bool(field.get("required", True))} for field in fields]


def _columns(session: Any, table: str) -> list[str]:
    query = select(TableRow.data).where(TableRow.table_name == table).order_by(col(TableRow.created_at).desc())
    found: dict[str, None] = {}
    for data in session.exec(query.limit(_ROWS)):
        found.update(dict.fromkeys(data))
    return list(found)
