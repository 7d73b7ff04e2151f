from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from prefect_worklets.connectors.errors import BadInput, DefinitionError
from prefect_worklets.flows import bundle
from prefect_worklets.flows.project import load_project

Tree = Callable[[Mapping[str, str]], Path]
IMPORTS = """
from prefect_worklets.flows.nodes import node
from prefect_worklets.flows.worklet import worklet
"""
FLOW = """
from __future__ import annotations
from prefect_worklets.flows.nodes import node
from prefect_worklets.flows.worklet import worklet
from shapes import Pair

@node
def measure(pair: Pair) -> int:
    from scale import factor
    return (pair.left + pair.right) * factor()

@worklet
def area(pair: Pair) -> int:
    return measure(pair)
"""
SHAPES = "from pydantic import BaseModel\nclass Pair(BaseModel):\n    left: int\n    right: int\n"


def project(factor: int, **more: str) -> dict[str, str]:
    return {
        "flow.py": FLOW,
        "shapes.py": SHAPES,
        "scale.py": f"def factor():\n    return {factor}\n",
    } | more


class TestLoading:
    def test_versions_of_a_project_live_side_by_side(self, tree: Tree) -> None:
        one, two = load_project(tree(project(1))), load_project(tree(project(10)))
        for loaded, expected in ((one, 3), (two, 30), (one, 3)):
            flow = loaded.worklets["area"]
            (pair,) = flow.input.from_json(b'{"left": 1, "right": 2}')
            assert flow(pair) == expected
        assert "shapes" not in sys.modules
        assert "scale" not in sys.modules

    def test_graphs_name_files_and_functions_as_in_the_project(self, tree: Tree) -> None:
        graph = load_project(tree(project(1))).graph("area")
        assert graph.nodes[0].function == "flow:measure"
        assert graph.nodes[0].source is not None
        assert graph.nodes[0].source.file == "flow.py"

    def test_packages_and_relative_imports_work(self, tree: Tree) -> None:
        loaded = load_project(
            tree(
                {
                    "pack/__init__.py": "",
                    "pack/flow.py": IMPORTS
                    + "from .deep.values import VALUE\nimport pack.deep.values\nimport pack.deep.values as again\n"
                    + "@node\ndef get() -> int:\n    assert pack.deep.values is again\n    return VALUE\n"
                    + "@worklet\ndef got() -> int:\n    return get()\n",
                    "pack/deep/values.py": "VALUE = 5\n",
                }
            )
        )
        assert loaded.worklets["got"]() == 5

    def test_only_modules_that_define_worklets_are_imported(self, tree: Tree) -> None:
        others = {
            "train.py": "raise RuntimeError('training would begin')",
            "tests/test_flow.py": IMPORTS + "@worklet\ndef bad(): raise RuntimeError",
            "old.py": "print 'python 2'",
        }
        assert set(load_project(tree(project(1, **others))).worklets) == {"area"}

    def test_a_worklet_imported_elsewhere_counts_once(self, tree: Tree) -> None:
        more = {
            "again.py": IMPORTS
            + "from flow import area\nfrom shapes import Pair\n"
            + "@worklet\ndef second(pair: Pair) -> int:\n    return area(pair)\n"
        }
        assert set(load_project(tree(project(1, **more))).worklets) == {"area", "second"}

    def test_views_are_collected(self, tree: Tree) -> None:
        loaded = load_project(tree(project(1) | {"views/home.json": '{"title": "Home"}'}))
        assert loaded.views == {"home": {"title": "Home"}}

    def test_views_of_python_code_are_collected_once(self, tree: Tree) -> None:
        code = "import prefect_worklets as pw\npage = pw.view('home', [pw.page('Main', [])])\n"
        more = "import prefect_worklets as w\nfrom pages import page\nv = w.view('b', [])"
        with pytest.raises(DefinitionError, match=r"more.py:3: pages: List should have at least 1 item"):
            load_project(tree({"pages.py": code, "more.py": more}))
        again = "from pages import page\nfrom prefect_worklets import view\nthe_page = page"
        loaded = load_project(tree({"pages.py": code, "again.py": again}))
        assert loaded.views == {
            "home": {"version": 1, "slug": "home", "title": "Home", "pages": [{"title": "Main"}]},
        }

    def test_two_views_of_one_name_are_a_fault(self, tree: Tree) -> None:
        code = "import prefect_worklets as pw\npage = pw.view('home', [pw.page('Main', [])])\n"
        with pytest.raises(DefinitionError, match=r"b.py:2: another view is named 'home'"):
            load_project(tree({"a.py": code, "b.py": code}))
        with pytest.raises(DefinitionError, match=r"h.json:1: the view 'home' is in this file and in Python code"):
            load_project(tree({"a.py": code, "views/h.json": '{"slug": "home"}'}))

    def test_a_view_beside_worklets_with_requirements_is_a_fault(self, tree: Tree) -> None:
        code = (
            "import prefect_worklets as pw\npage = pw.view('home', [pw.page('Main', [])])\n"
            "@pw.worklet(requirements=['six'])\ndef one(a: int) -> int:\n    return a\n"
        )
        with pytest.raises(DefinitionError, match=r"a.py:2: a view is written beside worklets with requirements"):
            load_project(tree({"a.py": code}))

    def test_no_bytecode_is_left_behind(self, tree: Tree) -> None:
        folder = tree(project(1))
        load_project(folder)
        assert not list(folder.rglob("__pycache__"))

    def test_every_fault_of_every_file_is_told(self, tree: Tree) -> None:
        folder = tree(
            {
                "a_syntax.py": IMPORTS + "@worklet\ndef a(:\n",
                "b_import.py": IMPORTS + "import no_such_module_here\n@worklet\ndef b(): ...\n",
                "c_raises.py": IMPORTS + "1 / 0\n@worklet\ndef c(): ...\n",
                "d_exits.py": IMPORTS + "import sys\nsys.exit(1)\n@worklet\ndef d(): ...\n",
                "e_wrong.py": IMPORTS
                + "@node\ndef n(x: int) -> int: ...\n@worklet\ndef e() -> int:\n    return n('y')\n",
                "f_sibling.py": IMPORTS + "from helpers import x\n@worklet\ndef f(): ...\n",
                "helpers.py": "\n\nx = undefined\n",
                "views/broken.json": "{",
            }
        )
        with pytest.raises(DefinitionError) as caught:
            load_project(folder)
        found = {fault.file: fault for fault in caught.value.faults}  # type: ignore[attr-defined]
        assert set(found) == {
            "a_syntax.py", "b_import.py", "c_raises.py", "d_exits.py", "e_wrong.py", "helpers.py", "views/broken.json",
        }  # fmt: skip
        assert (found["a_syntax.py"].line, found["c_raises.py"].line, found["helpers.py"].line) == (5, 4, 3)
        assert "this environment has not" in found["b_import.py"].msg
        assert found["e_wrong.py"].node == "n"

    def test_two_worklets_of_one_name_are_told(self, tree: Tree) -> None:
        with pytest.raises(DefinitionError, match="'area' is defined here and at"):
            load_project(tree(project(1) | {"other.py": FLOW}))

    def test_a_failed_load_leaves_nothing(self, tree: Tree) -> None:
        before = set(sys.modules)
        with pytest.raises(DefinitionError):
            load_project(tree({"a.py": IMPORTS + "@worklet\ndef a(): return 1 / 0\n"}))
        assert not [name for name in set(sys.modules) - before if name.startswith("worklets_project")]


class TestBundle:
    def test_the_same_tree_gives_the_same_bytes(self, tree: Tree) -> None:
        one, two = tree(project(1)), tree(project(1))
        assert bundle.pack(one) == bundle.pack(two)
        assert bundle.tree_hash(one) == bundle.tree_hash(two)
        assert bundle.tree_hash(one) != bundle.tree_hash(tree(project(2)))

    def test_what_is_no_source_stays_behind(self, tree: Tree, tmp_path: Path) -> None:
        ignored = {
            ".git/config": "x", ".venv/lib.py": "x", "__pycache__/a.pyc": "x", ".env": "SECRET=1",
            "data/secret.key": "x", "data/worklets.db": "x", "a.egg-info/x": "x",
        }  # fmt: skip
        folder = tree(project(1) | ignored)
        assert [name for name, _ in bundle.source_files(folder)] == ["flow.py", "scale.py", "shapes.py"]
        target = tmp_path / "out"
        target.mkdir()
        bundle.unpack(bundle.pack(folder), target)
        assert bundle.tree_hash(target) == bundle.tree_hash(folder)

    def test_a_link_out_of_the_project_is_refused(self, tree: Tree, tmp_path: Path) -> None:
        (tmp_path / "secret.txt").write_text("x")
        folder = tree(project(1))
        (folder / "inside.txt").symlink_to(folder / "flow.py")
        bundle.pack(folder)
        (folder / "outside.txt").symlink_to(tmp_path / "secret.txt")
        with pytest.raises(BadInput, match=r"outside\.txt: it links to"):
            bundle.pack(folder)

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            ({"name": "../up.py"}, "leads out"),
            ({"name": "/abs.py"}, "leads out"),
            ({"name": "a/../../b.py"}, "leads out"),
            ({"name": "a\\b.py"}, "leads out"),
            ({"name": "link", "type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "a link or a device"),
            ({"name": "hard", "type": tarfile.LNKTYPE, "linkname": "ok.py"}, "a link or a device"),
            ({"name": "dev", "type": tarfile.CHRTYPE}, "a link or a device"),
            ({"name": "ok.py"}, "there twice"),
        ],
    )
    def test_hostile_entries_are_refused(self, tmp_path: Path, entry: dict[str, Any], message: str) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo("ok.py"))
            info = tarfile.TarInfo(entry["name"])
            info.type = entry.get("type", tarfile.REGTYPE)
            info.linkname = entry.get("linkname", "")
            archive.addfile(info)
        with pytest.raises(BadInput, match=message):
            bundle.unpack(buffer.getvalue(), tmp_path)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08broken", b"PK\x03\x04zip"])
    def test_what_is_no_bundle_is_refused(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(BadInput, match="no project bundle"):
            bundle.unpack(content, tmp_path)

    def test_a_folder_that_does_not_exist_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="There is no folder"):
            bundle.pack(tmp_path / "nowhere")
