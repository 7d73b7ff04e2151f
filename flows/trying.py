"""Tries one node of a draft: a worklet of this node alone is written, loaded and run, as a draft's run would be."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from typing import Any

import orjson

from ..connectors.access import Principal
from ..connectors.blanking import Blanks
from ..connectors.errors import BadInput, DefinitionError, Fault, NodeFailed, WorkletsError
from .editing import Draft, Edits
from .engine import Engine, error_record
from .node_details import details_of
from .project import Project, limit_requests, load_file
from .sketching import sketch

_NAME = "tried_node"


class NodeTrial:
    """Runs nodes of drafts.

    Args:
        edits: writes drafts.
        engine: runs what somebody waits for.
        blanks: takes secrets out of what is shown.
    """

    def __init__(self, edits: Edits, engine: Engine, blanks: Blanks) -> None:
        self._edits = edits
        self._engine = engine
        self._blanks = blanks

    async def run(self, name: str, draft: Draft, node: str, given: dict[str, Any], by: Principal) -> dict[str, Any]:
        """Run a node on these arguments: state, output, error, duration, and what it logged, as JSON.

        Raises:
            BadInput: there is no such node, or it decides between others.
            DefinitionError: the node's settings or its code have faults.
        """
        document = self._alone(draft, node, given)
        with ExitStack() as stack:
            project = await asyncio.to_thread(self._loaded, stack, name, draft, document)
            return await self._ended(project, given, by)

    def _loaded(self, stack: ExitStack, name: str, draft: Draft, document: dict[str, Any]) -> Project:
        """The worklet, loaded from a folder that is there until the stack is closed."""
        _, module = stack.enter_context(self._edits.composed(name, draft, document))
        project = load_file(module)
        if project.tree is not None:
            stack.callback(project.tree.close)
        faults: list[Fault] = []
        limit_requests(project, faults)
        if faults:
            raise DefinitionError("The project's settings are wrong.", faults=faults)
        return project

    def _alone(self, draft: Draft, id: str, given: dict[str, Any]) -> dict[str, Any]:
        """The document of a worklet that has this node alone, whose arguments are its inputs."""
        nodes = draft.document.get("nodes")
        found = [each for each in nodes if isinstance(each, dict) and each.get("id") == id] if nodes else []
        if len(found) != 1:
            raise BadInput(f"The draft has no node {id[:64]!r}.")
        if found[0].get("kind") in ("decide", "review"):
            raise BadInput(f"A {found[0]['kind']} node does nothing by itself; run the draft to see it.")
        checked = self._edits.check(draft)
        function = checked.functions.get(str(found[0].get("function")))
        known = function.parameters if function is not None and found[0].get("kind") != "map" else ()
        types = {each.name: each.document_type for each in known}
        node = {key: value for key, value in found[0].items() if key not in ("when", "on_error", "cache")}
        node["arguments"] = {name: {"input": name} for name in given}
        inputs = [{"name": name, **({"type": types[name]} if types.get(name) else {})} for name in given]
        return {"version": 1, "name": _NAME, "inputs": inputs, "nodes": [node], "output": {"node": id}}

    async def _ended(self, project: Project, given: dict[str, Any], by: Principal) -> dict[str, Any]:
        worklet = project.worklets[_NAME]
        inputs = await asyncio.to_thread(worklet.input.from_json, orjson.dumps(given))
        context = self._engine.context(_NAME, 0, by)
        execution = worklet.execution(self._engine, inputs, context)
        if not execution.advance():
            await execution.finish()
        if execution.state == "completed":
            with suppress(NodeFailed):  # the execution says it
                await execution.commit()
        error: WorkletsError | None = execution.error
        output = sketch(execution.plan.output(execution.values)) if execution.state == "completed" else None
        details = orjson.loads(details_of(execution) or b"{}")
        lines = [line for part in details.values() for line in part.get("lines", ())]
        shown = {
            "state": execution.state,
            "output": output,
            "error": error_record(error) if error is not None else None,
            "duration_us": execution.elapsed_us,
            "lines": lines,
        }
        blanked: dict[str, Any] = self._blanks.data(shown)
        return blanked
