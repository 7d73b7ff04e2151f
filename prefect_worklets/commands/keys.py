"""`worklets keys`. They work on the store, so the server need not run; whoever may read it is trusted."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from .options import DataOption, JsonOption, access_of
from .output import print_json, print_rows

app = typer.Typer(help="Keys by which programs call.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The key's name.")]


@app.command()
def create(
    name: NameArgument,
    role: Annotated[str, typer.Option(help="viewer, operator, builder or admin.")] = "operator",
    days: Annotated[float | None, typer.Option(min=0, help="How long it is valid; by default for ever.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="worklet:NAME or model:NAME, to reach that alone; may be repeated.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it. It is shown this once."""
    with access_of(data) as access:
        key = access.create_key(
            name, role, life=timedelta(days=days) if days is not None else None, scopes=scope or None
        )
    if as_json:
        print_json({"key": key})
    else:
        print(key)


@app.command("list")
def list_keys(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the keys, without the secrets."""
    with access_of(data) as access:
        rows = [key.model_dump(exclude={"key_hash"}) for key in access.keys()]  # noqa: SIM118
    columns = {
        "name": "KEY", "role": "ROLE", "scopes": "REACHES", "created_at": "SINCE", "expires_at": "EXPIRES",
        "revoked_at": "REVOKED",
    }  # fmt: skip
    print_rows(rows, columns, as_json=as_json, none="There is no key yet; `worklets keys create` makes one.")


@app.command()
def revoke(name: NameArgument, data: DataOption = None) -> None:
    """End a key; it passes for a few seconds at most."""
    with access_of(data) as access:
        access.revoke_key(name)
    print(f"{name} is revoked")
