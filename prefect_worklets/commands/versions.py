"""Commands about the versions of a worklet: list, promote, roll back, compare."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from .options import DataOption, JsonOption, client_of
from .output import print_json, print_rows

NameArgument = Annotated[str, typer.Argument(help="The worklet.")]
_COLOURS = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(versions)
    app.command()(promote)
    app.command()(rollback)
    app.command()(diff)


def versions(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List a worklet's versions, newest first."""
    with client_of(data) as client:
        rows = client.worklets[name].versions()
    columns = {"version": "VERSION", "state": "STATE", "created_at": "PUSHED", "created_by": "BY"}
    print_rows(rows, columns, as_json=as_json, none="There is no version.")


def promote(
    name: NameArgument,
    version: Annotated[int, typer.Argument(help="The version that answers from now on.")],
    data: DataOption = None,
) -> None:
    """Let a version answer: a draft, or an earlier one."""
    with client_of(data) as client:
        client.worklets[name].promote(version)
    print(f"{name} {version} is live")


def rollback(name: NameArgument, data: DataOption = None) -> None:
    """Let the version before the live one answer again; drafts are passed over."""
    with client_of(data) as client:
        version = client.worklets[name].rollback()
    print(f"{name} {version} is live")


def diff(
    name: NameArgument,
    before: Annotated[int, typer.Argument(metavar="A", help="The version to compare.")],
    after: Annotated[int, typer.Argument(metavar="B", help="The version that it is compared with.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what version B has that version A has not, and the other way: in the graph and in the source."""
    with client_of(data) as client:
        found = client.worklets[name].diff(before, after)
    if as_json:
        print_json(found)
        return
    lines = "\n".join([*_graph_lines(found["graph"]), *_file_lines(found["files"])]).strip("\n").split("\n")
    for line in lines if lines != [""] else [f"Versions {before} and {after} are the same."]:
        typer.echo(typer.style(line, fg=_COLOURS.get(line[:1])) if sys.stdout.isatty() else line)


def _graph_lines(graph: Mapping[str, Any]) -> Iterator[str]:
    """Differences of the graph, as lines that begin as those of a diff do."""
    for change in graph["worklet"]:
        yield from _change(change["field"], change)
    for id in graph["removed"]:
        yield f"- node {id}"
    for id in graph["added"]:
        yield f"+ node {id}"
    for id, changes in graph["changed"].items():
        for change in changes:
            yield from _change(f"node {id}: {change['field']}", change)
    for sign, edges in (("-", graph["edges_removed"]), ("+", graph["edges_added"])):
        for giver, taker in edges:
            yield f"{sign} edge {giver} → {taker}"


def _change(what: str, change: Mapping[str, Any]) -> Iterator[str]:
    import orjson

    for sign, key in (("-", "before"), ("+", "after")):
        yield f"{sign} {what} {orjson.dumps(change[key]).decode()}"


def _file_lines(files: list[Mapping[str, Any]] | None) -> Iterator[str]:
    if files is None:
        yield "The source of one of them is not kept any more."
    for file in files or ():
        yield ""
        yield f"{file['name']} ({file['state']}{'' if file['lines'] else ', not shown'})"
        yield from file["lines"]
