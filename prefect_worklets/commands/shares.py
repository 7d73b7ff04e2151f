"""`worklets views share`, `shares` and `unshare`: links for whoever has no account."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from .options import DataOption, JsonOption, client_of
from .output import print_json, print_rows
from .views import SlugArgument

_UNITS = {"m": 1 / 1440, "h": 1 / 24, "d": 1.0, "w": 7.0}


def add_to(views: typer.Typer) -> None:
    """Add the commands to those of views."""
    views.command()(share)
    views.command()(shares)
    views.command()(unshare)


def share(
    slug: SlugArgument,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long it is valid: 30m, 12h, 7d, 4w. By default until ended.")
    ] = None,
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a password, which is asked for here or read from stdin.")
    ] = False,
    label: Annotated[str, typer.Option(help="What the link is for.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a link by which anyone may use a view, without an account."""
    days = _days(expires) if expires is not None else None
    secret = _secret() if password else None
    with client_of(data) as client:
        made = client.share_view(slug, days=days, password=secret, label=label)
    if as_json:
        print_json(made)
    else:
        print(made["url"])


def shares(slug: SlugArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the links to a view."""
    with client_of(data) as client:
        rows = client.shares(slug)
    columns = {"id": "LINK", "label": "FOR", "password": "PASSWORD", "expires_at": "EXPIRES", "revoked_at": "ENDED"}
    print_rows(rows, columns, as_json=as_json, none=f"Nobody has a link; `worklets views share {slug}` makes one.")


def unshare(
    slug: SlugArgument,
    link: Annotated[str, typer.Argument(help="The link's id, as `worklets views shares` lists it.")],
    data: DataOption = None,
) -> None:
    """End a link; whoever uses it is shut out within seconds."""
    with client_of(data) as client:
        client.unshare_view(slug, link)
    print(f"{link} has ended")


def _days(text: str) -> float:
    found = re.fullmatch(r"(\d{1,5})([mhdw])", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no length of time; write 30m, 12h, 7d or 4w.", param_hint="--expires")
    return int(found[1]) * _UNITS[found[2]]


def _secret() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password of the link", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")
