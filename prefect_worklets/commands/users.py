"""`worklets users`. They work on the store, so the server need not run; whoever may read it is trusted."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .options import DataOption, JsonOption, access_of, address_of, passwords_of
from .output import print_json, print_rows

app = typer.Typer(help="Who may sign in.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The user.")]
RoleOption = Annotated[str, typer.Option(help="viewer, operator, builder or admin.")]


@app.command("list")
def list_users(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the users."""
    with passwords_of(data) as (access, passwords):
        with_password = passwords.with_one()
        rows = [user.model_dump() | {"password": user.id in with_password} for user in access.users()]
    columns = {"name": "USER", "role": "ROLE", "password": "PASSWORD", "disabled": "DISABLED", "created_at": "SINCE"}
    print_rows(rows, columns, as_json=as_json, none="There is no user yet; `worklets users add` makes one.")


@app.command()
def add(name: NameArgument, role: RoleOption = "viewer", data: DataOption = None, as_json: JsonOption = False) -> None:
    """Add a user; `worklets users invite NAME` then prints the link by which they set a password."""
    with access_of(data) as access:
        user = access.add_user(name, role)
    if as_json:
        print_json({"id": user.id, "name": user.name, "role": user.role})
    else:
        print(f"{user.name} is {user.role}; `worklets users invite {user.name}` prints a link to set a password by")


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
def invite(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Print a link by which a user sets their password, once, within a day."""
    with passwords_of(data) as (access, passwords):
        token = passwords.invite(access.user(name).id)
    url = f"{address_of(data)}/invitation/{token}"
    if as_json:
        print_json({"user": name, "url": url})
    else:
        print(url)


@app.command()
def password(name: NameArgument, data: DataOption = None) -> None:
    """Set a user's password, asked for on the terminal or read as a line of standard input."""
    given = typer.prompt("New password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else ""
    given = given or sys.stdin.readline().rstrip("\n")
    with passwords_of(data) as (access, passwords):
        passwords.set(access.user(name).id, given)
    print(f"{name} signs in by the new password; their other sessions have ended")


@app.command("sign-out")
def sign_out(name: NameArgument, data: DataOption = None) -> None:
    """End every session of a user; their keys stay."""
    with access_of(data) as access:
        access.end_sessions(access.user(name).id)
    print(f"{name} is signed out everywhere")


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
