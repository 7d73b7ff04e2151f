from __future__ import annotations

import time
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect_worklets.panel_views.console.graph_layout import Direction, Rectangle, Size, place

NODES = st.integers(1, 25)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, Size], list[tuple[str, str]]]:
    count = draw(NODES)
    width, height = st.floats(20, 220), st.floats(20, 80)
    sizes = {f"n{number}": Size(draw(width), draw(height)) for number in range(count)}
    name = st.sampled_from(list(sizes))
    return sizes, draw(st.lists(st.tuples(name, name), max_size=50))


class TestPlace:
    @settings(max_examples=150, deadline=None)
    @given(graphs(), st.sampled_from(["right", "down"]))
    def test_no_boxes_overlap_and_all_lie_inside(
        self, graph: tuple[dict[str, Size], list[tuple[str, str]]], direction: Direction
    ) -> None:
        layout = place(*graph, direction=direction)
        assert set(layout.boxes) == set(graph[0])
        for one, other in combinations(layout.boxes.values(), 2):
            assert not one.overlaps(other)
        for box in layout.boxes.values():
            assert box.x >= 0
            assert box.y >= 0
            assert box.x + box.width <= layout.width
            assert box.y + box.height <= layout.height

    @settings(max_examples=150, deadline=None)
    @given(graphs())
    def test_lines_go_forward_and_pass_behind_no_other_box(
        self, graph: tuple[dict[str, Size], list[tuple[str, str]]]
    ) -> None:
        layout = place(*graph)
        for line in layout.lines:
            assert all(before[0] < after[0] for before, after in pairwise(line.points))
            # Inside a layer a line is straight: its curves are between the layers, where no box is.
            for start, end in list(pairwise(line.points))[1::2]:
                lane = Rectangle(start[0], start[1] - 0.5, end[0] - start[0], 1)
                assert start[1] == end[1]
                assert not any(lane.overlaps(box) for box in layout.boxes.values())

    def test_a_chain_is_straight(self) -> None:
        layout = place({name: Size(100, 50) for name in "abc"}, [("a", "b"), ("b", "c")])
        assert len({box.y for box in layout.boxes.values()}) == 1
        assert layout.boxes["a"].x < layout.boxes["b"].x < layout.boxes["c"].x

    def test_down_swaps_the_axes(self) -> None:
        layout = place({name: Size(100, 50) for name in "abc"}, [("a", "b"), ("b", "c")], direction="down")
        assert len({box.x for box in layout.boxes.values()}) == 1
        assert layout.height > layout.width

    def test_a_cycle_loses_one_edge(self) -> None:
        layout = place({name: Size(100, 50) for name in "ab"}, [("a", "b"), ("b", "a")])
        assert [(line.source, line.target) for line in layout.lines] == [("a", "b")]

    @pytest.mark.parametrize("edges", [[("a", "a")], [("a", "missing")], [("missing", "a")]])
    def test_an_edge_that_can_not_be_drawn_is_left_out(self, edges: list[tuple[str, str]]) -> None:
        assert place({"a": Size(10, 10)}, edges).lines == []

    def test_nothing_at_all(self) -> None:
        layout = place({}, [])
        assert layout.boxes == {}
        assert layout.width > 0

    def test_a_long_graph_is_quick(self) -> None:
        names = [f"n{number}" for number in range(300)]
        began = time.perf_counter()
        layout = place({name: Size(100, 50) for name in names}, list(pairwise(names)))
        assert time.perf_counter() - began < 2.0
        assert layout.width > 300 * 100
