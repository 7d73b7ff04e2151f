"""Whose pages these are: name, colour and logo, of the server or of one view."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from ..connectors.errors import SetupError
from .colours import accent_css

CONSOLE_ACCENT, VIEW_ACCENT = "#5746d6", "#3457d5"
MAX_LOGO_BYTES = 100_000
_KINDS = {".svg": "svg+xml", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Brand:
    """A name, a colour (`#rrggbb`; empty is our own) and a logo (a data address; empty is our own).

    A logo is only ever the source of an <img>, where a drawing runs no script.
    """

    name: str = ""
    colour: str = ""
    logo: str = ""

    @classmethod
    def read(cls, name: str = "", colour: str = "", logo: Path | None = None) -> Brand:
        """The server's brand from its settings. Raises SetupError."""
        if colour and not _COLOUR.fullmatch(colour):
            raise SetupError(f"WORKLETS_BRAND_COLOUR is {colour!r}; write a colour as #1f6f6b.")
        if len(name) > 60 or not name.isprintable():
            raise SetupError("WORKLETS_BRAND_NAME has up to 60 printable characters.")
        return cls(name, colour, _read_logo(logo) if logo is not None else "")

    def of_view(self, name: str, colour: str | None, logo: str) -> Brand:
        """A view's own brand: what it does not say is the server's."""
        return Brand(name or self.name, colour or self.colour, logo or self.logo)

    def console_css(self) -> str:
        """The colours of the console, as a style sheet."""
        return f":root {{ {accent_css(self.colour or CONSOLE_ACCENT)} }}\n"

    def view_css(self) -> str:
        """The colours of a view, as custom properties."""
        return accent_css(self.colour or VIEW_ACCENT)


OUR_BRAND = Brand()


def _read_logo(path: Path) -> str:
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise SetupError(f"WORKLETS_BRAND_LOGO is {path}; a logo is an SVG, PNG, JPEG or WebP file.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SetupError(f"The logo {path} (WORKLETS_BRAND_LOGO) can't be read: {error.strerror}.") from None
    if len(content) > MAX_LOGO_BYTES:
        raise SetupError(f"The logo {path} has {len(content)} bytes and may have {MAX_LOGO_BYTES}.")
    return f"data:image/{kind};base64,{b64encode(content).decode()}"
