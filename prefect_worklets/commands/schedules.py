"""`worklets schedules`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .options import DataOption, JsonOption, client_of
from .output import local_time, print_json, print_rows

app = typer.Typer(help="The time triggers of the live worklets.", no_args_is_help=True)

WorkletArgument = Annotated[str, typer.Argument(help="The worklet.")]
NumberArgument = Annotated[int, typer.Argument(help="Which of its schedules, from 0.")]


@app.command("list")
def list_schedules(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the schedules, with when each is due next."""
    with client_of(data) as client:
        rows = client.schedules.list()
    if not as_json:
        rows = [{**row, "due": _when(row), "last": _local(row["last_us"])} for row in rows]
    columns = {
        "worklet": "WORKLET",
        "number": "NUMBER",
        "cron": "CRON",
        "timezone": "ZONE",
        "due": "DUE",
        "last": "LAST",
    }
    print_rows(rows, columns, as_json=as_json, none="No live worklet has a time trigger; pw.cron adds one.")


@app.command()
def pause(
    worklet: WorkletArgument, number: NumberArgument = 0, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Let a schedule rest until it is resumed."""
    with client_of(data) as client:
        _tell(client.schedules.pause(worklet, number), as_json)


@app.command()
def resume(
    worklet: WorkletArgument, number: NumberArgument = 0, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Go on with a schedule from its next time."""
    with client_of(data) as client:
        _tell(client.schedules.resume(worklet, number), as_json)


def _tell(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(row)
    else:
        print(f"{row['worklet']} {row['number']} ({row['cron']}): {_when(row)}")


def _when(row: dict[str, Any]) -> str:
    return "paused" if row["paused"] else _local(row["due_us"])


def _local(time_us: int | None) -> str:
    return "" if time_us is None else local_time(time_us)
