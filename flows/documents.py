"""Graph documents as JSON: read with every fault told by its JSON pointer, written short, and their schema."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError

from ..connectors.errors import DefinitionError
from .checks import check
from .faults import DefinitionFault, definition_fault, in_document, pointer_to
from .graph import Argument, Constant, GraphDocument, GraphNode, ListOf, ObjectOf
from .schema_types import type_of_schema

SCHEMA_ID = "urn:worklets:schema:graph:1"
# What a setting is that a document leaves out, by the node's kind.
_USUAL: Mapping[str, Mapping[str, JsonValue]] = {
    "model": {"version": None},
    "query": {"limit": 10_000},
    "map": {"at_once": 8},
    "http": {"max_bytes": 10_000_000},
    "call": {"version": None, "by_name": False},
    "review": {"title": "", "due": None, "on_due": "fail"},
}


def graph_schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of a graph document."""
    schema = GraphDocument.model_json_schema(by_alias=True)
    schema["properties"]["$schema"] = {"type": "string", "description": "Where this schema is; for editors."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def written_document(document: GraphDocument) -> dict[str, Any]:
    """The document as JSON data, without what is as usual and without the places of its source."""
    data = _short(document)
    if document.inputs:
        data["inputs"] = [_short(each) for each in document.inputs]
    if document.nodes:
        data["nodes"] = [{"id": each.id, "kind": each.kind, **_short(each)} for each in document.nodes]
    for entry in data.get("nodes", ()):
        entry.pop("source", None)
    return {"$schema": SCHEMA_ID, "version": document.version, **data}


def _short(part: BaseModel) -> dict[str, Any]:
    """A part as JSON data, without the fields that are as usual."""
    whole = part.model_dump(mode="json", by_alias=True)
    fields = type(part).model_fields
    usual = {
        name for name, field in fields.items() if getattr(part, name) == field.get_default(call_default_factory=True)
    }
    return {field.alias or name: whole[field.alias or name] for name, field in fields.items() if name not in usual}


def read_document(data: Any, file: str | None = None) -> GraphDocument:
    """A graph document from parsed JSON, checked.

    Args:
        data: the JSON data.
        file: the name that faults give the document.

    Raises:
        DefinitionError: with every fault, of its form and of its graph, each with its JSON pointer.
    """
    document, faults = parsed_document(data)
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        what = "This is no graph document" if document is None else f"The graph document {document.name!r} is wrong"
        raise DefinitionError(f"{what}: it has {count}.", faults=in_document(faults, file))
    assert document is not None
    return document


def parsed_document(data: Any) -> tuple[GraphDocument | None, list[DefinitionFault]]:
    """A document as far as it can be read, and every fault. None where nothing can be read."""
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key != "$schema"}
    faults: list[DefinitionFault] = []
    mended = data
    for _ in range(3):  # mending a part may show what was wrong behind it
        try:
            document = GraphDocument.model_validate(mended)
            break
        except ValidationError as error:
            found = [(_location(entry["loc"], mended), entry["msg"]) for entry in error.errors(include_url=False)]
            told = {fault.pointer for fault in faults}
            faults += [_form_fault(place, msg, data) for place, msg in found if pointer_to(*place) not in told]
            mended = _mended(mended, [place for place, _ in found])
    else:
        return None, faults
    wrong = [fault.pointer or "" for fault in faults]
    faults += [fault for fault in check(document) if not _is_clouded(fault.pointer or "", wrong)]
    return canonical(document), faults


def canonical(document: GraphDocument) -> GraphDocument:
    """The same graph as tracing would write it: usual settings and plain types are there, fixed lists are constants."""
    changes: dict[str, Any] = {
        "nodes": tuple(_canonical_node(node) for node in document.nodes),
        "inputs": tuple(
            each.model_copy(update={"type": each.type or type_of_schema(each.schema_)}) for each in document.inputs
        ),
        "output": _canonical_argument(document.output),
        "output_type": document.output_type or type_of_schema(document.output_schema),
    }
    return document.model_copy(update=changes)


def _canonical_node(node: GraphNode) -> GraphNode:
    settings = {**_USUAL.get(node.kind, {}), **node.settings}
    if node.kind == "http":
        settings.pop("hosts", None)  # the project's own allow-list, not the worklet's
    if node.kind == "map" and settings.get("runner") is None:
        settings.pop("runner", None)
    arguments = {name: _canonical_argument(argument) for name, argument in node.arguments.items()}
    return node.model_copy(update={"settings": settings, "arguments": arguments})


def _canonical_argument(argument: Argument) -> Argument:
    if isinstance(argument, ListOf):
        parts = [_canonical_argument(part) for part in argument.list]
        fixed = [part.constant for part in parts if isinstance(part, Constant)]
        return Constant(constant=fixed) if len(fixed) == len(parts) else ListOf(list=tuple(parts))
    if isinstance(argument, ObjectOf):
        fields = {key: _canonical_argument(part) for key, part in argument.object.items()}
        values = {key: part.constant for key, part in fields.items() if isinstance(part, Constant)}
        return Constant(constant=values) if len(values) == len(fields) else ObjectOf(object=fields)
    return argument


# --- the form -----------------------------------------------------------------------------------------------


def _location(loc: Sequence[int | str], data: Any) -> tuple[int | str, ...]:
    """pydantic's place of a fault as a path into the data: without the names of the members of unions."""
    path: list[int | str] = []
    value = data
    for position, part in enumerate(loc):
        if _has(value, part):
            value = value[part]
        elif position == len(loc) - 1 and isinstance(part, str) and isinstance(value, dict):
            pass  # a field that is missing
        else:
            continue
        path.append(part)
    return tuple(path)


def _has(value: Any, part: int | str) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _form_fault(place: tuple[int | str, ...], msg: str, data: Any) -> DefinitionFault:
    where = ".".join(map(str, place)) or "the document"
    node = None
    if len(place) > 1 and place[0] == "nodes" and isinstance(data, dict):
        entry = data["nodes"][place[1]]
        found = entry.get("id") if isinstance(entry, dict) else None
        node = found if isinstance(found, str) else None
    return definition_fault(f"{where}: {msg}.", node=node, pointer=pointer_to(*place))


def _mended(data: Any, places: Sequence[tuple[int | str, ...]]) -> Any:
    """The data with what is wrong taken out or stood in for, so that the rest can be checked as well.

    Places in lists are kept, so that the others' pointers stay true.
    """
    if not isinstance(data, dict) or () in places:
        return None
    mended = copy.deepcopy(data)
    for place in places:
        _mend(mended, place)
    return mended


def _mend(data: dict[str, Any], place: tuple[int | str, ...]) -> None:
    match place:
        case ("name",):
            data["name"] = "unknown"
        case ("output", *_):
            data["output"] = {"constant": None}
        case ("triggers", int(index), *_):
            data["triggers"][index] = {"on": "cron", "schedule": "* * * * *"}
        case ("tags", int(index), *_):
            data["tags"][index] = ""
        case ("inputs", int(index), *_):
            data["inputs"][index] = {"name": f"\x00{index}"}
        case ("nodes", int(index)):
            data["nodes"][index] = {"id": f"\x00{index}"}
        case ("nodes", int(index), "id"):
            data["nodes"][index]["id"] = f"\x00{index}"
        case ("nodes", int(index), "arguments", name, *_):
            data["nodes"][index]["arguments"][name] = {"constant": None}
        case ("nodes", int(index), field, *_):
            data["nodes"][index].pop(field, None)
        case (field, *_):
            data.pop(str(field), None)


def _is_clouded(pointer: str, wrong: Sequence[str]) -> bool:
    """Whether a fault only follows from a part whose form is wrong already."""
    if any(pointer == each or pointer.startswith(each + "/") for each in wrong):
        return True
    parts = pointer.split("/")
    node = "/".join(parts[:3])
    if len(parts) < 3 or parts[1] != "nodes":
        return False
    about_itself = len(parts) < 5
    return about_itself and any(each == node or each.startswith(node + "/") for each in wrong)
