"""Recovery: where a node may fail, and the graph has a way on from there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import replace
from typing import Any, TypeVar, cast

from ..connectors.errors import DefinitionError
from .deciding import check_arms, joined_arms
from .faults import caller_place, definition_fault
from .graph import Argument, AttributeStep, Branch, FromNode, GraphDocument, GraphNode, arms_around, references
from .hints import shape_of
from .nodes import NodeDefinition
from .symbols import Symbol, reference
from .trace import Trace, current_trace

R = TypeVar("R")
_ERROR = (AttributeStep(attribute="error"),)


def recover(value: R, otherwise: Callable[..., R], *, name: str = "recover", join: str = "join") -> R:
    """Go another way if a node fails: `recover(fetch(city), lambda error: last_known(city))`.

    In a worklet's definition `otherwise` is called once, so that its nodes are in the graph; they are skipped in a run
    in which the node does not fail. The node's retries come first. What the caller did wrong (BadInput) is still told
    to the caller.

    Args:
        value: what one node gives, or a part of it.
        otherwise: a function that places the nodes of the other way and returns its value. It has no parameter, or
            one: what went wrong, a text.
        name, join: what the decision, and the node that takes the value, are called in the graph.

    Returns:
        The node's value, or that of the other way.

    Raises:
        DefinitionError: it is not given a node's value, or no function.
    """
    trace = current_trace()
    if trace is None:
        return value  # the node has run already: outside a definition its failure is an ordinary exception
    check_arms("recover()", otherwise=otherwise)
    origin = reference(value) if isinstance(value, Symbol) else None
    if not isinstance(origin, FromNode):
        fault = definition_fault(
            f"recover() wants what a node gives and found {value!r}.",
            place=caller_place(),
            fix="write recover(my_node(...), lambda: ...)",
        )
        raise DefinitionError("A recovery is defined wrongly.", faults=[fault])
    whole = Symbol(FromNode(node=origin.node))
    _may_fail(trace, origin.node)
    made = trace.place(replace(_RECOVER, name=name), (whole,), {})
    error = Symbol(reference(made), str, _ERROR)
    given = (error,) if inspect.signature(otherwise).parameters else ()
    return cast(R, joined_arms(trace, made, lambda: otherwise(*given), lambda: value, join))


def _may_fail(trace: Trace, id: str) -> None:
    """Note that the node's failure does not end the run."""
    index = next(index for index, node in enumerate(trace.nodes) if node.id == id)
    node = trace.nodes[index]
    if node.on_error is not None or node.kind == "decide":
        why = "is a decision" if node.kind == "decide" else "has a value for its failure, or is in a recover() already"
        fault = definition_fault(f"it {why}, so there is nothing to recover from.", node=id, place=caller_place())
        raise DefinitionError("A recovery is defined wrongly.", faults=[fault])
    trace.nodes[index] = node.model_copy(update={"on_error": "branch"})


def _failed(value: Any) -> Any:
    return value


_RECOVER = NodeDefinition("decide", "recover", shape_of(_failed), settings={"failed": True})


def is_recovery(node: GraphNode) -> bool:
    """Whether the node decides by the failure of another."""
    return node.kind == "decide" and bool(node.settings.get("failed"))


def error_of(reference: FromNode, recoveries: Set[str]) -> bool:
    """Whether the reference is to what went wrong."""
    return reference.node in recoveries and reference.path == _ERROR


def faults_of(document: GraphDocument) -> Iterator[tuple[GraphNode, str, str | None]]:
    """What is wrong with the recoveries of a document: the node, the fault, and the fix."""
    nodes = {node.id: node for node in document.nodes}
    recoveries = {node.id: node for node in document.nodes if is_recovery(node)}
    taken: dict[str, str] = {}
    for node in recoveries.values():
        value = node.arguments.get("value")
        source = nodes.get(value.node) if isinstance(value, FromNode) and not value.path else None
        if source is None or source.on_error != "branch":
            yield node, "it recovers from no node's failure.", 'take the whole value of a node with on_error "branch"'
        elif source.id in taken:
            yield node, f"it recovers from {source.id!r}, as {taken[source.id]!r} does.", "let one of them do it"
        else:
            taken[source.id] = node.id
            if source.when != node.when:
                yield node, f"it stands in another arm than {source.id!r}.", "give both the same `when`"
    for node in document.nodes:
        if node.on_error == "branch" and node.id not in taken:
            fix = 'add a node of the kind decide with the setting "failed", or give on_error a value'
            yield node, "its failure leads nowhere.", fix
        if node.when is not None and node.when.node in recoveries and not node.when.arm:
            yield node, "it stands in the arm in which nothing failed.", "let it take the value of the join"
        yield from _takers(node, nodes, set(recoveries), taken)
    for id in sorted(_nodes_of(document.output) & set(taken)):
        yield nodes[id], "the output takes its value, which is not there if it fails.", "take the value of the join"


def _takers(
    node: GraphNode, nodes: Mapping[str, GraphNode], recoveries: set[str], taken: Mapping[str, str]
) -> Iterator[tuple[GraphNode, str, str | None]]:
    """Who takes the value of a node that may fail: its decision, and the join where nothing failed."""
    for name, argument in node.arguments.items():
        for id in sorted(_nodes_of(argument) & set(taken)):
            decision = node.arguments.get("decision")
            joins = isinstance(decision, FromNode) and decision.node == taken[id] and name == "otherwise"
            if node.id in recoveries or (joins and isinstance(argument, FromNode)):
                continue
            msg = f"its argument {name!r} takes the value of {id!r}, which is not there if {id!r} fails."
            yield node, msg, f"take what joins the arms of {taken[id]!r}"
        for each in references(argument):
            if isinstance(each, FromNode) and error_of(each, recoveries):
                inside = Branch(node=each.node, arm=True) in arms_around(node, nodes)
                if not inside and not _joins(node, each.node, name):
                    yield node, f"its argument {name!r} takes an error outside its arm.", "let the arm return it"


def _joins(node: GraphNode, recovery: str, argument: str) -> bool:
    decision = node.arguments.get("decision")
    return argument == "then" and isinstance(decision, FromNode) and decision.node == recovery


def _nodes_of(argument: Argument) -> set[str]:
    return {each.node for each in references(argument) if isinstance(each, FromNode)}
