"""`worklets users`. They work on the store, so the server need not run; whoever may read it is trusted."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import DataOption, JsonOption, access_of
from .output import print_json, print_rows

app = typer.Typer(help="Who may sign in.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The user.")]
RoleOption = Annotated[str, typer.Option(help="viewer, operator, builder or admin.")]


@app.command("list")
def list_users(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the users."""
    with access_of(data) as access:
        rows = [user.model_dump() for user in access.users()]
    columns = {"name": "USER", "role": "ROLE", "disabled": "DISABLED", "created_at": "SINCE"}
    print_rows(rows, columns, as_json=as_json, none="There is no user yet; `worklets users add` makes one.")


@app.command()
def add(name: NameArgument, role: RoleOption = "viewer", data: DataOption = None, as_json: JsonOption = False) -> None:
    """Add a user; `worklets login NAME` then prints their link."""
    with access_of(data) as access:
        user = access.add_user(name, role)
    if as_json:
        print_json({"id": user.id, "name": user.name, "role": user.role})
    else:
        print(f"{user.name} is {user.role}; `worklets login {user.name}` prints a link that signs them in")


@app.command()
def role(
    name: NameArgument,
    role: Annotated[str, typer.Argument(help="viewer, operator, builder or admin.")],
    data: DataOption = None,
) -> None:
    """Give a user another role."""
    with access_of(data) as access:
        access.set_role(name, role)
    print(f"{name} is {role}")


@app.command()
def disable(name: NameArgument, data: DataOption = None) -> None:
    """Let a user in no longer; their sessions and keys end within seconds."""
    with access_of(data) as access:
        access.disable_user(name)
    print(f"{name} is disabled")


@app.command()
def enable(name: NameArgument, data: DataOption = None) -> None:
    """Let a disabled user in again."""
    with access_of(data) as access:
        access.enable_user(name)
    print(f"{name} is enabled")
