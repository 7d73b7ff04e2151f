"""Colours by the rules of WCAG 2.2: how far two differ, and a brand's colour made readable on light and on dark."""

from __future__ import annotations

from dataclasses import dataclass

Rgb = tuple[float, float, float]
# Of text on its ground (level AA).
READABLE = 4.5
# The grounds that text in the brand's colour stands on, in each scheme the hardest one first.
_LIGHT_GROUNDS = ("#f2f2f0", "#ffffff")
_DARK_GROUNDS = ("#26282c", "#101013")
_LIGHT_SURFACE, _DARK_SURFACE = "#ffffff", "#1d1f22"
# How much of the colour is in the tint behind a chosen thing.
LIGHT_TINT, DARK_TINT = 0.10, 0.18
_STEP = 0.02


@dataclass(frozen=True)
class Accent:
    """A brand's colour in one scheme, and the colour of text on it."""

    colour: str
    on: str


def parse_colour(text: str) -> Rgb:
    """Red, green and blue from 0 to 1 of `#rrggbb`."""
    return int(text[1:3], 16) / 255, int(text[3:5], 16) / 255, int(text[5:7], 16) / 255


def luminance(colour: str) -> float:
    """The relative luminance, from 0 (black) to 1 (white)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parse_colour(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio, from 1 (alike) to 21 (black and white)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mix(colour: str, other: str, share: float) -> str:
    """`colour` with a share of `other` in it."""
    parts = (a + (b - a) * share for a, b in zip(parse_colour(colour), parse_colour(other), strict=True))
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)


def light_accent(brand: str) -> Accent:
    """The brand's colour for light pages: as it is, or darkened until it can be read."""
    return Accent(_until_readable(brand, "#000000", _LIGHT_GROUNDS, _LIGHT_SURFACE, LIGHT_TINT), "#ffffff")


def dark_accent(brand: str) -> Accent:
    """The brand's colour for dark pages: as it is, or lightened until it can be read."""
    colour = _until_readable(brand, "#ffffff", _DARK_GROUNDS, _DARK_SURFACE, DARK_TINT)
    return Accent(colour, "#101013")


def _until_readable(brand: str, towards: str, grounds: tuple[str, ...], surface: str, tint: float) -> str:
    for step in range(round(1 / _STEP) + 1):
        colour = mix(brand, towards, step * _STEP)
        behind = (*grounds, mix(surface, colour, tint))
        if all(contrast(colour, ground) >= READABLE for ground in behind):
            return colour
    return towards


def accent_css(brand: str) -> str:
    """The custom properties of a brand's colour, for both schemes."""
    light, dark = light_accent(brand), dark_accent(brand)
    return (
        f"--accent: light-dark({light.colour}, {dark.colour}); --on-accent: light-dark({light.on}, {dark.on}); "
        f"--accent-hover: light-dark({mix(light.colour, '#000000', 0.14)}, {mix(dark.colour, '#ffffff', 0.2)}); "
        f"--focus: light-dark({light.colour}, {dark.colour});"
    )
