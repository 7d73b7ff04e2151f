"""Review nodes: a person decides. The run waits in the store, without a process."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from pydantic import BaseModel, Field, JsonValue, ValidationError

from ..connectors.errors import Conflict, DefinitionError, NodeFailed, TookTooLong
from .context import RunContext
from .faults import caller_place, definition_fault
from .graph import GraphNode
from .hint_text import written_hint
from .hints import Parameter, Shape, adapter_of, name_of, schema_of
from .inputs import Misfit, as_json_bytes
from .nodes import NodeDefinition, node_id
from .steps import Getter, Step, Suspended, Values, with_stored_images
from .trace import current_trace

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DUE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_ROLES = ("operator", "builder", "admin")
NEEDS_A_RUN = (
    "A person decides in it, which may take days: submit it as a run "
    "(POST /api/worklets/{name}/runs, `worklets invoke {name} --later`, or .submit(...)) and ask for its result later."
)


class Decision(BaseModel):
    """What a person says of a value, where a review asks for nothing else."""

    approved: bool
    comment: str = Field(default="", max_length=2_000, json_schema_extra={"format": "long-text"})


class ReviewNode:
    """A person's decision as a node. Made by `review`."""

    def __init__(self, definition: NodeDefinition) -> None:
        self._definition = definition

    def __call__(self, value: Any) -> Any:
        """Place the node: `value` is what the person judges. Raises DefinitionError outside a worklet's definition."""
        trace = current_trace()
        if trace is None:
            fault = definition_fault(
                "review() is called outside a worklet's function.",
                place=caller_place(),
                fix="call it in a function under @pw.worklet, not in a node",
            )
            raise DefinitionError("People are asked by a worklet's run.", faults=[fault])
        return trace.place(self._definition, (value,), {})

    def __repr__(self) -> str:
        return f"<review {self._definition.name!r}>"


def review(
    *,
    title: str = "",
    role: str = "operator",
    due: str | float | None = None,
    on_due: Any = "fail",
    returns: Any = Decision,
    name: str = "review",
) -> ReviewNode:
    """A person decides: `verdict = review(title="Pay it?", due="2d", on_due="reject")(invoice)`.

    The run waits until somebody has decided, in the console's inbox or by the API, however long that takes.

    Args:
        title: what the person is asked.
        role: who may decide: operator, builder or admin, and everybody above.
        due: how long there is time: `"2d"`, `"4h"`, `"30m"`, `"1w"`, or seconds; None waits for ever.
        on_due: what happens then: "fail" fails the node; "approve" and "reject" stand for a `Decision`; a mapping is
            the decision itself.
        returns: the type of the decision, of which the form is made: a pydantic model or any other hint.
        name: the node's name in the graph.

    Raises:
        DefinitionError: an argument doesn't fit.
    """
    seconds, faults = _seconds(due)
    if role not in _ROLES:
        faults.append((f"its role is {role!r}.", f"use one of {', '.join(_ROLES)}"))
    outcome, wrong = _outcome(on_due, returns)
    faults += wrong
    if faults:
        place = caller_place()
        raise DefinitionError(
            "A review is defined wrongly.",
            faults=[definition_fault(msg, node=name, place=place, fix=fix) for msg, fix in faults],
        )
    settings: dict[str, JsonValue] = {"title": title, "role": role, "due": seconds, "on_due": outcome}
    if returns is not Decision and (text := written_hint(returns)) not in (None, "Any"):
        settings["returns"] = text
    shape = Shape(
        (Parameter("value"),),
        returns,
        inspect.Signature([inspect.Parameter("value", inspect.Parameter.POSITIONAL_OR_KEYWORD)]),
    )
    return ReviewNode(NodeDefinition("review", node_id(name), shape, settings=settings))


def _seconds(due: Any) -> tuple[float | None, list[tuple[str, str | None]]]:
    if due is None:
        return None, []
    found = _DUE.fullmatch(due.strip()) if isinstance(due, str) else None
    seconds = float(found[1]) * _UNITS[found[2]] if found else due
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 10 * 366 * 86_400:
        return None, [(f"due is {due!r}.", 'write "30m", "4h", "2d", "1w" or seconds')]
    return float(seconds), []


def _outcome(on_due: Any, returns: Any) -> tuple[JsonValue, list[tuple[str, str | None]]]:
    """ "fail", or `{"value": the decision}`."""
    if on_due == "fail":
        return "fail", []
    if on_due in ("approve", "reject"):
        if returns is not Decision:
            return "fail", [(f"on_due is {on_due!r}, and it returns {name_of(returns)}.", "give the decision itself")]
        on_due = {"approved": on_due == "approve", "comment": "Nobody decided in time."}
    adapter = adapter_of(returns)
    try:
        value = adapter.validate_python(on_due) if adapter is not None else on_due
        return {"value": adapter.dump_python(value, mode="json") if adapter is not None else value}, []
    except (ValidationError, ValueError) as error:
        said = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
        words = '"fail", "approve", "reject"' if returns is Decision else '"fail"'
        fix = f"use {words} or a whole {name_of(returns)}"
        return "fail", [(f"on_due is {on_due!r}, which is no {name_of(returns)}: {said}.", fix)]


def faults_of(node: GraphNode) -> Iterator[tuple[str, str | None]]:
    """What is wrong with the settings of a review in a document: pairs of fault and fix."""
    settings = node.settings
    if settings.get("role") not in _ROLES:
        yield f"its role is {settings.get('role')!r}.", f"use one of {', '.join(_ROLES)}"
    _, wrong = _seconds(settings.get("due"))
    yield from wrong
    outcome = settings.get("on_due", "fail")
    if outcome != "fail" and not (isinstance(outcome, dict) and set(outcome) == {"value"}):
        yield f"its on_due is {outcome!r}.", 'write "fail" or {"value": ...}'


class ReviewStep(Step):
    """Asks people, and goes on once one of them has decided."""

    def __init__(self, node: GraphNode, slot: int, value: Getter, returns: Any) -> None:
        super().__init__(node, slot)
        self._value = value
        self._returns = returns
        self._title = str(node.settings.get("title") or "")
        self._role = str(node.settings["role"])
        due, _ = _seconds(node.settings.get("due"))
        self._due_seconds = due
        self._on_due = node.settings.get("on_due", "fail")

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """The decision.

        Raises:
            Suspended: nobody has decided yet.
            Conflict: the run is one that somebody waits for.
            TookTooLong: nobody has decided in time, and on_due is "fail".
            NodeFailed: the value can't be shown, or the decision doesn't fit any more.
        """
        reviews = context.services.reviews
        if reviews is None or context.checkpoints is None:
            raise Conflict(f"Node {self.id!r} is a review. {NEEDS_A_RUN.format(name=context.worklet)}")
        try:
            shown = as_json_bytes(await with_stored_images(self._value(values), context))
        except Misfit as error:
            raise NodeFailed(f"Node {self.id!r} can't show its value: {error}.", node=self.id) from None
        found = await reviews.ask(
            context, self.id, title=self._title, role=self._role, value=shown, schema=schema_of(self._returns),
            due_seconds=self._due_seconds, on_due=self._on_due,
        )  # fmt: skip
        if found.state == "open":
            raise Suspended(self.id)
        if found.state == "expired" and self._on_due == "fail":
            raise TookTooLong(f"Node {self.id!r}: nobody decided {self._title or 'it'!r} in time.")
        adapter = adapter_of(self._returns)
        try:
            return adapter.validate_python(found.decision) if adapter is not None else found.decision
        except ValidationError as error:
            raise NodeFailed(
                f"Node {self.id!r}: the decision is no {name_of(self._returns)}: {error.errors()[0]['msg']}.",
                node=self.id, repeatable=False,
            ) from None  # fmt: skip


def fitted_decision(returns: Any, decision: Any) -> Any:
    """A decision as JSON data, checked against the review's type. Raises BadInput with every fault."""
    from .inputs import bad_input

    adapter = adapter_of(returns)
    if adapter is None:
        return decision
    try:
        return adapter.dump_python(adapter.validate_python(decision), mode="json")
    except ValidationError as error:
        raise bad_input(error) from None


def waits_for_people(nodes: tuple[GraphNode, ...]) -> bool:
    """Whether a graph has a review."""
    return any(node.kind == "review" for node in nodes)
