"""What commands share: options, the settings that they imply, and the client."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..connectors.errors import BadInput, Fault, SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..client import Client
    from ..connectors.access import Access
    from ..connectors.passwords import Passwords
    from ..connectors.store import Store
    from ..settings import Settings

DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The data directory. By default WORKLETS_DATA_DIR, or your own one."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def settings_of(data: Path | None, **changes: Any) -> Settings:
    """The settings of the environment, and what the command line says instead. Raises SetupError."""
    from pydantic import ValidationError

    from ..settings import Settings

    given = {name: value for name, value in {"data_dir": data, **changes}.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = [
            Fault((f"WORKLETS_{'_'.join(map(str, each['loc'])).upper()}",), each["msg"]) for each in error.errors()
        ]
        raise SetupError("A setting is wrong.", faults=faults) from None


@contextmanager
def client_of(data: Path | None) -> Iterator[Client]:
    """A client of the running server: of this data directory, or of the environment. Raises SetupError."""
    from ..client import Client

    if data is None:
        settings_of(None)  # a wrong setting is said as one
    with Client(data_dir=data) as client:
        yield client


@contextmanager
def access_of(data: Path | None) -> Iterator[Access]:
    """Users and keys, straight in the store; the server need not run. Raises SetupError."""
    from ..connectors.access import Access

    with store_of(data) as store:
        yield Access(store)


@contextmanager
def passwords_of(data: Path | None) -> Iterator[tuple[Access, Passwords]]:
    """Users with their passwords, straight in the store. Raises SetupError."""
    from ..connectors.access import Access
    from ..connectors.passwords import Passwords

    with store_of(data) as store:
        access = Access(store)
        yield access, Passwords(store, access)


@contextmanager
def store_of(data: Path | None) -> Iterator[Store]:
    """The store itself; the server need not run. Raises SetupError."""
    from ..opening import open_store, prepare_data, store_faults

    settings = settings_of(data)
    prepare_data(settings)
    store = open_store(settings)
    try:
        with store_faults():
            yield store
    finally:
        store.close()


def address_of(data: Path | None) -> str:
    """Where people reach the server, running or not."""
    from ..profile import read_profile

    settings = settings_of(data)
    origin = settings.origin
    if origin is None:
        try:
            origin = read_profile(settings.data).url
        except SetupError:  # a link is of use once the server runs
            origin = settings.public_origin
    return origin.rstrip("/")


def json_argument(text: str, option: str) -> Any:
    """JSON from the command line: itself, `@FILE`, or `-` for standard input. Raises BadInput."""
    import orjson

    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).expanduser().read_text()
        return orjson.loads(text)
    except OSError as error:
        raise BadInput(f"{option}: the file {text[1:]} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{option}: {text[:60]} holds no text; pictures go with --file FIELD=@PATH.") from None
    except orjson.JSONDecodeError as error:
        raise BadInput(f"{option} is not valid JSON: {error}.") from None


def confirm(question: str, yes: bool) -> None:
    """Go on only if a person agrees; a program has to say --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Say --yes to do it without being asked.")
    typer.confirm(question, abort=True)
