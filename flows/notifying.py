"""Notify nodes: a message to people, by whatever service a target's address names."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any, NoReturn

from pydantic import JsonValue

from ..connectors.errors import DefinitionError, NodeFailed, RequestFailed
from ..connectors.messages import UnknownTarget, send_message
from .context import RunContext
from .faults import caller_place, definition_fault
from .graph import GraphNode
from .hints import Parameter, Shape
from .inputs import Misfit, as_json_data
from .nodes import NodeDefinition, changed, node_id
from .secret_values import secret
from .steps import Getter, Step, Values
from .trace import current_trace

RETRIES, BACKOFF, TIMEOUT = 2, 1.0, 30.0


def notify(
    target: str,
    *,
    body: Any,
    title: Any = "",
    name: str = "notify",
    retries: int = RETRIES,
    backoff: float = BACKOFF,
    timeout: float = TIMEOUT,
    on_error: Any = "fail",
) -> None:
    """Send a message: `pw.notify("TEAM_SLACK", title="Refund", body=summary)`.

    Args:
        target: the name of a secret that holds the address, or the address itself where it holds no secret:
            `slack://…`, `mailto://…`, `json://host/hook` and some hundred more, as Apprise writes them.
        body: the text; anything else is written as JSON.
        title: the subject.
        name: the node's name in the graph.
        retries: how often an attempt is repeated that the service did not take.
        backoff: seconds before the first repeat; each further wait doubles.
        timeout: seconds that one attempt may take.
        on_error: "fail", or None: the run goes on although nobody was told.

    Raises:
        DefinitionError: outside a worklet's definition, or the target is no text.
    """
    trace = current_trace()
    if trace is None:
        _refuse("notify() is called outside a worklet's function.", "call it in a function under @pw.worklet")
    if not isinstance(target, str) or not target.strip():
        _refuse(f"notify() wants a target's name and found {target!r}.", "write the name of a secret, or an address")
    given = {"body": body} if isinstance(title, str) and not title else {"body": body, "title": title}
    settings: dict[str, JsonValue] = {"target": target}
    names = [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in given]
    shape = Shape(tuple(Parameter(each, keyword_only=True) for each in given), Any, inspect.Signature(names))
    definition = NodeDefinition(
        "notify", node_id(name), shape, settings=settings, retries=retries, backoff=backoff, timeout=timeout
    )
    trace.place(changed(definition, {"on_error": on_error}), (), given)


def _refuse(msg: str, fix: str) -> NoReturn:
    fault = definition_fault(msg, place=caller_place(), fix=fix)
    raise DefinitionError("A notify node is defined wrongly.", faults=[fault])


class NotifyStep(Step):
    """Sends a message, in a thread."""

    def __init__(self, node: GraphNode, slot: int, arguments: Mapping[str, Getter]) -> None:
        super().__init__(node, slot)
        self._arguments = dict(arguments)
        self._target = str(node.settings["target"])

    async def run(self, values: Values, context: RunContext, executor: Executor) -> Any:
        """Send it.

        Raises:
            SetupError: there is no secret of the target's name.
            NodeFailed: no service understands the target.
            RequestFailed: the service did not take the message.
        """
        texts = {name: self._text(get(values)) for name, get in self._arguments.items()}
        address = self._target if "://" in self._target else secret(self._target)
        shown = self._target.partition("://")[0]
        loop = asyncio.get_running_loop()
        try:
            taken = await loop.run_in_executor(executor, send_message, address, texts.get("title", ""), texts["body"])
        except UnknownTarget as error:
            raise NodeFailed(
                f"Node {self.id!r}: no service understands the target {shown!r} ({error}); "
                "write its address as Apprise does: slack://…, mailto://…, json://host/hook.",
                node=self.id, repeatable=False,
            ) from None  # fmt: skip
        if not taken:
            raise RequestFailed(f"Node {self.id!r}: {shown!r} did not take the message.", repeatable=True)

    def _text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        try:
            return json.dumps(as_json_data(value), indent=2, ensure_ascii=False)
        except Misfit as error:
            raise NodeFailed(f"Node {self.id!r} can't send it: {error}.", node=self.id, repeatable=False) from None
