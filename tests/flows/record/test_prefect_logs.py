"""What nodes log as Prefect's logs."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest
from fixtures_prefect import PrefectServer
from prefect_worklets.connectors.prefect_api import PrefectApi
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import RunDetails
from prefect_worklets.flows.journal import RunRecord
from prefect_worklets.flows.outbox import Outbox
from prefect_worklets.flows.prefect_logs import MOST_LINES, Logs, log_lines
from prefect_worklets.flows.recorder import Recorder
from record_runs import add_runs, add_worklet, make_record, rows_of


def keep_lines(store: Store, run: RunRecord, lines: dict[str, list[list[object]]]) -> None:
    content = orjson.dumps({node: {"lines": each} for node, each in lines.items()})
    with store.session() as session:
        session.add(RunDetails(run_id=run.id, started_us=run.started_us, content=content))


def test_lines_of_all_nodes_come_in_their_order_with_their_task_runs() -> None:
    run = make_record("iris", started_us=1_700_000_000_000_000)
    details = orjson.dumps(
        {
            "prepare": {"output": 1, "lines": [[10, "INFO", "first"], [900, "ERROR", "last\x00"]]},
            "label": {"lines": [[500, "ODD", "between"]]},
            "gone": {"lines": [[700, "WARNING", "of a node without an entry"]]},
        }
    )
    flow_run = str(uuid4())
    found = list(log_lines(run, flow_run, details))  # type: ignore[arg-type]
    assert [(each["message"], each["level"]) for each in found] == [
        ("first", 20),
        ("between", 20),
        ("of a node without an entry", 30),
        ("last", 40),
    ]
    assert datetime.fromisoformat(found[0]["timestamp"]) == datetime(2023, 11, 14, 22, 13, 20, 10, UTC)
    assert found[0]["task_run_id"] == found[3]["task_run_id"] != found[1]["task_run_id"]
    assert found[2]["task_run_id"] is None
    assert {each["flow_run_id"] for each in found} == {flow_run}


@pytest.mark.integration
async def test_prefect_has_each_line_once(sqlite_store: Store, prefect_server: PrefectServer) -> None:
    name = f"iris-{uuid4().hex[:6]}"
    add_worklet(sqlite_store, name)
    quick, long, silent = make_record(name), make_record(name, duration_us=20_000), make_record(name)
    add_runs(sqlite_store, [quick, long, silent])
    for run in (quick, long):
        keep_lines(sqlite_store, run, {"prepare": [[5, "INFO", f"begin {run.id}"]], "label": [[9, "WARNING", "odd"]]})

    async with PrefectApi(prefect_server.url) as api:
        logs = Logs(api, sqlite_store)
        recorder = Recorder(Outbox(sqlite_store), api, logs=logs)
        await recorder.step()
        await recorder.settle()
        flow_runs = prefect_server.ask("POST", "/flow_runs/filter", {"flows": {"name": {"any_": [name]}}})
        by_run = {run["labels"]["worklets.run-id"]: run["id"] for run in flow_runs}
        body = {"logs": {"flow_run_id": {"any_": list(by_run.values())}}}
        stored = prefect_server.ask("POST", "/logs/filter", body)
        assert sorted((each["flow_run_id"], each["message"], each["level"]) for each in stored) == sorted(
            line
            for run in (quick, long)
            for line in ((by_run[run.id], f"begin {run.id}", 20), (by_run[run.id], "odd", 30))
        )
        task_runs = prefect_server.ask("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [by_run[long.id]]}}})
        named = {run["id"]: run["task_key"] for run in task_runs}
        assert {named[each["task_run_id"]] for each in stored if each["flow_run_id"] == by_run[long.id]} == {
            "prepare",
            "label",
        }
        assert (logs.sent, logs.left_out) == (4, 0)

        # Sent again, as after a crash before the run was marked.
        rows = [row for row in rows_of(sqlite_store) if row.id == long.id]
        await logs.send([(row, by_run[row.id]) for row in rows])
        assert len(prefect_server.ask("POST", "/logs/filter", body)) == 4


@pytest.mark.integration
async def test_more_lines_than_a_batch_may_have_are_left_out_and_counted(
    sqlite_store: Store, prefect_server: PrefectServer
) -> None:
    name = f"iris-{uuid4().hex[:6]}"
    add_worklet(sqlite_store, name)
    run = make_record(name)
    add_runs(sqlite_store, [run])
    keep_lines(sqlite_store, run, {"prepare": [[n, "INFO", f"line {n}"] for n in range(MOST_LINES + 3)]})
    async with PrefectApi(prefect_server.url) as api:
        logs = Logs(api, sqlite_store)
        recorder = Recorder(Outbox(sqlite_store), api, logs=logs)
        await recorder.step()
        await recorder.settle()
        assert (logs.sent, logs.left_out) == (MOST_LINES, 3)
        (flow_run,) = prefect_server.ask("POST", "/flow_runs/filter", {"flows": {"name": {"any_": [name]}}})
        assert len(await api.log_lines([flow_run["id"]])) == MOST_LINES
