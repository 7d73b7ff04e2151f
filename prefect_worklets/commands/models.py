"""`worklets models`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from ..progress import working
from .options import DataOption, JsonOption, YesOption, client_of, confirm, settings_of
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
def export(
    name: Annotated[str, typer.Argument(help="The model, or NAME@VERSION; by default its live version.")],
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a folder for `bentoml build` and `bentoml serve`.")
    ] = None,
    bento: Annotated[bool, typer.Option("--bento", help="Build a bento into a BentoML store.")] = False,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="BENTOML_HOME",
            help="With --bento: the store; by default that of the data directory.",
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a model into a bento that stock BentoML serves, without a server of ours."""
    if (output is None) == (not bento):
        raise typer.BadParameter("give either --output DIR or --bento.")
    with client_of(data) as client:
        model = client.models[name]
        if output is not None:
            folder = model.export(output)
            print_json({"folder": str(folder)}) if as_json else print(folder)
            return
        home = store or settings_of(data).data.bentoml
        with working(f"Building a bento of {name}"):
            tag = model.export_bento(home)
    if as_json:
        print_json({"tag": tag, "store": str(home)})
    else:
        print(tag)
        print(f"\nNext: BENTOML_HOME={shlex.quote(str(home))} bentoml serve {tag}", file=sys.stderr)


@app.command()
def logs(
    name: NameArgument,
    lines: Annotated[int, typer.Option(min=1, max=5000, help="How many of the last ones.")] = 200,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what a model (NAME, or NAME@VERSION) has printed, and the tracebacks of what it raised."""
    with client_of(data) as client:
        found = client.models[name].logs(lines)
    if as_json:
        print_json(found)
    else:
        print("\n".join(found) if found else f"{name} has printed nothing")


@app.command()
def samples(
    name: NameArgument,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest.")] = 20,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a model (NAME, or NAME@VERSION) was asked and answered, newest first, as far as it is kept."""
    with client_of(data) as client:
        rows = client.models[name].samples(limit)
    if not as_json:
        rows = [{**row, **{key: _brief(row[key]) for key in ("inputs", "outputs")}} for row in rows]
    columns = {"at": "AT", "version": "VERSION", "seconds": "SECONDS", "inputs": "ASKED", "outputs": "ANSWERED"}
    print_rows(
        rows, columns, as_json=as_json, none=f"No sample of {name} is kept; `models monitor` says what is to be."
    )


@app.command()
def drift(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show how far what a model (NAME, or NAME@VERSION) is asked has moved from its reference, by feature."""
    with client_of(data) as client:
        found = client.models[name].drift()
    if as_json:
        print_json(found)
        return
    columns = {"feature": "FEATURE", "kind": "KIND", "distance": "DISTANCE", "p": "P", "drifted": "DRIFTED"}
    print_rows(found["features"], columns, as_json=False, none=found["says"] or "Nothing can be compared yet.")


@app.command()
def monitor(
    name: NameArgument,
    samples: Annotated[bool | None, typer.Option("--on/--off", help="Whether samples are kept.")] = None,
    sensitive: Annotated[
        list[str] | None, typer.Option(help="A field or column whose values are never kept; the whole list.")
    ] = None,
    per_minute: Annotated[float | None, typer.Option(help="At most so many a minute.")] = None,
    keep: Annotated[int | None, typer.Option(help="At most so many samples.")] = None,
    days: Annotated[float | None, typer.Option(help="None that is older.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Of one sample, as JSON.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is kept of a model's requests; without options, show it."""
    asked = {"samples": samples, "sensitive": sensitive, "per_minute": per_minute, "keep": keep, "days": days,
             "max_bytes": max_bytes}  # fmt: skip
    changes = {key: value for key, value in asked.items() if value is not None}
    with client_of(data) as client:
        rule = client.models[name].details()["monitor"]
        if changes:
            rule = client.models[name].change(monitor={**rule, **changes})["monitor"]
    if as_json:
        print_json(rule)
    else:
        print_fields(rule, {"samples": "Samples", "per_minute": "A minute", "max_bytes": "Bytes each", "keep": "Kept",
                            "days": "Days", "sensitive": "Sensitive"})  # fmt: skip


def _brief(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 60 else text[:59] + "…"


@app.command()
def edit(
    name: NameArgument,
    description: Annotated[str | None, typer.Option(help="What people read of it.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="NAME=TEXT; NAME= removes it.")] = None,
    metadata: Annotated[list[str] | None, typer.Option("--set", help="NAME=JSON or text; NAME= removes it.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the description, labels and metadata of a model."""
    with client_of(data) as client:
        model = client.models[name]
        there = model.details()
        changed = model.change(
            description=description,
            labels=_changed(there["labels"], label, "--label", str),
            metadata=_changed(there["metadata"], metadata, "--set", _value),
            revision=there["revision"],
        )
    if as_json:
        print_json(changed)
    else:
        print_fields(changed, {"name": "Model", "description": "About", "labels": "Labels", "metadata": "Metadata"})


@app.command()
def delete(
    name: NameArgument,
    yes: YesOption = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it even if worklets need it.")] = False,
    data: DataOption = None,
) -> None:
    """Delete a model with all its versions. Says which worklets and views need it, and then does not."""
    with client_of(data) as client:
        model = client.models[name]
        if force:
            for each in model.dependants():
                print(
                    f"needed by the {each['kind']} {each['name']}" + (f" ({each['through']})" * bool(each["through"]))
                )
        confirm(f"Delete the model {name} with all its versions?", yes)
        model.delete(force=force)
    print(f"{name} is deleted")


def _changed(
    there: dict[str, Any], given: list[str] | None, option: str, read: Callable[[str], Any]
) -> dict[str, Any] | None:
    """What is there with NAME=VALUE texts put in; None if none are given."""
    if not given:
        return None
    found = dict(there)
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE.", param_hint=option)
        if value:
            found[name] = read(value)
        else:
            found.pop(name, None)
    return found


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _tell(model: Any, as_json: bool) -> None:
    if as_json:
        print_json({"name": model.name, "version": model.version})
    else:
        print(f"{model.name} {model.version} is live")
