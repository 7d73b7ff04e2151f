"""Every sort of page by what a program can check of WCAG 2.2 (axe, levels A and AA), and by keyboard."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from fixtures_browser import LocalContext
from fixtures_server import Server
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.integration, pytest.mark.browser]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
CONSOLE = ["", "/worklets", "/worklets/stylize", "/models", "/models/style-transfer", "/runs", "/views"]
SHARING = ["/views/stylize/share", "/users", "/keys", "/account", "/nowhere"]
VIEWS = ["/views/", "/views/stylize", "/views/nowhere"]
# Dark pages are the same but for their colours, whose contrast tests/panel_views/test_colours.py computes.
DARK = ["/console", "/console/worklets/stylize", "/console/users", "/console/views/stylize/share", "/views/stylize"]


@pytest.fixture(scope="module")
def shared(server: Server) -> dict[str, str]:
    """Addresses for people without an account."""
    made = server.worklets("views", "share", "stylize", "--json")
    guarded = server.client().post("/api/views/stylize/shares", json={"password": "open sesame"}).json()
    server.worklets("users", "add", "reader")
    invitation = json.loads(server.worklets("users", "invite", "reader", "--json").stdout)["url"]
    return {"share": json.loads(made.stdout)["url"], "guarded": guarded["url"], "invitation": invitation}


def sign_in(server: Server, visitor: LocalContext) -> Page:
    page = visitor.page()
    page.goto(json.loads(server.worklets("login", "--json").stdout)["url"])
    page.wait_for_url("**/console")
    return page


def faults(page: Page, address: str) -> list[str]:
    """What axe finds on a page, with where."""
    page.goto(address)
    if address.endswith("/views/stylize"):
        page.locator("#stage.drawn").wait_for(state="attached", timeout=20_000)
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{address}: {rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


def test_the_rules_find_faults(visitor: LocalContext) -> None:
    page = visitor.page()
    page.set_content("<html lang=en><title>x</title><img src=x><input><p style='color: #999'>pale</p><button></button>")
    found = Axe().run(page, options=RULES).response["violations"]
    assert {rule["id"] for rule in found} >= {"image-alt", "label", "color-contrast", "button-name"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_fault(server: Server, visitor: LocalContext, scheme: str) -> None:
    page = sign_in(server, visitor)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    addresses = DARK if scheme == "dark" else [f"/console{path}" for path in (*CONSOLE, *SHARING)] + VIEWS
    found = [fault for address in addresses for fault in faults(page, server.url + address)]
    assert found == []
    assert page.evaluate("document.documentElement.dataset.mode") == scheme


def test_pages_for_strangers_have_no_fault(server: Server, visitor: LocalContext, shared: dict[str, str]) -> None:
    page = visitor.page()
    addresses = [f"{server.url}/login", f"{server.url}/share/nothing", *shared.values()]
    assert [fault for address in addresses for fault in faults(page, address)] == []


def test_on_a_phone(server: Server, visitor: LocalContext, shared: dict[str, str]) -> None:
    page = sign_in(server, visitor)
    page.set_viewport_size({"width": 390, "height": 844})
    for address in ("/console/users", "/console/keys", "/console/views/stylize/share", "/console/account"):
        assert faults(page, server.url + address) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} is wider than a phone"
    page.goto(shared["share"])
    page.locator("#stage.drawn").wait_for(state="attached", timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_switch_is_remembered_on_all_pages(server: Server, visitor: LocalContext) -> None:
    page = sign_in(server, visitor)
    mode = "document.documentElement.dataset.mode"
    switch = page.get_by_role("button", name="Dark colours")
    assert page.evaluate(mode) == "light"
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    for address in ("/console/runs", "/views/stylize"):
        page.goto(server.url + address)
        assert page.evaluate(mode) == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 21, 23)"
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate(mode) == "light"
    page.emulate_media(color_scheme="dark")  # what the system says counts again
    page.wait_for_function(f"{mode} === 'dark'")


def test_keys_alone_lead_everywhere(server: Server, visitor: LocalContext) -> None:
    """The first stop skips to the content, and each stop can be seen."""
    page = sign_in(server, visitor)
    page.goto(f"{server.url}/console/users")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    seen = set()
    for _ in range(24):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => {
              const at = document.activeElement, style = getComputedStyle(at)
              return [at.getAttribute('aria-label') || at.textContent.trim() || at.name,
                style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]
            }"""
        )
        assert told[1], f"{told[0]} has the focus, and nothing shows it"
        seen.add(told[0])
    assert {"Overview", "Access", "Sign out", "Keys", "Password link for admin"} <= seen
