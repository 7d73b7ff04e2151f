"""`worklets runs`."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated, Any

import orjson
import typer

from ..connectors.errors import NodeFailed
from .options import DataOption, JsonOption, client_of
from .output import duration, local_time, print_fields, print_json, print_rows

app = typer.Typer(help="What ran, with its input, output and times.", no_args_is_help=True)


@app.command("list")
def list_runs(
    worklet: Annotated[str | None, typer.Option(help="Only runs of this worklet.")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only those: queued, running, waiting, paused, completed, failed, timed-out or cancelled."),
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
    id: Annotated[str, typer.Argument(help="The run's id.")],
    node: Annotated[str | None, typer.Option(help="Show this node: what it was given, gave and logged.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run: input, output, error, and each node with its time; or one of its nodes."""
    with client_of(data) as client:
        if node is not None:
            _show_node(client.runs[id].node(node), as_json=as_json)
            return
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


def _show_node(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    took = found["duration_us"]
    shown = {**found, "took": duration(took) if took is not None else None}
    names = {
        "id": "Node", "kind": "Kind", "state": "State", "took": "Took", "attempts": "Attempts", "error": "Error",
        "given": "Input", "output": "Output", "settings": "Settings",
    }  # fmt: skip
    kept = found["is_kept"]
    print_fields(shown, {key: text for key, text in names.items() if kept or key not in ("given", "output")})
    for at_us, level, text in found["lines"]:
        print(f"{duration(at_us):>8} {level} {text}")


IdArgument = Annotated[str, typer.Argument(help="The run's id.")]


@app.command()
def cancel(id: IdArgument, data: DataOption = None) -> None:
    """Stop a submitted run that has not ended."""
    with client_of(data) as client:
        client.runs[id].cancel()
    print(f"{id} is asked to stop")


@app.command()
def pause(id: IdArgument, data: DataOption = None) -> None:
    """Let a submitted run rest: nodes that are under way end first, and no other begins."""
    with client_of(data) as client:
        client.runs[id].pause()
    print(f"{id} is asked to rest")


@app.command()
def resume(id: IdArgument, data: DataOption = None) -> None:
    """Let a paused run go on, with the nodes that have not ended."""
    with client_of(data) as client:
        client.runs[id].resume()
    print(f"{id} goes on")


@app.command()
def retry(id: IdArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Do a run that did not complete again, from the node that failed, as a new run."""
    with client_of(data) as client:
        made = client.runs[id].retry()
    if as_json:
        print_json({"id": made.id})
    else:
        print(made.id)


@app.command()
def replay(
    id: IdArgument,
    version: Annotated[int | None, typer.Option(help="The version's number; by default the live one.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the input of an ended run again on another version, and show what differs.

    The worklet does again what it does to others. The exit status is 1 if output, state or error differ.
    """
    with client_of(data) as client:
        made = client.runs[id].replay(version)
        if not as_json:
            print(f"run {made.id} does the input of {id} again ...", file=sys.stderr)
        with contextlib.suppress(NodeFailed):  # its failure is one of the things to compare
            made.result()
        found = made.differences()
    if as_json:
        print_json(found)
    else:
        _print_differences(found)
    raise typer.Exit(0 if found["same"] else 1)


def _print_differences(found: dict[str, Any]) -> None:
    sides = ("before", "after")
    labels = {side: f"V{found[side]['version']} {found[side]['state'].upper()}" for side in sides}
    if found["before"]["version"] == found["after"]["version"]:
        labels = {"before": labels["before"] + " BEFORE", "after": labels["after"] + " NOW"}
    rows = [
        {"path": each["path"] or "(all)"}
        | {side: _json(each[side]) if there else "—" for side, there in zip(sides, each["present"], strict=True)}
        for each in found["output"]
    ]
    rows += [{"path": "error", **{side: found["error"][side] or "—" for side in sides}}] if found["error"] else []
    if rows:
        print_rows(rows, {"path": "OUTPUT", **labels}, as_json=False, none="")
    else:
        print("State and output are the same.")
    if found["more_output"]:
        print("... and more")
    print()
    nodes = [
        {"id": node["id"]}
        | {
            side: f"{node[side]['state']}, {duration(node[side]['duration_us'])}" if node[side]["state"] else "—"
            for side in sides
        }
        for node in found["nodes"]
    ]
    print_rows(nodes, {"id": "NODE", **labels}, as_json=False, none="No node ran.")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
