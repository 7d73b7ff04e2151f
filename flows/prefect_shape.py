"""A worklet and its runs in the shape that Prefect shows: deployment, flow run, task runs with their edges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import orjson

from ..connectors.prefect_api import DeploymentSpec, FlowRunSpec, PrefectState
from ..connectors.tables import Run
from .graph import FromInput, FromNode, GraphDocument, GraphNode, references
from .shortening import readable

DEPLOYMENT_NAME = "worklets"
# The trigger of a run that Prefect's worker handed over: its flow run was there first.
STARTED_THERE = "prefect"
WORK_POOL = "worklets"
WORKER_TYPE = "worklets"
# What a run may be given besides its parameters. The server has all that it needs; Prefect wants something here.
_RUN_NAME = {"title": "Name", "type": "string", "description": "A name for the run's infrastructure.", "default": ""}
JOB_TEMPLATE: dict[str, Any] = {
    "job_configuration": {"name": "{{ name }}"},
    "variables": {"type": "object", "properties": {"name": _RUN_NAME}},
}
RUNNING = PrefectState("RUNNING", "Running")
# Prefect refuses to draw a graph of more nodes.
MOST_NODES = 1000
_MOST_TEXT = 4000
_NAMESPACE = uuid5(NAMESPACE_URL, "prefect-worklets:node-run")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A mapping with this key would be taken by Prefect as a template to fill in, with its variables and blocks.
_TEMPLATE_KEY = "__prefect_kind"
_STATES = {
    "completed": ("COMPLETED", "Completed"),
    "failed": ("FAILED", "Failed"),
    "timed-out": ("FAILED", "TimedOut"),
    "cancelled": ("CANCELLED", "Cancelled"),
    "skipped": ("CANCELLED", "Skipped"),
}


def deployment_spec(worklet: str, version: int, graph: GraphDocument | None) -> DeploymentSpec:
    """The deployment `worklet/worklets` of a version; without its graph it takes any parameters."""
    return DeploymentSpec(
        flow=worklet,
        name=DEPLOYMENT_NAME,
        version=str(version),
        description=graph.description if graph else "",
        tags=["worklets", *(tag for tag in (graph.tags if graph else ()) if tag != "worklets")],
        parameter_schema=parameter_schema(graph),
        work_pool=WORK_POOL,
    )


def parameter_schema(graph: GraphDocument | None) -> dict[str, Any]:
    """The JSON schema of a worklet's parameters, with shared definitions at its top, where Prefect looks for them."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for position, parameter in enumerate(graph.inputs if graph else ()):
        schema = _hoisted(parameter.schema_, parameter.name, definitions)
        properties[parameter.name] = {"title": parameter.name, **schema, "position": position}
    required = [parameter.name for parameter in (graph.inputs if graph else ()) if parameter.required]
    return {
        "title": "Parameters",
        "type": "object",
        "properties": properties,
        "required": required,
        "definitions": definitions,
    }


def flow_run_spec(run: Run, graph: GraphDocument | None, *, running: bool = False) -> FlowRunSpec:
    """The flow run of a run, in its last state or, with `running`, on its way there."""
    labels: dict[str, str | int | float | bool] = {
        "worklets.run-id": run.id,
        "worklets.version": run.version,
        "worklets.trigger": run.trigger,
        "worklets.started": _time(run.started_us).isoformat(),
        "worklets.duration-ms": run.duration_us / 1000,
    }
    if run.principal:
        labels["worklets.principal"] = run.principal
    return FlowRunSpec(
        key=run.id,
        # The end of the id: its beginning is the time.
        name=f"{run.worklet}-{run.id[-8:]}",
        state=RUNNING if running else final_state(run),
        parameters=parameters_of(run, graph),
        tags=[f"version:{run.version}", f"trigger:{run.trigger}", *([f"parent:{run.parent}"] if run.parent else ())],
        labels=labels,
    )


def final_state(run: Run) -> PrefectState:
    """The state in which a run ended, with how long it took and why it failed."""
    type, name = _state(run.state)
    took = f"Took {_duration(run.duration_us)}, from {_time(run.started_us):%Y-%m-%d %H:%M:%S.%f} UTC."
    reason = _reason(run.error)
    return PrefectState(type, name, f"{reason} {took}" if reason else took)


def parameters_of(run: Run, graph: GraphDocument | None) -> dict[str, Any]:
    """The run's input as parameters of its flow, with what is too large to show shortened."""
    if run.input is None:
        return {}
    value = _without_templates(readable(orjson.loads(run.input)))
    if graph is not None and graph.body is not None:
        return {graph.body: value}
    return value if isinstance(value, dict) else {"input": value}


def node_count(run: Run) -> int:
    """How many task runs the run has in Prefect."""
    return min(len(run.nodes), MOST_NODES)


def node_events(run: Run, flow_run_id: str, graph: GraphDocument | None) -> Iterator[dict[str, Any]]:
    """One event a node run, from which Prefect makes a task run with its true times, state and edges.

    Sending them again changes nothing: task run and state have ids that follow from the run. The event's own id is
    new each time, since Prefect ignores an event that it has seen, even one that it then dropped.
    """
    definitions = {node.id: node for node in graph.nodes} if graph else {}
    entries = run.nodes[:MOST_NODES]
    ids = task_run_ids(run)
    seen: Counter[str] = Counter()
    for entry in entries:
        node = str(entry[0])
        index = seen[node]
        seen[node] += 1
        inputs = _task_inputs(definitions.get(node), ids)
        yield _node_event(run, flow_run_id, entry, index, ids[node][index], inputs)


def _node_event(
    run: Run, flow_run_id: str, entry: Sequence[Any], index: int, task_run_id: str, inputs: dict[str, Any]
) -> dict[str, Any]:
    node, kind, state, offset_us, duration_us, error = (*entry, None)[:6]
    type, state_name = _state(state)
    start = _time(run.started_us + int(offset_us))
    end = start + timedelta(microseconds=int(duration_us))
    name = str(node) if index == 0 else f"{node}-{index}"
    message = _reason(error)
    return {
        "id": str(uuid4()),
        "occurred": end.isoformat(),
        "event": f"prefect.task-run.{state_name}",
        "resource": {
            "prefect.resource.id": f"prefect.task-run.{task_run_id}",
            "prefect.resource.name": name,
            "prefect.state-name": state_name,
            "prefect.state-type": type,
            "prefect.state-message": message,
            "prefect.orchestration": "client",
        },
        "related": [{"prefect.resource.id": f"prefect.flow-run.{flow_run_id}", "prefect.resource.role": "flow-run"}],
        "payload": {
            "intended": {"from": "RUNNING", "to": type},
            "initial_state": {"type": "RUNNING", "name": "Running"},
            "validated_state": {
                "id": str(uuid5(_NAMESPACE, f"{task_run_id}/state")),
                "type": type,
                "name": state_name,
                "message": message or None,
            },
            "task_run": {
                "name": name,
                "task_key": str(node),
                "dynamic_key": _dynamic_key(run, flow_run_id, index),
                "tags": [str(kind)],
                "expected_start_time": start.isoformat(),
                "start_time": start.isoformat(),
                "end_time": end.isoformat(),
                "total_run_time": int(duration_us) / 1_000_000,
                "run_count": 0 if state == "skipped" else 1,
                "task_inputs": inputs,
            },
        },
    }


def _dynamic_key(run: Run, flow_run_id: str, index: int) -> str:
    # A flow run has one task run of each key; one that was retried in Prefect has those of several runs.
    again = run.trigger == STARTED_THERE and run.id != UUID(flow_run_id).hex
    return f"{run.id[-8:]}-{index}" if again else str(index)


def task_run_ids(run: Run) -> dict[str, list[str]]:
    """The ids of the task runs of a run, by node: they follow from the run's own, so that each is known beforehand."""
    ids: dict[str, list[str]] = {}
    for entry in run.nodes[:MOST_NODES]:
        of_node = ids.setdefault(str(entry[0]), [])
        of_node.append(str(uuid5(_NAMESPACE, f"{run.id}/{entry[0]}/{len(of_node)}")))
    return ids


def _task_inputs(node: GraphNode | None, ids: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Where each argument came from; Prefect draws an edge for each task run named here."""
    inputs: dict[str, Any] = {}
    for name, argument in node.arguments.items() if node else ():
        sources: list[dict[str, str]] = []
        for reference in references(argument):
            if isinstance(reference, FromNode):
                sources += [{"input_type": "task_run", "id": id} for id in ids.get(reference.node, ())]
            elif isinstance(reference, FromInput):
                sources.append({"input_type": "parameter", "name": reference.input})
        inputs[name] = sources
    return inputs


def _hoisted(schema: Mapping[str, Any], parameter: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema without definitions of its own: they go to `definitions`, under a new name where it is taken."""
    own = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    names = {
        name: name if definitions.get(name, _moved(body, {})) == _moved(body, {}) else f"{parameter}.{name}"
        for name, body in own.items()
    }
    for name, body in own.items():
        definitions[names[name]] = _moved(body, names)
    rest = {key: part for key, part in schema.items() if key not in ("$defs", "definitions")}
    moved: dict[str, Any] = _moved(rest, names)
    return moved


def _moved(part: Any, names: Mapping[str, str]) -> Any:
    if isinstance(part, list):
        return [_moved(item, names) for item in part]
    if not isinstance(part, dict):
        return part
    moved = {key: _moved(item, names) for key, item in part.items()}
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith(("#/$defs/", "#/definitions/")):
        name = reference.rsplit("/", 1)[1]
        moved["$ref"] = f"#/definitions/{names.get(name, name)}"
    return moved


def _without_templates(value: Any) -> Any:
    if isinstance(value, dict):
        return {f"{key} " if key == _TEMPLATE_KEY else key: _without_templates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_templates(item) for item in value]
    return value


def _state(state: Any) -> tuple[str, str]:
    return _STATES.get(str(state), ("FAILED", str(state).title().replace("-", "")))


def _reason(error: Any) -> str:
    if error is None:
        return ""
    if isinstance(error, dict):
        error = next((error[key] for key in ("detail", "message", "title", "type") if error.get(key)), error)
    text = str(error)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]} …"


def _time(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def _duration(us: int) -> str:
    if us < 1000:
        return f"{us} µs"
    if us < 1_000_000:
        return f"{us / 1000:.3g} ms"
    return f"{us / 1_000_000:.3g} s"
