"""Places a graph's boxes in layers: a pure function from nodes and edges to rectangles and lines.

Layers by longest path, the order within one by barycentres, the positions by isotonic regression: each box as near
to its neighbours as the order and the gaps allow. An edge that skips layers gets a lane of its own in each of them,
so no line passes behind a box.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["right", "down"]
_SWEEPS = 6
_PULLS = 30
_LANE = 10.0  # the height of the lane of a passing edge


@dataclass(frozen=True, slots=True)
class Size:
    """A box's size in pixels."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Where a box lies, in pixels from the drawing's top left corner."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Rectangle) -> bool:
        """Whether the two share area."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


@dataclass(frozen=True, slots=True)
class Line:
    """An edge: `points` alternate between curved and straight parts, first a curve."""

    source: str
    target: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A placed graph."""

    width: float
    height: float
    boxes: Mapping[str, Rectangle]
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Gaps:
    """Free space between the layers, between the boxes of one, and around everything."""

    between: float = 56.0
    beside: float = 24.0
    around: float = 8.0


def place(
    sizes: Mapping[str, Size],
    edges: Iterable[tuple[str, str]],
    *,
    direction: Direction = "right",
    gaps: Gaps | None = None,
) -> Layout:
    """Lay a graph out.

    Args:
        sizes: each box's size by its id, in the order in which they are preferred.
        edges: (source, target); an edge of an unknown box, to itself or against the flow of a cycle is left out.
        direction: where the layers follow each other.
        gaps: the free space; the default suits boxes of some fifty pixels height.
    """
    spaces = gaps if gaps is not None else Gaps()
    kept = _without_cycles(list(sizes), edges)
    layer_of = _layers(list(sizes), kept)
    lanes = _Lanes.of(kept, layer_of)
    ordered = _ordered(list(sizes), layer_of, lanes)
    # `across` is measured along a layer, `along` in the direction of the flow.
    flat = direction == "right"
    breadth = {item: sizes[item].height if flat else sizes[item].width for item in sizes}
    depth = {item: sizes[item].width if flat else sizes[item].height for item in sizes}
    across = _positions(ordered, breadth, lanes, spaces)
    starts, depths, total = _layer_starts(ordered, depth, spaces)
    highest = max((across[i] + breadth.get(i, _LANE) / 2 for layer in ordered for i in layer), default=0.0)
    boxes = {
        item: _rectangle(
            starts[layer_of[item]] + (depths[layer_of[item]] - depth[item]) / 2, across[item], sizes[item], flat
        )
        for item in sizes
    }
    lines = [_line(edge, lanes, across, boxes, starts, depths, flat) for edge in kept]
    extent = (total, highest + spaces.around)
    return Layout(extent[0] if flat else extent[1], extent[1] if flat else extent[0], boxes, lines)


@dataclass(frozen=True, slots=True)
class _Lanes:
    """The links between neighbouring layers, passing lanes included."""

    passing: Mapping[tuple[str, str], tuple[str, ...]]
    layer: Mapping[str, int]
    before: Mapping[str, list[str]]
    after: Mapping[str, list[str]]

    @classmethod
    def of(cls, edges: Sequence[tuple[str, str]], layer_of: Mapping[str, int]) -> _Lanes:
        passing: dict[tuple[str, str], tuple[str, ...]] = {}
        layer: dict[str, int] = {}
        before: dict[str, list[str]] = defaultdict(list)
        after: dict[str, list[str]] = defaultdict(list)
        for number, (source, target) in enumerate(edges):
            lane = []
            for at in range(layer_of[source] + 1, layer_of[target]):
                name = f"\0{number}.{at}"
                layer[name] = at
                lane.append(name)
            passing[source, target] = tuple(lane)
            chain = [source, *lane, target]
            for left, right in itertools.pairwise(chain):
                after[left].append(right)
                before[right].append(left)
        return cls(passing, layer, before, after)


def _without_cycles(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    following: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in dict.fromkeys(edges):
        if source in following and target in following and source != target:
            following[source].append(target)
    kept: list[tuple[str, str]] = []
    state: dict[str, int] = {}
    for root in nodes:
        stack = [(root, iter(following[root]))] if root not in state else []
        if stack:
            state[root] = 1
        while stack:
            node, rest = stack[-1]
            child = next(rest, None)
            if child is None:
                state[node] = 2
                stack.pop()
            elif state.get(child) != 1:
                kept.append((node, child))
                if child not in state:
                    state[child] = 1
                    stack.append((child, iter(following[child])))
    return kept


def _layers(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    waiting = dict.fromkeys(nodes, 0)
    following: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        following[source].append(target)
        waiting[target] += 1
    layer = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not waiting[node]]
    for node in ready:  # grows while it is read
        for target in following[node]:
            layer[target] = max(layer[target], layer[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for node in reversed(ready):  # a box without a predecessor moves up to the one that needs it
        if following[node] and not any(node == target for _, target in edges):
            layer[node] = min(layer[target] for target in following[node]) - 1
    return layer


def _ordered(nodes: Sequence[str], layer_of: Mapping[str, int], lanes: _Lanes) -> list[list[str]]:
    count = max(layer_of.values(), default=-1) + 1
    layers: list[list[str]] = [[] for _ in range(count)]
    for node in nodes:
        layers[layer_of[node]].append(node)
    for name, at in lanes.layer.items():
        layers[at].append(name)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = lanes.before if forward else lanes.after
        sequence = range(1, count) if forward else range(count - 2, -1, -1)
        for at in sequence:
            beside = layers[at - 1] if forward else layers[at + 1]
            place_of = {item: number for number, item in enumerate(beside)}
            own = {item: number for number, item in enumerate(layers[at])}
            layers[at].sort(key=lambda item: (_mean(place_of, neighbours.get(item, ()), own[item]), own[item]))
    return layers


def _mean(values: Mapping[str, float] | Mapping[str, int], keys: Iterable[str], default: float) -> float:
    found = [values[key] for key in keys if key in values]
    return sum(found) / len(found) if found else default


def _positions(
    layers: Sequence[Sequence[str]], breadth: Mapping[str, float], lanes: _Lanes, gaps: Gaps
) -> dict[str, float]:
    """The middle of each item across its layer, from the free space around the drawing on."""
    across: dict[str, float] = {}
    for layer in layers:
        total = sum(breadth.get(item, _LANE) + gaps.beside for item in layer) - gaps.beside
        at = -total / 2
        for item in layer:
            across[item] = at + breadth.get(item, _LANE) / 2
            at += breadth.get(item, _LANE) + gaps.beside
    for sweep in range(_PULLS):
        for layer in layers if sweep % 2 else list(reversed(layers)):
            wanted = [
                _mean(across, (*lanes.before.get(item, ()), *lanes.after.get(item, ())), across[item]) for item in layer
            ]
            sizes = [breadth.get(item, _LANE) for item in layer]
            across.update(zip(layer, _spread(wanted, sizes, gaps.beside), strict=True))
    lowest = min((across[item] - breadth.get(item, _LANE) / 2 for layer in layers for item in layer), default=0.0)
    return {item: round(value - lowest) + gaps.around for item, value in across.items()}


def _spread(wanted: Sequence[float], sizes: Sequence[float], gap: float) -> list[float]:
    """The positions nearest to `wanted` (least squares) that keep the order and `gap` between neighbours."""
    offsets = [0.0]
    for left, right in itertools.pairwise(sizes):
        offsets.append(offsets[-1] + (left + right) / 2 + gap)
    pools: list[list[float]] = []  # [mean, count]: pool adjacent violators
    for value, offset in zip(wanted, offsets, strict=True):
        pools.append([value - offset, 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, count = pools.pop()
            last = pools[-1]
            last[0] = (last[0] * last[1] + mean * count) / (last[1] + count)
            last[1] += count
    levels = [mean for mean, count in pools for _ in range(int(count))]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]


def _layer_starts(
    layers: Sequence[Sequence[str]], depth: Mapping[str, float], gaps: Gaps
) -> tuple[list[float], list[float], float]:
    starts: list[float] = []
    depths: list[float] = []
    at = gaps.around
    for layer in layers:
        starts.append(at)
        depths.append(max((depth[item] for item in layer if item in depth), default=_LANE))
        at += depths[-1] + gaps.between
    return starts, depths, at - (gaps.between if layers else 0.0) + gaps.around


def _rectangle(along: float, across: float, size: Size, flat: bool) -> Rectangle:
    if flat:
        return Rectangle(along, across - size.height / 2, size.width, size.height)
    return Rectangle(across - size.width / 2, along, size.width, size.height)


def _line(
    edge: tuple[str, str],
    lanes: _Lanes,
    across: Mapping[str, float],
    boxes: Mapping[str, Rectangle],
    starts: Sequence[float],
    depths: Sequence[float],
    flat: bool,
) -> Line:
    source, target = boxes[edge[0]], boxes[edge[1]]
    leave = source.x + source.width if flat else source.y + source.height
    enter = target.x if flat else target.y
    points = [(leave, across[edge[0]])]
    for name in lanes.passing[edge]:
        at = lanes.layer[name]
        points += [(starts[at], across[name]), (starts[at] + depths[at], across[name])]
    points.append((enter, across[edge[1]]))
    return Line(*edge, tuple(points if flat else [(y, x) for x, y in points]))
