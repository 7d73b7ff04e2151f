"""Every example of the documentation runs, and prints what the page says that it prints."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = DOCS / "examples"
# A folder is a story: its numbered files run one after the other, against a running server.
STORIES = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())
ALONE = sorted(EXAMPLES.glob("*.py"))
INCLUDE = re.compile(r'^\s*(?:;*)--8<-- "([^":]+)(?::(\w+))?"', re.MULTILINE)
FENCE = re.compile(r"^```(\w*).*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent


def pages():
    return sorted(path for path in DOCS.rglob("*.md"))


def run(file, environment):
    """Run a .py or .sh file in its folder, and check what it prints."""
    command = [sys.executable, file.name] if file.suffix == ".py" else ["bash", "-euo", "pipefail", file.name]
    environment = {**os.environ, **environment, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]])}
    done = subprocess.run(command, cwd=file.parent, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{file.name} failed:\n{done.stdout}\n{done.stderr}"
    out = file.with_suffix(".out")
    if out.exists():
        found = done.stdout.replace(f"{file.parent}/", "")
        assert matches(out.read_text(), found), f"{out.name} says\n{out.read_text()}\nand found was\n{found}"


def matches(pattern, text):
    """Whether the text is as expected; `…` stands for anything within a line, a line of `…` for any lines."""
    expression = "".join(
        "(?:.*\n)*" if line.strip() == "…" else "[^\n]*".join(map(re.escape, line.split("…"))) + "\n"
        for line in pattern.splitlines()
    )
    return re.fullmatch(expression, text if text.endswith("\n") or not text else text + "\n") is not None


@pytest.mark.parametrize("file", ALONE, ids=lambda path: path.stem)
def test_example_runs_alone(file, tmp_path):
    for path in EXAMPLES.glob(f"{file.stem}.*"):
        shutil.copy(path, tmp_path)
    run(tmp_path / file.name, {"WORKLETS_DATA_DIR": str(tmp_path / "data"), "PREFECT_HOME": str(tmp_path / "prefect")})


def prefect_of(server):
    """The address of the instance's Prefect, which the recorder tells a moment after its start."""
    told = server.data_dir / "run" / "recorder.json"
    for _ in range(400):
        if told.exists():
            return json.loads(told.read_text())["prefect"]["url"]
        time.sleep(0.05)
    raise AssertionError("the recorder has not begun")


@pytest.mark.integration
@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.name)
def test_story_runs_against_a_server(story, tmp_path, server):
    folder = tmp_path / story.name
    shutil.copytree(story, folder)
    environment = {"WORKLETS_DATA_DIR": str(server.data_dir), "WORKLETS_URL": server.url, "WORKLETS_KEY": server.key}
    environment |= {"PREFECT_API_URL": prefect_of(server), "PREFECT_HOME": str(tmp_path / "prefect")}
    for file in sorted(folder.glob("[0-9]*")):
        if file.suffix in (".py", ".sh"):
            run(file, environment)


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.stem)
def test_python_and_shell_come_from_files_that_run(page):
    """A block of code that nobody runs is wrong sooner or later."""
    for language, block in FENCE.findall(page.read_text()):
        if language in ("python", "bash", "sh"):
            lines = [line for line in block.splitlines() if line.strip()]
            assert all(INCLUDE.match(line) for line in lines), f"{page.name}: put this into docs/examples:\n{block}"


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.stem)
def test_includes_exist(page):
    for name, section in INCLUDE.findall(page.read_text()):
        text = (EXAMPLES / name).read_text()
        if section:
            assert f"[start:{section}]" in text, f"{page.name}: {name} has no section {section}"
            assert f"[end:{section}]" in text


def test_every_example_is_shown():
    shown = {name for page in pages() for name, _ in INCLUDE.findall(page.read_text())}
    files = [path for path in EXAMPLES.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    there = {str(path.relative_to(EXAMPLES)) for path in files if path.parent != EXAMPLES / "readme"}
    assert there - shown == set()


def test_the_readme_shows_what_its_story_runs():
    """The README is read where nothing includes files, so it repeats them."""
    readme = (DOCS.parent / "README.md").read_text()
    blocks = [block.strip() for language, block in FENCE.findall(readme) if language == "python"]
    source = (EXAMPLES / "readme" / "irises.py").read_text()
    assert blocks == [source.split("[start:readme]\n")[1].split("# --8<--")[0].strip()]
    for command in (EXAMPLES / "readme" / "1_console.sh").read_text().splitlines():
        assert f"$ {command}\n" in readme


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\n", False),
        ("a … c\n", "a b b c\n", True),
        ("a … c\n", "a b\nc\n", False),
        ("a\n…\nc\n", "a\nx\ny\nc\n", True),
        ("a\n…\nc\n", "a\nc\n", True),
        ("(a)*\n", "(a)*\n", True),
    ],
)
def test_matching(pattern, text, fits):
    assert matches(pattern, text) is fits
