"""`worklets zoo`."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import DataOption, JsonOption, client_of
from .output import print_json, print_rows

app = typer.Typer(help="Models that are ready to deploy.", no_args_is_help=True)


@app.command("list")
def list_entries(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List what the zoo has."""
    with client_of(data) as client:
        rows = client.zoo.list()
    columns = {"name": "NAME", "task": "OF", "description": "WHAT IT DOES", "credit": "CREDIT"}
    print_rows(rows, columns, as_json=as_json, none="The zoo is empty.")


@app.command()
def deploy(
    entry: Annotated[str, typer.Argument(help="Its name in the zoo.")],
    name: Annotated[str | None, typer.Option(help="What the model is called here; by default as in the zoo.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy a model of the zoo, and wait until it answers."""
    with client_of(data) as client:
        made = client.zoo.deploy(entry, name=name)
    if as_json:
        print_json({"name": made.name, "version": made.version})
    else:
        print(f"{made.name} {made.version} is live")
