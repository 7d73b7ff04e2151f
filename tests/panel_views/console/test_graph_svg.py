from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from prefect_worklets.flows.graph import FromInput, FromNode, GraphDocument, GraphNode, ListOf
from prefect_worklets.panel_views.console.graph_svg import (
    INPUT,
    MAX_NODES,
    OUTPUT,
    NodeState,
    edges_of,
    graph_svg,
    nodes_of,
)

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</text><script>alert(1)</script>"&\x00'


def document(**changes: Any) -> dict[str, Any]:
    graph = GraphDocument(
        name="stylize",
        nodes=(
            GraphNode(id="fetch", arguments={"request": FromInput(input="request")}),
            GraphNode(id="paint", kind="model", arguments={"pair": FromNode(node="fetch")}),
            GraphNode(id="keep", kind="save", arguments={"row": ListOf(list=(FromNode(node="paint"),))}),
        ),
        output=FromNode(node="paint"),
    )
    return graph.model_dump(mode="json") | changes


def parsed(markup: Any) -> ElementTree.Element:
    return ElementTree.fromstring(str(markup).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


class TestEdges:
    def test_they_follow_the_arguments(self) -> None:
        assert set(edges_of(document())) == {
            (INPUT, "fetch"),
            ("fetch", "paint"),
            ("paint", "keep"),
            ("paint", OUTPUT),
            ("keep", OUTPUT),
        }

    def test_a_constant_that_looks_like_a_reference_is_none(self) -> None:
        node = {"id": "a", "kind": "node", "arguments": {"x": {"constant": {"node": "b"}}}}
        assert edges_of({"nodes": [node], "output": {"node": "a"}}) == [(INPUT, "a"), ("a", OUTPUT)]

    def test_an_arm_comes_after_its_decision(self) -> None:
        nodes = [{"id": "decide", "kind": "decide"}, {"id": "arm", "when": {"node": "decide", "arm": True}}]
        assert edges_of({"nodes": nodes}) == [(INPUT, "decide"), ("decide", "arm"), ("arm", OUTPUT)]
        assert edges_of({"nodes": nodes}, implied=False) == [("decide", "arm")]

    @pytest.mark.parametrize("graph", [{}, {"nodes": None}, {"nodes": [3, None, {}]}, {"nodes": "x", "output": 3}])
    def test_whatever_is_no_graph_has_none(self, graph: dict[str, Any]) -> None:
        assert nodes_of(graph) == []
        assert graph_svg(graph) is None


class TestDrawing:
    def test_it_is_sound_xml_with_a_title_and_a_description(self) -> None:
        root = parsed(graph_svg(document(), name="stylize"))
        assert root.findtext(f"{SVG}title") == "Graph of stylize"
        assert root.findtext(f"{SVG}desc") == "3 nodes: fetch (node); paint (model); keep (save)"
        assert len(root.findall(f".//{SVG}g[@class='terminal']")) == 2
        assert root.find(f".//{SVG}g[@class='box kind-model']") is not None

    @pytest.mark.parametrize("direction", ["right", "down"])
    def test_hostile_text_stays_text(self, direction: Any) -> None:
        nodes = [{"id": HOSTILE, "kind": HOSTILE, "arguments": {}}]
        states = {HOSTILE: NodeState(HOSTILE, 5)}
        drawn = str(graph_svg({"nodes": nodes}, name=HOSTILE, states=states, direction=direction))
        assert "<script" not in drawn
        assert "alert(1)" in drawn

    def test_a_run_colours_its_nodes(self) -> None:
        states = {"fetch": NodeState("completed", 1500), "paint": NodeState("timed-out", 9)}
        root = parsed(graph_svg(document(), states=states))
        classes = [group.get("class") for group in root.findall(f".//{SVG}g")]
        assert "box kind-node state-completed" in classes
        assert "box kind-model state-timed-out" in classes
        assert "box kind-save state-none" in classes
        assert "node · 1.5 ms" in [text.text for text in root.iter(f"{SVG}text")]

    @pytest.mark.parametrize("direction", ["right", "down"])
    def test_each_box_leads_to_its_node(self, direction: Any) -> None:
        hostile = HOSTILE.replace("\0", "")
        graph = {"nodes": [{"id": "a/b", "kind": "node"}, {"id": hostile, "kind": "node"}]}
        root = parsed(graph_svg(graph, links="/console/runs/1/nodes", direction=direction))
        links = root.findall(f".//{SVG}a")
        assert [link.get("data-node") for link in links] == ["a/b", hostile]
        assert links[0].get("href") == "/console/runs/1/nodes/a%2Fb"
        assert root.get("role") == "group"
        assert parsed(graph_svg(graph)).get("role") == "img"

    def test_no_style_attribute_and_no_script(self) -> None:
        drawn = str(graph_svg(document()))
        assert "style=" not in drawn
        assert " on" not in drawn

    def test_a_long_name_is_shortened_and_whole_in_the_title(self) -> None:
        name = "a-very-long-name-of-a-node-that-fits-nowhere"
        root = parsed(graph_svg({"nodes": [{"id": name}]}))
        texts = [text.text or "" for text in root.iter(f"{SVG}text")]
        assert any(text.endswith("…") for text in texts)
        assert f"{name} (node)" in [title.text for title in root.iter(f"{SVG}title")]

    def test_too_many_nodes_are_not_drawn(self) -> None:
        assert graph_svg({"nodes": [{"id": str(number)} for number in range(MAX_NODES + 1)]}) is None
