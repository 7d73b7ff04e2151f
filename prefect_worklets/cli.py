"""The command `worklets`. Each command imports what it needs when it runs, so that help comes at once."""

from __future__ import annotations

import os
import sys
from typing import TextIO

import typer

from .commands import (
    graphs,
    keys,
    models,
    project,
    reviews,
    runs,
    schedules,
    secrets,
    server,
    shares,
    traffic,
    users,
    versions,
    views,
    worker,
    zoo,
)
from .connectors.errors import WorkletsError

app = typer.Typer(
    name="worklets",
    help="Turn a trained model into an API, a workflow and a page that people use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
server.add_to(app)
project.add_to(app)
worker.add_to(app)
graphs.add_to(app)
versions.add_to(app)
shares.add_to(views.app)
traffic.add_to(models.app)
app.add_typer(models.app, name="models")
app.add_typer(zoo.app, name="zoo")
app.add_typer(runs.app, name="runs")
app.add_typer(reviews.app, name="reviews")
app.add_typer(schedules.app, name="schedules")
app.add_typer(views.app, name="views")
app.add_typer(users.app, name="users")
app.add_typer(keys.app, name="keys")
app.add_typer(secrets.app, name="secrets")


def main() -> None:
    """Run the command line. An error is one line on stderr and exit status 1; misuse is 2; Ctrl-C is 130."""
    try:
        app()
    except WorkletsError as error:
        print(_told(error), file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        _flush(sys.stdout)
        _flush(sys.stderr)


def _flush(stream: TextIO) -> None:
    """Write what waits in the buffer. Where the reader (`head`) has had enough it goes nowhere, and not at exit."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _told(error: WorkletsError) -> str:
    lines = ["error: " + " ".join(error.detail.split())]
    lines += [f"  {fault}" for fault in error.faults]
    lines += [f"  {note}" for note in getattr(error, "__notes__", ())]
    return "\n".join(lines)
