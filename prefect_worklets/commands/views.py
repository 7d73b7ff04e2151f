"""`worklets views`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..connectors.errors import BadInput, Conflict, NotFound
from .options import DataOption, JsonOption, client_of, json_argument
from .output import print_json, print_rows

if TYPE_CHECKING:
    from ..client import Client

app = typer.Typer(help="Pages that people use.", no_args_is_help=True)

SlugArgument = Annotated[str, typer.Argument(help="The view.")]
OverOption = Annotated[
    int | None, typer.Option("--over", metavar="VERSION", help="Replace this version, published meanwhile.")
]
NoteOption = Annotated[str, typer.Option("--note", "-m", help="What is new, for the list of versions.")]


@app.command("list")
def list_views(
    drafts: Annotated[bool, typer.Option("--drafts", help="Those that hold something unpublished.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the views that you may open."""
    with client_of(data) as client:
        if drafts:
            rows = [{**row, "edit": f"{client.url}{row['edit']}"} for row in client.drafts.unpublished()]
        else:
            rows = [{**row, "address": f"{client.url}/views/{row['slug']}"} for row in client.views()]
    if drafts:
        columns = {"slug": "VIEW", "title": "TITLE", "revision": "REVISION", "updated_by": "BY", "edit": "EDIT"}
        print_rows(rows, columns, as_json=as_json, none="There is no unpublished draft.")
        return
    columns = {"slug": "VIEW", "title": "TITLE", "address": "ADDRESS"}
    print_rows(rows, columns, as_json=as_json, none="There is no view; `worklets push` publishes those of a project.")


@app.command()
def new(
    title: Annotated[
        str, typer.Argument(help="The view's title; by default the worklet's, model's or table's name.")
    ] = "",
    worklet: Annotated[
        str, typer.Option("--worklet", "--from-worklet", metavar="NAME", help="Its inputs and its answer.")
    ] = "",
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="Fields for its inputs, and its answer.")] = "",
    table: Annotated[str, typer.Option("--table", "--from-table", metavar="NAME", help="Its rows.")] = "",
    template: Annotated[
        str,
        typer.Option(
            "--template",
            help="`empty`, `dashboard`, `try-a-model` with --model or --worklet, `table` or `table-editor` with "
            "--table, `review-inbox` with --worklet; by default what these imply.",
        ),
    ] = "empty",
    columns: Annotated[
        str,
        typer.Option(
            "--columns",
            metavar="COLUMNS",
            help="Of a table-editor: `number: number, species`; by default those of the table's rows.",
        ),
    ] = "",
    key: Annotated[str, typer.Option("--key", metavar="COLUMN", help="Of a table-editor: what tells rows apart.")] = "",
    write: Annotated[
        str, typer.Option("--write", metavar="ROLE", help="Of a table-editor: the role that writing takes.")
    ] = "operator",
    slug: Annotated[str, typer.Option("--slug", help="Its part of the address; by default made from the title.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a draft of a new view, and say where to edit it."""
    title = title or worklet or model or table
    if not title:
        raise BadInput("A view needs a title, or --worklet, --model or --table NAME.")
    given = {"worklet": worklet, "model": model, "table": table, "columns": columns, "key": key, "write": write}
    with client_of(data) as client:
        made = client.drafts.new(title, slug=slug, template=template, **given)
        address = f"{client.url}{made['edit']}"
    if as_json:
        print_json({"slug": made["slug"], "revision": made["revision"], "edit": address})
    else:
        print(address)


@app.command()
def export(
    slug: SlugArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; by default stdout.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="The draft, instead of what is published.")] = False,
    version: Annotated[int | None, typer.Option("--version", help="An older version.")] = None,
    python: Annotated[bool, typer.Option("--python", help="Python code that writes it, by `pw.view`.")] = False,
    data: DataOption = None,
) -> None:
    """Write a view's document as JSON, or as Python code, to keep it in git."""
    import orjson

    with client_of(data) as client:
        if draft:
            found = client.drafts.read(slug)["document"]
        else:
            found = client.view(slug) if version is None else client.drafts.version(slug, version)
        components = _components(client, found) if python else []
    if python:
        from ..panel_views.checks import parse
        from ..panel_views.ui.source import python_source

        text = python_source(parse(found), components).rstrip()
    else:
        text = orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()
    if output is None:
        print(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{output} can't be written: {error.strerror}.") from None


def _components(client: Client, document: dict[str, Any]) -> list[dict[str, Any]]:
    """The definitions of the authors' components that a view has; what nobody pushed is said, and left out."""
    from ..panel_views.checks import parse
    from ..panel_views.custom import used

    found = []
    for name in sorted(used(parse(document))):
        try:
            found.append(client.component(name))
        except NotFound as error:
            print(f"{error.detail} The file is written without it.", file=sys.stderr)
    return found


@app.command("import")
def import_view(
    file: Annotated[Path, typer.Argument(help="A view document (JSON).")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace a draft with unpublished changes.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a view document in as a draft, to look at or edit before it is published."""
    document = _document(file)
    slug = str(document.get("slug"))
    with client_of(data) as client:
        try:
            draft = client.drafts.read(slug)
        except NotFound:
            made = client.drafts.create(document)
        else:
            if draft["unpublished"] and not replace:
                raise Conflict(
                    f"The draft of {slug!r} has unpublished changes by {draft['updated_by'] or 'somebody'}; "
                    f"see them with `worklets views diff {slug}`, and add --replace to replace them."
                )
            made = client.drafts.replace(document, draft["revision"])
        address = f"{client.url}/console/views/{slug}/edit"
    if as_json:
        print_json({"slug": slug, "revision": made["revision"], "edit": address})
    else:
        print(address)


@app.command()
def publish(
    what: Annotated[str, typer.Argument(help="A view, whose draft to publish; or a file with a document (JSON).")],
    note: NoteOption = "",
    over: OverOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a view's draft, or a document."""
    is_file = what.endswith(".json") or Path(what).is_file()
    document = _document(Path(what)) if is_file else None
    with client_of(data) as client:
        if document is not None:
            published = client.publish_view(document)
        else:
            published = client.drafts.publish(what, note=note, over=over)
        address = f"{client.url}{published['address']}"
    if as_json:
        print_json({**published, "address": address})
    else:
        print(address)


@app.command()
def versions(slug: SlugArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List a view's published versions, newest first."""
    with client_of(data) as client:
        rows = client.drafts.versions(slug)
    columns = {"number": "VERSION", "live": "LIVE", "at": "PUBLISHED", "by": "BY", "source": "FROM", "note": "NOTE"}
    print_rows(rows, columns, as_json=as_json, none=f"{slug} has not been published yet.")


@app.command()
def diff(
    slug: SlugArgument,
    before: Annotated[str, typer.Option("--from", help="A version, `published` or `draft`.")] = "published",
    after: Annotated[str, typer.Option("--to", help="A version, `published` or `draft`.")] = "draft",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is different between two versions of a view; by default what the draft would change."""
    with client_of(data) as client:
        changes = client.drafts.diff(slug, before, after)
    rows = [{**line, "before": _short(line["before"]), "after": _short(line["after"])} for line in changes]
    if as_json:
        print_json(changes)
    else:
        columns = {"text": "CHANGE", "before": "BEFORE", "after": "AFTER"}
        print_rows(rows, columns, as_json=False, none="There is no difference.")


@app.command()
def rollback(
    slug: SlugArgument,
    to: Annotated[int | None, typer.Option("--to", help="The version; by default the one before.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish an older version again, as a new one."""
    with client_of(data) as client:
        if to is None:
            found = client.drafts.versions(slug)
            live = next((row["number"] for row in found if row["live"]), None)
            older = [row["number"] for row in found if live is not None and row["number"] < live]
            if not older:
                raise BadInput(f"{slug} has no version before the one that is published.")
            to = older[0]
        published = client.drafts.roll_back(slug, to)
    if as_json:
        print_json(published)
    else:
        print(f"{slug} is at version {published['version']}, which is version {to} again.")


def _document(file: Path) -> dict[str, Any]:
    document = json_argument(f"@{file}", "FILE")
    if not isinstance(document, dict):
        raise BadInput(f"{file} holds no view document: a JSON object with slug, title and pages.")
    return document


def _short(value: Any) -> str:
    import orjson

    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return "" if value is None else text if len(text) <= 60 else text[:59] + "…"
