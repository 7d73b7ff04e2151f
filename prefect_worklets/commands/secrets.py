"""`worklets secrets`. They work on the store, so the server need not run; a running one knows within seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import DataOption, JsonOption, settings_of, store_of
from .output import print_rows

if TYPE_CHECKING:
    from ..connectors.secrets import Secrets

app = typer.Typer(help="Secrets that nodes read with pw.secret(NAME).", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The secret's name.")]


@app.command("set")
def set_secret(name: NameArgument, data: DataOption = None) -> None:
    """Keep a secret: asked for without showing it, or read from standard input. It is never shown again."""
    if sys.stdin.isatty():
        value = typer.prompt("Value", hide_input=True, confirmation_prompt=True)
    else:
        value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    with _secrets_of(data) as secrets:
        secrets.set(name, value, "command line")
    print(f"{name} is set")


@app.command("list")
def list_secrets(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the secrets, without their values."""
    with _secrets_of(data) as secrets:
        rows = [secret._asdict() for secret in secrets.all()]
    columns = {"name": "SECRET", "set_by": "SET BY", "set_at": "SINCE"}
    print_rows(rows, columns, as_json=as_json, none="There is no secret yet; `worklets secrets set NAME` keeps one.")


@app.command()
def remove(name: NameArgument, data: DataOption = None) -> None:
    """Forget a secret."""
    with _secrets_of(data) as secrets:
        secrets.remove(name)
    print(f"{name} is removed")


@contextmanager
def _secrets_of(data: Path | None) -> Iterator[Secrets]:
    from ..connectors.secrets import Secrets, secrets_cipher

    settings = settings_of(data)
    with store_of(data) as store:
        key = settings.secrets_key.get_secret_value() if settings.secrets_key else None
        yield Secrets(store, secrets_cipher(settings.data, key))
