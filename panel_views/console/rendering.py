"""Templates into answers: one Jinja environment with autoescape, and the headers that each console page carries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from ..branding import Brand
from . import formats
from .assets import Assets

TEMPLATES = Path(__file__).parent / "templates"
HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # Pages show what their reader may see; no cache in between may keep them.
    "cache-control": "no-store",
}


class Renderer:
    """Fills templates. `assets` gives the addresses of style sheets and scripts, `brand` the name and the logo."""

    def __init__(self, assets: Assets, brand: Brand) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset"] = assets.url
        self._environment.globals["brand_name"] = brand.name or "Worklets"
        self._environment.globals["brand_logo"] = brand.logo
        self._environment.filters.update(
            duration=formats.duration,
            size=formats.size,
            amount=formats.amount,
            time=formats.time_element,
            time_us=lambda microseconds: formats.time_element(formats.from_us(microseconds)),
            clock=formats.clock_element,
            url_part=formats.url_part,
            short=formats.short,
            with_code=formats.with_code,
        )

    def page(self, template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """The page as an answer."""
        text = self._environment.get_template(template).render(context)
        return HTMLResponse(text, status_code=status, headers=dict(HEADERS))
