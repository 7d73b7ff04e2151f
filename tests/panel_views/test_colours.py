"""WCAG AA: every colour of text on every ground that it stands on, in both schemes, for any brand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prefect_worklets.connectors.errors import SetupError
from prefect_worklets.panel_views import branding, colours
from prefect_worklets.panel_views.branding import CONSOLE_ACCENT, VIEW_ACCENT, Brand
from prefect_worklets.panel_views.colours import READABLE, contrast, dark_accent, light_accent, luminance, mix

ROOM = Path(branding.__file__).parent
SHEETS = {"views": ROOM / "theme.css", "console": ROOM / "console" / "static" / "console.css"}
BRANDS = [CONSOLE_ACCENT, VIEW_ACCENT, "#1f6f6b", "#ffd400", "#ff0000", "#000000", "#ffffff", "#808080", "#00ff66"]
# What is written in which colour on which ground.
TEXTS = {
    "views": [
        *((ink, ground) for ink in ("ink", "muted") for ground in ("ground", "surface", "sunken")),
        *((name, f"{name}-soft") for name in ("danger", "warning", "success", "info")),
        *((f"code-{name}", "sunken") for name in ("keyword", "string", "number", "name")),
        ("danger", "surface"),
        ("ink", "danger-soft"),
    ],
    "console": [
        *((ink, ground) for ink in ("text", "muted") for ground in ("ground", "surface", "sunken", "hover")),
        ("good", "good-soft"),
        ("bad", "bad-soft"),
        ("text", "bad-soft"),
        ("bad", "surface"),
        ("good", "surface"),
        ("warn", "surface"),
    ],
}
# What has to be seen to be used: the edges of fields (WCAG 1.4.11).
EDGES = {"views": [("line-strong", "surface")], "console": [("control", "surface")]}


def scheme(sheet: str, dark: bool) -> dict[str, str]:
    """The plain colours of a style sheet in one scheme."""
    pair = re.compile(r"--([\w-]+): (?:light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)|(#[0-9a-f]{6}));")
    found = pair.findall(SHEETS[sheet].read_text())
    return {name: both or (second if dark else first) for name, first, second, both in found}


def test_the_rules_themselves() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#123456", "#123456") == 1
    assert luminance("#ff0000") == pytest.approx(0.2126)
    assert mix("#000000", "#ffffff", 0.5) == "#808080"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("sheet", SHEETS)
def test_texts_can_be_read(sheet: str, dark: bool) -> None:
    found = scheme(sheet, dark)
    ratios = {pair: round(contrast(found[pair[0]], found[pair[1]]), 2) for pair in TEXTS[sheet]}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < READABLE} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("sheet", SHEETS)
def test_edges_can_be_seen(sheet: str, dark: bool) -> None:
    found = scheme(sheet, dark)
    for edge, ground in EDGES[sheet]:
        assert contrast(found[edge], found[ground]) >= 3


@pytest.mark.parametrize("brand", BRANDS)
def test_any_brand_can_be_read(brand: str) -> None:
    for accent, dark, tint in ((light_accent(brand), False, 0.10), (dark_accent(brand), True, 0.18)):
        assert contrast(accent.on, accent.colour) >= READABLE
        for sheet in SHEETS:
            found = scheme(sheet, dark)
            for ground in ("ground", "surface", "sunken"):
                assert contrast(accent.colour, found[ground]) >= READABLE, (sheet, ground)
            assert contrast(accent.colour, mix(found["surface"], accent.colour, tint)) >= 4.4, sheet


def test_a_colour_that_can_be_read_stays() -> None:
    assert light_accent("#1f6f6b").colour == "#1f6f6b"
    assert dark_accent("#8ab4f8").colour == "#8ab4f8"


class TestBrand:
    def test_what_a_view_does_not_say_is_the_server_s(self) -> None:
        ours = Brand("Acme", "#1f6f6b", "data:image/png;base64,AA==")
        assert ours.of_view("", None, "") == ours
        assert ours.of_view("Lab", "#ff0000", "") == Brand("Lab", "#ff0000", ours.logo)

    def test_a_logo_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "logo.svg"
        path.write_text("<svg/>")
        assert Brand.read(logo=path).logo == "data:image/svg+xml;base64,PHN2Zy8+"

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"colour": "teal"}, "#1f6f6b"),
            ({"colour": "#1f6f6b; }"}, "#1f6f6b"),
            ({"name": "x" * 61}, "60 printable"),
            ({"logo": Path("/nowhere/logo.svg")}, "can't be read"),
            ({"logo": Path("/etc/hostname")}, "SVG, PNG"),
        ],
    )
    def test_what_is_wrong_is_said(self, given: dict[str, object], said: str) -> None:
        with pytest.raises(SetupError, match=said):
            Brand.read(**given)  # type: ignore[arg-type]

    def test_too_large_a_logo(self, tmp_path: Path) -> None:
        path = tmp_path / "logo.png"
        path.write_bytes(b"x" * (branding.MAX_LOGO_BYTES + 1))
        with pytest.raises(SetupError, match="may have 100000"):
            Brand.read(logo=path)

    def test_the_css_has_both_schemes(self) -> None:
        css = colours.accent_css("#1f6f6b")
        assert "--accent: light-dark(#1f6f6b, #" in css
        assert "--on-accent: light-dark(#ffffff, #101013)" in css
