"""Pages on which people decide what a worklet asks them: the list, what is to be judged, and the decision's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from ..connectors.errors import BadInput
from .automatic import Names, input_kind, input_part, is_image, place, words
from .sources import fields_of, resolved

_COLUMNS = 4
_CHOICES = 6


class Asked(NamedTuple):
    """A review node: what it shows and what it wants to know."""

    node: str
    title: str
    value: dict[str, Any]
    decision: dict[str, Any]


def asked_by(graph: Mapping[str, Any]) -> list[Asked]:
    """The review nodes of a graph document."""
    outputs = {node["id"]: node.get("output_schema") or {} for node in graph.get("nodes", [])}
    inputs = {one["name"]: one["schema"] for one in fields_of(graph.get("input_schema"))}
    found = []
    for node in graph.get("nodes", []):
        if node.get("kind") != "review":
            continue
        source = node["arguments"].get("value") or {}
        schema = inputs.get(source.get("input")) or outputs.get(source.get("node")) or {}
        if graph.get("body") and source.get("input") == graph["body"]:
            schema = graph.get("input_schema") or {}
        value = {} if source.get("path") else resolved(schema, schema)
        title = str(node["settings"].get("title") or words(node["id"]))
        found.append(Asked(node["id"], title, value, outputs[node["id"]]))
    return found


def inbox_document(worklet: str, graph: Mapping[str, Any]) -> dict[str, Any]:
    """States and pages of a review inbox, a page for each review of the worklet. Raises BadInput: it has none."""
    asked = asked_by(graph)
    if not asked:
        raise BadInput(f"The worklet {worklet!r} asks nobody: its graph has no review. Choose one that has.")
    names, states, pages = Names(), Names(), Names()
    state, made = [], []
    for one in asked:
        chosen = states.fresh(f"{one.node}_id")
        state.append({"name": chosen})
        parts = _Inbox(worklet, one, f"session.{chosen}", names).parts()
        made.append({"id": pages.fresh(one.node), "title": one.title[:200], "components": parts})
    return {"state": state, "pages": made}


class _Inbox:
    """The components of one page. `state` holds the id of the review that is looked at."""

    def __init__(self, worklet: str, asked: Asked, state: str, names: Names) -> None:
        self._worklet = worklet
        self._asked = asked
        self._state = state
        self._names = names

    def parts(self) -> list[dict[str, Any]]:
        """All of them, in the order in which a phone shows them."""
        waiting = self._listed("waiting", "To decide", "open", place(0, 0, 5, 12), self._value_columns())
        judged, height = self._judged()
        height = max(12, height)
        waiting[0]["at"]["h"], waiting[1]["at"]["h"] = height, height - 1
        judged[0]["at"]["h"] = height
        done = self._listed("decided", "Decided", "decided", place(0, height, 12, 8), self._decision_columns())
        return [*waiting, *judged, *done]

    def _listed(
        self, id: str, title: str, state: str, at: dict[str, int], columns: list[dict[str, str]]
    ) -> list[dict[str, Any]]:
        card = {"id": self._names.fresh(f"{id}_card"), "type": "card", "at": at, "properties": {"title": title}}
        empty = "Nothing waits for you" if state == "open" else "Nothing was decided yet"
        table: dict[str, Any] = {
            "id": self._names.fresh(id),
            "type": "table",
            "parent": card["id"],
            "at": place(0, 0, 12, at["h"] - 1),
            "properties": {"columns": columns, "search": False, "download": False, "empty": empty},
            "bindings": {"rows": {"reviews": state, "worklet": self._worklet, "node": self._asked.node}},
        }
        if state == "open":
            table["actions"] = {"row": [{"do": "set_state", "state": self._state, "value": {"event": "row.id"}}]}
        return [card, table]

    def _value_columns(self) -> list[dict[str, str]]:
        named = [str(one["name"]) for one in fields_of(self._asked.value) if _is_plain(one["schema"])]
        shown = [{"name": f"value.{name}", "title": words(name)[:200]} for name in named[:_COLUMNS]]
        if not shown:
            plain = {"name": "value", "title": "Value"}
            shown = [plain if _is_plain(self._asked.value) else {"name": "title", "title": "Question"}]
        return [*shown, {"name": "created", "title": "Asked", "format": "datetime"}]

    def _decision_columns(self) -> list[dict[str, str]]:
        named = [str(one["name"]) for one in fields_of(self._asked.decision)]
        shown = [{"name": f"decision.{name}", "title": words(name)[:200]} for name in named[:_COLUMNS]]
        by = {"name": "decided_by", "title": "By"}
        at = {"name": "decided", "title": "At", "format": "datetime"}
        return [*self._value_columns()[:-1], *(shown or [{"name": "decision", "title": "Decision"}]), by, at]

    # --- what is to be judged -----------------------------------------------------------------------------

    def _judged(self) -> tuple[list[dict[str, Any]], int]:
        card: dict[str, Any] = {
            "id": self._names.fresh("review_card"),
            "type": "card",
            "at": place(5, 0, 7, 12),
            "properties": {"title": self._asked.title[:200]},
        }
        hint = self._part(
            "hint", "text", place(0, 0, 12, 1), properties={"text": "Choose one in the list.", "style": "muted"}
        )
        hint["visible_if"] = {"expr": f"not {self._state}"}
        shown, row = self._shown()
        fields, given, row = self._fields(row)
        buttons, row = self._buttons(given, row)
        inside = [*shown, *fields, *buttons]
        for part in inside:
            part["visible_if"] = {"state": self._state}
        for part in (hint, *inside):
            part["parent"] = card["id"]
        return [card, hint, *inside], row + 1

    def _shown(self) -> tuple[list[dict[str, Any]], int]:
        """The value: pictures as such, plain text as such, all else as a tree."""
        schema = self._asked.value
        if is_image(schema):
            return [self._picture("picture", "value", 0)], 6
        parts, row = [], 0
        fields = fields_of(schema)
        for one in fields:
            if is_image(one["schema"]):
                parts.append(self._picture(str(one["name"]), f"value.{one['name']}", row))
                row += 6
        if len(parts) == len(fields) and parts:
            return parts, row
        if schema.get("type") == "string":
            return [self._part("value", "text", place(0, row, 12, 2), bindings={"text": self._read("value")})], row + 2
        tree = self._part("value", "json", place(0, row, 12, 4), bindings={"value": self._read("value")})
        return [*parts, tree], row + 4

    def _picture(self, name: str, path: str, row: int) -> dict[str, Any]:
        alt = {"alt": words(name)[:200]}
        return self._part(
            f"{name}_shown", "image", place(0, row, 12, 6), properties=alt, bindings={"source": self._read(path)}
        )

    def _read(self, path: str) -> dict[str, Any]:
        return {"review": {"state": self._state}, "path": path}

    # --- the decision -------------------------------------------------------------------------------------

    def _fields(self, row: int) -> tuple[list[dict[str, Any]], dict[str, str], int]:
        """Inputs for the decision, and by its fields' names what each gives, as an expression."""
        found = fields_of(self._asked.decision)
        parts: list[dict[str, Any]] = []
        given: dict[str, str] = {}
        for one in found:
            if self._is_verdict(one):
                continue
            if input_kind(one["schema"]) is None:
                if one["required"]:
                    raise self._no_input(repr(one["name"]))
                continue
            height = 2 if input_kind(one["schema"]) == "text_area" else 1
            part = input_part(one, place(0, row, 12, height), self._names)
            # Another review empties it.
            part["bindings"] = {"value": self._read(f"decision.{one['name']}")}
            parts.append(part)
            value = f"components.{part['id']}.value"
            # A text that nobody has written is an empty one.
            given[str(one["name"])] = f"{value} or ''" if one["schema"].get("type") == "string" else value
            row += height
        return parts, given, row

    def _no_input(self, what: str) -> BadInput:
        return BadInput(
            f"The review {self._asked.node!r} of {self._worklet!r} wants {what}, and no input gives that; decide it "
            "in the console's inbox, or with a page of your own."
        )

    def _is_verdict(self, one: Mapping[str, Any]) -> bool:
        return bool(one["name"] == "approved" and one["schema"].get("type") == "boolean")

    def _buttons(self, given: dict[str, str], row: int) -> tuple[list[dict[str, Any]], int]:
        """A button for each of few answers; else one that sends what the fields hold."""
        fields = fields_of(self._asked.decision)
        schema = resolved(self._asked.decision, self._asked.decision)
        choices = schema.get("enum") or ([True, False] if schema.get("type") == "boolean" else [])
        if any(self._is_verdict(one) for one in fields):
            answers = [
                ("Approve", _object({"approved": "True", **given})),
                ("Reject", _object({"approved": "False", **given})),
            ]
        elif fields:
            answers = [("Decide", _object(given))]
        elif 0 < len(choices) <= _CHOICES:
            answers = [
                ({True: "Yes", False: "No"}[each] if isinstance(each, bool) else str(each), {"constant": each})
                for each in choices
            ]
        else:
            whole = {"name": "decision", "schema": schema, "required": True}
            if input_kind(schema) is None:
                raise self._no_input("a decision")
            part = input_part(whole, place(0, row, 12, 2), self._names)
            decide = self._decide("Decide", {"component": part["id"]}, place(0, row + 2, 4, 1), first=True)
            return [part, decide], row + 3
        wide = max(2, min(4, 12 // len(answers)))
        made = [
            self._decide(
                label,
                decision,
                place(wide * (number % (12 // wide)), row + number // (12 // wide), wide, 1),
                first=number == 0,
            )
            for number, (label, decision) in enumerate(answers)
        ]
        return made, made[-1]["at"]["y"] + 1

    def _decide(self, label: str, decision: dict[str, Any], at: dict[str, int], *, first: bool) -> dict[str, Any]:
        button = self._part(
            f"decide_{label}", "button", at,
            properties={"label": label[:200], "busy_label": "…", "style": "primary" if first else "secondary"},
        )  # fmt: skip
        button["actions"] = {
            "click": [
                {"do": "decide", "review": {"state": self._state}, "decision": decision},
                {"do": "set_state", "state": self._state, "value": {"constant": None}},
                {"do": "notify", "text": {"constant": "Decided; its run goes on."}, "style": "success"},
            ]
        }
        return button

    def _part(self, name: str, type: str, at: dict[str, int], **rest: Any) -> dict[str, Any]:
        return {"id": self._names.fresh(name), "type": type, "at": at, **rest}


def _is_plain(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") in ("string", "number", "integer", "boolean") and not is_image(schema)


def _object(given: Mapping[str, str]) -> dict[str, Any]:
    # The expressions' language reads a JSON text as it is.
    return {"expr": "{" + ", ".join(f"{orjson.dumps(name).decode()}: {text}" for name, text in given.items()) + "}"}
