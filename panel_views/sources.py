"""What a view can be connected to: worklets, models and tables, with their fields, and views. For the builder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import func
from sqlmodel import col, select

from ..bentos.signature import Signature
from ..bentos.tiers import IN_PROCESS
from ..connectors.errors import BadInput, NotFound
from ..connectors.store import Store
from ..connectors.tables import Model, ModelVersion, TableRow, View, ViewVersion, Worklet, WorkletVersion
from .custom import listed

# How many of a table's newest rows are looked at for its columns.
_ROWS = 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
# Columns that tell rows apart, by their names.
_KEYS = ("id", "key", "number", "code", "slug", "name", "title")
_SHOWN_NAMES = 6


class LiveModel(NamedTuple):
    """A model that answers, as its live version describes it."""

    name: str
    description: str
    signature: Signature
    sample: Any
    # Whether a call of it is a function call in the server.
    quick: bool


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
        about = {name: _in_words(signature_of(manifest)) for name, manifest in manifests}
        counts = dict(
            session.execute(select(col(TableRow.table_name), func.count()).group_by(col(TableRow.table_name))).all()
        )
        tables = []
        for name in sorted(saved | set(counts)):
            newest = _newest(session, name)
            columns = list(dict.fromkeys(column for row in newest for column in row))
            fields = _typed(newest) or _promised(name, worklets)
            tables.append({"name": name, "rows": counts.get(name, 0), "columns": columns, "fields": fields})
    return {
        "worklets": worklets,
        "models": [
            {
                "name": model.name,
                "description": model.description,
                "live": model.live_version,
                "inputs": inputs.get(model.name),
                "about": about.get(model.name, ""),
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


def signature_of(manifest: Mapping[str, Any]) -> Signature | None:
    """The signature of a model's version; None where there is none that can be read."""
    try:
        return Signature.model_validate(manifest.get("signature"))
    except ValidationError:
        return None


def live_model(store: Store, name: str) -> LiveModel:
    """A model with its live version. Blocking. Raises NotFound; BadInput (nobody knows what it takes)."""
    with store.read() as session:
        model = session.get(Model, name)
        query = select(ModelVersion).where(ModelVersion.model_name == name)
        version = None
        if model is not None and model.live_version is not None:
            version = session.exec(query.where(ModelVersion.version == model.live_version)).first()
        if model is None or version is None:
            raise NotFound(f"There is no live model named {name[:64]!r}; `worklets deploy` brings one in.")
        signature = signature_of(version.manifest)
        if signature is None or not signature.inputs:
            raise BadInput(f"The model {name!r} does not say what it takes; deploy it with `sample_input`.")
        return LiveModel(name, model.description, signature, version.manifest.get("sample"), version.tier == IN_PROCESS)


def rows_of(store: Store, table: str) -> tuple[str | None, list[dict[str, Any]]]:
    """The field of a table's rows that holds a picture, if one does, and their columns. Blocking.

    The columns are those of its newest rows, or of what the worklet answers that writes them: each with `name` and
    `type` (as documents have them), and whether it `varies`. A name that no document can say is left out.
    """
    worklets = [_worklet(*one) for one in live_worklets(store)]
    with store.read() as session:
        columns = _typed(_newest(session, table)) or _promised(table, worklets)
    names = [one["name"] for one in columns]
    for worklet in worklets:
        if table in worklet["tables"]:
            pictures = [str(one["name"]) for one in worklet["output"] if one["schema"].get("format") == "image"]
            found = next((name for name in pictures if name in names), None)
            if found is not None:
                return found, columns
    return None, columns


def key_of(store: Store, table: str, columns: Sequence[str]) -> list[str]:
    """Which columns tell a table's rows apart: as the worklet says that saves them, else one that looks like it.

    Blocking.
    """
    for _, version in live_worklets(store):
        for node in version.graph.get("nodes", []):
            settings = node.get("settings", {})
            key = settings.get("key")
            if node.get("kind") == "save" and settings.get("table") == table and key and set(key) <= set(columns):
                return [str(name) for name in key]
    with store.read() as session:
        newest = _newest(session, table)
    apart = [name for name in columns if _tells_apart([row.get(name) for row in newest])]
    likely = [name for name in apart if name.lower() in _KEYS or name.lower().endswith(("_id", "_number"))]
    return [(likely or apart or list(columns))[0]]


def _tells_apart(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str | int) for value in values) and len(set(map(str, values))) == len(values)


def _newest(session: Any, table: str) -> list[dict[str, Any]]:
    query = select(TableRow.data).where(TableRow.table_name == table).order_by(col(TableRow.created_at).desc())
    return [data for data in session.exec(query.limit(_ROWS)) if isinstance(data, dict)]


def _typed(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The columns of some rows with their types."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            if _NAME.fullmatch(name):
                values.setdefault(name, []).append(value)
    return [
        {"name": name, "type": _type_of(found), "varies": len(set(map(str, found))) > 1}
        for name, found in values.items()
    ]


def _type_of(values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if not known or all(isinstance(value, str) for value in known):
        return "text"
    if all(isinstance(value, bool) for value in known):
        return "boolean"
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    return "number" if numbers else "json"


def _promised(table: str, worklets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The columns of a table without rows: the fields of what the worklet answers that writes them."""
    types = {"string": "text", "number": "number", "integer": "number", "boolean": "boolean"}
    for worklet in worklets:
        if table in worklet["tables"] and worklet["output"]:
            return [
                {"name": one["name"], "type": types.get(str(one["schema"].get("type")), "json"), "varies": True}
                for one in worklet["output"]
                if _NAME.fullmatch(one["name"])
            ]
    return []


def _in_words(signature: Signature | None) -> str:
    """What a model takes and answers, in a few words."""
    if signature is None:
        return ""
    names = [field.name for field in signature.inputs]
    if len(signature.inputs) == 1 and signature.inputs[0].columns:
        names = [column.name for column in signature.inputs[0].columns]
    more = ", …" if len(names) > _SHOWN_NAMES else ""
    answered = ", ".join(field.name for field in signature.outputs if field.name != "output")
    return f"{', '.join(names[:_SHOWN_NAMES])}{more} → {answered or 'answer'}"
