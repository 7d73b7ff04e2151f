import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from starlette.routing import Route

import prefect_worklets

DOCS = Path(__file__).resolve().parents[2] / "docs"
spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


@pytest.mark.parametrize("path", generate.pages(), ids=lambda path: path.name)
def test_generated_parts_are_up_to_date(path):
    assert generate.generated(path.read_text()) == path.read_text(), "run `python docs/generate.py`"


def test_every_generated_part_stands_on_a_page():
    text = "".join(path.read_text() for path in generate.pages())
    assert all(f"<!-- generated: {name} -->" in text for name in generate.PARTS)


@pytest.fixture
def routes(tmp_path):
    from prefect_worklets.app import create_app
    from prefect_worklets.settings import Settings

    app = create_app(Settings(data_dir=tmp_path / "data", _env_file=None))
    inner = app
    while not hasattr(inner, "routes"):  # InvokeApp stands before the router
        inner = inner.app
    found = {(method, route.path) for route in inner.routes if isinstance(route, Route) for method in route.methods}
    return {(method, path) for method, path in found if path.startswith("/api") and method != "HEAD"}


def documented():
    text = (DOCS / "reference" / "http.md").read_text()
    return {tuple(found.split(" ")) for found in re.findall(r"^\| `([A-Z]+ /api[^`]*)`", text, re.MULTILINE)}


def test_every_route_is_documented(routes):
    assert routes - documented() == set()


def test_every_documented_route_exists(routes):
    # These two are answered before the router: one has a way of its own, the other is part of {name}.
    own = {("POST", "/api/worklets/{name}/invoke"), ("POST", "/api/models/{name}@{version}/predict")}
    assert documented() - own - routes == set()
    assert own <= documented()


def test_every_public_name_is_documented():
    text = (DOCS / "reference" / "python.md").read_text()
    missing = [name for name in prefect_worklets.__all__ if f"### pw.{name}" not in text]
    assert missing == []


def test_every_documented_name_is_public():
    text = (DOCS / "reference" / "python.md").read_text()
    names = set(re.findall(r"^### pw\.(\w+)", text, re.MULTILINE))
    assert names <= set(prefect_worklets.__all__)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_commands_on_the_pages_exist(page):
    """`$ worklets ...` lines that no test runs still name a command and options that exist."""
    import click
    from typer.main import get_command

    from prefect_worklets.cli import app

    for line in re.findall(r"^\$ (worklets .*)$", page.read_text(), re.MULTILINE):
        command, words = get_command(app), shlex.split(line)[1:]
        while words and hasattr(command, "commands"):
            assert words[0] in command.commands, f"{page.name}: there is no {line!r}"
            command, words = command.commands[words[0]], words[1:]
        try:
            command.make_context(line, words, resilient_parsing=False)
        except click.exceptions.UsageError as error:
            pytest.fail(f"{page.name}: {line!r}: {error.format_message()}")
