"""A small SVG drawing of each component, for the palette. `currentColor` takes the palette's ink."""

from __future__ import annotations

_FRAME = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 32" fill="none" '
    'stroke="currentColor" stroke-width="2" stroke-linecap="round">{}</svg>'
)
_BODIES = {
    "markdown": '<path d="M8 8h20M8 14h32M8 20h32M8 26h22"/>',
    "text": '<path d="M16 8h16M24 8v16"/>',
    "card": '<rect x="6" y="4" width="36" height="24" rx="4"/><path d="M6 11h36"/>',
    "image_input": (
        '<rect x="8" y="4" width="32" height="24" rx="4" stroke-dasharray="4 4"/><path d="M24 21V11m-5 5 5-5 5 5"/>'
    ),
    "slider": '<path d="M6 16h36"/><circle cx="28" cy="16" r="5" fill="currentColor"/>',
    "number": '<rect x="6" y="9" width="36" height="14" rx="3"/><path d="M12 13v6"/>',
    "button": '<rect x="8" y="9" width="32" height="14" rx="7" fill="currentColor"/>',
    "progress": '<rect x="6" y="13" width="36" height="6" rx="3"/><path d="M9 16h14"/>',
    "image": (
        '<rect x="8" y="4" width="32" height="24" rx="3"/><path d="m10 25 9-9 6 6 4-4 9 8"/>'
        '<circle cx="31" cy="11" r="2"/>'
    ),
    "gallery": (
        '<rect x="5" y="8" width="11" height="16" rx="2"/><rect x="19" y="8" width="11" height="16" rx="2"/>'
        '<rect x="33" y="8" width="11" height="16" rx="2"/>'
    ),
    "alert": '<path d="M24 5 40 27H8Z"/><path d="M24 13v6M24 23v.1"/>',
}

THUMBNAILS = {name: _FRAME.format(body) for name, body in _BODIES.items()}
