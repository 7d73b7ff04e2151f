"""Random graph documents, for the tests of what holds for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

# What the functions of a project are that the documents take their code from.
CODE = """
import prefect_worklets as pw
from pydantic import BaseModel


class Pair(BaseModel):
    left: int
    right: int = 2


@pw.node
def one(a):
    return [a]


@pw.node(retries=2, timeout=3.0)
def two(a, b=None):
    return {"a": a, "b": b}


@pw.node(name="renamed", quick=True)
def three(a, /, b, *, c=1):
    return [a, b, c]


def plain(a: object) -> object:
    return a


class Kept:
    @staticmethod
    @pw.node
    def inside(a):
        return a
"""
PARAMETERS = {
    "code:one": ["a"], "code:two": ["a", "b"], "code:three": ["a", "b"], "code:plain": ["a"], "code:Kept.inside": ["a"]
}  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {"code:two": {"retries": 2, "timeout": 3.0}, "code:three": {"quick": True}}
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["a", "b", "order", "pw", "total", "one", "result", "Any", "list", "code", "größe"])
IDS = ["one", "two", "one_2", "decide", "join", "join_2", "map_one", "query", "switch", "recover", "error", "the node",
       "class", "7", "pw", "pw_2", "ß-x", "renamed", "save_t", "a.b", "a", "order", "sum"]  # fmt: skip
TYPES = {"int": 1, "str": "x", "Any": None, "list[float]": [1.0], "dict[str, int] | None": None, "Literal['a', 3]": 3,
         "code:Pair": {"left": 1, "right": 3}}  # fmt: skip


@dataclass
class Drawing:
    """A document under way."""

    draw: Any
    nodes: list[dict[str, Any]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def new_id(self, ids: list[str] = IDS) -> str:
        id: str = self.draw(st.sampled_from(ids))
        while id in self.ids:
            id += "_x"
        self.ids.add(id)
        return id

    def argument(self, values: list[dict[str, Any]]) -> dict[str, Any]:
        path = self.draw(st.lists(st.sampled_from([{"item": "k"}, {"attribute": "real"}]), max_size=2))
        sorts: list[Any] = [st.builds(lambda value: {"constant": value}, VALUES)]
        if values:
            whole = st.sampled_from(values)
            sorts += [whole, whole.map(lambda each: {"path": path, **each} if "node" in each else each)]
            sorts.append(st.lists(whole, max_size=2).map(lambda parts: {"list": [*parts, {"constant": 1}]}))
            sorts.append(st.dictionaries(WORDS, whole, max_size=2).map(lambda parts: {"object": parts}))
        drawn: dict[str, Any] = self.draw(st.one_of(sorts))
        return drawn

    def level(self, values: list[dict[str, Any]], when: dict[str, Any] | None, depth: int) -> list[dict[str, Any]]:
        """Draw the nodes of one arm, or those outside of all; the values that they give."""
        given: list[dict[str, Any]] = []
        for _ in range(self.draw(st.integers(0 if when else 1, 3))):
            kinds = [
                "node",
                "node",
                "map",
                "model",
                "query",
                "save",
                "http",
                "call",
                *(["decide"] if depth < 2 else []),
            ]
            kind = self.draw(st.sampled_from(kinds))
            seen = [*values, *given]
            entry = self.decision(seen, when, depth) if kind == "decide" else self.entry(kind, seen, when)
            if kind != "decide" and depth < 2 and not self.draw(st.integers(0, 5)):
                entry = self.recovery(entry, seen, when, depth)
            given.append({"node": entry["id"]})
        return given

    def entry(self, kind: str, seen: list[dict[str, Any]], when: dict[str, Any] | None) -> dict[str, Any]:
        draw = self.draw
        id = self.new_id(["http", "http_2", "w", "get", "post"] if kind in ("http", "call") else IDS)
        entry: dict[str, Any] = {"id": id, "kind": kind, "settings": {}, "when": when}
        if kind in ("node", "map"):
            functions = sorted(PARAMETERS) if kind == "node" else ["code:one", "code:two", "code:plain"]
            path = entry["function"] = draw(st.sampled_from(functions))
            entry |= OPTIONS.get(path, {})
            entry["arguments"] = {name: self.argument(seen) for name in PARAMETERS[path]}
            if kind == "map":
                entry["settings"] = {"over": "a", "at_once": draw(st.sampled_from([8, 1, 256]))}
                entry["settings"] |= draw(st.sampled_from([{}, {"runner": "dask"}]))
                entry["arguments"]["a"] = {"list": seen[:1]} if seen else {"constant": [1, 2]}
        elif kind == "model":
            entry["settings"] = {
                "model": draw(st.sampled_from(["m", "a model/x"])),
                "version": draw(st.none() | st.just("2")),
            }
            entry["arguments"] = {"inputs": self.argument(seen)}
        elif kind == "save":
            entry["settings"] = {"table": draw(st.sampled_from(["t", "large-orders"]))}
            entry["arguments"] = {"row": self.argument(seen)}
        elif kind == "http":
            method = draw(st.sampled_from(["GET", "POST"]))
            entry |= {"settings": {"method": method, "returns": "dict[str, int]"}, "retries": draw(st.integers(0, 2)),
                      "timeout": draw(st.none() | st.just(30.0))}  # fmt: skip
            if draw(st.booleans()):
                entry["settings"]["secret_headers"] = {"authorization": "Bearer {TOKEN}"}
            url = {"constant": "http://example.org/{x}"}
            entry["arguments"] = {"url": url, "path": {"object": {"x": self.argument(seen)}}}
        elif kind == "call":
            by_name = draw(st.booleans())
            entry["settings"] = {"worklet": "w", "version": draw(st.none() | st.just(3)), "by_name": by_name}
            value = self.argument(seen)
            entry["arguments"] = {"inputs": {"object": {"a b": value}} if by_name else value}
        else:
            entry["settings"] = {
                "sql": "select 1 as \"x\" where :a = 'b'",
                "limit": draw(st.sampled_from([10_000, 5])),
            }
            entry["arguments"] = {"a": self.argument(seen)}
        if kind not in ("http", "call") and draw(st.booleans()):
            changes = {"retries": st.integers(0, 3), "backoff": st.just(0.5), "timeout": st.none() | st.just(2.5),
                       "quick": st.none() | st.booleans()}  # fmt: skip
            if kind in ("node", "map", "query"):
                changes["cache"] = st.none() | st.just(60.0)
            entry |= draw(st.fixed_dictionaries({}, optional=changes))
        self.nodes.append(entry)
        return entry

    def recovery(
        self, entry: dict[str, Any], seen: list[dict[str, Any]], when: dict[str, Any] | None, depth: int
    ) -> dict[str, Any]:
        """Another way for when a node fails; the node that joins both."""
        entry["on_error"] = "branch"
        path = self.draw(st.lists(st.sampled_from([{"item": "k"}, {"attribute": "error"}]), max_size=2))
        path = path if "function" not in entry else path[:1] and [{"item": 0}]
        decision = {"id": self.new_id(), "kind": "decide", "when": when, "settings": {"failed": True},
                    "arguments": {"value": {"node": entry["id"]}}}  # fmt: skip
        self.nodes.append(decision)
        error = {"node": decision["id"], "path": [{"attribute": "error"}]}
        inside = self.level([*seen, error], {"node": decision["id"], "arm": True}, depth + 1)
        then = {"list": [*inside, error]} if self.draw(st.booleans()) else {"list": inside}
        join = {"id": self.new_id(), "kind": "decide", "when": when, "settings": {"join": True},
                "arguments": {"decision": {"node": decision["id"]}, "then": then,
                              "otherwise": {"node": entry["id"], "path": path}}}  # fmt: skip
        self.nodes.append(join)
        return join

    def decision(self, seen: list[dict[str, Any]], when: dict[str, Any] | None, depth: int) -> dict[str, Any]:
        decision = {"id": self.new_id(), "kind": "decide", "when": when, "arguments": {"value": self.argument(seen)}}
        if self.draw(st.booleans()):
            decision["settings"] = {"equals": self.draw(st.none() | st.booleans() | st.integers() | WORDS)}
        self.nodes.append(decision)
        arms = {}
        for arm, name in ((True, "then"), (False, "otherwise")):
            branch = {"node": decision["id"], "arm": arm}
            inside = self.level(seen, branch, depth + 1)
            # Every value of the arm is used, as a graph demands.
            arms[name] = {"list": inside} if len(inside) > 1 else inside[0] if inside else self.argument(seen)
        join = {"id": self.new_id(), "kind": "decide", "when": when, "settings": {"join": True},
                "arguments": {"decision": {"node": decision["id"]}, **arms}}  # fmt: skip
        self.nodes.append(join)
        return join


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    """A sound document over CODE, with nodes of every kind, their options, and decisions within decisions."""
    drawing = Drawing(draw)
    inputs = []
    for name in draw(st.lists(NAMES, max_size=3, unique=True)):
        text = draw(st.sampled_from(sorted(TYPES)))
        more = {} if draw(st.booleans()) else {"required": False, "default": TYPES[text]}
        inputs.append({"name": name, "type": text, **more})
    given = drawing.level([{"input": each["name"]} for each in inputs], None, 0)
    name = draw(st.sampled_from(["shop", "a-worklet", "7days", "class", "one", "order"]))
    extra = st.fixed_dictionaries(
        {},
        optional={
            "description": WORDS | st.just("Line one.\n\n  More: \"it\"."),
            "tags": st.lists(WORDS, max_size=2),
            "timeout": st.just(7.5),
            "triggers": st.just([
                {"on": "cron", "schedule": "0 6 * * *", "timezone": "Europe/Berlin", "inputs": {"a": 1}},
                {"on": "kafka", "topic": "t", "output": "o"},
            ]),
        },
    )  # fmt: skip
    order = draw(st.permutations(drawing.nodes))
    return {
        **draw(extra),
        "name": name,
        "inputs": inputs,
        "nodes": order,
        "output": {"list": given},
        "output_type": "Any",
    }
