"""`worklets reviews`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ..connectors.errors import BadInput
from .options import DataOption, JsonOption, client_of
from .output import local_time, print_fields, print_json, print_rows

app = typer.Typer(help="What runs ask people to decide.", no_args_is_help=True)
IdArgument = Annotated[str, typer.Argument(help="The review's id.")]


@app.command("list")
def list_reviews(
    state: Annotated[str, typer.Option(help="open, decided, expired, withdrawn or all.")] = "open",
    worklet: Annotated[str | None, typer.Option(help="Only those of this worklet.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what you may decide, those due first first."""
    with client_of(data) as client:
        rows = client.reviews.list(state, worklet=worklet, limit=limit)
    if not as_json:
        rows = [{**row, "asked": local_time(row["created_us"]), "due": _time(row["due_us"])} for row in rows]
    columns = {"id": "REVIEW", "worklet": "WORKLET", "title": "TITLE", "role": "FOR", "state": "STATE",
               "asked": "ASKED", "due": "DUE", "decided_by": "DECIDED BY"}  # fmt: skip
    print_rows(rows, columns, as_json=as_json, none="There is nothing to decide.")


@app.command()
def show(id: IdArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show a review: the value to be judged, and what was decided."""
    with client_of(data) as client:
        row = client.reviews.get(id)
    if as_json:
        print_json(row)
        return
    shown = {
        **row,
        "asked": local_time(row["created_us"]),
        "due": _time(row["due_us"]),
        "decided": _time(row["decided_us"]),
        "takes": ", ".join(row["schema"].get("properties", {})) or row["schema"].get("type", "anything"),
    }
    print_fields(shown, {
        "id": "Review", "title": "Title", "worklet": "Worklet", "run": "Run", "role": "For", "state": "State",
        "asked": "Asked", "due": "Due", "value": "Value", "takes": "Decision takes", "decision": "Decision",
        "decided_by": "Decided by", "decided": "Decided",
    })  # fmt: skip


@app.command()
def decide(
    id: IdArgument,
    approve: Annotated[bool | None, typer.Option("--approve/--reject", help="Say yes or no.")] = None,
    comment: Annotated[str, typer.Option(help="Why, with --approve or --reject.")] = "",
    decision: Annotated[str | None, typer.Option("--json", help="The decision as JSON, for other types.")] = None,
    data: DataOption = None,
) -> None:
    """Decide a review, once. Its run goes on."""
    if (approve is None) == (decision is None):
        raise typer.BadParameter("give one of --approve, --reject and --json")
    with client_of(data) as client:
        row = client.reviews.decide(id, _parsed(decision) if decision is not None else _verdict(approve, comment))
    print(f"{row['id']} is decided; the run {row['run']} goes on")


def _verdict(approve: bool | None, comment: str) -> dict[str, Any]:
    return {"approved": approve, "comment": comment}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadInput(f"--json is no JSON: {error}.") from None


def _time(at_us: int | None) -> str | None:
    return None if at_us is None else local_time(at_us)
