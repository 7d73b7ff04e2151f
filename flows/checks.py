"""Checks of a graph. One rule a function; all faults are told at once."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ..connectors.errors import DefinitionError
from .caching import faults_of as cache_faults_of
from .faults import DefinitionFault, Place, definition_fault, did_you_mean, pointer_to
from .graph import (
    ACTING_KINDS,
    RUNNERS,
    AttributeStep,
    Branch,
    FromInput,
    FromNode,
    GraphDocument,
    GraphNode,
    arms_around,
    needs_of,
    references,
)
from .hints import cannot_fit, is_model
from .queries import faults_of, parameters_of
from .recovering import error_of, is_recovery
from .recovering import faults_of as recovery_faults_of
from .requesting import ARGUMENTS as HTTP_ARGUMENTS
from .requesting import faults_of as http_faults_of
from .reviewing import faults_of as review_faults_of

# What each kind that this version runs must be given: its arguments and its settings.
RUNNABLE_KINDS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "node": (frozenset(), frozenset()),
    "model": (frozenset({"inputs"}), frozenset({"model"})),
    "save": (frozenset({"row"}), frozenset({"table"})),
    "query": (frozenset(), frozenset({"sql"})),  # its arguments are the statement's own
    "http": (frozenset({"url"}), frozenset({"method"})),
    "notify": (frozenset({"body"}), frozenset({"target"})),
    "call": (frozenset({"inputs"}), frozenset({"worklet"})),
    "review": (frozenset({"value"}), frozenset({"role"})),
    "decide": (frozenset({"value"}), frozenset()),
    "map": (frozenset(), frozenset({"over"})),  # its arguments are those of its code
}
# What it may be given besides.
_OPTIONAL: Mapping[str, frozenset[str]] = {
    "http": frozenset(HTTP_ARGUMENTS),
    "notify": frozenset({"title"}),
}
_JOIN = frozenset({"decision", "then", "otherwise"})


def check(document: GraphDocument) -> list[DefinitionFault]:
    """Every fault of a graph, traced or made by hand; none means that it can run.

    Types are checked where the code is: when a function is traced (flows/trace.py), and when a document is read beside
    its code (flows/fitting.py).
    """
    rules: list[Callable[[GraphDocument], Iterator[DefinitionFault]]] = [
        _names_are_sound,
        _references_are_known,
        _no_cycles,
        _kinds_are_complete,
        _decisions_are_whole,
        _arms_stay_inside,
        _recoveries_are_whole,
        _values_are_used,
    ]
    return [fault for rule in rules for fault in rule(document)]


def raise_faults(name: str, faults: Iterable[DefinitionFault]) -> None:
    """Raise DefinitionError for the worklet of that name, if there are faults."""
    found = list(faults)
    if found:
        count = "a fault" if len(found) == 1 else f"{len(found)} faults"
        raise DefinitionError(f"The worklet {name!r} has {count} in its definition.", faults=found)


# --- the rules --------------------------------------------------------------------------------------------


def _names_are_sound(document: GraphDocument) -> Iterator[DefinitionFault]:
    ids = [node.id for node in document.nodes]
    for id, count in Counter(ids).items():
        if count > 1:
            second = document.nodes[ids.index(id, ids.index(id) + 1)]
            msg = f"{count} nodes have the id {id!r}."
            yield _at(document, second, msg, "give each node an id of its own", "id")
    for node in document.nodes:
        if node.id.startswith(".") or re.search(r"[/\\\x00-\x1f\x7f]", node.id):
            fix = "use letters, digits, _ and -"  # what a node gives is kept in a file of its name
            yield _at(document, node, f"its id {node.id!r} is no name.", fix, "id")
    names = [each.name for each in document.inputs]
    for index, name in enumerate(names):
        pointer = pointer_to("inputs", index, "name")
        if name in names[:index]:
            msg = f"{names.count(name)} inputs have the name {name!r}."
            yield definition_fault(msg, fix="give each input a name of its own", pointer=pointer)
        if not name.isidentifier() or keyword.iskeyword(name):
            fix = "use letters, digits and _, as for a parameter of a function"
            yield definition_fault(f"the input's name {name!r} is no Python name.", fix=fix, pointer=pointer)


def _references_are_known(document: GraphDocument) -> Iterator[DefinitionFault]:
    nodes = {node.id for node in document.nodes}
    inputs = {each.name for each in document.inputs}
    for node in document.nodes:
        for name, argument in node.arguments.items():
            for reference in references(argument):
                for msg, fix in _unknown(reference, nodes, inputs, f"its argument {name!r}"):
                    yield _at(document, node, msg, fix, "arguments", name)
        if node.when is not None and node.when.node not in nodes:
            msg = f"it stands in an arm of {node.when.node!r}, which does not exist."
            yield _at(document, node, msg, did_you_mean(node.when.node, nodes) or None, "when", "node")
    for reference in references(document.output):
        for msg, fix in _unknown(reference, nodes, inputs, "the output"):
            yield definition_fault(msg, fix=fix, pointer="/output")
    if document.body is not None and document.body not in inputs:
        msg = f"body names the input {document.body!r}, which does not exist."
        yield definition_fault(msg, fix=did_you_mean(document.body, inputs) or None, pointer="/body")


def _unknown(
    reference: FromInput | FromNode, nodes: set[str], inputs: set[str], what: str
) -> Iterator[tuple[str, str | None]]:
    sort, name, known = (
        ("input", reference.input, inputs) if isinstance(reference, FromInput) else ("node", reference.node, nodes)
    )
    if name not in known:
        yield f"{what} takes the {sort} {name!r}, which does not exist.", did_you_mean(name, known) or None
    for step in reference.path:
        if isinstance(step, AttributeStep) and (not step.attribute.isidentifier() or step.attribute.startswith("__")):
            yield f"{what} takes the attribute {step.attribute!r}, which is no Python name.", "take an item instead"


def _no_cycles(document: GraphDocument) -> Iterator[DefinitionFault]:
    ring = _ring(document)
    if ring:
        first = next((node for node in document.nodes if node.id in ring), None)
        msg = f"nodes wait for each other in a ring: {' → '.join(ring)}."
        where = pointer_to("nodes", document.nodes.index(first)) if first is not None else None
        yield definition_fault(msg, fix="take one of these edges away", pointer=where)


def _ring(document: GraphDocument) -> list[str]:
    try:
        TopologicalSorter({node.id: needs_of(node) for node in document.nodes}).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _kinds_are_complete(document: GraphDocument) -> Iterator[DefinitionFault]:
    for node in document.nodes:
        if node.kind not in RUNNABLE_KINDS:
            runnable = ", ".join(RUNNABLE_KINDS)
            msg = f"nodes of the kind {node.kind!r} can't run in this version."
            yield _at(document, node, msg, f"use one of {runnable}", "kind")
            continue
        for cache_msg, cache_fix in cache_faults_of(node):
            yield _at(document, node, cache_msg, cache_fix, "cache")
        arguments, settings = RUNNABLE_KINDS[node.kind]
        if node.kind in ("node", "map") and not node.function:
            yield _at(document, node, "it names no function.", "set function to `module:name`", "function")
        if node.kind == "node":
            continue
        if node.kind == "map":
            arguments = frozenset(node.arguments)
            if (runner := node.settings.get("runner")) is not None and runner not in RUNNERS:
                fix = f"give one of {', '.join(RUNNERS)}, or leave it out for the server itself"
                yield _at(document, node, f"its runner is {runner!r}.", fix, "settings", "runner")
        if node.kind == "decide" and node.settings.get("join"):
            arguments = _JOIN
        if node.kind == "decide" and isinstance(node.settings.get("equals"), list | dict):
            fix = "name a text, a number, true, false or null"
            yield _at(document, node, "its case is a list or a mapping.", fix, "settings", "equals")
        if node.kind == "query":
            sql = str(node.settings.get("sql") or "")
            arguments = frozenset(parameters_of(sql))
            for msg, fix in faults_of(sql) if sql else ():
                yield _at(document, node, msg, fix, "settings", "sql")
            yield from _limit_is_sound(document, node)
        if node.kind == "http":
            for http_msg, http_fix in http_faults_of(node):
                yield _at(document, node, http_msg, http_fix)
        if node.kind == "save" and not _is_key(node.settings.get("key")):
            fix = "give a list of the row's fields"
            yield _at(document, node, f"its key is {node.settings['key']!r}.", fix, "settings", "key")
        if node.kind == "review":
            for review_msg, review_fix in review_faults_of(node):
                yield _at(document, node, review_msg, review_fix, "settings")
        for name in sorted(arguments - set(node.arguments)):
            yield _at(document, node, f"its argument {name!r} is missing.", None, "arguments")
        allowed = arguments | _OPTIONAL.get(node.kind, frozenset())
        for name in sorted(set(node.arguments) - allowed):
            close = did_you_mean(name, allowed) or None
            yield _at(document, node, f"it has no parameter {name!r}.", close, "arguments", name)
        for name in sorted(settings):
            if not isinstance(node.settings.get(name), str) or not node.settings[name]:
                msg = f"its setting {name!r} is missing."
                yield _at(document, node, msg, f"a {node.kind} node names its {name}", "settings")


def _is_key(key: Any) -> bool:
    return key is None or (isinstance(key, list) and bool(key) and all(isinstance(each, str) and each for each in key))


def _limit_is_sound(document: GraphDocument, node: GraphNode) -> Iterator[DefinitionFault]:
    limit = node.settings.get("limit")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        msg = f"its limit is {limit!r} rows."
        yield _at(document, node, msg, "give a whole number of 1 or more", "settings", "limit")


def _decisions_are_whole(document: GraphDocument) -> Iterator[DefinitionFault]:
    """A decision has one join, at its own level, and nothing else takes its value; an arm is one of a decision."""
    decisions = {node.id: node for node in document.nodes if node.kind == "decide" and not node.settings.get("join")}
    recoveries = {id for id, node in decisions.items() if is_recovery(node)}
    ids = {node.id for node in document.nodes}
    joined: Counter[str] = Counter()
    for node in document.nodes:
        if node.when is not None and node.when.node in ids - set(decisions):
            msg = f"it stands in an arm of {node.when.node!r}, which decides nothing."
            yield _at(document, node, msg, "name a node of the kind decide", "when", "node")
        for name, argument in node.arguments.items():
            values = (each for each in references(argument) if isinstance(each, FromNode))
            taken = {each.node for each in values if not error_of(each, recoveries)} & set(decisions)
            if not node.settings.get("join") or name != "decision":
                for id in sorted(taken):
                    msg = f"its argument {name!r} takes the decision {id!r} itself, not what an arm gives."
                    yield _at(document, node, msg, "take the value of its join", "arguments", name)
            elif not isinstance(argument, FromNode) or argument.path or not taken:
                msg = "its argument 'decision' is no decision."
                yield _at(document, node, msg, "name a node of the kind decide", "arguments", "decision")
            else:
                joined[argument.node] += 1
                if node.when != decisions[argument.node].when:
                    msg = f"it joins the arms of {argument.node!r}, which stands in another arm than itself."
                    yield _at(document, node, msg, "give both the same `when`", "when")
    for id, made in decisions.items():
        if joined[id] != 1:
            msg = f"{joined[id]} nodes join its arms."
            fix = 'one node of the kind decide with the setting "join" takes its arms\' values'
            yield _at(document, made, msg, fix)


def _arms_stay_inside(document: GraphDocument) -> Iterator[DefinitionFault]:
    """A value of one arm of a decision is there only if the run goes that way."""
    nodes = {node.id: node for node in document.nodes}
    outputs = [reference.node for reference in references(document.output) if isinstance(reference, FromNode)]
    takers = [*((node, needs_of(node)) for node in document.nodes), (None, outputs)]
    for taker, needed in takers:
        around = arms_around(taker, nodes) if taker is not None else []
        for id in needed:
            given = nodes.get(id)
            arm = given.when if given is not None else None
            if arm is None or arm in around or _joins(taker, arm):
                continue
            who = "the output" if taker is None else f"{taker.id!r}"
            msg = f"{who} takes the value of {id!r}, which is there only if {arm.node!r} goes its way."
            fix = "let decide() return it, and give a value in the other arm too"
            if taker is None:
                yield definition_fault(msg, fix=fix, pointer="/output")
            else:
                yield _at(document, taker, msg, fix, "arguments")


def _recoveries_are_whole(document: GraphDocument) -> Iterator[DefinitionFault]:
    for node, msg, fix in recovery_faults_of(document):
        yield _at(document, node, msg, fix)


def _joins(node: GraphNode | None, arm: Branch) -> bool:
    if node is None or not node.settings.get("join"):
        return False
    decision = node.arguments.get("decision")
    return isinstance(decision, FromNode) and decision.node == arm.node


def _values_are_used(document: GraphDocument) -> Iterator[DefinitionFault]:
    needs = {node.id: needs_of(node) for node in document.nodes}
    outputs = [reference.node for reference in references(document.output) if isinstance(reference, FromNode)]
    used = {*outputs, *(needed for each in needs.values() for needed in each)}
    ahead = [*outputs, *(node.id for node in document.nodes if node.kind in ACTING_KINDS)]
    useful: set[str] = set()
    while ahead:
        id = ahead.pop()
        if id not in useful:
            useful.add(id)
            ahead += needs.get(id, [])
    ring = set(_ring(document))
    for node in document.nodes:
        if node.id in useful or node.kind in ACTING_KINDS:
            continue
        if node.id not in used:
            fix = (
                "return it, pass it to another node, or take the call away (code that acts on the outside may be "
                "passed on to the output as well)"
            )
            yield _at(document, node, "nobody uses its value.", fix)
        elif node.id not in ring:
            takers = ", ".join(repr(id) for id, needed in needs.items() if node.id in needed)
            msg = f"its value reaches only {takers}, and from there neither the output nor a node that acts."
            yield _at(document, node, msg, "let the output or another node take what comes of it")


def output_cannot_fit(given: Any, wanted: Any) -> bool:
    """Whether a result of the hint `given` certainly doesn't fit the worklet's own; what JSON makes equal fits."""
    if hasattr(wanted, "__get_pydantic_core_schema__") and not (is_model(wanted) and is_model(given)):
        return False  # the type knows how to be made from other values
    return cannot_fit(given, wanted)


def _at(document: GraphDocument, node: GraphNode, msg: str, fix: str | None, *parts: str | int) -> DefinitionFault:
    place = Place(node.source.file, node.source.line) if node.source else None
    index = next(index for index, each in enumerate(document.nodes) if each is node)
    return definition_fault(msg, fix=fix, node=node.id, place=place, pointer=pointer_to("nodes", index, *parts))
