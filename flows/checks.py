"""Checks of a graph. One rule a function; all faults are told at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..connectors.errors import DefinitionError
from .faults import DefinitionFault, Place, definition_fault, did_you_mean
from .graph import (
    ACTING_KINDS,
    Branch,
    FromInput,
    FromNode,
    GraphDocument,
    GraphNode,
    needs_of,
    references,
)
from .hints import cannot_fit, is_model, name_of
from .queries import faults_of, parameters_of

if TYPE_CHECKING:
    from .nodes import NodeDefinition

# What each kind that this version runs must be given: its arguments and its settings.
RUNNABLE_KINDS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "node": (frozenset(), frozenset()),
    "model": (frozenset({"inputs"}), frozenset({"model"})),
    "save": (frozenset({"row"}), frozenset({"table"})),
    "query": (frozenset(), frozenset({"sql"})),  # its arguments are the statement's own
    "decide": (frozenset({"value"}), frozenset()),
    "map": (frozenset(), frozenset({"over"})),  # its arguments are those of its code
}
_JOIN = frozenset({"decision", "then", "otherwise"})


def check(document: GraphDocument, definitions: Mapping[str, NodeDefinition] | None = None) -> list[DefinitionFault]:
    """Every fault of a graph; none means that it can run.

    Args:
        document: the graph, traced or made by hand.
        definitions: the nodes' code by node id, where it is at hand: types are then checked as well.
    """
    rules: list[Callable[[GraphDocument], Iterator[DefinitionFault]]] = [
        _ids_are_unique,
        _references_are_known,
        _no_cycles,
        _kinds_are_complete,
        _arms_stay_inside,
        _values_are_used,
    ]
    faults = [fault for rule in rules for fault in rule(document)]
    if definitions is not None:
        faults += _arguments_match(document, definitions)
    return faults


def ensure_sound(document: GraphDocument, definitions: Mapping[str, NodeDefinition] | None = None) -> None:
    """Raise DefinitionError with every fault of the graph, if it has one."""
    raise_faults(document.name, check(document, definitions))


def raise_faults(name: str, faults: Iterable[DefinitionFault]) -> None:
    """Raise DefinitionError for the worklet of that name, if there are faults."""
    found = list(faults)
    if found:
        count = "a fault" if len(found) == 1 else f"{len(found)} faults"
        raise DefinitionError(f"The worklet {name!r} has {count} in its definition.", faults=found)


def read_document(data: Any) -> GraphDocument:
    """A graph document from parsed JSON, checked. Raises DefinitionError with every fault."""
    try:
        document = GraphDocument.model_validate(data)
    except ValidationError as error:
        faults = [
            definition_fault(f"{'.'.join(map(str, entry['loc'])) or 'the document'}: {entry['msg']}.")
            for entry in error.errors(include_url=False)
        ]
        raise DefinitionError("This is no graph document.", faults=faults) from None
    ensure_sound(document)
    return document


# --- the rules --------------------------------------------------------------------------------------------


def _ids_are_unique(document: GraphDocument) -> Iterator[DefinitionFault]:
    for id, count in Counter(node.id for node in document.nodes).items():
        if count > 1:
            yield definition_fault(f"{count} nodes have the id {id!r}.", node=id, fix="give each node an id of its own")
    for name, count in Counter(each.name for each in document.inputs).items():
        if count > 1:
            yield definition_fault(f"{count} inputs have the name {name!r}.", fix="give each input a name of its own")


def _references_are_known(document: GraphDocument) -> Iterator[DefinitionFault]:
    nodes = {node.id for node in document.nodes}
    inputs = {each.name for each in document.inputs}
    for node in document.nodes:
        for name, argument in node.arguments.items():
            for reference in references(argument):
                yield from _unknown(reference, nodes, inputs, f"its argument {name!r}", node)
    for reference in references(document.output):
        yield from _unknown(reference, nodes, inputs, "the output", None)
    if document.body is not None and document.body not in inputs:
        msg = f"body names the input {document.body!r}, which does not exist."
        yield definition_fault(msg, fix=did_you_mean(document.body, inputs) or None)


def _unknown(
    reference: FromInput | FromNode, nodes: set[str], inputs: set[str], what: str, node: GraphNode | None
) -> Iterator[DefinitionFault]:
    sort, name, known = (
        ("input", reference.input, inputs) if isinstance(reference, FromInput) else ("node", reference.node, nodes)
    )
    if name not in known:
        yield _at(node, f"{what} takes the {sort} {name!r}, which does not exist.", did_you_mean(name, known) or None)


def _no_cycles(document: GraphDocument) -> Iterator[DefinitionFault]:
    try:
        TopologicalSorter({node.id: needs_of(node) for node in document.nodes}).prepare()
    except CycleError as error:
        ring = " → ".join(reversed(error.args[1]))
        yield definition_fault(f"nodes wait for each other in a ring: {ring}.", fix="take one of these edges away")


def _kinds_are_complete(document: GraphDocument) -> Iterator[DefinitionFault]:
    for node in document.nodes:
        if node.kind not in RUNNABLE_KINDS:
            runnable = ", ".join(RUNNABLE_KINDS)
            yield _at(node, f"nodes of the kind {node.kind!r} can't run in this version.", f"use one of {runnable}")
            continue
        arguments, settings = RUNNABLE_KINDS[node.kind]
        if node.kind in ("node", "map") and not node.function:
            yield _at(node, "it names no function.", "set function to `module:name`")
        if node.kind == "node":
            continue
        if node.kind == "map":
            arguments = frozenset(node.arguments)
        if node.kind == "decide" and node.settings.get("join"):
            arguments = _JOIN
        if node.kind == "query":
            sql = str(node.settings.get("sql") or "")
            arguments = frozenset(parameters_of(sql))
            for msg, fix in faults_of(sql) if sql else ():
                yield _at(node, msg, fix)
            yield from _limit_is_sound(node)
        for name in sorted(arguments - set(node.arguments)):
            yield _at(node, f"its argument {name!r} is missing.", None)
        for name in sorted(set(node.arguments) - arguments):
            msg = f"it has no parameter {name!r}."
            yield _at(node, msg, did_you_mean(name, arguments) or None)
        for name in sorted(settings):
            if not isinstance(node.settings.get(name), str) or not node.settings[name]:
                yield _at(node, f"its setting {name!r} is missing.", f"a {node.kind} node names its {name}")


def _limit_is_sound(node: GraphNode) -> Iterator[DefinitionFault]:
    limit = node.settings.get("limit")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        yield _at(node, f"its limit is {limit!r} rows.", "give a whole number of 1 or more")


def _arms_stay_inside(document: GraphDocument) -> Iterator[DefinitionFault]:
    """A value of one arm of a decision is there only if the run goes that way."""
    nodes = {node.id: node for node in document.nodes}
    outputs = [reference.node for reference in references(document.output) if isinstance(reference, FromNode)]
    takers = [*((node, needs_of(node)) for node in document.nodes), (None, outputs)]
    for taker, needed in takers:
        around = _arms(taker, nodes) if taker is not None else []
        for id in needed:
            given = nodes.get(id)
            arm = given.when if given is not None else None
            if arm is None or arm in around or _joins(taker, arm):
                continue
            who = "the output" if taker is None else f"{taker.id!r}"
            msg = f"{who} takes the value of {id!r}, which is there only if {arm.node!r} goes its way."
            yield _at(taker, msg, "let decide() return it, and give a value in the other arm too")


def _arms(node: GraphNode, nodes: Mapping[str, GraphNode]) -> list[Branch]:
    """The arms that a node stands in, the innermost first; as long as the graph has no ring."""
    found: list[Branch] = []
    arm = node.when
    while arm is not None and arm not in found:
        found.append(arm)
        arm = nodes[arm.node].when if arm.node in nodes else None
    return found


def _joins(node: GraphNode | None, arm: Branch) -> bool:
    if node is None or not node.settings.get("join"):
        return False
    decision = node.arguments.get("decision")
    return isinstance(decision, FromNode) and decision.node == arm.node


def _values_are_used(document: GraphDocument) -> Iterator[DefinitionFault]:
    used = {reference.node for reference in references(document.output) if isinstance(reference, FromNode)}
    used |= {needed for node in document.nodes for needed in needs_of(node)}
    for node in document.nodes:
        if node.id not in used and node.kind not in ACTING_KINDS:
            yield _at(
                node,
                "nobody uses its value.",
                "return it, pass it to another node, or take the call away (code that acts on the outside may be "
                "passed on to the output as well)",
            )


def _arguments_match(document: GraphDocument, definitions: Mapping[str, NodeDefinition]) -> Iterator[DefinitionFault]:
    for node in document.nodes:
        definition = definitions.get(node.id)
        if node.kind != "node":
            continue
        if definition is None:
            known = sorted(each.path or "" for each in definitions.values())
            fix = did_you_mean(node.function or "", known) or None
            yield _at(node, f"its code {node.function!r} is not there.", fix)
            continue
        parameters = {parameter.name: parameter for parameter in definition.shape.parameters}
        for name, argument in node.arguments.items():
            if name not in parameters:
                yield _at(node, f"it has no parameter {name!r}.", did_you_mean(name, parameters) or None)
            elif isinstance(argument, FromNode) and not argument.path and argument.node in definitions:
                given = definitions[argument.node].shape.returns
                if cannot_fit(given, parameters[name].hint):
                    msg = (
                        f"its parameter {name!r} is {name_of(parameters[name].hint)}, "
                        f"and {argument.node!r} gives {name_of(given)}."
                    )
                    yield _at(node, msg, None)
        for parameter in parameters.values():
            if parameter.required and parameter.name not in node.arguments:
                yield _at(node, f"its parameter {parameter.name!r} is missing.", None)


def output_cannot_fit(given: Any, wanted: Any) -> bool:
    """Whether a result of the hint `given` certainly doesn't fit the worklet's own; what JSON makes equal fits."""
    if hasattr(wanted, "__get_pydantic_core_schema__") and not (is_model(wanted) and is_model(given)):
        return False  # the type knows how to be made from other values
    return cannot_fit(given, wanted)


def _at(node: GraphNode | None, msg: str, fix: str | None) -> DefinitionFault:
    if node is None:
        return definition_fault(msg, fix=fix)
    place = Place(node.source.file, node.source.line) if node.source else None
    return definition_fault(msg, fix=fix, node=node.id, place=place)
