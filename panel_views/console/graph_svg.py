"""Draws a worklet's graph as SVG: boxes coloured by kind, or by state for a run. A pure function; all text is escaped.

Colours and fonts are the style sheet's (`.graph` in static/console.css): the drawing carries classes only, so that
it follows the light and the dark scheme and needs no inline style.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .formats import duration, url_part
from .graph_layout import Direction, Gaps, Layout, Line, Rectangle, Size, place

INPUT, OUTPUT = "\0input", "\0output"
KINDS = frozenset({"node", "model", "decide", "map", "query", "save", "http", "notify", "publish", "review", "call"})
# A drawing of more boxes helps nobody, and takes its time; the page lists the nodes instead.
MAX_NODES = 300
_BOX_HEIGHT, _NARROWEST, _WIDEST = 54, 124, 192
_TERMINAL = Size(66, 30)
# A drawing up to this width (in pixels) may be shrunk into its frame and still be read; a wider one scrolls.
_SHRINKS: Mapping[Direction, float] = {"right": 1180, "down": 440}
# Of the names, in pixels: generous, for the reader's font is not known here.
_LETTER = 8.2
_MARGIN = 38


@dataclass(frozen=True, slots=True)
class NodeState:
    """How a node fared in a run."""

    state: str
    duration_us: int | None = None


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node as it is drawn."""

    id: str
    kind: str
    label: str


def nodes_of(graph: Mapping[str, Any]) -> list[DrawnNode]:
    """The nodes of a graph document; whatever is no node is left out."""
    found: dict[str, DrawnNode] = {}
    for node in _dicts(graph.get("nodes")):
        identity = str(node.get("id") or "")
        if identity:
            found[identity] = DrawnNode(identity, str(node.get("kind") or "node"), identity)
    return list(found.values())


def edges_of(graph: Mapping[str, Any], *, implied: bool = True) -> list[tuple[str, str]]:
    """The edges between nodes, those from the input and those to the output, read from where arguments come from.

    Those that are `implied` begin at the input for what takes nothing, and end at the output for what nobody takes.
    """
    edges: list[tuple[str, str]] = []
    for node in _dicts(graph.get("nodes")):
        arguments = node.get("arguments")
        needed = [
            source
            for argument in (arguments.values() if isinstance(arguments, dict) else ())
            for source in _sources(argument)
        ]
        when = node.get("when")
        if isinstance(when, dict) and isinstance(when.get("node"), str):
            needed.append(when["node"])  # it stands in an arm of that decision
        # A node that takes nothing still begins when the run does.
        edges += [(source, str(node.get("id") or "")) for source in needed or ([INPUT] if implied else [])]
    edges += [(source, OUTPUT) for source in _sources(graph.get("output"))]
    if not implied:
        return list(dict.fromkeys(edges))
    used = {source for source, _ in edges}
    # What acts on the outside may have a value that nobody takes; the run still waits for it.
    edges += [(node.id, OUTPUT) for node in nodes_of(graph) if node.id not in used]
    return list(dict.fromkeys(edges))


def _sources(argument: Any) -> Iterator[str]:
    if not isinstance(argument, dict) or "constant" in argument:
        return
    if isinstance(argument.get("node"), str):
        yield argument["node"]
    elif isinstance(argument.get("input"), str):
        yield INPUT
    elif isinstance(argument.get("list"), list):
        for part in argument["list"]:
            yield from _sources(part)
    elif isinstance(argument.get("object"), dict):
        for part in argument["object"].values():
            yield from _sources(part)


def graph_svg(
    graph: Mapping[str, Any],
    *,
    direction: Direction = "right",
    states: Mapping[str, NodeState] | None = None,
    name: str = "",
    links: str | None = None,
) -> Markup | None:
    """The drawing, or None for a graph that is empty or has more than MAX_NODES nodes.

    Args:
        graph: a graph document as JSON (flows/graph.py); one of another version is read as far as it goes.
        direction: to the right, or down for narrow screens.
        states: of a run; the boxes then show how each node fared. A node without one did not run.
        name: the worklet's, for the title.
        links: an address below which each node has its own; the boxes then lead there.
    """
    nodes = nodes_of(graph)
    if not nodes or len(nodes) > MAX_NODES:
        return None
    layout = laid_out(nodes, edges_of(graph), direction)
    parts = [line_svg(line, direction) for line in layout.lines]
    parts += [terminal_svg(layout.boxes[INPUT], "input"), terminal_svg(layout.boxes[OUTPUT], "output")]
    boxes = [box_svg(node, layout.boxes[node.id], states) for node in nodes]
    if links is not None:
        boxes = [_link(f"{links}/{url_part(node.id)}", node, box) for node, box in zip(nodes, boxes, strict=True)]
    role = "img" if links is None else "group"  # what is inside an image can't be reached
    return _frame(layout, direction, name, _described(nodes, states), [*parts, *boxes], role)


def laid_out(nodes: Sequence[DrawnNode], edges: Sequence[tuple[str, str]], direction: Direction) -> Layout:
    """Where the boxes and lines of a graph lie, those of its input and output among them."""
    longest = max((max(len(node.label), len(node.kind) + 10) for node in nodes), default=0)
    box = Size(min(_WIDEST, max(_NARROWEST, _MARGIN + round(longest * _LETTER))), _BOX_HEIGHT)
    sizes = {INPUT: _TERMINAL, **{node.id: box for node in nodes}, OUTPUT: _TERMINAL}
    gaps = Gaps(between=42 if direction == "right" else 34, beside=20, around=6)
    return place(sizes, edges, direction=direction, gaps=gaps)


def _link(address: str, node: DrawnNode, box: Markup) -> Markup:
    return Markup('<a class="node-link" href="{}" data-node="{}">{}</a>').format(address, node.id, box)


def _described(nodes: Sequence[DrawnNode], states: Mapping[str, NodeState] | None) -> str:
    return f"{len(nodes)} nodes: {'; '.join(_told(node, states) for node in nodes)}"


def _frame(
    layout: Layout,
    direction: Direction,
    name: str,
    described: str,
    parts: Sequence[Markup],
    role: str,
) -> Markup:
    title = f"Graph of {name}" if name else "Graph"
    width, height = number_text(layout.width), number_text(layout.height)
    return Markup(
        '<svg class="graph{fits}" role="{role}" viewBox="0 0 {w} {h}" width="{w}" height="{h}">'
        "<title>{title}</title><desc>{desc}</desc>{parts}</svg>"
    ).format(
        fits=" fits" if layout.width <= _SHRINKS[direction] else "",
        w=width,
        h=height,
        title=title,
        desc=described,
        role=role,
        parts=Markup("").join(parts),
    )


def _told(node: DrawnNode, states: Mapping[str, NodeState] | None) -> str:
    if states is None:
        return f"{node.label} ({node.kind})"
    state = states.get(node.id)
    return f"{node.label} ({node.kind}, {state.state if state else 'did not run'})"


def box_svg(node: DrawnNode, at: Rectangle, states: Mapping[str, NodeState] | None) -> Markup:
    """A node."""
    kind = node.kind if node.kind in KINDS else "node"
    classes = f"box kind-{kind}"
    small = _shortened(node.kind, 18)
    if states is not None:
        state = states.get(node.id)
        classes += f" state-{_word(state.state)}" if state else " state-none"
        if state and state.duration_us is not None:
            small = f"{small} · {duration(state.duration_us)}"
    return Markup(
        '<g class="{classes}"><title>{told}</title>'
        '<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="10"/>'
        '<rect class="mark" x="{mx}" y="{my}" width="4" height="{mh}" rx="2"/>'
        '<text class="kind" x="{tx}" y="{ky}">{kind}</text><text class="name" x="{tx}" y="{ny}">{label}</text></g>'
    ).format(
        classes=classes,
        told=_told(node, states),
        x=number_text(at.x),
        y=number_text(at.y),
        w=number_text(at.width),
        h=number_text(at.height),
        mx=number_text(at.x + 10),
        my=number_text(at.y + 14),
        mh=number_text(at.height - 28),
        tx=number_text(at.x + 24),
        ky=number_text(at.y + 21),
        ny=number_text(at.y + 40),
        kind=small,
        label=_shortened(node.label, int((at.width - _MARGIN) / _LETTER) + 1),
    )


def terminal_svg(at: Rectangle, text: str) -> Markup:
    """The input or the output."""
    return Markup(
        '<g class="terminal"><rect x="{x}" y="{y}" width="{w}" height="{h}" rx="{r}"/>'
        '<text x="{tx}" y="{ty}" text-anchor="middle">{text}</text></g>'
    ).format(
        x=number_text(at.x),
        y=number_text(at.y),
        w=number_text(at.width),
        h=number_text(at.height),
        r=number_text(at.height / 2),
        tx=number_text(at.x + at.width / 2),
        ty=number_text(at.y + at.height / 2 + 4),
        text=text,
    )


def line_svg(line: Line, direction: Direction) -> Markup:
    """An edge with its head."""
    flat = direction == "right"
    start, *rest = line.points
    end_x, end_y = rest[-1]
    # The arrow's head takes the last pixels.
    rest[-1] = (end_x - 6, end_y) if flat else (end_x, end_y - 6)
    path = [f"M{number_text(start[0])} {number_text(start[1])}"]
    for number, point in enumerate(rest):
        path.append(
            _curve(start, point, flat) if number % 2 == 0 else f"L{number_text(point[0])} {number_text(point[1])}"
        )
        start = point
    head = (
        [(end_x - 7, end_y - 4), (end_x, end_y), (end_x - 7, end_y + 4)]
        if flat
        else [(end_x - 4, end_y - 7), (end_x, end_y), (end_x + 4, end_y - 7)]
    )
    points = " ".join(f"{number_text(x)},{number_text(y)}" for x, y in head)
    return Markup('<path class="edge" d="{}"/><polygon class="head" points="{}"/>').format("".join(path), points)


def _curve(start: tuple[float, float], end: tuple[float, float], flat: bool) -> str:
    if flat:
        middle = (start[0] + end[0]) / 2
        control = ((middle, start[1]), (middle, end[1]))
    else:
        middle = (start[1] + end[1]) / 2
        control = ((start[0], middle), (end[0], middle))
    return "C" + " ".join(f"{number_text(x)} {number_text(y)}" for x, y in (*control, end))


def _shortened(text: str, letters: int) -> str:
    clean = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in text)
    return clean if len(clean) <= letters else clean[: letters - 1].rstrip() + "…"


def _word(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isascii() and (letter.isalnum() or letter == "-"))


def number_text(value: float) -> str:
    """A coordinate with one decimal at most."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
