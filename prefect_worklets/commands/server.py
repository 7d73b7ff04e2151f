"""Commands about the server as a whole: up, status, login, doctor."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import DataOption, JsonOption, access_of, address_of, settings_of
from .output import print_aligned, print_json


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(status)
    app.command()(login)
    app.command()(doctor)


def up(
    project: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", exists=True, file_okay=False, help="A project to push now and after every change in it."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on; by default 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The port; by default 8700, or the next free one.")
    ] = None,
    data: DataOption = None,
    demo: Annotated[bool, typer.Option("--demo", help="Deploy the demo: a model, a worklet and a page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the addresses as one JSON object.")] = False,
) -> None:
    """Start everything, and keep it running until Ctrl-C."""
    settings = settings_of(data, host=host, port=port)
    from ..supervisor import up as run

    code = run(
        settings,
        project=project.resolve() if project is not None else settings.project,
        demo=demo or settings.demo,
        explicit_port=port is not None,
        as_json=as_json,
    )
    raise typer.Exit(code)


def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the processes of the running server."""
    from ..doctor import read_status

    document = read_status(settings_of(data).data)
    if as_json:
        print_json(document)
        return
    lines = [["PROCESS", "STATE", "PID", "RESTARTS", "SINCE"]]
    for child in document["processes"]:
        lines.append([child["name"], child["state"], str(child["pid"] or "-"), str(child["restarts"]), _ago(child)])
    print_aligned(lines)
    for child in document["processes"]:
        for line in child["last_lines"]:
            print(f"{child['name']}: {line}")


def login(
    user: Annotated[str, typer.Argument(help="Whom the link signs in.")] = "admin",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a new link that signs a user in, once, within a day."""
    with access_of(data) as access:
        # The first `up` makes this one; their link may be wanted before.
        found = access.ensure_user(user, "admin") if user == "admin" else access.user(user)
        token = access.create_login_link(found.id)
    url = f"{address_of(data)}/login/{token}"
    if as_json:
        print_json({"user": user, "url": url})
    else:
        print(url)


def doctor(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Check this installation and the running server; say what is missing, with the fix."""
    from ..doctor import examine

    findings = examine(settings_of(data))
    if as_json:
        print_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            mark = "ok  " if finding.ok else "FAIL" if finding.needed else "note"
            print(f"{mark}  {finding.name}: {finding.found}")
            if not finding.ok and finding.fix:
                print(f"      {finding.fix}")
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)


def _ago(child: dict[str, Any]) -> str:
    seconds = max(0, int(time.time() - child["since"]))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
