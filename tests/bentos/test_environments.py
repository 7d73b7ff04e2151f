"""Environments of models' own, made with uv from the package registry."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from fixtures_pythons import interpreters, put_first
from prefect_worklets.bentos.environments import Environments, check_requirements
from prefect_worklets.bentos.package import pack
from prefect_worklets.connectors.errors import DefinitionError

pytestmark = pytest.mark.integration

SMALL = "iniconfig==2.0.0"


@pytest.fixture
def environments(tmp_path):
    return Environments(tmp_path / "environments")


def run(python, code, *arguments):
    """Run code with an environment's interpreter; what it prints."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(python), "-c", textwrap.dedent(code), *map(str, arguments)],
        check=True, capture_output=True, text=True, env=variables,
    ).stdout  # fmt: skip


def patch_of(python):
    return run(python, "import sys; print(sys.version.split()[0])").strip()


async def test_its_own_packages_come_before_the_servers(environments):
    made = await environments.ensure([SMALL])
    assert made.lock == (SMALL,)
    code = "import iniconfig, importlib.metadata as m, numpy; print(iniconfig.__file__, m.version('iniconfig'))"
    place, version = run(made.python, code).split()
    assert Path(place).is_relative_to(made.folder)
    assert version == "2.0.0"
    assert list((made.folder / "lib").rglob("iniconfig/__pycache__/*.pyc"))


async def test_it_is_made_once(environments, tmp_path):
    asked = [SMALL, f" {SMALL} "] * 6
    first, *others = await asyncio.gather(*(environments.ensure([one]) for one in asked))
    assert others == [first] * (len(asked) - 1)
    assert not list((tmp_path / "environments").glob("*.part"))
    made_at = (first.folder / ".ready").stat().st_mtime_ns
    # A restart neither resolves nor installs: there need not be a registry any more.
    offline = Environments(tmp_path / "environments", uv=Path("/no/such/uv"))
    assert await offline.ensure([SMALL]) == first
    assert (first.folder / ".ready").stat().st_mtime_ns == made_at


async def test_one_that_was_half_made_is_made_anew(environments):
    made = await environments.ensure([SMALL])
    (made.folder / ".ready").unlink()
    next((made.folder / "lib").rglob("iniconfig/__init__.py")).unlink()
    again = await environments.ensure([SMALL])
    assert again == made
    assert run(again.python, "import iniconfig; print(iniconfig.IniConfig.__name__)").strip() == "IniConfig"


async def test_a_build_that_is_broken_off_leaves_nothing(environments, tmp_path):
    building = asyncio.create_task(environments.ensure(["scipy==1.13.1"]))
    await asyncio.sleep(0.3)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert [one for one in (tmp_path / "environments").glob("*") if (one / "bin").exists()] == []


async def test_another_interpreter_of_the_same_version_lies_on_top_too(environments, monkeypatch):
    mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
    others = [each for each in interpreters(mine) if patch_of(each) != sys.version.split()[0]]
    if not others:
        pytest.skip(f"there is no second Python {mine} on this machine")
    monkeypatch.setenv("PATH", put_first(others[0].parent)["PATH"])
    made = await environments.ensure([], str(others[0]))
    assert made.lock == ()
    version, place = run(made.python, "import numpy, sys; print(sys.version.split()[0], numpy.__file__)").split()
    assert version == patch_of(others[0])
    assert place == np.__file__
    assert await Environments(made.folder.parent, uv=Path("/no/such/uv")).ensure([], str(others[0])) == made


@pytest.mark.parametrize(
    ("requirements", "said"),
    [(["no-such-package-of-anybody==1.0"], "no-such-package-of-anybody"),
     (["iniconfig==2.0.0", "iniconfig==1.1.1"], "iniconfig")],
)  # fmt: skip
async def test_what_cannot_be_installed_says_why(environments, requirements, said):
    with pytest.raises(DefinitionError, match=r"(?s)The installer says:.*" + said):
        await environments.ensure(requirements)


def test_requirements_are_checked_together():
    with pytest.raises(DefinitionError) as raised:
        check_requirements(["numpy", "-r x.txt", "a b", "x @ file:///etc/passwd", "--index-url=http://x"])
    assert [fault.loc[1] for fault in raised.value.faults] == [1, 2, 3, 4]


async def test_a_failed_install_fails_the_version(deployer, write_model):
    package = write_model("thing", "def predict(self, x: float = 1.0): return x", requirements=["no-such-thing-x==9"])
    with pytest.raises(DefinitionError, match=r"(?s)no version answers.*The installer says:.*no-such-thing-x"):
        await deployer.deploy(package)
    row = await asyncio.to_thread(deployer.records.version, "thing", "1.0.0")
    assert row.status == "failed"
    assert "no-such-thing-x" in row.error


TRAIN = """
    import json, sys
    from pathlib import Path
    import numpy as np, sklearn
    from prefect_worklets.bentos.package import pack
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    X, y = load_iris(return_X_y=True)
    model = RandomForestClassifier(n_estimators=5, random_state=1).fit(X, y)
    pack(model, "old", sample_input=X[:1], metadata={"method": "predict_proba"}, requirements="installed",
         folder=Path(sys.argv[1]))
    print(json.dumps([sklearn.__version__, model.predict_proba(X[::7]).tolist()]))
"""


async def test_an_old_and_a_new_scikit_learn_answer_side_by_side(deployer, router, logreg, iris, tmp_path):
    trained_in = await deployer.environments.ensure(["scikit-learn==1.5.*"])
    folder = tmp_path / "old"
    version, expected = json.loads(run(trained_in.python, TRAIN, folder))
    assert version.startswith("1.5.")
    old = await deployer.deploy(folder)
    assert (old.status, old.tier) == ("live", "own-environment")
    assert f"scikit-learn=={version}" in old.tier_reason
    new = await deployer.deploy(pack(logreg, "new", sample_input=iris[0][:1], folder=tmp_path / "new"))
    assert new.tier == "in-process"
    rows = iris[0][::7]
    answers = await asyncio.gather(*(router.predict(name, rows) for name in ("old", "new") * 5))
    for number, answer in enumerate(answers):
        if number % 2:
            assert answer.outputs.tolist() == logreg.predict(rows).tolist()
        else:
            np.testing.assert_allclose(answer.outputs, expected, atol=1e-6)
