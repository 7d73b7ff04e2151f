"""`worklets models split|shadow|traffic`: who answers besides the live version."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..connectors.errors import BadInput
from .models import NameArgument
from .options import DataOption, JsonOption, client_of
from .output import print_json, print_rows

ClearOption = Annotated[bool, typer.Option("--clear", help="End it.")]


def traffic(
    name: NameArgument,
    differences: Annotated[
        bool, typer.Option("--differences", help="The requests that the shadow answered otherwise.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which versions answer, and what the shadow has seen."""
    with client_of(data) as client:
        if differences:
            rows = client.models[name].differences()
            columns = {"created_at": "WHEN", "kind": "KIND", "detail": "WHAT", "input": "INPUT"}
            print_rows(rows, columns, as_json=as_json, none="No answer of the shadow was another one.")
            return
        shown = client.models[name].traffic()
    _tell(shown, as_json)


def split(
    name: NameArgument,
    shares: Annotated[
        list[str] | None, typer.Argument(metavar="VERSION=PERCENT", help="Versions with their shares.")
    ] = None,
    clear: ClearOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give versions a share of the requests; the live version has the rest."""
    if clear == bool(shares):
        raise BadInput("Say VERSION=PERCENT for one or more versions, or --clear.")
    with client_of(data) as client:
        shown = client.models[name].split(_shares(shares or []))
    _tell(shown, as_json)


def shadow(
    name: NameArgument,
    version: Annotated[str, typer.Argument(help="The version that listens.")] = "",
    sample: Annotated[float, typer.Option("--sample", help="The share of the requests, 0 to 1.")] = 1.0,
    tolerance: Annotated[float, typer.Option("--tolerance", help="How far numbers may lie apart.")] = 1e-6,
    clear: ClearOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a version what the live one is asked, and compare; callers get the live version's answers."""
    if clear == bool(version):
        raise BadInput("Say a version, or --clear.")
    with client_of(data) as client:
        model = client.models[name]
        shown = model.shadow(None) if clear else model.shadow(version, sample=sample, tolerance=tolerance)
    _tell(shown, as_json)


def add_to(models: typer.Typer) -> None:
    """Add the commands to `worklets models`."""
    for command in (traffic, split, shadow):
        models.command()(command)


def _shares(given: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in given:
        version, _, percent = text.rpartition("=")
        try:
            found[version] = float(percent.removesuffix("%"))
        except ValueError:
            version = ""
        if not version:
            raise BadInput(f"{text!r} is not VERSION=PERCENT, such as 1.0.1=10.")
    return found


def _tell(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    columns = {"version": "VERSION", "percent": "PERCENT", "answered": "ANSWERED", "failed": "FAILED"}
    rows = [{**row, "percent": f"{row['percent']:g}"} for row in shown["versions"]]
    print_rows(rows, columns, as_json=False, none=f"No version of {shown['model']} is loaded.")
    seen = shown["shadow"]
    if seen is not None:
        print(
            f"\nShadow {seen['version']}: {seen['asked']} asked, {seen['equal']} equal, {seen['different']} different, "
            f"{seen['failed']} failed, {seen['dropped']} dropped"
        )
