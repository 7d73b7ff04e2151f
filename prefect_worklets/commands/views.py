"""`worklets views`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..connectors.errors import BadInput
from .options import DataOption, JsonOption, client_of, json_argument
from .output import print_json, print_rows

app = typer.Typer(help="Pages that people use.", no_args_is_help=True)


@app.command("list")
def list_views(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the views that you may open."""
    with client_of(data) as client:
        rows = [{**row, "address": f"{client.url}/views/{row['slug']}"} for row in client.views()]
    columns = {"slug": "VIEW", "title": "TITLE", "address": "ADDRESS"}
    print_rows(rows, columns, as_json=as_json, none="There is no view; `worklets push` publishes those of a project.")


@app.command()
def export(
    slug: Annotated[str, typer.Argument(help="The view.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; by default stdout.")] = None,
    data: DataOption = None,
) -> None:
    """Write a published view's document as JSON, to keep it in git."""
    import orjson

    with client_of(data) as client:
        document = orjson.dumps(client.view(slug), option=orjson.OPT_INDENT_2)
    if output is None:
        print(document.decode())
        return
    try:
        output.write_bytes(document + b"\n")
    except OSError as error:
        raise BadInput(f"{output} can't be written: {error.strerror}.") from None


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="A view document (JSON).")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a view document."""
    document = json_argument(f"@{file}", "FILE")
    with client_of(data) as client:
        published = client.publish_view(document)
        address = f"{client.url}{published['address']}"
    if as_json:
        print_json({**published, "address": address})
    else:
        print(address)
