"""Commands about what a user writes: init, push, deploy, invoke."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..connectors.errors import BadInput, SetupError
from .options import DataOption, JsonOption, client_of, json_argument
from .output import notes_on_stderr, print_json, print_rows, written_file

if TYPE_CHECKING:
    from ..client import Client

_PICKLES = (".joblib", ".pkl", ".pickle")
_FORMATS = (".onnx", ".pt", ".pth", ".pt2", ".keras", ".ubj", ".json", ".txt")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(init)
    app.command()(push)
    app.command()(deploy)
    app.command()(invoke)


def init(path: Annotated[Path, typer.Argument(help="The folder; made if it is not there.")] = Path()) -> None:
    """Write a small project to start from: a model to train, a worklet around it, and how to run them."""
    from .starter import write_starter

    for file in write_starter(path):
        print(file)
    print(f"\nNext: read {path / 'README.md'}", file=sys.stderr)


def push(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    name: Annotated[str | None, typer.Option(help="The project's name; by default the folder's.")] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="Nothing goes live: try it as NAME@VERSION, then `worklets promote` it.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Push a project folder: every worklet in it goes live, or none."""
    with client_of(data) as client:
        pushed = client.push(path, name=name, draft=draft)
    columns = {"worklet": "WORKLET", "version": "VERSION", "created": "NEW", "live": "LIVE"}
    print_rows(pushed, columns, as_json=as_json, none="Pushed; there is no worklet in it.")


def deploy(
    file: Annotated[
        str,
        typer.Argument(
            help="A file (.onnx, .pt, .pt2, .keras, XGBoost's .ubj or .json, LightGBM's .txt, .joblib, .pkl), "
            "a SavedModel folder, module:Class, or path/to/file.py:Class."
        ),
    ],
    name: Annotated[str, typer.Option(help="Under which the model answers.")],
    version: Annotated[str | None, typer.Option(help="Such as 1.2.0; by default the next one.")] = None,
    sample: Annotated[
        str | None, typer.Option(metavar="JSON", help="An input to try it with; @FILE reads it from a file.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="The method of a scikit-learn model that answers, such as predict_proba.")
    ] = None,
    requirement: Annotated[
        list[str] | None,
        typer.Option(help="A package of an environment of its own, as name==1.2.3; repeat it for more."),
    ] = None,
    isolate: Annotated[bool, typer.Option(help="Give it a process of its own.")] = False,
    timeout: Annotated[float | None, typer.Option(help="Seconds that a call may take.")] = None,
    max_concurrency: Annotated[int | None, typer.Option(help="How many calls may compute at once.")] = None,
    batch: Annotated[
        str, typer.Option(metavar="auto|yes|no|ROWS", help="Whether calls go to the model together, and how many rows.")
    ] = "auto",
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=TEXT", help="A label; repeat it for more.")] = None,
    description: Annotated[str, typer.Option(help="What it does, for people.")] = "",
    live: Annotated[
        bool, typer.Option("--live/--no-live", help="Answer for the name, or beside the live version as NAME@VERSION.")
    ] = True,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy a model from a file, and wait until it answers. A .joblib or .pkl file runs code as it is read."""
    given = json_argument(sample, "--sample") if sample is not None else None
    model = _read_model(file)
    with client_of(data) as client, notes_on_stderr():
        made = client.deploy(
            model,
            name,
            version=version,
            sample_input=given,
            requirements=requirement,
            isolate=isolate,
            metadata={"method": method} if method else None,
            labels=_labels(label or []),
            timeout=timeout,
            max_concurrency=max_concurrency,
            batch=_batch(batch),
            description=description,
            live=live,
        )
    if as_json:
        print_json({"name": made.name, "version": made.version})
    else:
        print(f"{made.name} {made.version} is live" if live else f"{made.name}@{made.version} answers")


def _batch(given: str) -> Any:
    if given.isdigit():
        return {"max_size": int(given)}
    try:
        return {"auto": "auto", "yes": True, "no": False}[given]
    except KeyError:
        raise BadInput(f"--batch is {given!r}; say auto, yes, no, or a number of rows.") from None


def _labels(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if any(not equals or not key for key, equals, _ in pairs):
        raise BadInput("A label is given as KEY=TEXT, such as --label team=vision.")
    return {key: text for key, _, text in pairs}


def _read_model(file: str) -> Any:
    path = Path(file).expanduser()
    if path.suffix in _FORMATS or (path / "saved_model.pb").is_file():
        if not path.exists():
            raise BadInput(f"There is no file {file}.")
        return path
    if path.suffix in _PICKLES:
        # The classes of a pickle are often in a module beside it.
        sys.path.insert(0, str(Path.cwd()))
        return _unpickled(path)
    if ":" in file:
        sys.path.insert(0, str(Path.cwd()))
        return file
    raise BadInput(
        f"{file} is no model that can be deployed from a file; give a file that ends in "
        f"{', '.join((*_FORMATS, *_PICKLES))}, a SavedModel folder, module:Class, or path/to/file.py:Class."
    )


def _unpickled(path: Path) -> Any:
    import joblib

    try:
        return joblib.load(path)
    except FileNotFoundError:
        raise BadInput(f"There is no file {path}.") from None
    except ImportError as error:
        raise SetupError(f"{path} needs a module that can't be imported here: {error}.") from None
    except Exception as error:  # a broken pickle raises almost anything
        raise BadInput(f"{path} can't be read: {type(error).__name__}: {error}") from None


def invoke(
    name: Annotated[str, typer.Argument(help="The worklet.")],
    json: Annotated[
        str | None, typer.Option("--json", metavar="JSON", help="The input; @FILE reads it from a file, - from stdin.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", metavar="FIELD=@PATH", help="A file as a field of the input; give it for each file."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write the answer; .png or .jpg takes the one picture in it."),
    ] = None,
    later: Annotated[
        bool, typer.Option("--later", help="Submit it, print the run's id and go; `worklets runs show` tells the rest.")
    ] = False,
    key: Annotated[str | None, typer.Option(help="With --later: the same key again submits nothing new.")] = None,
    callback: Annotated[
        str | None, typer.Option(metavar="URL", help="With --later: an address that is told how the run ended.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Run a worklet and print its output as JSON."""
    body = json_argument(json, "--json") if json is not None else {}
    if file:
        body = _with_files(body, file)
    with client_of(data) as client:
        if later:
            print(client.worklets[name].submit(body, idempotency_key=key, callback_url=callback).id)
            return
        if output is not None and output.suffix.lower() in _PICTURES:
            _save_picture(client, name, body, output)
            return
        answer = client.worklets[name].invoke(body)
    if output is None:
        print_json(answer)
        return
    import orjson

    written_file(output, lambda: output.write_bytes(orjson.dumps(answer, option=orjson.OPT_INDENT_2) + b"\n"))


def _with_files(body: Any, files: list[str]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadInput("--file adds a field to the input, so --json must be an object.")
    found: dict[str, list[Path]] = {}
    for text in files:
        field, equals, place = text.partition("=")
        if not field or not equals or not place.lstrip("@"):
            raise typer.BadParameter(f"{text!r}: write --file FIELD=@PATH.")
        found.setdefault(field, []).append(Path(place.removeprefix("@")))
    return {**body, **{field: paths[0] if len(paths) == 1 else paths for field, paths in found.items()}}


def _save_picture(client: Client, name: str, body: Any, output: Path) -> None:
    picture = client.worklets[name].picture(body)
    if output.suffix.lower() == ".png":
        written_file(output, lambda: output.write_bytes(picture.encoded()[0]))
    else:
        written_file(output, lambda: picture.pil().save(output))
