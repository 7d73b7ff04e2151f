"""Commands about a worklet's graph as a document: export and import."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..connectors.errors import BadInput, NotFound
from .options import DataOption, client_of
from .output import written_file

if TYPE_CHECKING:
    from ..flows.graph import GraphDocument


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export")(export_graph)
    app.command("import")(import_graph)


def export_graph(
    worklet: Annotated[
        str, typer.Argument(metavar="NAME[@VERSION]|FILE:NAME", help="A worklet of the server, or of a file.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it; to standard output if not given.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Write a worklet's graph as a JSON document, for git, for other programs, and for `worklets import`."""
    import orjson

    from ..flows.documents import written_document

    file, colon, name = worklet.rpartition(":")
    document = _of_file(Path(file), name) if colon else _of_server(name, data)
    text = orjson.dumps(written_document(document), option=orjson.OPT_INDENT_2) + b"\n"
    if output is None:
        typer.echo(text.decode(), nl=False)
    else:
        written_file(output, lambda: output.write_bytes(text))


def import_graph(
    document: Annotated[Path, typer.Argument(metavar="GRAPH.json", help="A document as `worklets export` writes it.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The project's folder; made if it is not there.")
    ],
    code: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A project with the nodes' code, whose files are copied first.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take an old definition of the worklet out.")] = False,
) -> None:
    """Write a graph document as Python, which imports the nodes' code and gives the same graph again."""
    import orjson

    from ..flows.importing import import_document

    try:
        data = orjson.loads(document.read_bytes())
    except OSError as error:
        raise BadInput(f"{document} can't be read: {error.strerror or error}.") from None
    except orjson.JSONDecodeError as error:
        raise BadInput(f"{document} is not valid JSON: {error}.") from None
    with contextlib.redirect_stdout(sys.stderr):
        written = import_document(data, output, code=code, replace=replace, file=str(document))
    typer.echo(str(written))


def _of_file(file: Path, name: str) -> GraphDocument:
    from ..flows.faults import did_you_mean
    from ..flows.project import load_file

    if file.suffix != ".py" or not file.is_file():
        raise BadInput(f"There is no Python file {file}; write path/to/file.py:{name}.")
    with contextlib.redirect_stdout(sys.stderr):  # what the file prints is not the document
        project = load_file(file)
    if name not in project.worklets:
        known = did_you_mean(name, project.worklets) or "There is none."
        raise NotFound(f"{file} has no worklet {name!r}. {known}")
    return project.graph(name)


def _of_server(name: str, data: Path | None) -> GraphDocument:
    from ..flows.graph import GraphDocument

    with client_of(data) as client:
        graph: dict[str, Any] = client.worklets[name].graph()
    return GraphDocument.model_validate(graph)
