"""Parts of a view from what there is: from a worklet's types its inputs, button and output; from a table its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..connectors.errors import BadInput
from .components.kinds import KINDS

_LONG = 300
_COLUMNS = 12
_FAR = 1_000_000_000_000
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


def slug_of(title: str) -> str:
    """A slug from a title. Raises BadInput if the title has no letter for one."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60]
    if not slug:
        raise BadInput("The title has no letter or digit to make an address from; give the view an address.")
    return slug


@dataclass
class Parts:
    """Components and states that belong together, as plain JSON; `height` is what they take of the grid."""

    components: list[dict[str, Any]] = field(default_factory=list)
    state: list[dict[str, Any]] = field(default_factory=list)
    height: int = 0


class Names:
    """Gives out names that are not taken."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def fresh(self, wanted: str) -> str:
        """`wanted` made a name, with a number behind it if there is one already."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", wanted)[:50]
        base = base if re.match(r"[A-Za-z]", base) else f"x{base}"
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}{number}", number + 1
        self._taken.add(name)
        return name


def worklet_parts(
    name: str,
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
    tables: list[str],
    *,
    output_schema: Mapping[str, Any] | None = None,
    taken: Iterable[str] = (),
    states: Iterable[str] = (),
    scope: str = "user",
    y: int = 0,
) -> Parts:
    """A form for the worklet's input, a button that runs it, and what it answers; with its history if it saves rows.

    Args:
        inputs, outputs: as `sources.fields_of` gives them.
        tables: those that it saves rows into.
        output_schema: of an output that is no object.
        taken, states: names of components and states that are there already.
        y: the row to begin at.
    """
    names, result = Names(taken), Names(states).fresh(f"{name}_result")
    parts = Parts(state=[{"name": result, "scope": scope}])
    into = f"{scope}.{result}"
    card = names.fresh(f"{name}_form")
    form: dict[str, Any] = {"id": card, "type": "card", "properties": {"title": words(name)}}
    fields, given, row = _form(inputs, card, names)
    button = _button(name, names.fresh(f"run_{name}"), card, row, into, given, inputs, tables)
    progress = {
        "id": names.fresh("progress"),
        "type": "progress",
        "parent": card,
        "at": place(0, row + 1, 12, 1),
        "bindings": {"active": {"state": into, "status": "loading"}},
    }
    trouble = {
        "id": names.fresh("trouble"),
        "type": "alert",
        "parent": card,
        "at": place(0, row + 2, 12, 1),
        "bindings": {"problem": {"state": into, "status": "error"}},
    }
    shown, depth = _outputs(outputs, output_schema or {}, into, names)
    outcome: dict[str, Any] = {"id": names.fresh(f"{name}_answer"), "type": "card", "properties": {"title": "Result"}}
    if not any(part["type"] == "image" for part in shown):
        shown, depth = [_hint(name, into, names), *(_placed(part, part["at"]["y"] + 1) for part in shown)], depth + 1
    for part in shown:
        part["parent"] = outcome["id"]
    height = max(row + 3, depth + 1, 5)
    form["at"], outcome["at"] = place(0, y, 5, height), place(5, y, 7, height)
    parts.components = [form, *fields, button, progress, trouble, outcome, *shown]
    parts.height = height
    pictured = next((one["name"] for one in outputs if is_image(one["schema"])), None)
    for table in tables:
        columns = [str(one["name"]) for one in outputs]
        below = y + parts.height
        _add(parts, table_parts(table, pictured, names=names, y=below, title="Earlier results", columns=columns))
        if pictured is not None:
            parts.components[-1]["actions"] = {
                "select": [{"do": "set_state", "state": into, "value": {"event": "data"}}]
            }
    return parts


def _hint(worklet: str, into: str, names: Names) -> dict[str, Any]:
    """What stands where the answer will be. A picture says so itself."""
    return {
        "id": names.fresh("hint"),
        "type": "text",
        "at": place(0, 0, 12, 1),
        "properties": {"text": f"The answer appears here once you press {words(worklet)}."[:200], "style": "muted"},
        "visible_if": {"state": into, "status": "empty"},
    }


def table_parts(
    table: str, picture: str | None, *, names: Names, y: int = 0, title: str = "", columns: Iterable[str] = ()
) -> Parts:
    """A card with the newest rows of a table: as pictures if its rows have one, else as a table of these columns."""
    as_table = picture is None and "table" in KINDS
    height = 8 if as_table else 5
    card = {
        "id": names.fresh(f"{table}_card"),
        "type": "card",
        "at": place(0, y, 12, height),
        "properties": {"title": title or words(table)},
    }
    if as_table:
        shown: dict[str, Any] = {"id": names.fresh(f"{table}_rows"), "type": "table"}
        fields = [{"name": f"data.{name}", "title": words(name)[:200]} for name in list(columns)[:_COLUMNS]]
        if fields:
            shown["properties"] = {"columns": [*fields, {"name": "created_at", "title": "Saved"}]}
        shown["bindings"] = {_rows_property("table"): {"table": table, "limit": 200}}
    else:
        shown = {"id": names.fresh(f"{table}_rows"), "type": "gallery"}
        shown["properties"] = {"image": f"data.{picture or 'image'}", "caption": "created_at"}
        shown["bindings"] = {"items": {"table": table, "limit": 24}}
    shown |= {"parent": card["id"], "at": place(0, 0, 12, height - 1)}
    return Parts([card, shown], [], height)


def _form(
    inputs: list[dict[str, Any]], card: str, names: Names
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], int]:
    """The fields of a form, what the worklet's input is bound to, and the row below them."""
    # A document can't name others (an alias with a space in it, say).
    inputs = [one for one in inputs if _NAME.fullmatch(str(one["name"]))]
    fields: list[dict[str, Any]] = []
    given: dict[str, dict[str, Any]] = {}
    pictures = [one for one in inputs if is_image(one["schema"])]
    row = 0
    for number, one in enumerate(pictures):
        wide = 12 if len(pictures) == 1 else 6
        at = place(6 * (number % 2) if wide == 6 else 0, 5 * (number // 2), wide, 5)
        fields.append({**input_part(one, at, names), "parent": card})
        row = at["y"] + 5
    halves = 0  # numbers stand in pairs
    for one in inputs:
        kind = None if is_image(one["schema"]) else input_kind(one["schema"])
        if kind is None:
            continue
        wide = 6 if kind == "number" else 12
        row += 1 if wide == 12 and halves % 2 else 0
        at = place(6 * (halves % 2) if wide == 6 else 0, row, wide, 1)
        fields.append({**input_part(one, at, names), "parent": card})
        halves = halves + 1 if wide == 6 else 0
        row += 0 if halves % 2 else 1
    row += halves % 2
    by_name = {part["properties"]["label"]: part["id"] for part in fields}
    for one in inputs:
        if words(one["name"]) in by_name:
            given[one["name"]] = {"component": by_name[words(one["name"])]}
    return fields, given, row


def input_part(one: Mapping[str, Any], at: dict[str, int], names: Names) -> dict[str, Any]:
    """The component that gives a field its value: one whose `input_kind` is known, as `sources.fields_of` gives it."""
    schema, kind = one["schema"], input_kind(one["schema"]) or "number"
    allowed = set(KINDS[kind].names())
    options = [{"label": str(each), "value": each} for each in schema.get("enum") or []]
    wanted: dict[str, Any] = {
        "label": words(one["name"]),
        "help": str(schema.get("description") or "")[:200],
        "value": schema.get("default"),
        "min": schema.get("minimum", schema.get("exclusiveMinimum")),
        "max": schema.get("maximum", schema.get("exclusiveMaximum")),
        "step": 1 if schema.get("type") == "integer" else _step(schema),
        "options": options or None,
    }
    properties = {name: value for name, value in wanted.items() if value not in (None, "") and name in allowed}
    if kind == "image_input":
        properties.pop("help", None)
    if kind == "number":
        # The component's own limits are those of a percentage.
        properties = {"min": -_FAR, "max": _FAR, **properties}
        if not one["required"] and "value" not in properties:
            properties |= {"value": None, "blank": True}
    return {
        "id": names.fresh(str(one["name"])),
        "type": kind,
        "at": at,
        "properties": {name: value for name, value in properties.items() if _fits(kind, name, value)},
    }


def input_kind(schema: Mapping[str, Any]) -> str | None:
    """The component for an input of that schema; None if there is none that gives such a value."""
    wanted: tuple[str, ...] = ()
    if is_image(schema):
        wanted = ("image_input",)
    elif schema.get("enum"):
        wanted = ("dropdown", "select", "radio", "text_input")
    elif schema.get("type") == "boolean":
        wanted = ("checkbox", "switch", "toggle")
    elif schema.get("type") in ("number", "integer"):
        bounded = "minimum" in schema and "maximum" in schema
        wanted = ("slider", "number") if bounded else ("number",)
    elif schema.get("type") == "string":
        long = int(schema.get("maxLength", 0)) > _LONG
        wanted = ("text_area", "text_input") if long else ("text_input", "text_area")
    return next((kind for kind in wanted if kind in KINDS), None)


def _button(
    worklet: str,
    id: str,
    card: str,
    row: int,
    into: str,
    given: dict[str, dict[str, Any]],
    inputs: list[dict[str, Any]],
    tables: list[str],
) -> dict[str, Any]:
    needed = [
        given[one["name"]]["component"]
        for one in inputs
        if one["required"] and one["name"] in given and is_image(one["schema"])
    ]
    bindings: dict[str, Any] = {"busy": {"state": into, "status": "loading"}}
    if needed:
        ready = " and ".join(f"components.{id}.value" for id in needed)
        bindings["disabled"] = {"expr": f"not ({ready})"}
    run = {"do": "run_worklet", "worklet": worklet, "into": into, "input": given}
    return {
        "id": id,
        "type": "button",
        "parent": card,
        "at": place(0, row, 12, 1),
        "properties": {"label": words(worklet), "busy_label": "Working…"},
        "bindings": bindings,
        "actions": {"click": [run, *({"do": "refresh", "table": table} for table in tables)]},
    }


def _outputs(
    outputs: list[dict[str, Any]], whole: Mapping[str, Any], into: str, names: Names
) -> tuple[list[dict[str, Any]], int]:
    """What shows the answer's fields, from the top of a card, and the row below."""
    scope, _, state = into.partition(".")
    root = {"user": "user_state"}.get(scope, scope)
    if not outputs:
        one = _output("answer", whole, {"state": into}, f"{root}.{state}", names)
        return [_placed(one, 0)], one["at"]["h"]
    shown, row = [], 0
    for field_ in sorted(outputs, key=lambda each: not is_image(each["schema"])):
        name, schema = str(field_["name"]), field_["schema"]
        one = _output(name, schema, {"state": into, "path": name}, f"{root}.{state}.{name}", names, f"{root}.{state}")
        shown.append(_placed(one, row))
        row += one["at"]["h"]
    return shown, row


def _output(
    name: str,
    schema: Mapping[str, Any],
    binding: dict[str, Any],
    path: str,
    names: Names,
    holder: str | None = None,
) -> dict[str, Any]:
    if is_image(schema):
        return {
            "id": names.fresh(f"{name}_shown"),
            "type": "image",
            "at": place(0, 0, 12, 6),
            "properties": {"alt": words(name), "download_name": f"{name}.png"},
            "bindings": {"source": binding},
        }
    of_objects = schema.get("type") == "array" and (schema.get("items") or {}).get("type") == "object"
    if of_objects and "table" in KINDS:
        bindings = {_rows_property("table"): binding}
        return {"id": names.fresh(f"{name}_shown"), "type": "table", "at": place(0, 0, 12, 5), "bindings": bindings}
    if schema.get("type") in ("array", "object") and "json" in KINDS:
        return {
            "id": names.fresh(f"{name}_shown"),
            "type": "json",
            "at": place(0, 0, 12, 4),
            "properties": {"label": words(name)},
            "bindings": {"value": binding},
        }
    text = f"'{words(name)}: ' + str({path}) if {holder or path} else ''"
    return {
        "id": names.fresh(f"{name}_shown"),
        "type": "text",
        "at": place(0, 0, 12, 1),
        "bindings": {"text": {"expr": text}},
    }


def _rows_property(kind: str) -> str:
    """The property of a table that takes the rows."""
    known = KINDS[kind].names()
    return next((name for name in ("rows", "data", "items") if name in known), known[0])


def _placed(part: dict[str, Any], row: int) -> dict[str, Any]:
    return {**part, "at": {**part["at"], "y": row}}


def _add(parts: Parts, more: Parts) -> None:
    parts.components += more.components
    parts.state += more.state
    parts.height += more.height


def is_image(schema: Mapping[str, Any]) -> bool:
    """Whether a value of that schema is a picture."""
    return schema.get("type") == "string" and schema.get("format") == "image"


def _step(schema: Mapping[str, Any]) -> float | None:
    low, high = schema.get("minimum"), schema.get("maximum")
    if not isinstance(low, int | float) or not isinstance(high, int | float) or high <= low:
        return None
    return 0.01 if high - low <= 1 else 0.1 if high - low <= 20 else 1


def _fits(kind: str, name: str, value: Any) -> bool:
    try:
        KINDS[kind].check(name, value)
    except ValueError:  # pydantic's fault is one
        return False
    return True


def words(name: str) -> str:
    """A name as a person writes it."""
    text = re.sub(r"[_.-]+", " ", name).strip() or name
    return text[0].upper() + text[1:]


def place(x: int, y: int, w: int, h: int) -> dict[str, int]:
    """Where a component stands on the grid."""
    return {"x": x, "y": y, "w": w, "h": h}
