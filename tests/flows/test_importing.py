from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefect_worklets.connectors.errors import Conflict, DefinitionError
from prefect_worklets.flows.documents import read_document, written_document
from prefect_worklets.flows.graph_differences import graph_differences
from prefect_worklets.flows.importing import import_document
from prefect_worklets.flows.project import load_file

from .drawn_graphs import CODE, documents

EXAMPLE = Path(__file__).parents[2] / "docs/examples/graphs"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "code.py").write_text(CODE)
    return folder


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=documents())
def test_a_document_comes_back_from_python_as_it_was(project: Path, data: dict[str, Any]) -> None:
    document = read_document(data)
    path = import_document(data, project)
    try:
        loaded = load_file(path)
        traced = loaded.graph(document.name)
        assert not graph_differences(document, traced), graph_differences(document, traced)
        # And once more, from what `worklets export` writes.
        again = json.loads(json.dumps(written_document(traced)))
        assert not graph_differences(traced, read_document(again))
        assert loaded.tree is not None
        loaded.tree.close()
    finally:
        path.unlink()


# --- what is not right --------------------------------------------------------------------------------------


def example(**changes: Any) -> dict[str, Any]:
    return {**json.loads((EXAMPLE / "order.json").read_text()), **changes}


def faults_of(data: Any, folder: Path, **options: Any) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        import_document(data, folder, file="g.json", **options)
    return [str(fault) for fault in caught.value.faults]


def test_faults_beside_the_code_are_told_with_all_the_others(tmp_path: Path) -> None:
    data = example(
        inputs=[{"name": "order", "type": "orders:Ordre"}, {"name": "n", "type": "str"}, {"name": "m", "type": "x["}],
        output={"node": "nobody"},
        output_type="str",
    )
    data["nodes"] += [
        {"id": "a", "function": "orders:is_large", "arguments": {"total": {"input": "n"}, "limit": {"constant": 1}}},
        {"id": "b", "function": "orders:totals", "arguments": {}},
        {"id": "c", "function": "elsewhere:f", "arguments": {}},
        {"id": "d", "function": "orders:total", "arguments": {"discount": {"constant": "much"}}},
        {"id": "e", "function": "orders:invoice_of", "arguments": {"order": {"node": "total"}, "total": {"node": "a"}}},
    ]
    found = faults_of(data, tmp_path, code=EXAMPLE / "shop")
    assert list(tmp_path.iterdir()) == []  # what was copied is gone again
    for part in (
        "g.json#/inputs/0/type: the type 'orders:Ordre' is not there",
        "g.json#/inputs/2/type: it is no type as Python writes it.",
        "g.json#/output: the output takes the node 'nobody'",
        "g.json#/nodes/1/arguments/total: node 'a': its parameter 'total' is float, and it is given str.",
        "g.json#/nodes/1/arguments/limit: node 'a': it has no parameter 'limit'.",
        "g.json#/nodes/2/function: node 'b': its code 'orders:totals' is not there",
        "g.json#/nodes/3/function: node 'c': its code 'elsewhere:f' is not there: there is no module 'elsewhere'.",
        "g.json#/nodes/4/arguments/discount: node 'd': the constant of 'discount' is no float",
        "g.json#/nodes/4/arguments: node 'd': its parameter 'order' is missing.",
        "g.json#/nodes/5/arguments/order: node 'e': its parameter 'order' is Order, and it is given float.",
    ):
        assert any(part in each for each in found), (part, found)


def test_a_result_of_another_type_is_refused(tmp_path: Path) -> None:
    found = faults_of(example(output_type="list[str]"), tmp_path, code=EXAMPLE / "shop")
    assert found == ["g.json#/output: the result is list[str], and the output is float. (change one of them)"]


def test_an_old_definition_is_in_the_way_until_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text((EXAMPLE / "shop/orders.py").read_text())
    document = written_document(load_file(tmp_path / "orders.py").graph("invoice"))
    document["nodes"][0]["timeout"] = 5
    with pytest.raises(Conflict, match=r"orders\.py is in the way"):
        import_document(document, tmp_path)
    written = import_document(document, tmp_path, replace=True)
    assert "def invoice(" not in (tmp_path / "orders.py").read_text()
    assert load_file(written).graph("invoice").nodes[0].timeout == 5
    with pytest.raises(Conflict, match=r"invoice\.py is in the way"):
        import_document(document, tmp_path)


def test_what_cannot_be_written_leaves_the_project_as_it_was(tmp_path: Path) -> None:
    code = (EXAMPLE / "shop/orders.py").read_text() + "\nprint(invoice)\n"
    (tmp_path / "orders.py").write_text(code)  # it uses the worklet that would be taken out
    document = written_document(load_file(tmp_path / "orders.py").graph("invoice"))
    with pytest.raises(DefinitionError, match="name 'invoice' is not defined"):
        import_document(document, tmp_path, replace=True)
    assert (tmp_path / "orders.py").read_text() == code
    assert not (tmp_path / "invoice.py").exists()


BREAKS = st.sampled_from(["id", "reference", "function", "kind", "setting", "argument"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=documents(), broken=st.lists(BREAKS, min_size=1, max_size=4, unique=True), chosen=st.randoms())
def test_each_of_several_faults_is_told_with_its_place(
    project: Path, data: dict[str, Any], broken: list[str], chosen: Any
) -> None:
    data = copy.deepcopy(data)
    expected = set()
    data["nodes"] = [*data["nodes"], *({"id": f"added {each}", "kind": "save", "settings": {"table": "t"},
                                        "arguments": {"row": {"constant": 1}}} for each in broken)]  # fmt: skip
    for each in broken:
        index = next(at for at, node in enumerate(data["nodes"]) if node["id"] == f"added {each}")
        node = data["nodes"][index]
        match each:
            case "id":
                node["id"] = "a/b"
            case "reference":
                node["arguments"]["row"] = {"list": [{"node": "nowhere"}]}
            case "function":
                node.update(kind="node", function="code:absent", arguments={}, settings={})
                data["output"]["list"].append({"node": node["id"]})
            case "kind":
                node["kind"] = "dream"
            case "setting":
                node["settings"] = {}
            case "argument":
                node["arguments"]["rows"] = {"constant": 1}
        expected.add((each, f"/nodes/{index}"))
    with pytest.raises(DefinitionError) as caught:
        import_document(data, project)
    places = {"/".join((getattr(fault, "pointer", "") or "").split("/")[:3]) for fault in caught.value.faults}
    assert places == {place for _, place in expected}
    assert not list(project.glob("[!c]*.py"))


def test_the_guide_shows_what_is_written(tmp_path: Path) -> None:
    document = written_document(load_file(EXAMPLE / "shop/orders.py").graph("invoice"))
    written = import_document(document, tmp_path, code=EXAMPLE / "shop")
    assert written.read_text() == (EXAMPLE / "written.txt").read_text()
