"""The drawing of a graph that is being edited: boxes and lines that can be chosen, and handles to draw lines from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from .graph_layout import Direction, Line, Rectangle
from .graph_svg import (
    INPUT,
    MAX_NODES,
    OUTPUT,
    DrawnNode,
    box_svg,
    edges_of,
    laid_out,
    line_svg,
    nodes_of,
    number_text,
    terminal_svg,
)

# Space for the handles, which stand out over the boxes.
_ROOM = 8
# A drawing up to this width (in pixels) may be shrunk into its frame; a wider one scrolls.
_SHRINKS = 900


def canvas_svg(graph: Mapping[str, Any], direction: Direction = "right") -> Markup | None:
    """The drawing, or None for more than MAX_NODES nodes. Gestures are the page's (static/edit_canvas.js)."""
    nodes = nodes_of(graph)
    if len(nodes) > MAX_NODES:
        return None
    layout = laid_out(nodes, edges_of(graph, implied=False), direction)
    names = {node.id: node.label for node in nodes} | {INPUT: "input", OUTPUT: "output"}
    parts = [_wire(line, names, direction) for line in layout.lines]
    parts += [_end("input", layout.boxes[INPUT], direction), _end("output", layout.boxes[OUTPUT], direction)]
    parts += [_node(node, layout.boxes[node.id], direction) for node in nodes]
    fits = " fits" if layout.width <= _SHRINKS else ""
    width, height = layout.width + 2 * _ROOM, layout.height + 2 * _ROOM
    return Markup(
        '<svg class="graph editable{fits}" role="group" aria-label="Graph" viewBox="{x} {x} {w} {h}" width="{w}" '
        'height="{h}">{parts}<path class="rubber" d=""/></svg>'
    ).format(fits=fits, x=-_ROOM, w=number_text(width), h=number_text(height), parts=Markup("").join(parts))


def _wire(line: Line, names: Mapping[str, str], direction: Direction) -> Markup:
    drawn = line_svg(line, direction)
    told = f"From {names[line.source]} to {names[line.target]}"
    return Markup(
        '<g class="wire" tabindex="0" role="button" aria-label="{told}" data-source="{source}" data-target="{target}">'
        "<title>{told}</title>{drawn}</g>"
    ).format(told=told, source=_name(line.source), target=_name(line.target), drawn=drawn)


def _end(text: str, at: Rectangle, direction: Direction) -> Markup:
    handle = _handle(f"${text}", at, direction) if text == "input" else Markup("")
    return Markup(
        '<g class="end" tabindex="0" role="button" data-node="{name}" aria-label="{told}">{box}{handle}</g>'
    ).format(name=f"${text}", told=f"The worklet's {text}", box=terminal_svg(at, text), handle=handle)


def _node(node: DrawnNode, at: Rectangle, direction: Direction) -> Markup:
    return Markup(
        '<g class="node-link" tabindex="0" role="button" data-node="{id}" aria-label="{told}">{box}{handle}</g>'
    ).format(
        id=node.id,
        told=f"{node.label}, {node.kind}",
        box=box_svg(node, at, None),
        handle=_handle(node.id, at, direction),
    )


def _handle(name: str, at: Rectangle, direction: Direction) -> Markup:
    flat = direction == "right"
    x, y = (at.x + at.width, at.y + at.height / 2) if flat else (at.x + at.width / 2, at.y + at.height)
    return Markup('<circle class="handle" data-from="{}" cx="{}" cy="{}" r="6"/>').format(
        name, number_text(x), number_text(y)
    )


def _name(id: str) -> str:
    return {INPUT: "$input", OUTPUT: "$output"}.get(id, id)
