"""Tries one node of a draft: a worklet of this node alone is written, loaded and run, as a draft's run would be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import orjson

from ..connectors.access import Principal
from ..connectors.blanking import Blanks
from ..connectors.errors import BadInput, DefinitionError, Fault, NodeFailed, WorkletsError
from .editing import Draft, Edits, wanted_of
from .engine import Engine
from .failures import error_record
from .node_details import details_of
from .project import Project, limit_requests, load_file
from .project_hosts import ProjectHosts
from .sketching import sketch

_NAME = "tried_node"


class NodeTrial:
    """Runs nodes of drafts.

    Args:
        edits: writes drafts.
        engine: runs what somebody waits for.
        blanks: takes secrets out of what is shown.
        hosts: run nodes of worklets with requirements of their own.
    """

    def __init__(self, edits: Edits, engine: Engine, blanks: Blanks, hosts: ProjectHosts | None = None) -> None:
        self._edits = edits
        self._engine = engine
        self._blanks = blanks
        self._hosts = hosts

    async def run(self, name: str, draft: Draft, node: str, given: dict[str, Any], by: Principal) -> dict[str, Any]:
        """Run a node on these arguments: state, output, error, duration, and what it logged, as JSON.

        Raises:
            BadInput: there is no such node, or it decides between others.
            DefinitionError: the node's settings or its code have faults.
        """
        document = self._alone(draft, node, given)
        wanted = wanted_of(draft)
        with ExitStack() as stack:
            composed = self._edits.composed(name, draft, document)
            _, module = await asyncio.to_thread(stack.enter_context, composed)
            if wanted.own and self._hosts is not None:
                shown = await self._hosts.try_alone(wanted, module, given, by)
            else:
                project = await asyncio.to_thread(load_alone, module)
                if project.tree is not None:
                    stack.callback(project.tree.close)
                shown = await ran_alone(self._engine, project, given, by)
        blanked: dict[str, Any] = self._blanks.data(shown)
        return blanked

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
        alone = {"version": 1, "name": _NAME, "inputs": inputs, "nodes": [node], "output": {"node": id}}
        environment = {key: draft.document[key] for key in ("requirements", "python") if draft.document.get(key)}
        return {**alone, **environment}


def load_alone(module: Path) -> Project:
    """A module as a project of its own, with the limits of the folder's settings. Blocking. Raises DefinitionError."""
    project = load_file(module)
    faults: list[Fault] = []
    limit_requests(project, faults)
    if faults:
        if project.tree is not None:
            project.tree.close()
        raise DefinitionError("The project's settings are wrong.", faults=faults)
    return project


async def ran_alone(engine: Engine, project: Project, given: Mapping[str, Any], by: Principal | None) -> dict[str, Any]:
    """How the run of a tried node ended: state, output, error, duration, and what it logged. Raises BadInput."""
    worklet = project.worklets[_NAME]
    whole = worklet.input.body  # a model that is the only input is the body itself
    body = orjson.dumps(given if whole is None else given.get(whole, {}))
    inputs = await asyncio.to_thread(worklet.input.from_json, body)
    context = engine.context(_NAME, 0, by)
    execution = worklet.execution(engine, inputs, context)
    if not execution.advance():
        await execution.finish()
    if execution.state == "completed":
        with suppress(NodeFailed):  # the execution says it
            await execution.commit()
    error: WorkletsError | None = execution.error
    details = orjson.loads(details_of(execution) or b"{}")
    return {
        "state": execution.state,
        "output": sketch(execution.plan.output(execution.values)) if execution.state == "completed" else None,
        "error": error_record(error) if error is not None else None,
        "duration_us": execution.elapsed_us,
        "lines": [line for part in details.values() for line in part.get("lines", ())],
    }
