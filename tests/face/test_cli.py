"""The command line as a user meets it: real processes against a real app."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from .conftest import Instance, call_worklets, clean_environment, run_worklets

FLOWER = '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'
PICTURES = """
from pydantic import BaseModel
import prefect_worklets as pw


class Pair(BaseModel):
    content: pw.Image
    style: pw.Image | None = None
    size: int = 1


class Result(BaseModel):
    image: pw.Image
    size: int


@pw.node
def blend(pair: Pair) -> Result:
    return Result(image=pair.content, size=pair.size)


@pw.worklet
def blended(pair: Pair) -> Result:
    return blend(pair)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**clean_environment(), "WORKLETS_DATA_DIR": str(tmp_path / "data")}


@pytest.fixture(scope="module")
def starter(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter project, trained and pushed as its README says."""
    folder = tmp_path_factory.mktemp("projects") / "first"
    written = instance.run("init", str(folder))
    assert written.returncode == 0, written.stderr
    assert instance.run("push", str(folder)).returncode == 0
    trained = subprocess.run(
        [sys.executable, "train.py"], cwd=folder, env=instance.environment, capture_output=True, text=True, timeout=60
    )
    assert trained.stdout == "irises 1.0.0 is live\n", trained.stderr
    return folder


class TestStarter:
    def test_the_worklet_answers(self, instance: Instance, starter: Path) -> None:
        answer = instance.run("invoke", "which_iris", "--json", FLOWER)
        assert (answer.returncode, answer.stdout) == (0, '{"species":"setosa"}\n')

    def test_the_same_function_runs_here(self, instance: Instance, starter: Path) -> None:
        code = f"import json, worklet; print(worklet.which_iris(worklet.Flower(**json.loads({FLOWER!r}))).species)"
        here = subprocess.run(
            [sys.executable, "-c", code], cwd=starter, env=instance.environment, capture_output=True, text=True
        )
        assert here.stdout == "setosa\n", here.stderr

    def test_nothing_is_overwritten(self, instance: Instance, starter: Path) -> None:
        again = instance.run("init", str(starter))
        assert again.returncode == 1
        assert again.stderr.splitlines()[0].startswith("error: ")
        assert "  train.py: is there already" in again.stderr.splitlines()


class TestInvoke:
    @pytest.fixture(autouse=True)
    def _pushed(self, instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp("pictures")
        (folder / "pictures.py").write_text(PICTURES)
        result = instance.run("push", str(folder), "--name", "pictures", "--json")
        assert [each["worklet"] for each in json.loads(result.stdout)] == ["blended"], result.stderr

    def test_files_in_and_a_picture_out(self, instance: Instance, tmp_path: Path) -> None:
        array = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
        Pillow.fromarray(array).save(tmp_path / "a.png")
        out = tmp_path / "out.png"
        result = instance.run(
            "invoke", "blended", "--file", f"content=@{tmp_path}/a.png", "--file", f"style=@{tmp_path}/a.png",
            "--json", '{"size": 3}', "--output", str(out),
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert (np.array(Pillow.open(out)) == array).all()
        as_json = tmp_path / "out.json"
        instance.run("invoke", "blended", "--file", f"content=@{tmp_path}/a.png", "-o", str(as_json))
        assert set(json.loads(as_json.read_text())) == {"image", "size"}

    def test_input_from_a_file_and_from_stdin(self, instance: Instance, starter: Path, tmp_path: Path) -> None:
        (tmp_path / "in.json").write_text(FLOWER)
        from_file = instance.run("invoke", "which_iris", "--json", f"@{tmp_path}/in.json")
        from_stdin = instance.run("invoke", "which_iris", "--json", "-", input=FLOWER)
        assert from_file.stdout == from_stdin.stdout == '{"species":"setosa"}\n'

    def test_faults_are_indented_lines(self, instance: Instance, starter: Path) -> None:
        result = instance.run("invoke", "which_iris", "--json", '{"sepal_length": -1, "sepal_width": 3.5}')
        assert (result.returncode, result.stdout) == (1, "")
        first, *rest = result.stderr.splitlines()
        assert first.startswith("error: ")
        assert len(rest) == 3
        assert all(line.startswith("  ") for line in rest)

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (["invoke", "blended", "--json", "{"], 1, "--json is not valid JSON"),
            (["invoke", "blended", "--json", "@/no/such"], 1, "can't be read"),
            (["invoke", "blended", "--json", "3", "--file", "a=@b"], 1, "must be an object"),
            (["invoke", "blended", "--file", "content=@/no/such.png"], 1, "/no/such.png can't be read"),
            (["invoke", "blended", "--file", "content"], 2, "FIELD=@PATH"),
            (["invoke", "blende"], 1, "blended"),
            (["invoke"], 2, "Missing argument"),
            (["runs", "show", "nonesuch"], 1, "nonesuch"),
            (["models", "promote", "nonesuch", "1.0.0"], 1, "nonesuch"),
            (["models", "delete", "nonesuch"], 2, "--yes"),
            (["zoo", "deploy", "style-transfe"], 1, "style-transfer"),
            (["push", "/no/such/folder"], 1, "/no/such/folder"),
            (["deploy", "x.csv", "--name", "x"], 1, "can be deployed"),
            (["deploy", "x.onnx", "--name", "x"], 1, "no file"),
            (["deploy", "x.pkl", "--name", "x"], 1, "no file"),
            (["deploy", "nomodule:Class", "--name", "x"], 1, "nomodule"),
            (["views", "publish", "/no/such.json"], 1, "/no/such.json"),
            (["nonesuch"], 2, "nonesuch"),
            (["runs", "list", "--limit", "x"], 2, "--limit"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_misuse_and_errors(self, instance: Instance, arguments: list[str], code: int, said: str) -> None:
        result = instance.run(*arguments)
        assert (result.returncode, result.stdout) == (code, "")
        assert said in result.stderr
        assert "Traceback" not in result.stderr


class TestModels:
    def test_lists_shows_promotes_rolls_back_deletes(self, instance: Instance, tmp_path: Path) -> None:
        code = "class Doubled:\n    def predict(self, x: float) -> float:\n        return x * {}\n"
        for factor in (2, 3):
            (tmp_path / "doubled.py").write_text(code.format(factor))
            made = instance.run("deploy", "doubled.py:Doubled", "--name", "doubled", "--sample", "1.5", cwd=tmp_path)
            assert made.returncode == 0, made.stderr
        assert made.stdout == "doubled 1.0.1 is live\n"
        rows = {row["name"]: row for row in json.loads(instance.run("models", "list", "--json").stdout)}
        assert rows["doubled"]["live_version"] == "1.0.1"
        assert re.search(r"^doubled +1\.0\.1 ", instance.run("models", "list").stdout, re.MULTILINE)
        assert "1.0.0" in instance.run("models", "show", "doubled").stdout
        assert instance.run("models", "rollback", "doubled").stdout == "doubled 1.0.0 is live\n"
        promoted = instance.run("models", "promote", "doubled", "1.0.1", "--json")
        assert json.loads(promoted.stdout) == {"name": "doubled", "version": "1.0.1"}
        assert instance.run("models", "delete", "doubled", "--yes").returncode == 0
        assert instance.run("models", "show", "doubled").returncode == 1

    def test_deploys_a_joblib_file(self, instance: Instance, tmp_path: Path) -> None:
        import joblib
        from sklearn.tree import DecisionTreeClassifier

        joblib.dump(DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]), tmp_path / "tree.joblib")
        made = instance.run(
            "deploy", str(tmp_path / "tree.joblib"), "--name", "tree", "--sample", "[[0.5]]", "--method",
            "predict_proba", "--version", "2.0.0", "--json",
        )  # fmt: skip
        assert json.loads(made.stdout) == {"name": "tree", "version": "2.0.0"}, made.stderr
        assert instance.client().models["tree"].predict([[1.0]]) == [[0.0, 1.0]]

    def test_the_zoo_is_listed(self, instance: Instance) -> None:
        assert "style-transfer" in instance.run("zoo", "list").stdout
        assert "sleep-stages" in [row["name"] for row in json.loads(instance.run("zoo", "list", "--json").stdout)]


def test_runs(instance: Instance, starter: Path) -> None:
    instance.run("invoke", "which_iris", "--json", FLOWER)
    listed = instance.run("runs", "list", "--worklet", "which_iris", "--json")
    assert isinstance(json.loads(listed.stdout), list)
    wrong = instance.run("runs", "list", "--state", "sleeping")
    assert (wrong.returncode, "completed" in wrong.stderr) == (1, True)


def test_views(instance: Instance, tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "docs/examples/quickstart/flowers/views/irises.json"
    published = instance.run("views", "publish", str(source))
    assert published.stdout == f"{instance.url}/views/irises\n", published.stderr
    assert "irises" in [view["slug"] for view in json.loads(instance.run("views", "list", "--json").stdout)]
    exported = tmp_path / "out.json"
    assert instance.run("views", "export", "irises", "--output", str(exported)).returncode == 0
    assert json.loads(exported.read_text())["slug"] == "irises"
    assert instance.run("views", "publish", str(exported)).returncode == 0


def test_drafts_and_versions_of_views(instance: Instance, tmp_path: Path) -> None:
    document = {"slug": "drafted", "title": "One", "pages": [{"components": []}]}
    file = tmp_path / "drafted.json"
    file.write_text(json.dumps(document))
    made = instance.run("views", "import", str(file))
    assert made.stdout == f"{instance.url}/console/views/drafted/edit\n", made.stderr
    assert "drafted" in instance.run("views", "list", "--drafts").stdout
    assert "drafted" not in instance.run("views", "list").stdout
    assert instance.run("views", "publish", "drafted", "--note", "The first").returncode == 0
    file.write_text(json.dumps({**document, "title": "Two"}))
    assert instance.run("views", "import", str(file)).returncode == 0
    file.write_text(json.dumps({**document, "title": "Three"}))
    refused = instance.run("views", "import", str(file))
    assert (refused.returncode, "--replace" in refused.stderr) == (1, True)
    assert "set the view's title" in instance.run("views", "diff", "drafted").stdout
    assert instance.run("views", "publish", "drafted").returncode == 0
    assert json.loads(instance.run("views", "export", "drafted", "--version", "1").stdout)["title"] == "One"
    rolled = instance.run("views", "rollback", "drafted")
    assert rolled.stdout == "drafted is at version 3, which is version 1 again.\n", rolled.stderr
    assert "The first" in instance.run("views", "versions", "drafted").stdout


def test_a_new_view_from_a_worklet(instance: Instance) -> None:
    made = instance.run("views", "new", "--from-worklet", "which_iris", "--slug", "from-types")
    assert made.stdout == f"{instance.url}/console/views/from-types/edit\n", made.stderr
    assert instance.run("views", "publish", "from-types").returncode == 0
    again = instance.run("views", "new", "--from-worklet", "which_iris", "--slug", "from-types")
    assert (again.returncode, "already" in again.stderr) == (1, True)
    assert "no live worklet" in instance.run("views", "new", "--from-worklet", "nope").stderr
    assert "needs a title" in instance.run("views", "new").stderr
    assert "no live model" in instance.run("views", "new", "--template", "try-a-model", "--model", "nope").stderr


class TestUsersAndKeys:
    def test_a_key_works_and_ends(self, instance: Instance) -> None:
        key = json.loads(instance.run("keys", "create", "ours", "--role", "viewer", "--json").stdout)["key"]
        by_key = {**clean_environment(), "WORKLETS_URL": instance.url, "WORKLETS_KEY": key}
        assert call_worklets("models", "list", "--json", environment=by_key).returncode == 0
        assert "role" in call_worklets("invoke", "which_iris", environment=by_key).stderr
        assert "ours" in instance.run("keys", "list").stdout
        assert "key_hash" not in instance.run("keys", "list", "--json").stdout
        assert instance.run("keys", "revoke", "ours").returncode == 0
        deadline = time.monotonic() + 10
        while call_worklets("models", "list", environment=by_key).returncode == 0:
            assert time.monotonic() < deadline

    def test_users(self, environment: dict[str, str]) -> None:
        def worklets(*arguments: str) -> subprocess.CompletedProcess[str]:
            return call_worklets(*arguments, environment=environment)

        assert worklets("users", "add", "ann", "--role", "admin").returncode == 0
        assert worklets("users", "add", "bob", "--json").returncode == 0
        assert worklets("users", "add", "bob").returncode == 1
        assert worklets("users", "role", "bob", "builder").returncode == 0
        assert worklets("users", "disable", "bob").returncode == 0
        users = {user["name"]: user for user in json.loads(worklets("users", "list", "--json").stdout)}
        assert (users["bob"]["role"], users["bob"]["disabled"]) == ("builder", True)
        only = worklets("users", "disable", "ann")
        assert (only.returncode, "admin" in only.stderr) == (1, True)
        wrong = worklets("users", "add", "eve", "--role", "queen")
        assert "viewer, operator, builder, admin" in wrong.stderr

    def test_login_prints_a_link(self, instance: Instance) -> None:
        link = json.loads(instance.run("login", "--json").stdout)["url"]
        token = link.removeprefix(f"{instance.url}/login/")
        assert instance.access.redeem_login_link(token)
        assert instance.run("login", "nobody").returncode == 1


class TestManners:
    def test_help_comes_at_once(self, environment: dict[str, str]) -> None:
        took = []
        for _ in range(3):
            began = os.times()
            assert run_worklets("--help", environment=environment).returncode == 0
            ended = os.times()
            took.append(ended.children_user + ended.children_system - began.children_user - began.children_system)
        assert min(took) < 0.6

    def test_every_command_has_help(self, environment: dict[str, str]) -> None:
        import typer.main

        from prefect_worklets.cli import app

        def walk(command: object) -> None:
            for one in getattr(command, "commands", {}).values():
                assert one.help, one.name
                for parameter in one.params:
                    assert getattr(parameter, "help", None), (one.name, parameter.name)
                walk(one)

        walk(typer.main.get_command(app))

    def test_no_server(self, environment: dict[str, str]) -> None:
        for command in (["models", "list"], ["status"]):
            result = call_worklets(*command, environment=environment)
            assert result.returncode == 1
            assert "worklets up" in result.stderr
            assert len(result.stderr.splitlines()) == 1

    def test_a_wrong_setting(self, environment: dict[str, str]) -> None:
        result = call_worklets("keys", "list", environment={**environment, "WORKLETS_PORT": "many"})
        assert result.returncode == 1
        assert "WORKLETS_PORT" in result.stderr

    def test_a_wrong_store(self, environment: dict[str, str]) -> None:
        wrong = {**environment, "WORKLETS_DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}
        result = call_worklets("keys", "list", environment=wrong)
        assert result.returncode == 1
        assert result.stderr.startswith("error: ")
        assert "secret" not in result.stderr

    def test_the_data_option_wins(self, instance: Instance, environment: dict[str, str]) -> None:
        elsewhere = {**environment, "WORKLETS_URL": "http://127.0.0.1:9", "WORKLETS_KEY": "k"}
        found = call_worklets("models", "list", "--data", str(instance.data.root), environment=elsewhere)
        assert found.returncode == 0, found.stderr

    def test_a_reader_that_has_enough(self, instance: Instance) -> None:
        command = f"{Path(sys.executable).with_name('worklets')} zoo list --json | true"
        # Without this one, output waits in a buffer and fails as late as at exit.
        environment = {key: value for key, value in instance.environment.items() if key != "PYTHONUNBUFFERED"}
        result = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "")

    def test_ctrl_c_ends_cleanly(self, environment: dict[str, str], tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "never")
        command = [str(Path(sys.executable).with_name("worklets")), "invoke", "x", "--json", f"@{tmp_path}/never"]
        # Where the tests run in the background of a shell, the signal is ignored, and so it would be here.
        heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
        # Opening the other end succeeds once the command waits at this one.
        with open(tmp_path / "never", "wb"):
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "Traceback" not in said

    def test_progress_only_on_a_terminal(self, instance: Instance, starter: Path) -> None:
        quiet = run_worklets("push", str(starter), environment=instance.environment)
        assert quiet.stderr == ""
        assert "Pushing" in on_a_terminal(["push", str(starter)], instance.environment)


def on_a_terminal(arguments: list[str], environment: dict[str, str]) -> str:
    """What a command writes when all its streams are a terminal."""
    command = [str(Path(sys.executable).with_name("worklets")), *arguments]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, env={**environment, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(ours)
    assert process.wait(20) == 0, seen
    return seen.decode()
