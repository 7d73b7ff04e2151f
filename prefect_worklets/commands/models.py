"""`worklets models`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .options import DataOption, JsonOption, YesOption, client_of, confirm
from .output import print_fields, print_json, print_rows

app = typer.Typer(help="Deployed models and their versions.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The model.")]


@app.command("list")
def list_models(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the models."""
    with client_of(data) as client:
        rows = client.models.list()
    if not as_json:
        rows = [{**row, **{key: (row["live"] or {}).get(key) for key in ("framework", "tier")}} for row in rows]
    columns = {"name": "MODEL", "live_version": "LIVE", "framework": "FRAMEWORK", "tier": "RUNS", "updated_at": "SINCE"}
    print_rows(rows, columns, as_json=as_json, none="There is no model; `worklets deploy` or `pw.deploy` adds one.")


@app.command()
def show(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show a model: what it takes and answers, where it runs and why, and its versions."""
    with client_of(data) as client:
        details = client.models[name].details()
    if as_json:
        print_json(details)
        return
    shown = {**details, **(details.get("live") or details)}
    print_fields(shown, {
        "name": "Model", "description": "About", "labels": "Labels", "version": "Live", "framework": "Framework",
        "tier": "Runs", "tier_reason": "Because", "input_schema": "Takes", "output_schema": "Answers",
        "credit": "Credit", "error": "Error",
    })  # fmt: skip
    if "versions" in details:
        print()
        columns = {"version": "VERSION", "status": "STATUS", "created_at": "MADE", "error": "ERROR"}
        print_rows(details["versions"], columns, as_json=False, none="It has no version.")


@app.command()
def promote(
    name: NameArgument,
    version: Annotated[str, typer.Argument(help="The version that is to answer.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a version answer."""
    with client_of(data) as client:
        _tell(client.models[name].promote(version), as_json)


@app.command()
def rollback(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Let the version before the live one answer again."""
    with client_of(data) as client:
        _tell(client.models[name].rollback(), as_json)


@app.command()
def delete(name: NameArgument, yes: YesOption = False, data: DataOption = None) -> None:
    """Delete a model with all its versions."""
    confirm(f"Delete the model {name} with all its versions?", yes)
    with client_of(data) as client:
        client.models[name].delete()
    print(f"{name} is deleted")


def _tell(model: Any, as_json: bool) -> None:
    if as_json:
        print_json({"name": model.name, "version": model.version})
    else:
        print(f"{model.name} {model.version} is live")
