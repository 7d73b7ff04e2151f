"""`worklets runs`."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import DataOption, JsonOption, client_of
from .output import duration, local_time, print_fields, print_json, print_rows

app = typer.Typer(help="What ran, with its input, output and times.", no_args_is_help=True)


@app.command("list")
def list_runs(
    worklet: Annotated[str | None, typer.Option(help="Only runs of this worklet.")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only those: queued, running, waiting, completed, failed, timed-out or cancelled."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    with client_of(data) as client:
        rows = client.runs.list(worklet=worklet, state=state, limit=limit)
    if not as_json:
        times = [{"started": local_time(row["started_us"]), "took": duration(row["duration_us"])} for row in rows]
        rows = [{**row, **more} for row, more in zip(rows, times, strict=True)]
    columns = {"id": "RUN", "worklet": "WORKLET", "version": "VERSION", "state": "STATE", "trigger": "BY",
               "started": "STARTED", "took": "TOOK", "error": "ERROR"}  # fmt: skip
    print_rows(rows, columns, as_json=as_json, none="There is no such run yet.")


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="The run's id.")], data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Show a run: input, output, error, and each node with its time."""
    with client_of(data) as client:
        run = client.runs.get(id)
    if as_json:
        print_json(run)
        return
    error = run["error"] or {}
    shown = {
        **run,
        "started": local_time(run["started_us"]),
        "took": duration(run["duration_us"]),
        "error": error.get("detail"),
    }
    print_fields(shown, {
        "id": "Run", "worklet": "Worklet", "version": "Version", "state": "State", "trigger": "By",
        "started": "Started", "took": "Took", "input": "Input", "output": "Output", "error": "Error",
    })  # fmt: skip
    nodes = [{**node, "took": duration(node["duration_us"])} for node in run["nodes"]]
    if nodes:
        print()
        columns = {"id": "NODE", "kind": "KIND", "state": "STATE", "took": "TOOK", "error": "ERROR"}
        print_rows(nodes, columns, as_json=False, none="")
    if error.get("traceback"):
        print(f"\n{error['traceback']}")


IdArgument = Annotated[str, typer.Argument(help="The run's id.")]


@app.command()
def cancel(id: IdArgument, data: DataOption = None) -> None:
    """Stop a submitted run that has not ended."""
    with client_of(data) as client:
        client.runs[id].cancel()
    print(f"{id} is asked to stop")


@app.command()
def retry(id: IdArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Do a run that did not complete again, from the node that failed, as a new run."""
    with client_of(data) as client:
        made = client.runs[id].retry()
    if as_json:
        print_json({"id": made.id})
    else:
        print(made.id)
