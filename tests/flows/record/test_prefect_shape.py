"""Runs and worklets in Prefect's shape: parameters, schema, states, task runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from prefect_worklets.connectors.tables import Run
from prefect_worklets.flows.graph import GraphDocument
from prefect_worklets.flows.prefect_shape import (
    MOST_NODES,
    deployment_spec,
    final_state,
    flow_run_spec,
    node_count,
    node_events,
    parameter_schema,
    parameters_of,
)
from record_runs import iris_graph, make_record

FLOW_RUN = "00000000-0000-0000-0000-000000000001"


def run_of(**changes: Any) -> Run:
    return Run(**asdict(make_record(**changes)))


@pytest.fixture
def graph() -> GraphDocument:
    return GraphDocument.model_validate(iris_graph("iris"))


class TestParameters:
    def test_the_body_is_the_one_parameter(self, graph: GraphDocument) -> None:
        assert parameters_of(run_of(), graph) == {"request": {"sepal_length": 5.1}}

    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            (b'{"a": 1, "b": 2}', {"a": 1, "b": 2}),
            (b"[1, 2]", {"input": [1, 2]}),
            (b"null", {"input": None}),
            (None, {}),
            (b'{"a": {"$truncated": 123456, "media_type": "image/png"}}', {"a": "image, 123 kB"}),
        ],
    )
    def test_without_a_graph_they_are_the_fields(self, given: bytes | None, shown: dict[str, Any]) -> None:
        assert parameters_of(run_of(input=given), None) == shown

    def test_what_prefect_would_fill_in_is_taken_literally(self) -> None:
        """A caller must not read the server's variables by naming them in a request."""
        sent = {"a": [{"__prefect_kind": "workspace_variable", "variable_name": "secret"}]}
        shown = parameters_of(run_of(input=json.dumps(sent).encode()), None)
        assert "__prefect_kind" not in shown["a"][0]
        assert shown["a"][0]["variable_name"] == "secret"


class TestSchema:
    def test_definitions_stand_where_prefect_looks(self, graph: GraphDocument) -> None:
        schema = parameter_schema(graph)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["properties"]["request"]["$ref"] == "#/definitions/Iris"
        assert schema["required"] == ["request"]
        jsonschema.validate({"request": {"sepal_length": 5}}, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"request": {"sepal_length": "long"}}, schema)

    def test_two_classes_of_one_name_stay_apart(self) -> None:
        def parameter(name: str, kind: str) -> dict[str, Any]:
            inner = {"type": "object", "properties": {"v": {"$ref": "#/$defs/Inner"}}}
            return {"name": name, "schema": {**inner, "$defs": {"Inner": {"type": kind}}}}

        graph = GraphDocument.model_validate(
            {"name": "w", "inputs": [parameter("a", "string"), parameter("b", "number"), parameter("c", "string")]}
        )
        schema = parameter_schema(graph)
        jsonschema.validate({"a": {"v": "x"}, "b": {"v": 1}, "c": {"v": "y"}}, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"a": {"v": "x"}, "b": {"v": "x"}, "c": {"v": "y"}}, schema)

    def test_a_worklet_without_a_graph_takes_anything(self) -> None:
        spec = deployment_spec("iris", 3, None)
        assert (spec.flow, spec.name, spec.version) == ("iris", "worklets", "3")
        jsonschema.validate({"whatever": 1}, dict(spec.parameter_schema))


class TestStates:
    @pytest.mark.parametrize(
        ("state", "type", "name"),
        [
            ("completed", "COMPLETED", "Completed"),
            ("failed", "FAILED", "Failed"),
            ("timed-out", "FAILED", "TimedOut"),
            ("cancelled", "CANCELLED", "Cancelled"),
            ("never-heard-of", "FAILED", "NeverHeardOf"),
        ],
    )
    def test_each_state_has_its_own(self, state: str, type: str, name: str) -> None:
        assert final_state(run_of(state=state))[:2] == (type, name)

    @pytest.mark.parametrize(
        ("us", "text"), [(412, "412 µs"), (3_210, "3.21 ms"), (1_500_000, "1.5 s"), (90_000_000, "90 s")]
    )
    def test_the_message_tells_the_true_duration(self, us: int, text: str) -> None:
        assert f"Took {text}, from 20" in final_state(run_of(duration_us=us)).message

    def test_the_message_tells_why_it_failed(self) -> None:
        assert final_state(run_of(state="failed")).message.startswith("label: no such species Took")

    def test_a_flow_run_says_what_it_was(self) -> None:
        run = run_of()
        spec = flow_run_spec(run, None)
        assert spec.key == run.id
        assert spec.name == f"iris-{run.id[-8:]}"
        assert set(spec.tags) == {"version:1", "trigger:api"}
        assert spec.labels["worklets.run-id"] == run.id
        assert spec.labels["worklets.principal"] == "alice"
        assert flow_run_spec(run, None, running=True).state.type == "RUNNING"


class TestNodeRuns:
    def test_edges_follow_the_arguments(self, graph: GraphDocument) -> None:
        events = list(node_events(run_of(), FLOW_RUN, graph))
        ids = [event["resource"]["prefect.resource.id"].removeprefix("prefect.task-run.") for event in events]
        inputs = [event["payload"]["task_run"]["task_inputs"] for event in events]
        assert inputs[0] == {"request": [{"input_type": "parameter", "name": "request"}]}
        assert inputs[1] == {"inputs": [{"input_type": "task_run", "id": ids[0]}]}
        assert inputs[2]["outputs"] == [{"input_type": "task_run", "id": ids[1]}]

    def test_sent_again_only_the_event_is_new(self, graph: GraphDocument) -> None:
        run = run_of()
        first, second = (list(node_events(run, FLOW_RUN, graph)) for _ in range(2))
        for one, two in zip(first, second, strict=True):
            assert one["id"] != two["id"]
            assert {**one, "id": ""} == {**two, "id": ""}
            UUID(one["payload"]["validated_state"]["id"])

    def test_a_node_that_ran_several_times_is_several_task_runs(self) -> None:
        nodes = [["each", "map", "completed", number, 1, None] for number in range(3)]
        events = list(node_events(run_of(nodes=nodes), FLOW_RUN, None))
        assert [event["payload"]["task_run"]["dynamic_key"] for event in events] == ["0", "1", "2"]
        assert len({event["resource"]["prefect.resource.id"] for event in events}) == 3

    def test_more_nodes_than_prefect_draws_are_left_out(self) -> None:
        run = run_of(nodes=[["each", "map", "completed", number, 1, None] for number in range(MOST_NODES + 5)])
        assert len(list(node_events(run, FLOW_RUN, None))) == node_count(run) == MOST_NODES

    def test_a_node_that_was_not_needed_is_shown_as_skipped(self) -> None:
        (event,) = node_events(run_of(nodes=[["a", "node", "skipped", 0, 0, None]]), FLOW_RUN, None)
        assert event["payload"]["validated_state"]["name"] == "Skipped"
        assert event["payload"]["task_run"]["run_count"] == 0
