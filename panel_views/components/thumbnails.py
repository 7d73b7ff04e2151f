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
    "text_input": '<rect x="6" y="9" width="36" height="14" rx="3"/><path d="M12 13v6M18 16h12"/>',
    "text_area": '<rect x="6" y="5" width="36" height="22" rx="3"/><path d="M12 11h24M12 16h24M12 21h14"/>',
    "dropdown": '<rect x="6" y="9" width="36" height="14" rx="3"/><path d="M12 16h12m5-2 4 4 4-4"/>',
    "multi_select": (
        '<rect x="7" y="5" width="7" height="7" rx="2"/><path d="m8 8 2 2 5-5M20 8h20"/>'
        '<rect x="7" y="20" width="7" height="7" rx="2"/><path d="M20 24h16"/>'
    ),
    "radio": '<circle cx="11" cy="9" r="4"/><circle cx="11" cy="23" r="4"/><path d="M11 9v.1M21 9h18M21 23h14"/>',
    "checkbox": '<rect x="8" y="10" width="12" height="12" rx="3"/><path d="m11 16 3 3 6-7M27 16h13"/>',
    "date": '<rect x="11" y="6" width="26" height="22" rx="3"/><path d="M11 13h26M18 3v5M30 3v5M18 19h.1M24 19h.1"/>',
    "table": '<rect x="6" y="5" width="36" height="22" rx="3"/><path d="M6 12h36M6 19h36M18 12v15"/>',
    "chart": '<path d="M8 5v22h33"/><path d="m13 21 8-8 6 5 11-11"/>',
    "metric": '<path d="M8 12h10M8 20h16M8 26h8"/><path d="m27 22 5-6 4 3 6-9"/>',
    "code": '<path d="m17 9-7 7 7 7M31 9l7 7-7 7M26 6l-4 20"/>',
    "json": '<path d="M18 6c-5 0-2 9-6 10 4 1 1 10 6 10M30 6c5 0 2 9 6 10-4 1-1 10-6 10M24 16h.1"/>',
    "divider": '<path d="M5 16h14M29 16h14M23 16h2"/>',
    "file_input": '<path d="M27 4H15v24h18V10Zm0 0v6h6M24 24v-9m-4 4 4-4 4 4"/>',
    "camera_input": (
        '<rect x="7" y="9" width="34" height="18" rx="3"/><path d="m17 9 3-4h8l3 4"/><circle cx="24" cy="18" r="5"/>'
    ),
    "container": (
        '<rect x="6" y="4" width="36" height="24" rx="4" stroke-dasharray="4 4"/><path d="M13 12h22M13 20h14"/>'
    ),
    "form": (
        '<rect x="6" y="3" width="36" height="26" rx="4"/><path d="M12 9h24M12 15h24"/>'
        '<path d="M28 23h8" stroke-width="5"/>'
    ),
    "tabs": '<path d="M6 11V5h12v6h24v17H6V11h12M22 6h8M34 6h8"/>',
    "modal": (
        '<rect x="4" y="3" width="40" height="26" rx="3" stroke-dasharray="3 4"/>'
        '<rect x="12" y="9" width="24" height="14" rx="2"/>'
    ),
    "pdf": '<path d="M28 3H14v26h20V9Zm0 0v6h6"/><path d="M19 16h10M19 22h7"/>',
    "audio": '<path d="M9 13v6M15 9v14M21 5v22M27 11v10M33 8v16M39 13v6"/>',
    "video": '<rect x="6" y="5" width="36" height="22" rx="3"/><path d="M21 11v10l8-5Z" fill="currentColor"/>',
    "annotation": (
        '<rect x="6" y="4" width="36" height="24" rx="3"/>'
        '<path d="M14 10h12v12H14Z" stroke-dasharray="3 3"/><path d="M34 20v.1"/>'
    ),
    "map": '<path d="M24 28s9-8 9-15a9 9 0 0 0-18 0c0 7 9 15 9 15Z"/><circle cx="24" cy="13" r="3"/>',
    "chat": '<path d="M6 5h24v13H14l-5 4v-4H6Z"/><path d="M34 12h8v12h-3v4l-5-4H22v-3"/>',
    "log": '<rect x="6" y="4" width="36" height="24" rx="3"/><path d="m12 11 4 4-4 4M20 20h10"/>',
    "custom": '<path d="M20 6h8v6h6v8h-6v6h-8v-6h-6v-8h6Z"/>',
    "iframe": (
        '<rect x="6" y="4" width="36" height="24" rx="3"/><path d="M6 11h36M11 7.500h.1M15 7.500h.1"/>'
        '<path d="m21 16-4 4 4 4M27 16l4 4-4 4"/>'
    ),
    "alert": '<path d="M24 5 40 27H8Z"/><path d="M24 13v6M24 23v.1"/>',
}

THUMBNAILS = {name: _FRAME.format(body) for name, body in _BODIES.items()}
